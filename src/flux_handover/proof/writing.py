"""Which fields of which rendered objects the operations of a phase write: all that content may change (contract K18).

An operation says the field of a document that it edits; the document renders to objects with the same
field. What comes or goes with a file is written as a whole. Whatever else differs between two
renderings, the phase did not mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from flux_handover.model.rendering import Build
from flux_handover.objects import PRUNE, ObjectId, id_of, mapping
from flux_handover.plan.listings import documents_of, listed_entries
from flux_handover.plan.operations import (
    AddFile,
    AppendElement,
    DisablePrune,
    Operation,
    RemoveDocument,
    RemoveField,
    RemoveFile,
    SetField,
    UnlistResource,
)
from flux_handover.proof.equivalence import ADDED, CHANGED, REMOVED, Change, dotted
from flux_handover.proof.steps import Step

MARK = f"metadata.annotations.{PRUNE}"
ORIGIN = "metadata.annotations.config.kubernetes.io/origin"
"""What Flux adds to the objects of a list without resources (`fluxcd/pkg:kustomize/kustomize_generator.go@v1.35.4`)."""
UNPRUNED = ("spec.prune", "spec.deletionPolicy")


@dataclass(frozen=True, slots=True)
class Writings:
    """What a phase writes: objects that come and objects that go, and fields of objects that stay."""

    adds: frozenset[ObjectId]
    drops: frozenset[ObjectId]
    fields: Mapping[ObjectId, frozenset[str]]

    @property
    def ids(self) -> frozenset[ObjectId]:
        """Every object of which anything is written."""
        return self.adds | self.drops | self.fields.keys()


def writings(step: Step) -> Writings:
    """What the operations of a phase say they write."""
    operations = step.phase.operations
    added = frozenset(id for one in operations if isinstance(one, AddFile) for id in one.adds)
    pairs = sorted(pair for operation in operations for pair in _fields(step, operation))
    fields = {id: frozenset(path for _, path in group) for id, group in groupby(pairs, key=lambda pair: pair[0])}
    return Writings(added, frozenset(_drops(step)), fields)


def _drops(step: Step) -> Iterator[ObjectId]:
    """What leaves Git: by file, by document, by an entry of a list, and with the Kustomization that rendered it."""
    yield from step.phase.removes
    for operation in step.phase.operations:
        match operation:
            case RemoveFile(drops=drops) | UnlistResource(drops=drops):
                yield from drops
            case RemoveDocument(id=id):
                yield id
            case _:
                continue
    owner = step.plan.installation.owner
    if owner and owner in step.before.cluster.builds and owner not in step.after.cluster.builds:
        yield from step.before.cluster.builds[owner].ids


def _fields(step: Step, operation: Operation) -> Iterator[tuple[ObjectId, str]]:
    match operation:
        case DisablePrune(ks=ks):
            yield from ((ks, field) for field in UNPRUNED)
        case AppendElement(path=path, document=number, field=field, marks=marks, writes=writes):
            yield from ((id, dotted(field)) for id in _named(step, path, number))
            yield from ((id, MARK) for id in marks)
            yield from writes
        case UnlistResource(path=path) if not listed_entries(step.after.tree, path):
            builds = (build for build in step.after.cluster if path in build.reads)
            yield from ((id, ORIGIN) for build in builds for id in build.ids)
        case SetField(path=path, document=number, field=field) | RemoveField(path=path, document=number, field=field):
            yield from ((id, dotted(field)) for id in _named(step, path, number))
        case _:
            return


def _named(step: Step, path: str, number: int) -> Iterator[ObjectId]:
    """What a document that is edited renders to; its namespace may come from a kustomization.yaml."""
    documents = documents_of(step.before.tree, path)
    written = id_of(documents[number].mapping) if number < len(documents) else None
    for _, object in step.before.cluster.objects():
        if written and (object.id.group, object.id.kind, object.id.name) == (written.group, written.kind, written.name):
            yield object.id


def foreign(step: Step, found: Iterable[Change], written: Writings) -> Iterator[Change]:
    """The changes that the phase does not write, each with only the fields that it does not write."""
    for change in found:
        if change.kind == CHANGED:
            fields = tuple(sorted(set(_unwritten(step, change, written))))
            if fields:
                yield Change(change.id, change.owner, CHANGED, fields)
        elif not _is_meant(change, written):
            yield change


def _is_meant(change: Change, written: Writings) -> bool:
    if change.kind == ADDED:
        return change.id in written.adds
    return change.kind == REMOVED and change.id in written.drops


def _unwritten(step: Step, change: Change, written: Writings) -> Iterator[str]:
    if change.id in written.adds:
        return
    allowed = written.fields.get(change.id, frozenset())
    renamed = step.after.cluster.successor_of(step.before.cluster)
    old = _content(step.before.cluster.builds[renamed.get(change.owner, change.owner)], change.id)
    new = _content(step.after.cluster.builds[change.owner], change.id)
    for path in deeply(old, new):
        if not any(_is_written(path, field) for field in allowed):
            yield path


def _content(build: Build, id: ObjectId) -> Mapping[str, Any]:
    return next(object.data for object in build.present if object.id == id)


def deeply(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The paths of fields that differ, down to the fields of a mapping that only one side has."""
    if _is_mapping(old, new):
        for key in sorted({*mapping(old), *mapping(new)}):
            yield from deeply(mapping(old).get(key), mapping(new).get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from deeply(one, other, f"{path}[{index}]")
    elif old != new:
        yield path


def _is_mapping(old: Any, new: Any) -> bool:
    """Two mappings, or one with fields that the other side lacks as a whole."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return True
    return (old is None and bool(new) and isinstance(new, Mapping)) or (
        new is None and bool(old) and isinstance(old, Mapping)
    )


def _is_written(path: str, field: str) -> bool:
    """Whether a difference is the field, lies below it, or is the list of which the field is an element."""
    return path == field or path.startswith((f"{field}.", f"{field}[")) or field.startswith(f"{path}[")

"""Phase `references`, and what `retire` must edit because it would break: names of what went away (K18, B7).

Text that means exactly one thing is edited: a command that reconciles an object, a CI step that builds a
directory, an entry of a Receiver or Alert. What is only said, in prose or in a longer script, is listed
with its place, for a person to read.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

from flux_handover.documents import Document
from flux_handover.emit import Style
from flux_handover.model.installation import Installation
from flux_handover.model.references_text import Mention, mentions, sort_of
from flux_handover.model.rendering import Cluster
from flux_handover.model.settings_texts import files_with
from flux_handover.objects import NOTIFICATION_GROUP, ObjectId, id_of, listed, mapping
from flux_handover.plan.bootstrap_commands import text_of
from flux_handover.plan.bootstrap_helmfiles import all_releases
from flux_handover.plan.edits import edited
from flux_handover.plan.listings import KUSTOMIZATION_FILES, documents_in, documents_of, is_listing, read_files
from flux_handover.plan.operations import Operation, RemoveField, RemoveFile, ReplaceText, SetField
from flux_handover.plan.phases import PhaseDraft
from flux_handover.plan.renovate import renovated, unseen
from flux_handover.plan.renovate_config import renovate_config
from flux_handover.plan.target import InstanceForm, Target
from flux_handover.tree import Tree

_VERBS = r"\b(?:reconcile|suspend|resume|get|events|trace|tree|logs)\b[^\n]*?\s"
_BUILDS = re.compile(r"\b(?:kustomize(?:\s+build)?|apply|flux\s+(?:build|diff))\b")
_CONTROLS = re.compile(r"\s*(?:for|if|while|until|case)\b")
_LISTS = {(NOTIFICATION_GROUP, "Receiver"): "resources", (NOTIFICATION_GROUP, "Alert"): "eventSources"}
"""Where an object of a group and kind lists others by kind and name."""


def references(
    cluster: Cluster, installation: Installation, target: Target, style: Style, tree: Tree, before: Tree
) -> PhaseDraft:
    """What Renovate needs to see the new versions, and where people still read the old names.

    `before` is the tree that the plan began with: what it has and `tree` lacks is what went away.
    """
    helmfile = _helmfile(target, tree)
    operations = tuple(renovated(target, helmfile, tree))
    left = unseen(target, helmfile, edited(tree, operations))
    notes = (*_names_left(cluster, installation, target, tree, before), *_about_renovate(left, tree))
    return PhaseDraft(operations, notes)


def _helmfile(target: Target, tree: Tree) -> str:
    """The Helmfile that installs the operator; empty where none does."""
    found = (one.where.file for one in all_releases(tree) if one.chart_name == target.operator.name)
    return next(found, "")


def _names_left(
    cluster: Cluster, installation: Installation, target: Target, tree: Tree, before: Tree
) -> Iterator[str]:
    """Lines, written before the plan began, that name what went away."""
    gone, ours = _only_in(before, tree), _only_in(tree, before)
    if not gone:
        return
    owners = filter(
        None, (installation.owner, installation.source, *(target.transfer.renamed if target.transfer else ()))
    )
    ids = [id for id in owners if not _is_written(id, cluster, tree)]
    for mention in mentions(tree, ids, gone, live=(*read_files(cluster, tree), *ours)):
        if not _means_a_neighbour(mention):
            sure = mention.confidence.value
            yield f"{mention.file}:{mention.line} names {mention.what}, which is gone ({mention.sort}, {sure})"


def _only_in(tree: Tree, other: Tree) -> list[str]:
    return [path for path in tree if path not in other]


def _means_a_neighbour(mention: Mention) -> bool:
    """Whether the line names another file of a directory whose kustomization.yaml is gone."""
    directory, _, name = mention.what.rpartition("/")
    if name not in KUSTOMIZATION_FILES:
        return False
    tail = re.escape("/".join(directory.split("/")[-2:]))
    return re.search(rf"{tail}/[\w.-]", mention.text) is not None and name not in mention.text


def _about_renovate(left: tuple[str, ...], tree: Tree) -> Iterator[str]:
    if renovate_config(tree) is None:
        yield "no configuration of Renovate that can be read: nothing follows new versions of the charts"
    yield from (f"Renovate does not see {place}" for place in left)


def _is_written(id: ObjectId, cluster: Cluster, tree: Tree) -> bool:
    holding = (path for path, _ in files_with(tree, read_files(cluster, tree), id.name.encode()))
    written = (id_of(document.mapping) for document in documents_in(tree, holding))
    return any((one.kind, one.name) == (id.kind, id.name) for one in written)


def references_broken_by(
    retired: Iterable[ObjectId], removed: Iterable[str], cluster: Cluster, target: Target, tree: Tree
) -> tuple[Operation, ...]:
    """The edits that must come in the same commit as the removal of objects and files, because they would break."""
    ids, files = tuple(retired), tuple(removed)
    left = [path for path in tree if path not in files]
    read = [path for path in read_files(cluster, tree) if path not in files]
    return (
        *_notified(ids, read, target, tree),
        *chain.from_iterable(_commanded(ids, path, target, tree) for path in left),
        *chain.from_iterable(_built(files, path, tree) for path in left),
    )


def replacement(id: ObjectId, target: Target) -> ObjectId | None:
    """What does now what a retired object did; None where nothing does."""
    if target.transfer is not None and id in target.transfer.renamed:
        return target.transfer.renamed[id]
    if id.kind == "OCIRepository" and target.form is InstanceForm.HELMRELEASE:
        return target.instance.source
    return target.layout.instance.ks if id.kind == "Kustomization" else None


def _notified(ids: tuple[ObjectId, ...], paths: list[str], target: Target, tree: Tree) -> Iterator[Operation]:
    """Entries of Receivers and Alerts, which Flux looks up by kind and name."""
    for document in documents_in(tree, paths):
        field = _LISTS.get(id_of(document.mapping)[:2], "")
        for index, entry in enumerate(listed(mapping(document.mapping.get("spec")).get(field))):
            new = next((replacement(id, target) for id in ids if _is_entry(entry, id)), None)
            if new is not None:
                why = f"{entry['name']} is gone; {new} follows it"
                yield SetField(document.path, document.index, ("spec", field, index, "name"), new.name, why)


def _is_entry(entry: object, id: ObjectId) -> bool:
    named = mapping(entry)
    same = named.get("kind") == id.kind and named.get("name") == id.name
    return same and named.get("namespace", id.namespace) == id.namespace


def _commanded(ids: tuple[ObjectId, ...], path: str, target: Target, tree: Tree) -> Iterator[Operation]:
    """Commands of the Flux CLI in runners and scripts that name a retired object after its kind."""
    if sort_of(path) not in ("task runner", "script", "workflow"):
        return
    lines = text_of(tree, path).splitlines()
    for line in lines:
        new = _renamed(line, ids, target)
        if new != line and lines.count(line) == 1:
            yield ReplaceText(path, line, new, "the command would name an object that is gone")


def _renamed(line: str, ids: tuple[ObjectId, ...], target: Target) -> str:
    if "flux" not in line:
        return line
    for id in ids:
        line = _with_new_name(line, id, target)
    return line


def _with_new_name(line: str, id: ObjectId, target: Target) -> str:
    after = rf"(?P<space>\s+){re.escape(id.name)}(?![\w.-])"
    if target.transfer is not None and id in target.transfer.renamed:
        kinds = {"GitRepository": r"source\s+git", "OCIRepository": r"source\s+oci", "Bucket": r"source\s+bucket"}
        kind, name = kinds.get(id.kind, "(?:kustomization|ks)"), target.transfer.renamed[id].name
        return re.sub(rf"({_VERBS}{kind}){after}", rf"\1\g<space>{name}", line)
    match id.kind:
        case "Kustomization":
            is_release = target.form is InstanceForm.HELMRELEASE
            kind = "helmrelease" if is_release else "kustomization"
            name = target.instance.name if is_release else target.layout.instance.ks.name
            return re.sub(rf"({_VERBS})(?:kustomization|ks){after}", rf"\1{kind}\g<space>{name}", line)
        case "OCIRepository":
            return re.sub(rf"({_VERBS}source\s+oci){after}", rf"\1\g<space>{target.instance.source.name}", line)
        case _:
            return line


def _built(removed: tuple[str, ...], path: str, tree: Tree) -> Iterator[Operation]:
    """CI steps that build a directory whose kustomization.yaml is removed: the whole step, or its line."""
    directories = list(map(posixpath.dirname, filter(is_listing, removed)))
    if sort_of(path) != "workflow" or not directories:
        return
    for document in documents_of(tree, path):
        for place, step in _steps(document):
            yield from _step(path, document.index, place, step.get("run"), directories)


def _steps(document: Document) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    """The steps of a workflow's jobs with where they stand, the last first: an edit moves what follows it."""
    for job, content in mapping(document.mapping.get("jobs")).items():
        for index, step in reversed(list(enumerate(listed(mapping(content).get("steps"))))):
            yield ("jobs", job, "steps", index), mapping(step)


def _step(
    path: str, document: int, place: tuple[str | int, ...], run: object, directories: list[str]
) -> Iterator[Operation]:
    lines = str(run or "").splitlines()
    kept = [line for line in lines if not _builds(line, directories)]
    why = "the directory that this builds is gone"
    if len(kept) == len(lines):
        return
    if not any(map(str.strip, kept)):
        yield RemoveField(path, document, place, why)
    else:
        yield SetField(path, document, (*place, "run"), "\n".join(kept) + "\n", why)


def _builds(line: str, directories: list[str]) -> bool:
    named = {word.strip("./") for word in re.findall(r"[^\s\"']+", line)} & set(directories)
    return bool(named) and _BUILDS.search(line) is not None and not _CONTROLS.match(line)


def with_references(draft: PhaseDraft, cluster: Cluster, target: Target, tree: Tree) -> PhaseDraft:
    """A phase that removes objects and files, with the edits of everything that names them (K18)."""
    files = [operation.path for operation in draft.operations if isinstance(operation, RemoveFile)]
    if not draft.removes and not files:
        return draft
    broken = references_broken_by(draft.removes, files, cluster, target, tree)
    # First, since removing a document changes the numbers of those after it.
    return replace(draft, operations=(*broken, *draft.operations))

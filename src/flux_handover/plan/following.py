"""What names a source or a root that gets another name: sources of Kustomizations, Receivers, Alerts, and so on.

Followed are fields that a document of its own says; what a patch, a variable or another kind says is left, and
then the old source stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from flux_handover.documents import Document, value_at
from flux_handover.model.references import IMAGE_GROUP, Reference
from flux_handover.model.references import references as all_references
from flux_handover.model.rendering import Cluster
from flux_handover.objects import (
    HELM_GROUP,
    KUSTOMIZE_GROUP,
    NOTIFICATION_GROUP,
    SOURCE_GROUP,
    ObjectId,
    id_of,
    listed,
    mapping,
)
from flux_handover.plan.listings import documents_of
from flux_handover.plan.operations import Operation, SetField
from flux_handover.plan.target import Target, Transfer
from flux_handover.tree import Tree

Path = tuple[str | int, ...]

_FIELDS: Mapping[tuple[str, str], tuple[Path, ...]] = {
    (KUSTOMIZE_GROUP, "Kustomization"): (("spec", "sourceRef"),),
    (HELM_GROUP, "HelmRelease"): (("spec", "chart", "spec", "sourceRef"),),
    (SOURCE_GROUP, "HelmChart"): (("spec", "sourceRef"),),
    (IMAGE_GROUP, "ImageUpdateAutomation"): (("spec", "sourceRef"),),
}
_LISTS: Mapping[tuple[str, str], Path] = {
    (NOTIFICATION_GROUP, "Receiver"): ("spec", "resources"),
    (NOTIFICATION_GROUP, "Alert"): ("spec", "eventSources"),
}


@dataclass(frozen=True, slots=True)
class _Named:
    """A place in a document that names one of the objects, by its old or its new name already."""

    document: Document
    path: Path
    old: ObjectId
    is_old: bool


def followed(cluster: Cluster, target: Target, transfer: Transfer, tree: Tree) -> Iterator[Operation]:
    """The edits that make everything name the new source and root."""
    done: set[tuple[str, int, Path]] = set()
    for named in _places(cluster, target, transfer, tree):
        key = (named.document.path, named.document.index, named.path)
        if named.is_old and key not in done:
            done.add(key)
            new = transfer.renamed[named.old]
            why = f"{new} brings what {named.old} brought"
            yield SetField(named.document.path, named.document.index, (*named.path, "name"), new.name, why)


def left(cluster: Cluster, transfer: Transfer, tree: Tree) -> tuple[Reference, ...]:
    """References to the old source that no document of its own makes, so that they cannot follow."""
    return tuple(
        reference
        for reference in _references(cluster, transfer, tree)
        if reference.target == transfer.source and not any(_of_reference(reference, transfer, tree))
    )


def _references(cluster: Cluster, transfer: Transfer, tree: Tree) -> Iterator[Reference]:
    """What names the old ones themselves, and not every object of their kind, but for the old root."""
    found = all_references(cluster, tree)
    return (one for one in found if one.target in transfer.renamed and one.holder != transfer.root)


def _places(cluster: Cluster, target: Target, transfer: Transfer, tree: Tree) -> Iterator[_Named]:
    for reference in _references(cluster, transfer, tree):
        yield from _of_reference(reference, transfer, tree)
    for path in (target.layout.operator.ks_file, target.layout.instance.ks_file):
        for document in documents_of(tree, path):
            yield from _in_document(document, id_of(document.mapping).namespace or transfer.root.namespace, transfer)


def _of_reference(reference: Reference, transfer: Transfer, tree: Tree) -> Iterator[_Named]:
    holder = reference.holder
    for document in documents_of(tree, reference.where.file):
        written = id_of(document.mapping)
        if (written.group, written.kind, written.name) == (holder.group, holder.kind, holder.name):
            yield from _in_document(document, holder.namespace, transfer)


def _in_document(document: Document, namespace: str, transfer: Transfer) -> Iterator[_Named]:
    for path in _paths(document):
        entry = mapping(value_at(document.mapping, path))
        for old, new in transfer.renamed.items():
            alike = entry.get("kind") == old.kind and entry.get("namespace", namespace) == old.namespace
            if alike and entry.get("name") in (old.name, new.name):
                yield _Named(document, path, old, entry.get("name") == old.name)


def _paths(document: Document) -> Iterable[Path]:
    kind = id_of(document.mapping)[:2]
    yield from _FIELDS.get(kind, ())
    path = _LISTS.get(kind)
    if path is not None:
        yield from ((*path, index) for index, _ in enumerate(listed(value_at(document.mapping, path))))

"""The phases of a transfer, `suspend` to `sync`: a new root takes over from the old one (R30).

Each is a commit of its own, because each is safe only once the one before it was seen in the cluster (ADR 44).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from flux_handover.documents import Document, value_at
from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.rendering import Cluster
from flux_handover.model.settings_texts import bytes_of
from flux_handover.objects import HELM_GROUP, OPERATOR_GROUP, ObjectId, id_of, listed, mapping
from flux_handover.plan.bootstrap import bootstrap_steps
from flux_handover.plan.bootstrap_runbook import renamed
from flux_handover.plan.bootstrap_runner import without_files
from flux_handover.plan.decisions import about_sync
from flux_handover.plan.following import followed, left
from flux_handover.plan.listings import document_of, documents_of, live_listings, read_files
from flux_handover.plan.operations import (
    AddFile,
    AppendElement,
    Operation,
    RemoveField,
    RemoveFile,
    SetField,
    UnlistResource,
)
from flux_handover.plan.phases import PhaseDraft
from flux_handover.plan.removing import described_in, file_with, removed_documents, useless_patches
from flux_handover.plan.resources import KUSTOMIZATIONS
from flux_handover.plan.target import CarriedPatch, Target, Transfer, entry_of
from flux_handover.tree import Tree

RESUME = '[{"op": "remove", "path": "/spec/suspend"}]'
_PATCHES = ("kustomize", "patches")


def resume_command(root: ObjectId) -> str:
    """The command that lets a suspended root reconcile."""
    return f"kubectl -n {root.namespace} patch {KUSTOMIZATIONS} {root.name} --type=json --patch='{RESUME}'"


def suspend(cluster: Cluster, target: Target, tree: Tree) -> PhaseDraft:
    """The old root is suspended in its own file, which it applies to itself and then does nothing more."""
    transfer = target.transfer
    document = _old_root(cluster, transfer, tree) if transfer else None
    if transfer is None or document is None or _is_suspended(document):
        return PhaseDraft()
    why = "two roots that reconcile would take every object from each other"
    operations: list[Operation] = [SetField(document.path, document.index, ("spec", "suspend"), True, why)]
    page = _page(document.path, cluster)
    if page not in tree:
        why = "until the next phase a bare cluster gets a root that is suspended"
        operations.append(AddFile(page, _page_text(transfer, cluster), (), why))
    notes = (f"{transfer.root} applies nothing until phase transfer: push nothing else meanwhile",)
    return PhaseDraft(tuple(operations), notes)


def transfer(cluster: Cluster, target: Target, tree: Tree) -> PhaseDraft:
    """The FluxInstance gets its sync: the operator makes the new source and the new root, which does not prune yet."""
    change = target.transfer
    if change is None or _old_root(cluster, change, tree) is None:
        return PhaseDraft()
    place = _instance(cluster, target, tree)
    if mapping(place.value(("sync",))).get("url"):
        return PhaseDraft()
    why = f"the operator makes {change.new_source} and {change.new_root}, with every field of the old ones"
    sync = SetField(place.document.path, place.document.index, (*place.prefix, "sync"), dict(change.sync), why)
    why = "what a sync has no field for; the new root does not prune while it takes over"
    removals = (RemoveFile(path, (), "the new root is not suspended") for path in _pages(cluster, tree))
    return PhaseDraft((sync, *_patched(place, change, change.arriving, why), *removals))


def settle(cluster: Cluster, target: Target, tree: Tree) -> PhaseDraft:
    """The new root prunes, now that it has everything."""
    change = target.transfer
    if change is None or _old_root(cluster, change, tree) is None:
        return PhaseDraft()
    place = _instance(cluster, target, tree)
    why = f"{change.new_root} has everything, and prunes as {change.root} did"
    return PhaseDraft(tuple(_patched(place, change, change.pruning, why)))


def follow(cluster: Cluster, target: Target, tree: Tree) -> PhaseDraft:
    """Everything names the new root and its source."""
    change = target.transfer
    if change is None or _old_root(cluster, change, tree) is None:
        return PhaseDraft()
    operations = tuple(followed(cluster, target, change, tree))
    notes = (f"{one.where}: {one.holder} goes on naming {one.target}" for one in left(cluster, change, tree))
    return PhaseDraft(operations, tuple(dict.fromkeys(notes)) if operations else ())


def remove_old(cluster: Cluster, target: Target, tree: Tree) -> PhaseDraft:
    """Phase `sync`: the old root and its source leave Git, and the new root deletes both objects and no other."""
    change = target.transfer
    if change is None or _old_root(cluster, change, tree) is None:
        return PhaseDraft()
    staying = left(cluster, change, tree)
    gone = (change.root,) if staying else (change.source, change.root)
    why = f"{change.new_root} has everything that it applied"
    place = _instance(cluster, target, tree)
    operations = [*_patched(place, change, change.whole, f"{change.new_root} waits again as {change.root} did")]
    operations += _without(gone, cluster, tree, why)
    files = frozenset(one.path for one in operations if isinstance(one, RemoveFile))
    operations += without_files(files, bootstrap_steps(cluster, tree), tree)
    operations += renamed(change, about_sync(cluster, target), tree)
    notes = {f"{change.source} stays: {one.holder} names it ({one.where})" for one in staying}
    return PhaseDraft(tuple(operations), tuple(sorted(notes)), removes=frozenset(gone))


def _without(gone: tuple[ObjectId, ...], cluster: Cluster, tree: Tree, why: str) -> Iterator[Operation]:
    """The documents of what goes, with the entries and patches that were about them alone."""
    operations = tuple(removed_documents(((id, "") for id in gone), cluster, tree, why))
    yield from operations
    files = {file_with(id, cluster, tree) for id in gone}
    unlisted = {operation.path for operation in operations if isinstance(operation, UnlistResource)}
    for listing in live_listings(cluster, tree):
        if listing.path in unlisted or listing.files & files:
            yield from useless_patches(listing, cluster.builds[listing.parent], frozenset(gone), tree)


def _old_root(cluster: Cluster, change: Transfer, tree: Tree) -> Document | None:
    """The document of the old root, None once it is gone."""
    file = described_in(change.root, cluster, tree)
    return document_of(tree, file, change.root) if file else None


def _is_suspended(document: Document) -> bool:
    return value_at(document.mapping, ("spec", "suspend")) is True


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the spec of the FluxInstance is written."""

    document: Document
    prefix: tuple[str, ...]

    def value(self, path: tuple[str, ...]) -> Any:
        """A field of the spec."""
        return value_at(self.document.mapping, (*self.prefix, *path))


def _instance(cluster: Cluster, target: Target, tree: Tree) -> _Place:
    """The FluxInstance, or the release whose values it is made of; raises UnsupportedInstallation where neither is."""
    app = target.layout.instance
    for path in dict.fromkeys((app.release, app.manifest, *read_files(cluster, tree))):
        for document in documents_of(tree, path) if path in tree else ():
            id = id_of(document.mapping)
            if (id.group, id.kind) == (OPERATOR_GROUP, "FluxInstance"):
                return _Place(document, ("spec",))
            values = ("spec", "values", "instance")
            if (id.group, id.kind) == (HELM_GROUP, "HelmRelease") and value_at(document.mapping, values) is not None:
                return _Place(document, values)
    raise UnsupportedInstallation(
        f"the spec of {target.instance_id} is in no file that Flux reads",
        where=target.layout.listing,
        hint="write its values into the HelmRelease itself",
    )


def _patched(place: _Place, change: Transfer, wanted: Iterable[CarriedPatch], why: str) -> Iterator[Operation]:
    """The edits after which the patches of the new source and root are these."""
    path, number, field = place.document.path, place.document.index, (*place.prefix, *_PATCHES)
    there = {
        target: (index, str(mapping(entry).get("patch", "")))
        for index, entry in enumerate(listed(place.value(_PATCHES)))
        if (target := _aims_at(entry, change)) is not None
    }
    texts = {dict(patch.target)["kind"]: patch for patch in wanted}
    for kind, patch in texts.items():
        if kind in there and there[kind][1] != patch.patch:
            yield SetField(path, number, (*field, there[kind][0], "patch"), patch.patch, why)
    for index in sorted((index for kind, (index, _) in there.items() if kind not in texts), reverse=True):
        yield RemoveField(path, number, (*field, index), why)
    fresh = [entry_of(patch) for kind, patch in texts.items() if kind not in there]
    if not listed(place.value(_PATCHES)) and fresh:
        yield SetField(path, number, field, fresh, why)
    else:
        yield from (AppendElement(path, number, field, entry, why) for entry in fresh)


def _aims_at(entry: object, change: Transfer) -> str | None:
    """The kind of the new source or root that a patch is for."""
    target = mapping(mapping(entry).get("target"))
    new = (change.new_root, change.new_source)
    return next((id.kind for id in new if (target.get("kind"), target.get("name")) == (id.kind, id.name)), None)


_HEADING = "# The root of {} is suspended\n"


def _page(file: str, cluster: Cluster) -> str:
    name = posixpath.basename(cluster.name) or "cluster"
    return posixpath.join(posixpath.dirname(file), f"{name}-is-suspended.md")


def _pages(cluster: Cluster, tree: Tree) -> Iterator[str]:
    """The page, wherever it was moved to."""
    heading = _HEADING.format(cluster.name).encode()
    yield from (path for path in tree if path.endswith(".md") and bytes_of(tree, path).startswith(heading))


def _page_text(change: Transfer, cluster: Cluster) -> str:
    return (
        f"{_HEADING.format(cluster.name)}\n"
        "Phase `transfer` gives the cluster a new root, and removes this page. A cluster that is built from\n"
        f"nothing until then gets {change.root} suspended. Once it is applied, this lets it apply everything,\n"
        f"after which it is suspended again:\n\n```sh\n{resume_command(change.root)}\n```\n"
    )

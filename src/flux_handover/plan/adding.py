"""Phases `operator` and `instance`: new files, and the entries that make Flux read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flux_handover.emit import Style
from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.rendering import Cluster
from flux_handover.objects import mapping, texts
from flux_handover.plan import present
from flux_handover.plan.embedded import follows_a_tag
from flux_handover.plan.layout import AppFiles, Layout
from flux_handover.plan.listings import document_of, listed_entries
from flux_handover.plan.manifests import NewFile, instance_files, operator_files
from flux_handover.plan.operations import AddFile, DisablePrune, ListResource, Operation
from flux_handover.plan.phases import PhaseDraft
from flux_handover.plan.present import Present, PresentInstance
from flux_handover.plan.target import Target
from flux_handover.tree import Tree

_OWN_OBJECTS = 4
_ADDED_ANEW = (
    "take the operator out of Git in a commit before the handover: without a FluxInstance it installs nothing, "
    "and the plan adds it where it has to be"
)


def operator(cluster: Cluster, target: Target, layout: Layout, style: Style, tree: Tree) -> PhaseDraft:
    """The operator's release, or what the one that is there still needs."""
    found = present.operator_release(cluster)
    if found is not None:
        if present.instance(cluster) is None:
            _check_alone(found, target, layout, tree)
        return PhaseDraft(tuple(_guarded(found)))
    why = "the operator must run before its FluxInstance can be accepted"
    return PhaseDraft(tuple(_added(operator_files(target, layout, style), layout, layout.operator, tree, why)))


def instance(cluster: Cluster, target: Target, layout: Layout, style: Style, tree: Tree) -> PhaseDraft:
    """The FluxInstance, or what the one that is there still needs."""
    found = present.instance(cluster)
    if found is not None:
        _check_same(found, target)
        return PhaseDraft(tuple(_guarded(found.found)))
    why = "the operator takes over what runs, at the version that runs"
    operations = tuple(_added(instance_files(target, layout, style), layout, layout.instance, tree, why))
    return PhaseDraft(operations, target.notes)


def _added(files: tuple[NewFile, ...], layout: Layout, app: AppFiles, tree: Tree, why: str) -> Iterator[Operation]:
    for file in files:
        if file.path not in tree or tree.read(file.path) != file.content.encode():
            yield AddFile(file.path, file.content, file.adds, why)
    if not _is_listed(layout.listing, app, tree):
        yield ListResource(layout.listing, "resources", app.entry, f"Flux reads what {layout.listing} lists")


def _is_listed(listing: str, app: AppFiles, tree: Tree) -> bool:
    return app.entry.removeprefix("./") in [str(entry).removeprefix("./") for entry in listed_entries(tree, listing)]


def _guarded(found: Present) -> Iterator[Operation]:
    """A release that a person added: its own Kustomization must not delete it by accident (O10)."""
    owner = found.owner
    if owner.ks.prune and owner.where is not None and len(owner.ids) <= _OWN_OBJECTS:
        yield DisablePrune(owner.id, owner.where)


def _check_alone(found: Present, target: Target, layout: Layout, tree: Tree) -> None:
    """An operator that is there must be where the FluxInstance can wait for it, and in its namespace (R13)."""
    id, owner, place = found.object.id, found.owner, _place(found, tree)
    if id.namespace != target.namespace:
        raise UnsupportedInstallation(
            f"{id} is in {id.namespace}, and Flux in {target.namespace}: the operator and the FluxInstance share one",
            where=place,
            hint=_ADDED_ANEW,
        )
    if owner.id != layout.operator.ks or place.rpartition(":")[0] != layout.operator.release:
        raise UnsupportedInstallation(
            f"{id} is applied by {owner.id}; the FluxInstance waits for {layout.operator.ks}, "
            f"and bootstrap reads {layout.operator.release}",
            where=place,
            hint=_ADDED_ANEW,
        )


def _place(found: Present, tree: Tree) -> str:
    paths = (path for path in sorted(found.owner.reads) if path in tree)
    document = next(filter(None, (document_of(tree, path, found.object.id) for path in paths)), None)
    return f"{document.path}:{document.line}" if document else str(found.owner.where or "")


def _check_same(found: PresentInstance, target: Target) -> None:
    """A FluxInstance that is there must be the one we would write; any other would change Flux now (K5)."""
    differences = tuple(_differences(found, target))
    if differences:
        where = found.found.owner.where
        raise UnsupportedInstallation(
            f"a FluxInstance is reachable already, and differs: {'; '.join(differences)}",
            where=str(where or found.found.object.id),
            hint="make it equal, or remove it before it was ever applied, and plan again",
        )


def _expected_syncs(target: Target) -> tuple[dict[str, Any], ...]:
    """What the sync may be: a transfer adds it last."""
    later = (dict(target.transfer.sync),) if target.transfer else ()
    return (dict(target.synced), *later)


def _differences(found: PresentInstance, target: Target) -> Iterator[str]:
    spec = found.spec
    version = str(mapping(spec.get("distribution")).get("version", "2.x"))
    if version.removeprefix("v") != target.flux_version.removeprefix("v"):
        yield f"its version is {version}, {target.flux_version} runs"
    if dict(mapping(spec.get("sync"))) not in _expected_syncs(target):
        yield f"it has {'another' if target.synced else 'a'} sync"
    if set(texts(spec.get("components"))) != set(target.components):
        yield f"its components are not the running {', '.join(target.components)}"
    policies = mapping(spec.get("cluster")).get("networkPolicy", True)
    if policies is not target.cluster.get("networkPolicy"):
        yield f"its networkPolicy is {str(policies).lower()}"
    if follows_a_tag(found):
        yield "its artifact moves without a commit"

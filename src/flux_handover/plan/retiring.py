"""Phase `retire`: the old installation leaves Git, and whatever names it is edited with it (K18, R21).

Only the Kustomization that applied Flux, its source, and the install manifest of the old bootstrap
go; every other file stays, also where nothing reads it any more.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from flux_handover.errors import UnsupportedInstallation
from flux_handover.findings import Location
from flux_handover.model.detection_remote import remote_bases
from flux_handover.model.installation import Installation, Method
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import ObjectId, listed, mapping
from flux_handover.plan import basing, releasing
from flux_handover.plan.bootstrap import flux_steps
from flux_handover.plan.components import removal
from flux_handover.plan.layout import Layout
from flux_handover.plan.listings import (
    KUSTOMIZATION_FILES,
    document_of,
    listed_entries,
    read_files,
)
from flux_handover.plan.operations import Operation, RemoveFile, SetField
from flux_handover.plan.phases import PhaseDraft
from flux_handover.plan.protecting import leaving
from flux_handover.plan.removing import removed_documents
from flux_handover.tree import Tree, clean_path

_INSTALL = re.compile(
    r"github\.com[/:]fluxcd/flux2/+(manifests/install|releases/(latest/)?download/[^\s]*install\.yaml)"
)


_WHY = "the operator installs Flux now"


def retire(cluster: Cluster, installation: Installation, layout: Layout, tree: Tree) -> PhaseDraft:
    """The operations that take the old installation out, and the ids whose deletion they mean.

    What its owner does not prune stays in the cluster: it is told how to delete it by hand.
    """
    draft = _retired(cluster, installation, layout, tree)
    orphans = frozenset(id for id in draft.removes if not _is_pruned(cluster, id))
    return replace(draft, removes=draft.removes - orphans, notes=(*draft.notes, *map(_by_hand, sorted(orphans))))


def _is_pruned(cluster: Cluster, id: ObjectId) -> bool:
    """Whether what applies an object deletes it when it leaves Git."""
    owner = cluster.applying(id)
    return owner is None or owner.ks.prune


def _by_hand(id: ObjectId) -> str:
    """A Kustomization that does not prune, or a release that is suspended, takes nothing along."""
    command = f"kubectl -n {id.namespace} delete {id.kind.lower()}.{id.group} {id.name}"
    return f"{id} stays in the cluster, because what applies it does not prune; delete it afterwards: {command}"


def _retired(cluster: Cluster, installation: Installation, layout: Layout, tree: Tree) -> PhaseDraft:
    match installation.method:
        case Method.BOOTSTRAP:
            return removal(cluster, leaving(cluster, installation), installation, tree)
        case Method.HELM_CHART:
            return releasing.forgotten(installation, cluster, tree)
        case Method.REMOTE_BASE if installation.owner is not None:
            draft = basing.removal(cluster, leaving(cluster, installation), installation, tree)
            return _with_dependents(draft, cluster, installation, layout, tree)
        case _:
            return _owner_removed(cluster, installation, layout, tree)


def _owner_removed(cluster: Cluster, installation: Installation, layout: Layout, tree: Tree) -> PhaseDraft:
    """The owner and its source leave Git, with what waited for them and what a person would apply again."""
    removed = tuple(_removed(cluster, installation))
    operations = [*removed_documents(removed, cluster, tree, _WHY, installation.shared)]
    operations += _dependents(cluster, installation, layout, tree)
    operations += _install_manifests(cluster, installation, tree)
    notes = (*_left(operations, tree), *basing.by_hand(installation))
    return PhaseDraft(tuple(operations), notes, removes=frozenset(id for id, _ in removed))


def _with_dependents(
    draft: PhaseDraft, cluster: Cluster, installation: Installation, layout: Layout, tree: Tree
) -> PhaseDraft:
    """The draft, with what waits for an owner that leaves and what a person would apply again."""
    operations = [*draft.operations]
    if installation.owner in draft.removes:
        operations += _dependents(cluster, installation, layout, tree)
    operations += _install_manifests(cluster, installation, tree)
    return replace(draft, operations=tuple(operations), notes=(*draft.notes, *_left(operations, tree)))


def _removed(cluster: Cluster, installation: Installation) -> Iterator[tuple[ObjectId, str]]:
    """The owner and its source, each with the file it stands in."""
    owner = cluster.build(installation.owner)
    if owner is None:
        return
    yield owner.id, _file(owner.where, owner.id)
    used = any(build.ks.source == owner.ks.source for build in cluster if build.id != owner.id)
    if not used:
        yield owner.ks.source, ""


def _file(where: Location | None, id: ObjectId) -> str:
    if where is None:
        raise UnsupportedInstallation(f"{id} is not written in this repository", hint="remove it where it is written")
    return where.file


def _dependents(cluster: Cluster, installation: Installation, layout: Layout, tree: Tree) -> Iterator[Operation]:
    """Kustomizations that waited for Flux's own wait for the instance's instead."""
    for build in cluster:
        if installation.owner in build.ks.depends_on and build.where is not None:
            yield from _redirected(build, installation.owner, layout.instance.ks, tree)


def _redirected(build: Build, old: ObjectId, new: ObjectId, tree: Tree) -> Iterator[Operation]:
    document = document_of(tree, build.where.file, build.id) if build.where else None
    if document is None:
        return
    for position, entry in enumerate(listed(mapping(document.mapping.get("spec")).get("dependsOn"))):
        if mapping(entry).get("name") == old.name:
            path = ("spec", "dependsOn", position, "name")
            yield SetField(document.path, document.index, path, new.name, f"{old} is gone")


def _install_manifests(cluster: Cluster, installation: Installation, tree: Tree) -> Iterator[Operation]:
    """Install manifests that a person applies: no live Kustomization reads them."""
    read = frozenset(read_files(cluster, tree))
    for path in tree:
        if (
            path not in read
            and _is_install_manifest(path, tree)
            and _is_of_this_cluster(path, installation, cluster, tree)
            and _is_in_use(path, installation, cluster, tree)
        ):
            yield RemoveFile(path, (), "it would install Flux over the operator's")


def _is_in_use(path: str, installation: Installation, cluster: Cluster, tree: Tree) -> bool:
    """Whether an install manifest is of the Flux that runs, or some step applies it: an archive is left alone."""
    versions = {base.version for base in remote_bases(tree, [path])}
    if not versions or versions & {"", installation.version}:
        return True
    directory = posixpath.dirname(path)
    return any({path, directory} & set(step.command.paths) for step in flux_steps(cluster, tree))


def _is_install_manifest(path: str, tree: Tree) -> bool:
    return posixpath.basename(path) in KUSTOMIZATION_FILES and _installs(path, tree)


def _installs(path: str, tree: Tree) -> bool:
    content = tree.files[path].content or b""
    return b"fluxcd/flux2" in content and any(_INSTALL.search(str(entry)) for entry in listed_entries(tree, path))


def _is_of_this_cluster(path: str, installation: Installation, cluster: Cluster, tree: Tree) -> bool:
    """Named by the installation, or nearer to this root than to anything else that looks like one."""
    if path in installation.files:
        return True
    shared = {other: _common(other, cluster.name) for other in tree if _is_install_manifest(other, tree)}
    return shared[path] == max(shared.values()) and list(shared.values()).count(shared[path]) == 1


def _common(path: str, root: str) -> int:
    pairs = zip(path.split("/"), clean_path(root).split("/"), strict=False)
    return sum(1 for _ in _while_equal(pairs))


def _while_equal(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for one, other in pairs:
        if one != other:
            return
        yield one


def _left(operations: Iterable[Operation], tree: Tree) -> Iterator[str]:
    """Files beside a removed install manifest: they stay, and are named (R21)."""
    for operation in operations:
        if isinstance(operation, RemoveFile) and not operation.drops:
            beside = set(tree.below(posixpath.dirname(operation.path))) - {operation.path}
            yield from (f"{path} stays; its install manifest is gone" for path in sorted(beside))

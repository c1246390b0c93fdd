"""Components that a Kustomization applies together with everything else: the layout of `flux bootstrap`.

Such an owner has to go on pruning, or what leaves meanwhile is orphaned for ever. So exactly the
ids that leave opt out, observed live, before their file leaves Git (rules.md R9; semantics 7.8).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import PRUNE, Object, ObjectId, has_mark, id_of, ids_of, mapping
from flux_handover.plan.listings import Listing, documents_of, live_listings
from flux_handover.plan.manifests import text_of
from flux_handover.plan.operations import AppendElement, Operation, RemoveFile, UnlistResource
from flux_handover.plan.phases import PhaseDraft
from flux_handover.plan.removing import useless_patches
from flux_handover.plan.selectors import Pairs, by_name, selected
from flux_handover.plan.sharing import taken, untaken
from flux_handover.tree import Tree

OPT_OUT: Mapping[str, Any] = {PRUNE: "disabled"}
_WHOLE: Pairs = (("labelSelector", "app.kubernetes.io/part-of=flux"),)
_OLD_FIELDS = ("patchesStrategicMerge", "patchesJson6902", "replicas", "transformers", "namePrefix", "nameSuffix")


def opt_outs(
    cluster: Cluster, owner: Build, leaving: frozenset[ObjectId], installation: Installation, tree: Tree
) -> Iterator[Operation]:
    """Patches that keep exactly the leaving objects from being pruned, unless they carry the mark already."""
    objects = [object for object in owner.objects if object.id in leaving]
    if all(has_mark(object, PRUNE, "disabled") for object in objects):
        return
    listing, _ = _list_of_components(cluster, leaving, installation, tree)
    path, shared = listing.path, installation.shared
    path = taken(path, shared, cluster, tree).listing.path if path in shared else path
    yield from opting_out(path, 0, owner, leaving)


def opting_out(path: str, document: int, owner: Build, ids: frozenset[ObjectId]) -> Iterator[Operation]:
    """Patches in one kustomization.yaml that mark exactly these objects of an owner, unless all carry the mark."""
    objects = [object for object in owner.objects if object.id in ids]
    if all(has_mark(object, PRUNE, "disabled") for object in objects):
        return
    for target in _targets(owner.objects, ids):
        patch = {"patch": text_of(_opt_out()), "target": dict(target)}
        why = f"{owner.id} goes on pruning; what leaves it later must not be deleted"
        hit = ids_of(selected(target, owner.objects))
        yield AppendElement(path, document, ("patches",), patch, why, marks=hit & ids)


def removal(cluster: Cluster, leaving: frozenset[ObjectId], installation: Installation, tree: Tree) -> PhaseDraft:
    """The file of the components leaves, with the patches that change nothing else."""
    listing, files = _list_of_components(cluster, leaving, installation, tree)
    operations: list[Operation] = []
    shared = [file for file in files if file in installation.shared]
    operations += untaken(leaving, shared, installation.shared, cluster, tree)
    if listing.path in installation.shared:
        listing = taken(listing.path, installation.shared, cluster, tree).listing
    for file in sorted(set(files) - set(shared)):
        dropped = tuple(id_of(document.mapping) for document in documents_of(tree, file))
        operations.append(RemoveFile(file, dropped, "the operator installs Flux now"))
        operations += [
            UnlistResource(listing.path, field, entry, f"{file} is gone")
            for field, entry, path in listing.entries
            if path == file
        ]
    operations += useless_patches(listing, cluster.builds[listing.parent], leaving, tree)
    return PhaseDraft(tuple(operations), tuple(_unread(listing, tree)))


def is_opt_out(content: Any) -> bool:
    """Whether a patch does nothing but keep objects from being pruned: the operator sets its own mark."""
    metadata = mapping(mapping(content).get("metadata"))
    marks = {**mapping(metadata.get("annotations")), **mapping(metadata.get("labels"))}
    others = set(mapping(content)) - {"apiVersion", "kind", "metadata"}
    return {key: str(value).lower() for key, value in marks.items()} == dict(OPT_OUT) and not others


def _opt_out() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "any", "metadata": {"name": "any", "annotations": dict(OPT_OUT)}}


def _targets(objects: tuple[Object, ...], leaving: frozenset[ObjectId]) -> Iterator[Pairs]:
    """One target if a label selects exactly what leaves, else one for each kind."""
    if ids_of(selected(_WHOLE, objects)) == leaving:
        yield _WHOLE
        return
    for kind in sorted({id.kind for id in leaving}):
        yield by_name(kind, (id.name for id in leaving if id.kind == kind))


def _list_of_components(
    cluster: Cluster, leaving: frozenset[ObjectId], installation: Installation, tree: Tree
) -> tuple[Listing, tuple[str, ...]]:
    """The files that describe the components, and the one kustomization.yaml that lists them."""
    files = tuple(file for file in installation.files if _describes(file, leaving, tree))
    listings = [one for one in live_listings(cluster, tree) if one.files & set(files)]
    if not files or len(listings) != 1 or not set(files) <= listings[0].files:
        raise UnsupportedInstallation(
            f"the {len(leaving)} objects of Flux are not listed in one kustomization.yaml",
            where=next(iter(files), cluster.name),
            hint="list the file with Flux's components in one kustomization.yaml that Flux reads",
        )
    # Manifests that somebody wrote by hand lie in several files, of which only some say that they are Flux's.
    files = tuple(file for file in sorted(listings[0].files) if _describes(file, leaving, tree))
    _check_mixed(files, leaving, tree)
    if listings[0].path not in installation.shared:
        check_fields(listings[0].path, tree)
    return listings[0], files


def _describes(file: str, leaving: frozenset[ObjectId], tree: Tree) -> bool:
    return any(id_of(document.mapping) in leaving for document in documents_of(tree, file))


def _check_mixed(files: tuple[str, ...], leaving: frozenset[ObjectId], tree: Tree) -> None:
    for file in files:
        foreign = next((d for d in documents_of(tree, file) if id_of(d.mapping) not in leaving), None)
        if foreign is not None:
            raise UnsupportedInstallation(
                f"{id_of(foreign.mapping)} stands in a file with Flux's components and stays",
                where=f"{file}:{foreign.line}",
                hint="move it to a file of its own, listed beside this one",
            )


def check_fields(path: str, tree: Tree) -> None:
    """Refuse fields of a kustomization.yaml that name components and would fail without them."""
    for document in documents_of(tree, path):
        field = next((name for name in _OLD_FIELDS if name in document.mapping), None)
        if field is not None:
            raise UnsupportedInstallation(
                f"{field} would fail once the components have left",
                where=f"{path}:{document.line_of(field)}",
                hint="write it as `patches` with a target",
            )


def _unread(listing: Listing, tree: Tree) -> Iterator[str]:
    """Files that only removed patches named: they stay, and are said (R21)."""
    for document in documents_of(tree, listing.path):
        for entry in document.mapping.get("patches") or ():
            path = mapping(entry).get("path")
            if path:
                yield f"{path} beside {listing.path} may be read by nothing any more"

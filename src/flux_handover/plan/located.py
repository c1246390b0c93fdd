"""Where the operator and the FluxInstance are, as far as Flux applies them already."""

from __future__ import annotations

import posixpath
from types import MappingProxyType

from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.plan import present
from flux_handover.plan.layout import AppFiles, Layout
from flux_handover.plan.listings import Listing, document_of, listing_of, live_listings
from flux_handover.plan.manners import interval_of, manners_of
from flux_handover.plan.placement import INSTANCE, OPERATOR
from flux_handover.plan.present import Present
from flux_handover.tree import Tree


def layout_of(cluster: Cluster, tree: Tree) -> Layout:
    """The placement that is there; empty paths stand for what Flux does not apply."""
    instance, operator = present.instance(cluster), present.operator_release(cluster)
    owner = instance.found.owner if instance else cluster.builds[cluster.root]
    home = _home(owner, live_listings(cluster, tree))
    return Layout(
        listing=home.path,
        parent=owner.parent or cluster.root,
        operator=_app(operator, OPERATOR, tree),
        instance=_app(instance.found if instance else None, INSTANCE, tree),
        manners=manners_of(owner, owner, home, tree),
        opt_outs=MappingProxyType({}),
        release_interval=interval_of(cluster, "HelmRelease", "30m"),
        source_interval=interval_of(cluster, "OCIRepository", "1h"),
    )


def _home(owner: Build, listings: tuple[Listing, ...]) -> Listing:
    """The list with the file of a Kustomization, else the first of all."""
    if owner.where is None:
        return listings[0]
    return next((listing for listing in listings if owner.where.file in listing.files), listings[0])


def _app(found: Present | None, name: str, tree: Tree) -> AppFiles:
    if found is None:
        return AppFiles(ObjectId(KUSTOMIZE_GROUP, "Kustomization", "", name), "", "", "", "", "", "", "")
    owner = found.owner
    file = _file_of(found.object.id, owner, tree)
    directory = posixpath.dirname(file) or owner.ks.path
    return AppFiles(
        ks=owner.id,
        ks_file=owner.where.file if owner.where else "",
        entry="",
        directory=directory,
        listing=listing_of(directory, tree) or "",
        release=file,
        source=file,
        manifest=file,
    )


def _file_of(id: ObjectId, owner: Build, tree: Tree) -> str:
    reads = sorted(path for path in owner.reads if path in tree)
    return next((path for path in reads if document_of(tree, path, id) is not None), "")

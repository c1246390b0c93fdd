"""Bases that several clusters take: each cluster is handed over by its own list, and the base stays for the others.

A file that another cluster reads is never edited. What must be said about its objects is said by a patch in the
nearest list that is this cluster's alone; what must leave, leaves with the entry by which that list takes the base.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.rendering import Cluster
from flux_handover.objects import ObjectId, id_of
from flux_handover.plan.listings import Listing, documents_in, is_listing, live_listings
from flux_handover.plan.manifests import text_of
from flux_handover.plan.operations import AppendElement, Operation, UnlistResource
from flux_handover.tree import Tree

_WHY = "the operator installs Flux now; the base stays, as other clusters take it"


@dataclass(frozen=True, slots=True)
class Taken:
    """The entry of a cluster's own list by which it takes something that others take too."""

    listing: Listing
    field: str
    entry: str
    path: str


def taken(path: str, shared: Collection[str], cluster: Cluster, tree: Tree) -> Taken:
    """How the cluster takes a shared file; refused where no list of its own does."""
    listings, sought = live_listings(cluster, tree), {path}
    while sought:
        found = [
            Taken(one, field, entry, target)
            for one in listings
            for field, entry, target in one.entries
            if target in sought or any(is_listing(file) and posixpath.dirname(file) == target for file in sought)
        ]
        own = [one for one in found if one.listing.path not in shared]
        if own:
            return own[0]
        sought = {one.listing.path for one in found} - sought
    raise UnsupportedInstallation(
        "other clusters read this file too, and no kustomization.yaml of this cluster alone lists it",
        where=f"{path}:1",
        hint=f"let a kustomization.yaml of {cluster.name} alone list it, in a commit before the handover",
    )


def patched(
    id: ObjectId, fields: Mapping[str, Any], path: str, shared: Collection[str], cluster: Cluster, tree: Tree
) -> Operation:
    """A patch in the cluster's own list, instead of an edit of the shared file; null takes a field away."""
    own = taken(path, shared, cluster, tree)
    patch = {
        "apiVersion": f"{id.group}/v1",
        "kind": id.kind,
        "metadata": {"name": id.name},
        "spec": dict(fields),
    }
    entry = {"patch": text_of(patch), "target": {"group": id.group, "kind": id.kind, "name": id.name}}
    why = f"{path} is shared with other clusters"
    writes = tuple((id, f"spec.{field}") for field in fields)
    return AppendElement(own.listing.path, 0, ("patches",), entry, why, writes=writes)


def untaken(
    ids: Iterable[ObjectId], paths: Iterable[str], shared: Collection[str], cluster: Cluster, tree: Tree
) -> Iterator[UnlistResource]:
    """The entries by which the cluster takes shared files, taken off its own lists; refused where more would leave."""
    leaving = frozenset(ids)
    entries = dict.fromkeys(_key(taken(path, shared, cluster, tree)) for path in paths)
    for listing, field, entry, path in entries:
        _check_nothing_else(path, leaving, cluster, tree)
        yield UnlistResource(listing, field, entry, _WHY, drops=tuple(sorted(leaving)))


def _key(one: Taken) -> tuple[str, str, str, str]:
    return one.listing.path, one.field, one.entry, one.path


def _check_nothing_else(path: str, leaving: frozenset[ObjectId], cluster: Cluster, tree: Tree) -> None:
    """Refuse where a base brings more than what leaves, with the line of the first object that stays."""
    names = {(id.group, id.kind, id.name) for id in leaving}
    files = [file for file in _files_below(path, cluster, tree) if not is_listing(file)]
    for document in documents_in(tree, files):
        id = id_of(document.mapping)
        if id.kind and (id.group, id.kind, id.name) not in names:
            raise UnsupportedInstallation(
                f"{id} stays, and stands with Flux in a base that other clusters take too",
                where=f"{document.path}:{document.line}",
                hint="list Flux in a base of its own first, so that each cluster can take it off its own list",
            )


def _files_below(path: str, cluster: Cluster, tree: Tree) -> Iterator[str]:
    """The files that an entry of a list leads to."""
    if path in tree:
        yield path
        return
    for listing in live_listings(cluster, tree):
        if listing.directory == path:
            for file in sorted(listing.files):
                yield from _files_below(file, cluster, tree)

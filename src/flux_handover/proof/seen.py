"""Kustomizations as somebody saw them in the live cluster, in place of what Git lets one assume (contract.md K13)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from flux_handover.model.rendering import Cluster
from flux_handover.objects import ObjectId, elsewhere
from flux_handover.proof.table import Table
from flux_handover.proof.world import Live, Record, World
from flux_handover.tree import clean_path


@dataclass(frozen=True, slots=True)
class Seen:
    """The fields of a live Kustomization by which Flux deletes; the inventory is None where none was shown."""

    path: str
    prune: bool
    suspended: bool
    inventory: frozenset[ObjectId] | None


Sights = Mapping[ObjectId, Seen]


def is_of(sights: Sights, cluster: Cluster) -> bool:
    """Whether the cluster that was seen has this one's root: the Kustomization, with the path."""
    root = sights.get(cluster.root)
    return root is not None and clean_path(root.path) == cluster.builds[cluster.root].ks.path


def inventoried(sights: Sights) -> frozenset[ObjectId]:
    """The Kustomizations whose inventory was seen."""
    return frozenset(id for id, one in sights.items() if one.inventory is not None)


def as_seen(world: World, sights: Sights) -> World:
    """The world with the inventories that were seen; what they hold is there, whether or not Git renders it."""
    held = {
        id: _as_held(one.inventory, world.records[id])
        for id, one in sights.items()
        if one.inventory is not None and id in world.records
    }
    records = {id: replace(world.records[id], inventory=inventory) for id, inventory in held.items()}
    return replace(
        world,
        live=Table({**dict(world.live.items()), **dict(_labelled(world, held))}),
        records=Table({**dict(world.records.items()), **records}),
    )


def _as_held(inventory: frozenset[ObjectId], record: Record) -> frozenset[ObjectId]:
    """An inventory by the ids of the model: that of a Kustomization for another cluster says nothing of which."""
    clusters = {id.kind.partition(":")[0] for id in record.inventory if ":" in id.kind}
    held = frozenset(elsewhere(id, next(iter(clusters), "")) for id in inventory)
    renamed = rescoped(held - record.inventory, record.inventory - held)
    return frozenset(renamed.get(id, id) for id in held)


def rescoped(seen: Iterable[ObjectId], built: Iterable[ObjectId]) -> Mapping[ObjectId, ObjectId]:
    """Objects that were seen by the ids under which they are built, where only the scope differs.

    A cluster-scoped object that was built with a namespace has none in the cluster, and of a kind that Git does not
    define nobody can tell the scope.
    """
    names = {(id.group, id.kind, id.name): id for id in built}
    pairs = ((id, names.get((id.group, id.kind, id.name))) for id in seen)
    return {id: other for id, other in pairs if other is not None and not (id.namespace and other.namespace)}


def _labelled(world: World, held: Mapping[ObjectId, frozenset[ObjectId]]) -> Iterator[tuple[ObjectId, Live]]:
    """What is in an inventory has the labels of its owner, if not those of another that has it as well."""
    for owner, inventory in held.items():
        for id in inventory:
            live = world.live.get(id) or Live()
            if live.owner is None or id not in held.get(live.owner, {id}):
                yield id, replace(live, owner=owner)


def unlike(cluster: Cluster, sights: Sights) -> Iterator[str]:
    """What was seen of a cluster's Kustomizations and Git says otherwise: what Flux does next is then not known."""
    for build in cluster if sights else ():
        one = sights.get(build.id)
        if one is None:
            yield f"{build.id} is in Git, and was not seen in the cluster"
            continue
        if clean_path(one.path) != build.ks.path:
            yield f"{build.id} has path {one.path} in the cluster, {build.ks.path or '.'} in Git"
        if one.prune != build.ks.prune:
            yield f"{build.id} has prune {_word(one.prune)} in the cluster, {_word(build.ks.prune)} in Git"
        if one.suspended and not build.ks.suspend:
            yield f"{build.id} is suspended in the cluster, and not in Git"


def _word(value: bool) -> str:
    return "true" if value else "false"

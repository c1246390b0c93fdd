"""What goes along with deleted objects, outside the part of the world that was explored.

Taken at its worst: every finalizer runs, in the state it has now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile import Deletion, How
from flux_handover.proof.reconcile_kustomization import KEEPS, KEEPS_IGNORED, deletes_inventory
from flux_handover.proof.stored import manifest_of
from flux_handover.proof.world import (
    ControllerSpec,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Mark,
    SourceSpec,
    World,
    is_definition,
    is_namespace,
    is_suspended,
)


def swept(
    world: World, environment: Environment, deletions: Mapping[ObjectId, Deletion], explored: frozenset[ObjectId]
) -> Iterator[tuple[Deletion, ObjectId]]:
    """Further deletions, each with the one of `deletions` that leads to it.

    What the finalizers of the owners in `explored` do is known already.
    """
    done = set(deletions)
    waiting = [(id, id) for id in deletions]
    while waiting:
        id, cause = waiting.pop()
        for deletion in () if id in explored else _along(world, environment, id):
            if deletion.id not in done and deletion.id in world.live:
                done.add(deletion.id)
                waiting.append((deletion.id, cause))
                yield deletion, cause


def _along(world: World, environment: Environment, id: ObjectId) -> Iterator[Deletion]:
    if is_namespace(id):
        yield from (Deletion(other, id, How.NAMESPACE) for other in sorted(world.live) if other.namespace == id.name)
    elif is_definition(id):
        instances = (other for other, live in world.live.items() if live.definition == id)
        yield from (Deletion(other, id, How.DEFINITION) for other in sorted(instances))
    elif id in world.live and id in world.records:
        yield from _finalizer(world, environment, id)


def _finalizer(world: World, environment: Environment, id: ObjectId) -> Iterator[Deletion]:
    live, record = world.live[id], world.records[id]
    match live.spec:
        case KustomizationSpec():
            if deletes_inventory(world, environment.gates, live):
                yield from (Deletion(other, id, How.FINALIZER) for other in _pruned(world, environment, id))
        case HelmReleaseSpec(release=release):
            manifest = manifest_of(world, release)
            if manifest is not None and not is_suspended(live):
                yield from (Deletion(other, id, How.UNINSTALL) for other in sorted(manifest.objects - manifest.kept))
        case FluxInstanceSpec():
            if Mark.OPERATOR_RECONCILE_DISABLED not in live.opt_outs:
                yield from (
                    Deletion(other, id, How.FLUX_UNINSTALL) for other in sorted(record.inventory - _kept(world))
                )
        case SourceSpec() | ControllerSpec() | None:
            return
        case _:
            assert_never(live.spec)


def _pruned(world: World, environment: Environment, id: ObjectId) -> Iterator[ObjectId]:
    """What is there of the inventory of a Kustomization, has its labels and does not opt out."""
    kept = KEEPS_IGNORED if environment.gates.prune_honours_ssa_ignore else KEEPS
    for other in sorted(world.records[id].inventory):
        there = world.live.get(other)
        if there is not None and there.owner == id and not there.opt_outs & kept:
            yield other


def _kept(world: World) -> frozenset[ObjectId]:
    return frozenset(id for id, live in world.live.items() if Mark.OPERATOR_PRUNE_DISABLED in live.opt_outs)

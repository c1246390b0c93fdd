"""flux-operator: take the components over, collect what a FluxInstance no longer renders, uninstall Flux.

`controlplaneio-fluxcd/flux-operator@v0.58.1`, as observed on a real API server: it ignores the opt-outs of
kustomize-controller, takes the owner labels off first and applies afterwards, so another apply may come between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from flux_handover.objects import ObjectId
from flux_handover.proof.gates import Gates
from flux_handover.proof.reconcile import Deletions, How, Move, deleted, reaped, refusal, removed, stage_of, told
from flux_handover.proof.reconcile_kustomization import is_healthy
from flux_handover.proof.world import (
    NONE,
    Actor,
    Apply,
    ApplyFailed,
    BuildFailed,
    Built,
    ControllerSpec,
    Desired,
    Environment,
    FluxInstanceSpec,
    Live,
    Mark,
    Marks,
    Record,
    Unknown,
    World,
    is_namespace,
    is_up,
)

STALLED = "stalled: "


def operator_moves(world: World, environment: Environment) -> Iterator[Move]:
    """Every next step of the operator."""
    if not is_up(world, Actor.OPERATOR):
        return
    for id, live in world.live.items():
        if isinstance(live.spec, FluxInstanceSpec):
            yield from instance_moves(world, environment, id, live, live.spec)


def instance_moves(
    world: World, environment: Environment, id: ObjectId, live: Live, spec: FluxInstanceSpec
) -> Iterator[Move]:
    """The next steps on one FluxInstance."""
    record = world.records.get(id, Record())
    if live.deleting:
        yield finalized(world, id)
    elif Mark.OPERATOR_RECONCILE_DISABLED in live.opt_outs or (
        record.spec == spec and record.reason.startswith(STALLED)
    ):
        return
    elif record.applied and spec.version[:2] < _minor(record.applied):
        yield _ended(world, id, spec, f"{STALLED}a minor downgrade is refused")
    else:
        yield from _built_moves(world, environment, id, spec)


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _built_moves(world: World, environment: Environment, id: ObjectId, spec: FluxInstanceSpec) -> Iterator[Move]:
    build = environment.renders.instance(id, spec)
    match build:
        case Built(objects) if id not in world.taken and (owned := _owned(world, environment.gates, objects)):
            yield _taken(world, id, owned)
        case Built(objects):
            yield applied(world, environment.gates, id, spec, objects)
        case BuildFailed(reason) | ApplyFailed(_, _, reason):
            yield _ended(world, id, spec, f"{STALLED}{reason}")
        case Unknown(reason):
            yield replace(_ended(world, id, spec, f"{STALLED}unknown"), undecided=reason)
        case _:
            assert_never(build)


def _owned(world: World, gates: Gates, objects: tuple[Desired, ...]) -> list[ObjectId]:
    """Components that still carry the labels of a Kustomization."""
    if not gates.operator_strips_owner_labels:
        return []
    return [o.id for o in objects if (live := world.live.get(o.id)) is not None and live.owner is not None]


def _taken(world: World, id: ObjectId, owned: list[ObjectId]) -> Move:
    changes = {other: replace(world.live[other], owner=None, marks=NONE) for other in owned}
    world = replace(world, live=world.live.put_all(changes), taken=world.taken | {id})
    event = f"takes the owner labels off {len(owned)} objects of {id}"
    return Move(Actor.OPERATOR, (event,), world, subject=id)


def applied(world: World, gates: Gates, id: ObjectId, spec: FluxInstanceSpec, objects: tuple[Desired, ...]) -> Move:
    """The components are applied; an error in a stage keeps the old inventory, success collects what left it."""
    for stage in Apply:
        staged = [desired for desired in objects if stage_of(desired.id, classes=gates.stages_classes) is stage]
        for desired in staged:
            if reason := refusal(world, desired):
                return _ended(world, id, spec, f"{desired.id}: {reason}")
        changes = {desired.id: _written(world.live.get(desired.id), desired, id, spec, gates) for desired in staged}
        world = replace(world, live=world.live.put_all(changes))
    return _collected(world, id, spec, objects)


def _written(old: Live | None, desired: Desired, id: ObjectId, spec: FluxInstanceSpec, gates: Gates) -> Live:
    new = Live(operator=id, pinned=stamped(desired, spec, gates), digest=desired.digest, spec=desired.spec)
    new = replace(new, definition=desired.definition)
    return new if old is None else replace(new, owner=old.owner, deleting=old.deleting)


def stamped(desired: Desired, spec: FluxInstanceSpec, gates: Gates) -> Marks:
    """The opt-outs that the operator's last transformer adds, which no user patch can remove."""
    stamps = {Mark.SSA_IGNORE} if gates.operator_stamps_ssa_ignore else set()
    if gates.operator_stamps_prune_disabled:
        stamps.add(Mark.PRUNE_DISABLED)
    if is_namespace(desired.id):
        stamps.add(Mark.OPERATOR_PRUNE_DISABLED)
    return (desired.marks | stamps) - spec.unstamped


def _collected(world: World, id: ObjectId, spec: FluxInstanceSpec, objects: tuple[Desired, ...]) -> Move:
    ids = frozenset(desired.id for desired in objects)
    record = world.records.get(id, Record())
    stale = [other for other in sorted(record.inventory - ids) if _may_delete(world, other, id)]
    version = ".".join(map(str, spec.version))
    record = replace(record, inventory=ids, applied=version)
    world = replace(world, records=world.records.put(id, record))
    world, gone = deleted(world, stale, id, How.OPERATOR)
    unready = [d.id for d in objects if spec.wait and d.id != id and not is_healthy(world, d.id)]
    return _ended(world, id, spec, f"{unready[0]} is not ready" if unready else "", gone)


def _may_delete(world: World, id: ObjectId, instance: ObjectId) -> bool:
    live = world.live.get(id)
    return live is not None and live.operator == instance and Mark.OPERATOR_PRUNE_DISABLED not in live.opt_outs


def _ended(world: World, id: ObjectId, spec: FluxInstanceSpec, reason: str, gone: Deletions = ()) -> Move:
    if id in world.live:
        record = replace(world.records.get(id, Record()), spec=spec, ready=not reason, reason=reason)
        world = replace(world, records=world.records.put(id, record))
    world = replace(world, taken=world.taken - {id})
    event = f"reconciles {id}: {reason}" if reason else f"has applied {id}"
    return Move(Actor.OPERATOR, (event, *told(gone)), world, gone, subject=id, failed=bool(reason))


def finalized(world: World, id: ObjectId) -> Move:
    """Deleting a FluxInstance uninstalls Flux; disabled, or without an inventory, it does nothing."""
    live, record = world.live[id], world.records.get(id, Record())
    if Mark.OPERATOR_RECONCILE_DISABLED in live.opt_outs or not record.inventory:
        return Move(Actor.OPERATOR, (f"finalizes {id} and leaves Flux alone",), reaped(removed(world, id)), subject=id)
    doomed = [other for other in sorted(record.inventory) if _may_delete(world, other, id)]
    deployments = [other for other in doomed if other.kind == "Deployment"]
    actors = {spec.actor for other in deployments if isinstance(spec := world.live[other].spec, ControllerSpec)}
    world, gone = deleted(world, deployments, id, How.FLUX_UNINSTALL)
    world = _without_finalizers(replace(world, stopped=world.stopped | actors, runs=type(world.runs)()))
    world, more = deleted(world, doomed, id, How.FLUX_UNINSTALL)
    event = f"uninstalls Flux, because {id} was deleted"
    return Move(Actor.OPERATOR, (event, *told(gone + more)), reaped(removed(world, id)), gone + more, subject=id)


def _without_finalizers(world: World) -> World:
    """Flux's own objects lose their finalizers; a controller that still runs elsewhere puts them back."""
    stopped = {
        "kustomize.toolkit.fluxcd.io": Actor.KUSTOMIZE in world.stopped,
        "helm.toolkit.fluxcd.io": Actor.HELM in world.stopped,
    }
    for id, live in tuple(world.live.items()):
        if id.group.endswith(".toolkit.fluxcd.io") and stopped.get(id.group, True):
            world = removed(world, id) if live.deleting else replace(world, records=world.records.drop(id))
    return world

"""kustomize-controller: apply what a Kustomization builds, prune what left it, and its finalizer.

`fluxcd/kustomize-controller:internal/controller/kustomization_controller.go@v1.9.4`. A reconcile is
three steps: read the live spec and the artifact, apply, and then inventory, prune and health. Another
actor may come between any two, and a crash between them keeps the old inventory. A prune and a finalizer look at
one object after the other (`fluxcd/pkg:ssa/manager_delete.go#DeleteAll@v0.76.1`), so another owner may apply some of
them in between: where one can, the objects that it applies go one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import assert_never

from flux_handover.objects import ObjectId
from flux_handover.proof.gates import Gates
from flux_handover.proof.reconcile import (
    FINALIZED,
    How,
    Move,
    brief,
    deleted,
    reaped,
    refusal,
    removed,
    stage_of,
    told,
)
from flux_handover.proof.world import (
    NONE,
    Actor,
    Apply,
    ApplyFailed,
    BuildFailed,
    Built,
    DeletionPolicy,
    Desired,
    Environment,
    KustomizationSpec,
    Live,
    Mark,
    Marks,
    Record,
    Run,
    SourceSpec,
    Unknown,
    World,
    is_suspended,
    is_up,
)

SKIPS: Marks = frozenset({Mark.RECONCILE_DISABLED, Mark.SSA_IGNORE})
KEEPS: Marks = frozenset({Mark.PRUNE_DISABLED, Mark.RECONCILE_DISABLED})
KEEPS_IGNORED: Marks = KEEPS | {Mark.SSA_IGNORE}
NOT_KNOWN = "unknown: "


def kustomization_moves(world: World, environment: Environment) -> Iterator[Move]:
    """Every next step of kustomize-controller."""
    if is_up(world, Actor.KUSTOMIZE):
        for id, live in world.live.items():
            if isinstance(live.spec, KustomizationSpec):
                yield from moves_of(world, environment, id)


def moves_of(world: World, environment: Environment, id: ObjectId) -> Iterator[Move]:
    """The next steps on one Kustomization: end what runs, else its finalizer, else a new reconcile."""
    live = world.live[id]
    run = world.runs.get(id)
    if run is not None and run.applied:
        yield finished(world, environment, id, run)
        yield from _in_parts(world, environment, id, _stale(world, environment, id, run), How.PRUNE)
    elif run is not None:
        yield applied(world, environment, id, run)
    elif live.deleting:
        yield finalized(world, environment, id)
        yield from _in_parts(world, environment, id, _left_behind(world, environment, id), How.FINALIZER)
    elif not waits_for(world, id, environment.met):
        if id not in environment.atomic:
            yield started(world, id)
        elif not is_idle(world, environment, id):
            yield whole(started(world, id), environment, id)


def whole(begun: Move, environment: Environment, id: ObjectId) -> Move:
    """A reconcile as one step, for a Kustomization that shares nothing."""
    events, deletions = begun.events, begun.deletions
    move = begun
    while (run := move.world.runs.get(id)) is not None:
        ended = finished if run.applied else applied
        move = ended(move.world, environment, id, run)
        events += move.events
        deletions += move.deletions
    return replace(move, events=events, deletions=deletions)


def is_idle(world: World, environment: Environment, id: ObjectId) -> bool:
    """Whether a whole reconcile would change nothing; most would not, so that is seen without doing it."""
    spec = world.live[id].spec
    record = world.records.get(id)
    assert isinstance(spec, KustomizationSpec)
    if record is None or record.spec != spec or record.applied != world.artifacts[spec.source]:
        return False
    build = environment.renders.kustomization(id, spec, record.applied)
    if not isinstance(build, Built) or not record.ready or record.reason or _missing_input(world, spec):
        return False
    if record.inventory != _recorded(world, environment.gates, build):
        return False
    done = all(_is_done(world, desired, id) for desired in build.objects)
    return done and not build.unhealthy and not unhealthy(world, id, spec, build)


def _is_done(world: World, desired: Desired, owner: ObjectId) -> bool:
    if skips(desired, world.live.get(desired.id)):
        return True
    return _is_current(world, desired, owner) and not refusal(world, desired)


def waits_for(world: World, id: ObjectId, met: frozenset[ObjectId] = frozenset()) -> str:
    """Why a Kustomization does not reconcile now, or the empty string; a missing source deletes nothing."""
    live = world.live[id]
    spec = live.spec
    if not isinstance(spec, KustomizationSpec) or live.deleting or is_suspended(live):
        return "it is suspended or terminating"
    if spec.source not in world.artifacts or spec.source not in world.live:
        return f"{spec.source} has no artifact"
    for dependency in spec.depends_on:
        if dependency not in met and not _is_met(world, spec, dependency):
            return f"{dependency} is not ready"
    return ""


def _is_met(world: World, spec: KustomizationSpec, dependency: ObjectId) -> bool:
    """A dependency from the same source must have applied the same revision."""
    live, record = world.live.get(dependency), world.records.get(dependency)
    if live is None or record is None or not record.ready or record.spec != live.spec:
        return False
    same = isinstance(live.spec, KustomizationSpec) and live.spec.source == spec.source
    return not same or record.applied == world.artifacts[spec.source]


def started(world: World, id: ObjectId) -> Move:
    """The live spec and the artifact's revision are read; what changes later is not seen."""
    spec = world.live[id].spec
    assert isinstance(spec, KustomizationSpec)
    run = Run(spec, world.artifacts[spec.source])
    record = world.records.get(id, Record(ready=False))
    if record.applied != run.revision or record.spec != spec:
        record = replace(record, ready=False)
    records = world.records.put(id, record)
    event = f"reconciles {id} at revision {brief(run.revision)} with the live prune {str(spec.prune).lower()}"
    return Move(Actor.KUSTOMIZE, (event,), replace(world, runs=world.runs.put(id, run), records=records), subject=id)


def applied(world: World, environment: Environment, id: ObjectId, run: Run) -> Move:
    """The build is applied stage by stage; a failure keeps the inventory and prunes nothing."""
    if missing := _missing_input(world, run.spec):
        return _failed(world, id, run, missing)
    build = environment.renders.kustomization(id, run.spec, run.revision)
    match build:
        case BuildFailed(reason):
            return _failed(world, id, run, f"the build fails: {reason}")
        case Unknown(_, inputs) if inputs and inputs == world.records[id].inputs:
            return _unchanged(world, id, run)
        case Unknown(reason):
            return replace(_failed(world, id, run, f"{NOT_KNOWN}{reason}"), undecided=reason)
        case Built():
            return _staged(world, environment, id, run, build.objects)
        case ApplyFailed(objects, stage, reason):
            reached = _before(objects, stage, environment.gates)
            move = _staged(world, environment, id, run, reached)
            return move if move.failed else _failed(move.world, id, run, f"the apply fails: {reason}")
        case _:
            assert_never(build)


def _unchanged(world: World, id: ObjectId, run: Run) -> Move:
    record = replace(world.records[id], applied=run.revision, spec=run.spec, ready=True, reason="")
    world = replace(world, records=world.records.put(id, record), runs=world.runs.drop(id))
    return Move(Actor.KUSTOMIZE, (f"builds {id} from the same inputs as before",), world, subject=id)


def _before(objects: Iterable[Desired], stage: Apply, gates: Gates) -> tuple[Desired, ...]:
    return tuple(desired for desired in objects if stage_of(desired.id, classes=gates.stages_classes) < stage)


def _missing_input(world: World, spec: KustomizationSpec) -> str:
    if spec.account is not None and spec.account not in world.live:
        return f"{spec.account} does not exist"
    for variables in spec.variables:
        if not variables.optional and variables.id not in world.live:
            return f"{variables.id} of substituteFrom does not exist"
    return ""


def _failed(world: World, id: ObjectId, run: Run, reason: str) -> Move:
    record = replace(world.records.get(id, Record()), ready=False, spec=run.spec, reason=reason)
    world = replace(world, records=world.records.put(id, record), runs=world.runs.drop(id))
    return Move(Actor.KUSTOMIZE, (f"freezes {id}: {reason}",), world, subject=id, failed=True)


def _staged(world: World, environment: Environment, id: ObjectId, run: Run, objects: tuple[Desired, ...]) -> Move:
    classes = environment.gates.stages_classes
    for stage in Apply:
        staged = [desired for desired in objects if stage_of(desired.id, classes=classes) is stage]
        going = [desired for desired in staged if not skips(desired, world.live.get(desired.id))]
        for desired in going:
            if reason := refusal(world, desired):
                return _failed(world, id, run, f"{desired.id}: {reason}")
        new = {desired.id: written(world, desired, id) for desired in going if not _is_current(world, desired, id)}
        if new:
            world = replace(world, live=world.live.put_all(new))
    world = replace(world, runs=world.runs.put(id, replace(run, applied=True)))
    return Move(Actor.KUSTOMIZE, (f"has applied {id} at revision {brief(run.revision)}",), world, subject=id)


def skips(desired: Desired, live: Live | None) -> bool:
    """Whether an apply passes over an object (`fluxcd/pkg:ssa/manager_apply.go#shouldSkipApply@v0.76.1`)."""
    there = live.opt_outs if live else NONE
    if (desired.marks | there) & SKIPS:
        return True
    return live is not None and Mark.SSA_IF_NOT_PRESENT in desired.marks


def _is_current(world: World, desired: Desired, owner: ObjectId) -> bool:
    """Whether an apply would change nothing: the usual case, and the one that must be fast."""
    old = world.live.get(desired.id)
    return old is not None and (
        old.digest == desired.digest
        and old.owner == owner
        and old.marks == desired.marks
        and (old.spec is desired.spec or old.spec == desired.spec)
        and old.definition == desired.definition
    )


def written(world: World, desired: Desired, owner: ObjectId) -> Live:
    """The object after an apply: our owner labels and marks; what other field managers set stays."""
    old = world.live.get(desired.id)
    new = Live(owner, marks=desired.marks, digest=desired.digest, spec=desired.spec, definition=desired.definition)
    if old is None:
        return new
    return replace(new, operator=old.operator, pinned=old.pinned, deleting=old.deleting)


def finished(world: World, environment: Environment, id: ObjectId, run: Run) -> Move:
    """The new inventory is recorded, what left it is pruned, and health decides readiness."""
    build = environment.renders.kustomization(id, run.spec, run.revision)
    assert isinstance(build, Built)
    record = world.records[id]
    doomed = _stale(world, environment, id, run)
    record = replace(record, inventory=_recorded(world, environment.gates, build), spec=run.spec)
    world = replace(world, records=world.records.put(id, record), runs=world.runs.drop(id))
    world, gone = deleted(world, doomed, id, How.PRUNE)
    reason = build.unhealthy or unhealthy(world, id, run.spec, build)
    if id in world.records:
        revision = record.applied if reason else run.revision
        ended = replace(record, applied=revision, ready=not reason, reason=reason)
        world = replace(world, records=world.records.put(id, ended))
    waiting = (f"finds {id} not ready: {reason}",) if reason else ()
    return Move(Actor.KUSTOMIZE, (*told(gone), *waiting), world, gone, subject=id)


def _stale(world: World, environment: Environment, id: ObjectId, run: Run) -> list[ObjectId]:
    """What left the build and would be pruned now."""
    build = environment.renders.kustomization(id, run.spec, run.revision)
    assert isinstance(build, Built)
    if not run.spec.prune:
        return []
    stale = world.records[id].inventory - _recorded(world, environment.gates, build)
    return [other for other in _ordered(stale) if _may_delete(world, environment.gates, other, id)]


def _in_parts(world: World, environment: Environment, id: ObjectId, doomed: list[ObjectId], how: How) -> Iterator[Move]:
    """A part of a deletion: one object that others apply too, or all that none does, while the rest is yet to come."""
    alone = [other for other in doomed if other not in environment.shared]
    parts = [*((other,) for other in doomed if other in environment.shared), *((tuple(alone),) if alone else ())]
    for part in parts if len(parts) > 1 else ():
        after, gone = deleted(world, part, id, how)
        yield Move(Actor.KUSTOMIZE, told(gone), after, gone, subject=id)


def _recorded(world: World, gates: Gates, build: Built) -> frozenset[ObjectId]:
    """The inventory holds skipped objects too; up to 1.6 not those that do not exist."""
    if gates.records_absent_skips:
        return build.ids
    return frozenset(desired.id for desired in build.objects if desired.id in world.live or not skips(desired, None))


def _ordered(ids: Iterable[ObjectId]) -> list[ObjectId]:
    """Deletion runs against the order of apply: Namespaces and CRDs last."""
    return sorted(ids, key=lambda id: (-stage_of(id, classes=True), id))


def _may_delete(world: World, gates: Gates, id: ObjectId, owner: ObjectId) -> bool:
    """The live copy has the owner's labels and no opt-out (`fluxcd/pkg:ssa/manager_delete.go@v0.76.1`)."""
    live = world.live.get(id)
    if live is None or live.owner != owner:
        return False
    return not live.opt_outs & (KEEPS_IGNORED if gates.prune_honours_ssa_ignore else KEEPS)


def unhealthy(world: World, id: ObjectId, spec: KustomizationSpec, build: Built) -> str:
    """What a Kustomization waits for; `wait` looks at everything applied and ignores `healthChecks`."""
    waited = (desired.id for desired in build.objects if desired.spec) if spec.wait else spec.checks
    for other in waited:
        if other != id and not is_healthy(world, other):
            return f"{other} is not ready"
    return ""


def is_healthy(world: World, id: ObjectId) -> bool:
    """Whether a health check of an object passes: an owner is Ready with its live spec, anything else exists.

    One that is suspended stays as ready as it was: its controller does nothing but note that it saw the new
    generation (`fluxcd/kustomize-controller:internal/controller/kustomization_controller.go#finalizeStatus@v1.9.6`,
    `fluxcd/helm-controller:internal/controller/helmrelease_controller.go#Reconcile@v1.6.3`).
    """
    live = world.live.get(id)
    if live is None or live.deleting:
        return False
    if isinstance(live.spec, SourceSpec):
        return id in world.artifacts
    record = world.records.get(id)
    if record is None:
        return not isinstance(live.spec, FINALIZED)
    return record.ready and (record.spec == live.spec or is_suspended(live))


def finalized(world: World, environment: Environment, id: ObjectId) -> Move:
    """A deleted Kustomization deletes its inventory, by its live spec (`#finalizerShouldDeleteResources`)."""
    live = world.live[id]
    world, gone = deleted(world, _left_behind(world, environment, id), id, How.FINALIZER)
    event = f"finalizes {id} with the live prune {str(getattr(live.spec, 'prune', False)).lower()}"
    return Move(Actor.KUSTOMIZE, (event, *told(gone)), reaped(removed(world, id)), gone, subject=id)


def _left_behind(world: World, environment: Environment, id: ObjectId) -> list[ObjectId]:
    """What the finalizer of a Kustomization would delete now."""
    if not deletes_inventory(world, environment.gates, world.live[id]):
        return []
    inventory = _ordered(world.records[id].inventory)
    return [other for other in inventory if other != id and _may_delete(world, environment.gates, other, id)]


def deletes_inventory(world: World, gates: Gates, live: Live) -> bool:
    """Whether the finalizer of a live Kustomization deletes; Delete does in spite of prune false."""
    spec = live.spec
    if not isinstance(spec, KustomizationSpec) or is_suspended(live):
        return False
    if spec.account is not None and spec.account not in world.live:
        return False
    policy = spec.policy if gates.deletion_policy else DeletionPolicy.MIRROR
    if policy is DeletionPolicy.MIRROR:
        return spec.prune
    return policy is not DeletionPolicy.ORPHAN

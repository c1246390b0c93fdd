"""A world cut down to what interleavings can decide, without losing an outcome.

Most Kustomizations of a commit build the same objects as before, share none and keep their spec:
whatever the order, they do nothing. The rest falls into parts that share nothing, explored one by
one, with one object for all that are treated alike. Where a cut cannot be exact it allows more
orders, never fewer: a dependency outside the part counts as ready.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from flux_handover.objects import ObjectId
from flux_handover.proof.closures import closures, home_of
from flux_handover.proof.reconcile import stage_of
from flux_handover.proof.reconcile_cluster import Install, Program, UnmarkAll, UserStep
from flux_handover.proof.scope import (
    OWNERS,
    Scope,
    changing,
    concerned,
    named_by,
    needed,
    objects_of,
    scope_of,
)
from flux_handover.proof.vanishing import vanishing
from flux_handover.proof.world import (
    Actor,
    ApplyFailed,
    Build,
    Built,
    Controller,
    Desired,
    Environment,
    Live,
    Manifest,
    Record,
    Rendered,
    RenderTable,
    World,
    is_definition,
    is_hosted,
    is_namespace,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a world to explore by itself; `alike` are all objects that each of its objects stands for."""

    owners: frozenset[ObjectId]
    world: World
    environment: Environment
    program: Program
    alike: Mapping[ObjectId, frozenset[ObjectId]]


def parts(world: World, environment: Environment, program: Program) -> tuple[Part, ...]:
    """The independent pieces of a world that a program can change."""
    scope = scope_of(world, environment, program)
    named = named_by(program)
    going = vanishing(scope, program)
    active, _ = concerned(scope, named, going)
    return tuple(_part(scope, group, program, going) for group in closures(scope, active, going, named))


def _part(scope: Scope, owners: frozenset[ObjectId], program: Program, going: frozenset[ObjectId]) -> Part:
    world = scope.world
    named = {other for id in owners for spec in scope.specs[id] for other in needed(world, spec)} | owners
    touched = set().union(*(scope.touched[id] for id in owners))
    kinds = {definition for id in owners for definition in scope.definitions[id] if definition in going}
    alone = _alone(scope, named | (kinds & world.live.keys()), going, program)
    together = tuple(step.action.ids for step in program if isinstance(step.action, UnmarkAll))
    alike = _classes(scope, owners, touched | named | (kinds & world.live.keys()), alone, together)
    keep = alike.keys()
    certain = frozenset(id for id in world.live if is_definition(id)) - going
    named_too = named_by(program)
    indifferent = frozenset(id for id in touched if _decides_nothing(scope, named_too, going, id))
    environment = replace(
        scope.environment,
        renders=_projected_renders(scope, owners, keep, certain),
        controllers=_projected_controllers(scope, alike, going),
        atomic=_atomic(scope, owners, touched - indifferent) - _halting(scope, owners, named, going),
        indifferent=indifferent & keep,
        met=frozenset(id for id in named if id in scope.specs and id not in owners),
        shared=_shared(scope, owners).intersection(keep),
    )
    steps = tuple(_projected_step(step, owners, keep, certain) for step in program)
    return Part(owners, _projected(world, owners, keep), environment, steps, alike)


def _projected_renders(
    scope: Scope, owners: frozenset[ObjectId], keep: Collection[ObjectId], certain: frozenset[ObjectId]
) -> RenderTable:
    builds: dict[Rendered, Build] = {}
    for id in owners:
        for (spec, revision), build in scope.builds[id].items():
            builds[id, spec, revision] = _cut_build(build, owners, keep, certain)
    return RenderTable(builds)


def _cut_build(
    build: Build, owners: frozenset[ObjectId], keep: Collection[ObjectId], certain: frozenset[ObjectId]
) -> Build:
    kept = tuple(_cut_desired(o, owners, certain) for o in objects_of(build) if o.id in keep)
    match build:
        case Built(_, unhealthy):
            return Built(kept, unhealthy)
        case ApplyFailed(_, stage, reason):
            return ApplyFailed(kept, stage, reason)
        case _:
            return build


def _cut_desired(desired: Desired, owners: frozenset[ObjectId], certain: frozenset[ObjectId]) -> Desired:
    """An owner outside the part is an object like any other; a kind that cannot go is no question."""
    outside = isinstance(desired.spec, OWNERS) and desired.id not in owners
    definition = None if desired.definition in certain else desired.definition
    return replace(desired, digest="", spec=None if outside else desired.spec, definition=definition)


def _projected_controllers(
    scope: Scope, alike: Mapping[ObjectId, frozenset[ObjectId]], going: frozenset[ObjectId]
) -> Mapping[Actor, Controller]:
    """Controllers need the objects that stand for what they need; one that cannot lose any always runs."""
    standing = {id: first for first, ids in alike.items() for id in ids}
    return {
        actor: Controller(standing[host.deployment], frozenset(standing[id] for id in host.needs if id in standing))
        for actor, host in scope.environment.controllers.items()
        if host.deployment in standing and _may_stop(scope, actor, host, going)
    }


def _may_stop(scope: Scope, actor: Actor, host: Controller, going: frozenset[ObjectId]) -> bool:
    hosted = is_hosted(scope.world, scope.environment, actor)
    return not hosted or actor in scope.world.stopped or not going.isdisjoint({host.deployment, *host.needs})


def _projected_step(
    step: UserStep, owners: frozenset[ObjectId], keep: Collection[ObjectId], certain: frozenset[ObjectId]
) -> UserStep:
    action = step.action
    if isinstance(action, Install):
        # The digest stays: that a person writes what an owner applies is a change, even of a reduced object.
        cut = (replace(_cut_desired(o, owners, certain), digest=o.digest) for o in action.objects if o.id in keep)
        action = Install(tuple(cut))
    seen = step.seen if all(id in keep for id in step.about) else None
    return replace(step, action=action, seen=seen)


def _atomic(scope: Scope, owners: frozenset[ObjectId], deciding: Iterable[ObjectId]) -> frozenset[ObjectId]:
    """Owners none of whose objects another owner touches, but for objects that decide nothing."""
    shared = {owner for id in deciding if len(scope.touching[id]) > 1 for owner in scope.touching[id]}
    return owners - shared


def _shared(scope: Scope, owners: frozenset[ObjectId]) -> frozenset[ObjectId]:
    """Objects that an owner may delete while another one of the part applies them."""
    applied = {desired.id for id in owners for build in scope.builds[id].values() for desired in objects_of(build)}
    return frozenset(id for id in applied if len(owners.intersection(scope.touching[id])) > 1)


def _halting(
    scope: Scope, owners: frozenset[ObjectId], named: set[ObjectId], going: frozenset[ObjectId]
) -> frozenset[ObjectId]:
    """Owners that may bring what others act by and remove something else: those may act between the two."""
    return frozenset(
        id
        for id in owners
        if not going.isdisjoint(scope.touched[id]) and any(other in named for other in _brought(scope, id))
    )


def _brought(scope: Scope, id: ObjectId) -> Iterator[ObjectId]:
    changed = changing(scope, id)
    for build in scope.builds[id].values():
        yield from (desired.id for desired in objects_of(build) if desired.id in changed)


def _decides_nothing(scope: Scope, named: Collection[ObjectId], going: frozenset[ObjectId], id: ObjectId) -> bool:
    """Whether an object is there in every order and decides nothing, so that who applies it when is no matter.

    The operator takes owner labels off and waits for nobody: that one object less or more has them is a delay.
    """
    live = scope.world.live.get(id)
    return live is not None and live.spec is None and id not in going and id not in named


def _projected(world: World, owners: frozenset[ObjectId], keep: Collection[ObjectId]) -> World:
    """The part's objects; owners outside it stay as they are, and do nothing."""
    live = {id: _plain(world.live[id], id in owners) for id in keep if id in world.live}
    records = {id: _cut(world.records[id], keep, id in owners) for id in keep if id in world.records}
    releases = {
        key: Manifest(manifest.objects & frozenset(keep), manifest.kept & frozenset(keep), manifest.known)
        for key, manifest in world.releases.items()
        if not manifest.objects.isdisjoint(keep) or not manifest.known
    }
    table = type(world.live)
    return replace(
        world,
        live=table(live),
        records=type(world.records)(records),
        artifacts=type(world.artifacts)({id: at for id, at in world.artifacts.items() if id in keep}),
        releases=type(world.releases)(releases),
        runs=type(world.runs)(),
    )


def _plain(live: Live, is_owner_here: bool) -> Live:
    outside = isinstance(live.spec, OWNERS) and not is_owner_here
    return replace(live, digest="", spec=None if outside else live.spec)


def _cut(record: Record, keep: Collection[ObjectId], is_owner_here: bool) -> Record:
    inventory = frozenset(id for id in record.inventory if id in keep)
    return replace(record, inventory=inventory, spec=record.spec if is_owner_here else None)


def _alone(scope: Scope, named: set[ObjectId], going: frozenset[ObjectId], program: Program) -> set[ObjectId]:
    """Objects that stand for nobody else: what the part's owners are, read, or live in, and what a person touches."""
    about = {id for step in program for id in step.about}
    large = {id for id in going if is_namespace(id) or is_definition(id)}
    hosts = {host.deployment for host in scope.environment.controllers.values()}
    apart = tuple(step for step in program if not isinstance(step.action, UnmarkAll))
    return named | about | large | hosts | named_by(apart)


def _classes(
    scope: Scope,
    owners: frozenset[ObjectId],
    ids: Iterable[ObjectId],
    alone: Collection[ObjectId],
    together: tuple[frozenset[ObjectId], ...] = (),
) -> dict[ObjectId, frozenset[ObjectId]]:
    """The objects of a part by how they are treated, each class under its first id.

    What a person does to all of `together` at once keeps these alike.
    """
    described = _descriptions(scope, owners)
    groups: dict[object, list[ObjectId]] = defaultdict(list)
    for id in sorted(ids):
        treatment = id if id in alone else _treatment(scope, id, described, alone)
        groups[treatment, tuple(id in ids for ids in together)].append(id)
    return {group[0]: frozenset(group) for group in groups.values()}


def _descriptions(scope: Scope, owners: frozenset[ObjectId]) -> Mapping[ObjectId, tuple[object, ...]]:
    """By object, what each build of the part says about it."""
    found: dict[ObjectId, list[object]] = defaultdict(list)
    for owner in sorted(owners):
        for n, build in enumerate(scope.builds[owner].values()):
            for desired in objects_of(build):
                spec = None if isinstance(desired.spec, OWNERS) else desired.spec
                found[desired.id].append((owner, n, desired.marks, desired.definition, spec))
        for id in scope.world.records.get(owner, Record()).inventory:
            found[id].append((owner, "inventory"))
    for key, manifest in scope.world.releases.items():
        for id in manifest.objects:
            found[id].append((key, id in manifest.kept))
    return {id: tuple(entries) for id, entries in found.items()}


def _treatment(
    scope: Scope, id: ObjectId, described: Mapping[ObjectId, tuple[object, ...]], alone: Collection[ObjectId]
) -> object:
    """Equal for objects that every actor treats alike."""
    live = scope.world.live.get(id)
    there = None
    if live is not None:
        spec = None if isinstance(live.spec, OWNERS) else live.spec
        there = replace(live, digest="", spec=spec)
    home = id.namespace if home_of(id) in alone else ""
    stage = stage_of(id, classes=True)
    return there, described.get(id, ()), home, stage, is_namespace(id), is_definition(id), id.kind == "ClusterRole"

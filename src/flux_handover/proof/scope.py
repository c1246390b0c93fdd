"""What a program can bring about: every spec and build of every owner, and who of them is concerned.

An owner that keeps its one spec and builds what it last applied is quiet: in every order it does nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import assert_never

from flux_handover.objects import ObjectId, is_flux_object
from flux_handover.proof.reconcile_cluster import (
    Annotate,
    Install,
    Program,
    Push,
    Remove,
    Resume,
    Unmark,
    UnmarkAll,
    resumed,
)
from flux_handover.proof.stored import manifest_of
from flux_handover.proof.world import (
    ApplyFailed,
    Build,
    Built,
    Desired,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Owner,
    Record,
    SourceSpec,
    Unknown,
    World,
    is_suspended,
)

Origins = defaultdict[ObjectId, set[str]]
OWNERS = (KustomizationSpec, HelmReleaseSpec, FluxInstanceSpec)


@dataclass(slots=True)
class Scope:
    """What every owner may render in a program: its specs, its builds, and who touches which object."""

    world: World
    environment: Environment
    specs: dict[ObjectId, list[Owner]] = field(default_factory=lambda: defaultdict(list))
    builds: dict[ObjectId, dict[tuple[Owner, str], Build]] = field(default_factory=lambda: defaultdict(dict))
    touching: dict[ObjectId, list[ObjectId]] = field(default_factory=lambda: defaultdict(list))
    touched: dict[ObjectId, set[ObjectId]] = field(default_factory=dict)
    definitions: dict[ObjectId, set[ObjectId]] = field(default_factory=dict)
    changes: dict[ObjectId, frozenset[ObjectId]] = field(default_factory=dict)


def scope_of(world: World, environment: Environment, program: Program) -> Scope:
    """Every spec and build that the program can bring about, from the live owners down."""
    heads = _heads(world, program)
    origins: Origins = defaultdict(set)
    for id, live in world.live.items():
        if isinstance(live.spec, SourceSpec):
            origins[id].add(live.spec.origin)
    known = -1
    while known != (known := sum(map(len, origins.values()))):
        scope = Scope(world, environment)
        _follow(scope, program, heads, origins)
    _index(scope)
    return scope


def _follow(scope: Scope, program: Program, heads: Mapping[str, list[str]], origins: Origins) -> None:
    waiting = [(id, live.spec) for id, live in scope.world.live.items() if isinstance(live.spec, OWNERS)]
    for step in program:
        if isinstance(step.action, Install):
            waiting.extend(_meet(step.action.objects, origins))
        if isinstance(step.action, Resume) and step.action.id in scope.world.live:
            spec = resumed(scope.world.live[step.action.id]).spec
            waiting.extend([(step.action.id, spec)] if isinstance(spec, OWNERS) else [])
    while waiting:
        id, spec = waiting.pop()
        if spec in scope.specs[id]:
            continue
        scope.specs[id].append(spec)
        for revision, build in _builds(scope, id, spec, heads, origins).items():
            scope.builds[id][spec, revision] = build
            waiting.extend(_meet(objects_of(build), origins))


def _heads(world: World, program: Program) -> dict[str, list[str]]:
    heads = defaultdict(list, {origin: [head] for origin, head in world.heads.items()})
    for step in program:
        if isinstance(step.action, Push):
            for origin, revision in step.action.heads:
                heads[origin].append(revision)
    return heads


def _meet(objects: Iterable[Desired], origins: Origins) -> list[tuple[ObjectId, Owner]]:
    met: list[tuple[ObjectId, Owner]] = []
    for desired in objects:
        if desired.spec is None:
            continue
        if isinstance(desired.spec, SourceSpec):
            origins[desired.id].add(desired.spec.origin)
        elif isinstance(desired.spec, OWNERS):
            met.append((desired.id, desired.spec))
    return met


def _builds(
    scope: Scope, id: ObjectId, spec: Owner, heads: Mapping[str, list[str]], origins: Origins
) -> dict[str, Build]:
    renders = scope.environment.renders
    match spec:
        case KustomizationSpec():
            now = scope.world.artifacts.get(spec.source)
            fetched = [revision for origin in sorted(origins[spec.source]) for revision in heads.get(origin, ())]
            revisions = dict.fromkeys(([now] if now else []) + fetched)
            return {revision: renders.kustomization(id, spec, revision) for revision in revisions}
        case HelmReleaseSpec():
            return {"": renders.release(id, spec)}
        case FluxInstanceSpec():
            return {"": renders.instance(id, spec)}


def objects_of(build: Build) -> tuple[Desired, ...]:
    """What a build applies, as far as it gets."""
    return build.objects if isinstance(build, Built | ApplyFailed) else ()


def _index(scope: Scope) -> None:
    for id in scope.specs:
        objects = tuple(chain.from_iterable(map(objects_of, scope.builds[id].values())))
        inventory = scope.world.records.get(id, Record()).inventory
        scope.touched[id] = {*inventory, *(desired.id for desired in objects), *_released(scope, id)}
        scope.definitions[id] = {desired.definition for desired in objects if desired.definition is not None}
        for other in scope.touched[id]:
            scope.touching[other].append(id)


def _released(scope: Scope, id: ObjectId) -> Iterator[ObjectId]:
    """What the releases hold that a HelmRelease has, or is going to have."""
    for spec in scope.specs[id]:
        if isinstance(spec, HelmReleaseSpec):
            manifest = manifest_of(scope.world, spec.release)
            yield from manifest.objects if manifest else ()


def named_by(program: Program) -> set[ObjectId]:
    """The objects that a person's own steps touch."""
    named: set[ObjectId] = set()
    for step in program:
        match step.action:
            case Push():
                continue
            case Install(objects):
                named |= {desired.id for desired in objects}
            case UnmarkAll(ids):
                named |= ids
            case Annotate(id=id) | Unmark(id=id) | Resume(id=id) | Remove(id=id):
                named.add(id)
            case _:
                assert_never(step.action)
    return named


def removed_by(program: Program) -> set[ObjectId]:
    """The objects that a person deletes."""
    return {step.action.id for step in program if isinstance(step.action, Remove)}


def concerned(
    scope: Scope, named: set[ObjectId], vanishing: frozenset[ObjectId]
) -> tuple[set[ObjectId], set[ObjectId]]:
    """Owners that may do something or that a change reaches, and the objects that may change."""
    active = {id for id in scope.specs if not _is_quiet(scope, id)}
    volatile = named.union(*(changing(scope, id) for id in active))
    waiting = list(volatile)
    reading = readers(scope)
    while waiting:
        changed = waiting.pop()
        read_by = (owner for owner in reading.get(changed, ()) if decides(scope, owner, changed, vanishing))
        for owner in (*scope.touching.get(changed, ()), *read_by):
            if owner not in active:
                active.add(owner)
                fresh = changing(scope, owner) - volatile
                volatile |= fresh
                waiting.extend(fresh)
    return active, volatile


def decides(scope: Scope, owner: ObjectId, id: ObjectId, vanishing: frozenset[ObjectId]) -> bool:
    """Whether a change of an object reaches an owner that reads it: it may come or go, or is an owner or a source.

    Of its source a HelmRelease asks only whether it is there.
    """
    live = scope.world.live.get(id)
    if id in vanishing or live is None:
        return True
    presence = isinstance(live.spec, SourceSpec) and all(isinstance(s, HelmReleaseSpec) for s in scope.specs[owner])
    return live.spec is not None and not presence


def _is_quiet(scope: Scope, id: ObjectId) -> bool:
    """Whether an owner keeps its one spec and builds exactly what it last applied."""
    live, record = scope.world.live.get(id), scope.world.records.get(id)
    if live is None or live.deleting or record is None or len(scope.specs[id]) > 1:
        return False
    if isinstance(live.spec, HelmReleaseSpec):
        return True
    if isinstance(live.spec, KustomizationSpec) and is_suspended(live):
        return True
    builds = tuple(scope.builds[id].values())
    return all(_is_applied(build, record) for build in builds) and all(_alike(*pair) for pair in pairwise(builds))


def _is_applied(build: Build, record: Record) -> bool:
    match build:
        case Built(ids=ids):
            return ids == record.inventory
        case Unknown(inputs=inputs):
            return bool(inputs) and inputs == record.inputs
        case _:
            return False


def _alike(first: Build, second: Build) -> bool:
    if first is second:
        return True
    return fingerprint(first) == fingerprint(second)


def fingerprint(build: Build) -> frozenset[tuple[ObjectId, object]]:
    """What a build says of each of its objects, as far as the judge looks."""
    return frozenset((o.id, (o.marks, o.spec, o.definition)) for o in objects_of(build))


def changing(scope: Scope, id: ObjectId) -> frozenset[ObjectId]:
    """The ids that an owner may add, remove or alter."""
    if id not in scope.changes:
        prints = [fingerprint(build) for build in scope.builds[id].values() if isinstance(build, Built | ApplyFailed)]
        every = {entry[0] for entry in frozenset().union(*prints)}
        steady = {entry[0] for entry in frozenset.intersection(*prints)} if prints else set()
        inventory = scope.world.records.get(id, Record()).inventory
        scope.changes[id] = frozenset((every | inventory) - steady | (steady - inventory))
    return scope.changes[id]


def readers(scope: Scope) -> Mapping[ObjectId, list[ObjectId]]:
    """By object, the owners that need it: as source, variables, account, dependency or kind, or as themselves."""
    reading: dict[ObjectId, list[ObjectId]] = defaultdict(list)
    for id, specs in scope.specs.items():
        live = scope.world.live.get(id)
        others = {id} | scope.definitions[id] | ({live.definition} if live and live.definition else set())
        for other in others.union(*(needed(scope.world, spec) for spec in specs)):
            reading[other].append(id)
    return reading


def needed(world: World, spec: Owner) -> set[ObjectId]:
    """What an owner with this spec reads before it acts."""
    match spec:
        case KustomizationSpec():
            given = filter(None, (spec.account, _key(world, spec.source)))
            return {spec.source, *spec.depends_on, *spec.checks, *(v.id for v in spec.variables), *given}
        case HelmReleaseSpec():
            return {*spec.values, *spec.depends_on, *filter(None, (spec.source,))}
        case FluxInstanceSpec():
            return set()


def _key(world: World, source: ObjectId) -> ObjectId | None:
    """The Secret that a live source fetches with."""
    live = world.live.get(source)
    return live.spec.secret if live is not None and isinstance(live.spec, SourceSpec) else None


def outside(world: World, environment: Environment, program: Program) -> frozenset[ObjectId]:
    """Variables, accounts, keys and values that owners need, nobody renders and the world lacks.

    So are objects that health checks name: a chart or a controller makes them, unless they are Flux's own.
    Whoever builds a world decides whether they are there: without them the owners that need them are frozen.
    """
    scope = scope_of(world, environment, program)
    named = {id for specs in scope.specs.values() for spec in specs for id in _inputs(world, spec)}
    return frozenset(id for id in named if id not in world.live and id not in scope.touching)


def _inputs(world: World, spec: Owner) -> set[ObjectId]:
    match spec:
        case KustomizationSpec():
            flux = filter(is_flux_object, spec.checks)
            return needed(world, spec) - {spec.source, *spec.depends_on, *flux}
        case HelmReleaseSpec(values=values):
            return set(values)
        case FluxInstanceSpec():
            return set()

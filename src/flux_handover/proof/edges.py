"""The name of what went wrong: the edges E1 to E21 of the transition model, recognised in a trace.

Empty where it is an ordinary deletion: an object left the build of its only owner.
"""

from __future__ import annotations

from collections.abc import Iterator

from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId
from flux_handover.proof.exploration import Found, Violation
from flux_handover.proof.properties import undefined
from flux_handover.proof.reconcile import Deletion, How, Move
from flux_handover.proof.reconcile_kustomization import deletes_inventory
from flux_handover.proof.reconcile_operator import STALLED
from flux_handover.proof.stored import manifest_of
from flux_handover.proof.world import (
    Actor,
    Built,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    SourceSpec,
    World,
    is_home,
    is_instance,
    is_namespace,
)

Cause = tuple[World, Move, Deletion]
OWNED = (How.PRUNE, How.FINALIZER)


def edge_of(found: Found, environment: Environment, rest: World) -> str:
    """E1 to E21, V1 for variables that only their user makes, or the empty string; `rest` is where it all ends."""
    if isinstance(found.what, Violation):
        edge = _edge_of_violation(found.what, found, environment)
        return edge or _edge_of_deletion(found.what.ids[0], found, environment, rest)
    return _edge_of_deletion(found.what.id, found, environment, rest)


def _edge_of_deletion(id: ObjectId, found: Found, environment: Environment, rest: World) -> str:
    chain = tuple(_chain(id, found))
    return (_edge_of_instance(chain, found) or _edge_of_root(chain, environment, rest)) if chain else ""


def _chain(id: ObjectId, found: Found) -> Iterator[Cause]:
    """The deletions that led to this one, the first cause last."""
    wanted: ObjectId | None = id
    for world, move in reversed(found.path):
        while (cause := next((one for one in move.deletions if one.id == wanted), None)) is not None:
            yield world, move, cause
            wanted = cause.by if cause.cascade else None


def _edge_of_instance(chain: tuple[Cause, ...], found: Found) -> str:
    """E8 to E10: a FluxInstance goes, and Flux with it."""
    instance = next((deletion for _, _, deletion in chain if is_instance(deletion.id)), None)
    if instance is None:
        return ""
    if instance.how is How.DEFINITION:
        return "E10"
    restarted = any(move.events == (f"starts {Actor.OPERATOR.value}",) for _, move in found.path)
    return "E9" if restarted else "E8"


def _edge_of_root(chain: tuple[Cause, ...], environment: Environment, rest: World) -> str:
    world, move, root = chain[-1]
    if root.how is How.OPERATOR:
        return "E7" if root.id.group in (KUSTOMIZE_GROUP, SOURCE_GROUP) else ""
    if root.how is not How.PRUNE:
        return ""
    owned = [(before, deletion) for before, _, deletion in chain if deletion.how in OWNED]
    for before, deletion in owned:
        if is_home(deletion.id, environment.controllers):
            return _edge_of_component(before, deletion, rest)
    if _is_moved(world, environment, [deletion for _, deletion in owned]):
        return "E2"
    return _edge_of_order(world, move, root.id, environment) or _edge_of_cascade(world, environment, root.id)


def _is_moved(world: World, environment: Environment, owned: list[Deletion]) -> bool:
    """Whether another owner than those that lose it renders one of the objects."""
    losing = {deletion.by for deletion in owned} | {deletion.id for deletion in owned}
    others = [build.ids for other, build in _rendered(world, environment) if other not in losing]
    return any(deletion.id in ids for ids in others for deletion in owned)


def _edge_of_cascade(world: World, environment: Environment, id: ObjectId) -> str:
    live = world.live.get(id)
    return "E1" if live is not None and deletes_inventory(world, environment.gates, live) else ""


def _edge_of_component(world: World, deletion: Deletion, rest: World) -> str:
    """E3, E4, E12 and E18: Flux prunes what it runs on."""
    id = deletion.id
    if is_namespace(id) and deletion.how is How.PRUNE:
        return "E18"
    live = world.live.get(id)
    if live is not None and live.operator is not None:
        return "E4"
    stalled = any(
        isinstance(record.spec, FluxInstanceSpec) and record.reason.startswith(STALLED)
        for record in rest.records.values()
    )
    return "E12" if stalled else "E3"


def _rendered(world: World, environment: Environment) -> Iterator[tuple[ObjectId, Built]]:
    """What every Kustomization renders at the newest revision, those included that are not applied yet."""
    known = {id: live.spec for id, live in world.live.items() if isinstance(live.spec, KustomizationSpec)}
    waiting = list(known.items())
    while waiting:
        id, spec = waiting.pop()
        build = environment.renders.kustomization(id, spec, _newest(world, spec.source))
        if isinstance(build, Built):
            yield id, build
            fresh = {child: given for child, given in _children(build).items() if child not in known}
            known |= fresh
            waiting.extend(fresh.items())


def _children(build: Built) -> dict[ObjectId, KustomizationSpec]:
    """The Kustomizations that a build brings, with the spec it gives them."""
    return {desired.id: desired.spec for desired in build.objects if isinstance(desired.spec, KustomizationSpec)}


def _newest(world: World, source: ObjectId) -> str:
    live = world.live.get(source)
    head = world.heads.get(live.spec.origin) if live is not None and isinstance(live.spec, SourceSpec) else None
    return head or world.artifacts.get(source, "")


def _edge_of_order(world: World, move: Move, id: ObjectId, environment: Environment) -> str:
    """E19 and E20: with the spec that its parent is about to give it, the owner would not have deleted."""
    owner = move.subject
    assert owner is not None
    run = world.runs.get(owner)
    used = run.spec if run else world.live[owner].spec
    for _, build in _rendered(world, environment):
        given = _children(build).get(owner)
        if given is not None and given != used:
            return _edge_of_new_spec(world, owner, given, id, environment)
    return ""


def _edge_of_new_spec(
    world: World, owner: ObjectId, spec: KustomizationSpec, id: ObjectId, environment: Environment
) -> str:
    if not spec.prune:
        return "E19"
    build = environment.renders.kustomization(owner, spec, _newest(world, spec.source))
    return "E20" if spec.suspend or (isinstance(build, Built) and id in build.ids) else ""


def _edge_of_violation(violation: Violation, found: Found, environment: Environment) -> str:
    world = found.path[-1][1].world if found.path else None
    match violation.property:
        case "P2" if violation.ids[0].group == SOURCE_GROUP:
            return "E17"
        case "P3":
            return "E5"
        case "P5":
            return _edge_of_conflict(violation, found)
        case "P7" if is_instance(violation.ids[0]):
            return "E10" if any(d.how is How.DEFINITION for _, m in found.path for d in m.deletions) else "E9"
        case "P8":
            return "E11"
        case "P6" | "P9" if world is not None:
            return _edge_of_deadlock(world, violation.ids[0], environment)
        case _:
            return ""


def _edge_of_conflict(violation: Violation, found: Found) -> str:
    if found.path and found.path[-1][1].actor is Actor.USER:
        return "E16"
    if any(is_instance(id) for id in violation.ids):
        return "E13"
    world = found.path[-1][1].world if found.path else World()
    made = any(live.operator for live in world.live.values() if isinstance(live.spec, KustomizationSpec))
    return "E6" if made else ""


def _edge_of_deadlock(world: World, id: ObjectId, environment: Environment) -> str:
    live = world.live.get(id)
    if live is None:
        return "E15" if is_instance(id) else ""
    edge = _edge_of_inputs(world, id, live.spec, environment) if isinstance(live.spec, KustomizationSpec) else ""
    if edge or _is_cycle(world, environment, id):
        return edge or "E21"
    return "E12" if isinstance(live.spec, FluxInstanceSpec) else ""


def _edge_of_inputs(world: World, id: ObjectId, spec: KustomizationSpec, environment: Environment) -> str:
    """What a Kustomization that is never ready lacks: a kind, a variable, or the key of its source."""
    if any(is_instance(missing) for missing in undefined(world, environment, id)):
        return "E14" if _brings_release(world, environment, id, spec) else "E15"
    if any(not variables.optional and variables.id not in world.live for variables in spec.variables):
        return "V1"
    return "E17" if _lacks_secret(world, spec.source) else ""


def _brings_release(world: World, environment: Environment, id: ObjectId, spec: KustomizationSpec) -> bool:
    build = environment.renders.kustomization(id, spec, world.artifacts[spec.source])
    return isinstance(build, Built) and any(isinstance(o.spec, HelmReleaseSpec) for o in build.objects)


def _lacks_secret(world: World, source: ObjectId) -> bool:
    live = world.live.get(source)
    spec = live.spec if live else None
    return isinstance(spec, SourceSpec) and spec.secret is not None and spec.secret not in world.live


def _is_cycle(world: World, environment: Environment, id: ObjectId) -> bool:
    """Whether what an owner waits for waits, through others, for the owner itself."""
    seen: set[ObjectId] = set()
    waiting = list(_awaited(world, environment, id))
    while waiting:
        other = waiting.pop()
        if other == id:
            return True
        if other not in seen:
            seen.add(other)
            waiting.extend(_awaited(world, environment, other))
    return False


def _awaited(world: World, environment: Environment, id: ObjectId) -> Iterator[ObjectId]:
    """The owners that must be ready before this one is."""
    live, record = world.live.get(id), world.records.get(id)
    match live.spec if live else None:
        case KustomizationSpec() as spec:
            yield from spec.depends_on
            yield from (record.inventory - {id} if record else ()) if spec.wait else spec.checks
        case HelmReleaseSpec() as spec:
            yield from spec.depends_on
            manifest = manifest_of(world, spec.release)
            yield from manifest.objects if spec.waits and manifest else ()
        case FluxInstanceSpec() as spec:
            yield from record.inventory if spec.wait and record else ()
        case _:
            return

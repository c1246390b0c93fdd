"""What some order may delete, taken too large rather than too small.

A kind, a variable or a source decides what its readers do only where it may come or go; that its opt-outs
change does not reach them. Opt-outs may change on the way: only one that nobody can take off is looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import permutations

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile_cluster import Program
from flux_handover.proof.reconcile_helm import PENDING, remedy_of
from flux_handover.proof.reconcile_kustomization import KEEPS
from flux_handover.proof.reconcile_operator import stamped
from flux_handover.proof.scope import Scope, named_by, objects_of, removed_by, scope_of
from flux_handover.proof.world import (
    Built,
    DeletionPolicy,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Owner,
    Record,
    Remedy,
    World,
    is_definition,
    is_namespace,
)


def may_go(world: World, environment: Environment, program: Program) -> frozenset[ObjectId]:
    """Every live object that the steps of a program may delete; those that opt out in every revision are not."""
    scope = scope_of(world, environment, program)
    removed = removed_by(program)
    going = vanishing(scope, program)
    return frozenset(id for id in going & world.live.keys() if id in removed or not _shielded(scope, going, id))


def _shielded(scope: Scope, going: frozenset[ObjectId], id: ObjectId) -> bool:
    """Whether an object keeps an opt-out from prunes, and nothing but a prune or a finalizer could delete it."""
    live, home = scope.world.live[id], ObjectId("", "Namespace", "", id.namespace)
    owners = scope.touching.get(id, ())
    pruned = all(isinstance(spec, KustomizationSpec) for owner in owners for spec in scope.specs[owner])
    if not pruned or live.definition in going or (id.namespace and home in going):
        return False
    builds = (build for owner in owners for build in scope.builds[owner].values())
    rendered = (desired.marks for build in builds for desired in objects_of(build) if desired.id == id)
    return bool(live.pinned & KEEPS) or (bool(live.marks & KEEPS) and all(marks & KEEPS for marks in rendered))


def vanishing(scope: Scope, program: Program) -> frozenset[ObjectId]:
    """Every object that may be deleted, by a person's steps of the program or by what controllers do."""
    gone, named = removed_by(program), named_by(program)
    for id in scope.specs:
        gone |= {other for other in _left(scope, id) if not _is_kept_for_good(scope, named, id, other)}
        gone |= set(_uninstalled(scope, id))
    waiting = list(gone)
    while waiting:
        for along in _along(scope, waiting.pop()):
            if along not in gone:
                gone.add(along)
                waiting.append(along)
    return frozenset(gone)


def _left(scope: Scope, id: ObjectId) -> Iterator[ObjectId]:
    """Objects that leave an owner: it has them, and some build that is not an earlier one lacks them."""
    if not any(_prunes(spec) for spec in scope.specs[id]):
        return
    inventory = scope.world.records.get(id, Record()).inventory
    built = [(at, build) for (_, at), build in scope.builds[id].items() if isinstance(build, Built)]
    for _, build in built:
        yield from inventory - build.ids
    now = _revision(scope, id)
    later = [build for at, build in built if at != now or not at]
    for one, other in permutations(later, 2):
        yield from one.ids - other.ids


def _is_kept_for_good(scope: Scope, named: Collection[ObjectId], owner: ObjectId, id: ObjectId) -> bool:
    """Whether an object that leaves a Kustomization has an opt-out that nobody takes off: kustomize-controller keeps
    what others wrote, the operator stamps it anew, and a person leaves it alone."""
    live = scope.world.live.get(id)
    if live is None or not live.pinned & KEEPS or id in named:
        return False
    others = (other for other in scope.touching.get(id, ()) if not _is_kustomization(scope, other))
    return _is_kustomization(scope, owner) and all(_stamps(scope, other, id) for other in others)


def _is_kustomization(scope: Scope, owner: ObjectId) -> bool:
    return all(isinstance(spec, KustomizationSpec) for spec in scope.specs[owner])


def _stamps(scope: Scope, owner: ObjectId, id: ObjectId) -> bool:
    """Whether whatever this owner writes on an object has an opt-out; a release writes what its chart says."""
    asked = scope.builds[owner].items()
    written = [(spec, d) for (spec, _), build in asked for d in objects_of(build) if d.id == id]
    gates = scope.environment.gates
    return all(isinstance(spec, FluxInstanceSpec) and stamped(d, spec, gates) & KEEPS for spec, d in written)


def _revision(scope: Scope, id: ObjectId) -> str:
    """The revision that an owner sees now; what it renders of that one is not rendered again after a later one."""
    sources = (spec.source for spec in scope.specs[id] if isinstance(spec, KustomizationSpec))
    return next((scope.world.artifacts[source] for source in sources if source in scope.world.artifacts), "")


def _prunes(spec: Owner) -> bool:
    return not isinstance(spec, KustomizationSpec) or spec.prune


def _uninstalled(scope: Scope, id: ObjectId) -> Iterator[ObjectId]:
    """What a release loses when its target changes, or its remedy uninstalls it because it rolls helm-controller."""
    specs = [spec for spec in scope.specs[id] if isinstance(spec, HelmReleaseSpec)]
    record = scope.world.records.get(id)
    retargeted = len({spec.release for spec in specs}) > 1
    pending = record is not None and record.reason == PENDING
    fails = pending or any(remedy_of(record, spec) is Remedy.UNINSTALL for spec in specs)
    if retargeted or (fails and _brings_instance(scope, id)):
        yield from scope.touched[id]


def _brings_instance(scope: Scope, id: ObjectId) -> bool:
    builds = scope.builds[id].values()
    return any(isinstance(desired.spec, FluxInstanceSpec) for build in builds for desired in objects_of(build))


def _along(scope: Scope, id: ObjectId) -> Iterator[ObjectId]:
    if is_namespace(id):
        yield from (other for other in scope.world.live if other.namespace == id.name)
        yield from (other for other in scope.touching if other.namespace == id.name)
    elif is_definition(id):
        yield from (other for other, live in scope.world.live.items() if live.definition == id)
    elif any(_cascades(spec) for spec in scope.specs.get(id, ())):
        yield from scope.touched[id]


def _cascades(spec: Owner) -> bool:
    match spec:
        case KustomizationSpec(prune=prune, policy=policy):
            mirrors = policy is DeletionPolicy.MIRROR and prune
            return mirrors or policy in (DeletionPolicy.DELETE, DeletionPolicy.WAIT)
        case HelmReleaseSpec() | FluxInstanceSpec():
            return True

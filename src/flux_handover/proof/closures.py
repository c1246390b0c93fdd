"""Who must be explored together: for each owner that may act, itself and all that can influence it.

Closures overlap on purpose; what an owner influences is no part of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from flux_handover.objects import ObjectId
from flux_handover.proof.scope import Scope, changing, decides, fingerprint, needed, objects_of, readers
from flux_handover.proof.world import Build, Built, HelmReleaseSpec, KustomizationSpec, Owner, Record, Unknown


@dataclass(frozen=True, slots=True)
class _Reach:
    """What decides who influences whom: owners that may act or stay unready, objects that may go or are contested.

    `named` are those that a person touches, `read` those that some owner asks about; `roles` are known already.
    """

    active: set[ObjectId]
    doubtful: set[ObjectId]
    going: frozenset[ObjectId]
    contested: frozenset[ObjectId]
    named: Collection[ObjectId]
    read: Collection[ObjectId]
    roles: dict[ObjectId, object] = field(default_factory=dict)


def closures(
    scope: Scope, active: set[ObjectId], going: frozenset[ObjectId], named: Collection[ObjectId]
) -> list[frozenset[ObjectId]]:
    """For each active owner, itself and all that can influence it; those that others contain are left out."""
    reading = readers(scope)
    contested = _contested(scope, going, named)
    reach = _Reach(active, _doubtful(scope, active, reading), going, contested, named, reading.keys())
    found = {frozenset(_closure(scope, id, reach)) for id in active}
    largest = sorted(found, key=lambda owners: (-len(owners), sorted(owners)))
    kept: list[frozenset[ObjectId]] = []
    for owners in largest:
        if not any(owners < other for other in kept if len(other) > len(owners)):
            kept.append(owners)
    return kept


def _contested(scope: Scope, going: frozenset[ObjectId], named: Collection[ObjectId]) -> frozenset[ObjectId]:
    """Objects of several owners where it matters who applies them when.

    Of one that is live, cannot go and has no new owner, only labels and content depend on that: whoever reads the
    content is influenced by whom can change it, and labels are asked for when something is deleted.
    """
    return frozenset(
        id
        for id, owners in scope.touching.items()
        if len(owners) > 1 and (id in going or id in named or not _stays(scope, id, owners))
    )


def _stays(scope: Scope, id: ObjectId, owners: Iterable[ObjectId]) -> bool:
    """Whether an object is live, and in the inventory of everyone who may apply it."""
    live = scope.world.live.get(id)
    return live is not None and not live.deleting and not any(_acquires(scope, owner, id) for owner in owners)


def _acquires(scope: Scope, owner: ObjectId, id: ObjectId) -> bool:
    record = scope.world.records.get(owner)
    return id in changing(scope, owner) and (record is None or id not in record.inventory)


def _closure(scope: Scope, id: ObjectId, reach: _Reach) -> set[ObjectId]:
    """An owner and who influences it; of owners that are nothing but rivals, one for each role."""
    closure, seen = {id}, set[object]()
    waiting = [id]
    while waiting:
        for other in _influences(scope, waiting.pop(), reach):
            role = _role(scope, other, reach)
            if other not in closure and role not in seen:
                closure.add(other)
                waiting.append(other)
                seen.add(role)
    return closure


def _role(scope: Scope, id: ObjectId, reach: _Reach) -> object:
    """What an owner can do to others: equal for those that do the same to the same objects at the same time."""
    if id not in reach.roles:
        reach.roles[id] = _rivalry(scope, id, reach) if _is_rival(scope, id, reach) else id
    return reach.roles[id]


def _is_rival(scope: Scope, id: ObjectId, reach: _Reach) -> bool:
    """Whether others meet an owner only in the objects that both apply: it stays as it is, and works."""
    live = scope.world.live.get(id)
    if live is None or live.deleting or len(scope.specs[id]) > 1 or not isinstance(live.spec, KustomizationSpec):
        return False
    apart = id in reach.going or id in reach.doubtful or id in reach.named or _above(scope, id) & reach.going
    return not apart and all(other in scope.world.live for other in scope.touched[id])


def _rivalry(scope: Scope, id: ObjectId, reach: _Reach) -> object:
    (spec,) = scope.specs[id]
    assert isinstance(spec, KustomizationSpec)
    shared = {other for other in scope.touched[id] if other in reach.contested or other in reach.going}
    met = shared | {other for other in changing(scope, id) if other in reach.read}
    said = [frozenset(entry for entry in fingerprint(build) if entry[0] in met) for build in scope.builds[id].values()]
    held = scope.world.records.get(id, Record()).inventory & met
    inputs = {variables.id for variables in spec.variables} | ({spec.account} if spec.account else set())
    waits = frozenset(spec.depends_on) & reach.active
    parents = frozenset(scope.touching.get(id, ())) & reach.active
    return spec.source, spec.prune, spec.suspend, waits, frozenset(inputs & reach.going), parents, tuple(said), held


def _influences(scope: Scope, id: ObjectId, reach: _Reach) -> Iterator[ObjectId]:
    """Who can change what an owner does: its active parents, who has what it goes along with, who contests its
    objects, who makes what it needs."""
    if not _keeps_its_spec(scope, id, reach):
        yield from (owner for owner in scope.touching.get(id, ()) if owner in reach.active)
    for above in _above(scope, id) & reach.going:
        yield from scope.touching.get(above, ())
    for other in scope.touched[id]:
        if other in reach.contested:
            yield from _holder_first(scope, other)
        if other not in scope.world.live:
            yield from (owner for home in {home_of(other)} & reach.going for owner in scope.touching.get(home, ()))
    needs = _needs(scope, id)
    yield from needs & reach.doubtful
    for other in needs | scope.definitions[id]:
        if decides(scope, id, other, reach.going) and not _is_certain(scope, other, reach):
            yield from (owner for owner in scope.touching.get(other, ()) if other in changing(scope, owner))


def _keeps_its_spec(scope: Scope, id: ObjectId, reach: _Reach) -> bool:
    """Whether an owner stays, with what it applies, and each parent finds it just as it wants it, at whatever time."""
    live, parents = scope.world.live.get(id), scope.touching.get(id, ())
    if live is None or live.deleting or id in reach.going or id in reach.named or live.owner not in parents:
        return False
    builds = (build for parent in parents for build in scope.builds[parent].values())
    wanted = {(o.spec, o.marks) for build in builds for o in objects_of(build) if o.id == id}
    if wanted != {(live.spec, live.marks)} or any(id in changing(scope, parent) for parent in parents):
        return False
    return not any(_above(scope, other) & reach.going for other in scope.touched[id])


def _is_certain(scope: Scope, id: ObjectId, reach: _Reach) -> bool:
    """Whether an owner stays and is ready whatever happens, so that another one that waits for it never does."""
    return id in scope.specs and id in scope.world.live and id not in reach.going and id not in reach.doubtful


def _holder_first(scope: Scope, id: ObjectId) -> list[ObjectId]:
    """Who applies an object, whose labels it has first: of all rivals only that one can delete it as it is."""
    live = scope.world.live.get(id)
    return sorted(scope.touching[id], key=lambda owner: (live is None or live.owner != owner, owner))


def _above(scope: Scope, id: ObjectId) -> set[ObjectId]:
    """What an object goes along with."""
    live = scope.world.live.get(id)
    return {home_of(id)} | ({live.definition} if live is not None and live.definition is not None else set())


def home_of(id: ObjectId) -> ObjectId:
    """The Namespace an object is in."""
    return ObjectId("", "Namespace", "", id.namespace)


def _doubtful(scope: Scope, active: set[ObjectId], reading: Mapping[ObjectId, Iterable[ObjectId]]) -> set[ObjectId]:
    """Owners that may stay unready, themselves or through what they depend on."""
    doubtful = {
        id
        for id in active
        for asked, build in scope.builds[id].items()
        if not _succeeds(asked, build) and not _is_past(scope, id, asked)
    }
    waiting = list(doubtful)
    while waiting:
        fresh = set(reading.get(waiting.pop(), ())) - doubtful
        doubtful |= fresh
        waiting.extend(fresh)
    return doubtful


def _needs(scope: Scope, id: ObjectId) -> set[ObjectId]:
    return set().union(*(needed(scope.world, spec) for spec in scope.specs[id]))


def _is_past(scope: Scope, id: ObjectId, asked: tuple[Owner, str]) -> bool:
    """Whether a spec that is still to come is asked of the revision that is there now: its parent brings both."""
    spec, revision = asked
    live = scope.world.live.get(id)
    if live is None or live.spec == spec or not isinstance(spec, KustomizationSpec):
        return False
    return scope.world.artifacts.get(spec.source) == revision


def _succeeds(asked: tuple[Owner, str], build: Build) -> bool:
    """Whether an owner is ready after a build; a release whose chart is not known is taken to be."""
    spec, _ = asked
    if isinstance(spec, HelmReleaseSpec) and isinstance(build, Unknown):
        return True
    return isinstance(build, Built) and not build.unhealthy

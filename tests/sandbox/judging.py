"""Where a revision of a small world may end, as the model has it: every ending, with what goes on the way."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sandbox.worlds import World

from flux_handover.model.building import Builder, Network
from flux_handover.model.detection import detect
from flux_handover.model.installation import Installation
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.model.rendering import Cluster
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import ObjectId
from flux_handover.proof.exploration import all_moves
from flux_handover.proof.gates import gates_of
from flux_handover.proof.reconcile_cluster import Program, UserStep
from flux_handover.proof.reconcile_kustomization import waits_for
from flux_handover.proof.scope import objects_of
from flux_handover.proof.settle import is_at_rest, settled
from flux_handover.proof.stages import Revision, stage_of
from flux_handover.proof.staging import Staged, staged
from flux_handover.proof.world import Built, Environment, KustomizationSpec, RenderTable, is_suspended
from flux_handover.proof.world import World as Model
from flux_handover.tree import Tree

LIMIT = 100_000
Ids = frozenset[ObjectId]


@dataclass(frozen=True, slots=True)
class Ending:
    """What is there once nobody has anything left to do, what of it is terminating, and who fails.

    A Kustomization that waits for another or for its source is not ready either, but does not fail by itself: the
    model leaves it as it was.
    """

    alive: Ids
    terminating: Ids
    failing: Ids


@dataclass(frozen=True, slots=True)
class Outcome:
    """An ending, and everything that was deleted before it; what is alive all the same was made anew."""

    ending: Ending
    deleted: Ids


Outcomes = Mapping[Outcome, frozenset[Model]]


@dataclass(frozen=True, slots=True)
class Series:
    """A world in the model: at rest at its first revision, and the pushes that follow."""

    staged: Staged
    start: Model

    @property
    def universe(self) -> Ids:
        """Every object that the world ever has."""
        renders = self.staged.environment.renders
        assert isinstance(renders, RenderTable)
        built = (object.id for build in renders.builds.values() for object in objects_of(build))
        return frozenset(self.start.live).union(built)

    def program(self, number: int) -> Program:
        """The push that leads to the revision of this number, counted from 1 after the first."""
        return (UserStep(self.staged.pushes[number - 1]),)


@dataclass(slots=True)
class _Search:
    environment: Environment
    program: Program
    seen: set[tuple[Model, Ids]]
    waiting: deque[tuple[Model, Ids]]
    found: dict[Outcome, set[Model]] = field(default_factory=dict)


def series_of(world: World, builder: Builder, flux: str) -> Series:
    """The series of a world in the model, under a version of Flux that its repository says nothing of."""

    def detected(cluster: Cluster, tree: Tree, builder: Builder) -> Installation:
        return replace(detect(cluster, tree, builder), version=flux)

    stages, before = [], None
    snapshot: Snapshot | None = None
    for number, tree in enumerate(world.trees, 1):
        snapshot = take_snapshot(tree, str(number), builder, detected, Reading(None, Network.DENIED), snapshot)
        (cluster,) = snapshot.clusters
        revision = Revision(str(number), tree, cluster)
        stages.append(stage_of(revision, before, builder))
        before = revision
    series = staged(stages, gates_of(flux))
    return Series(series, settled(replace(series.world, crashes=0), series.environment).world)


def outcomes(series: Series, starts: Iterable[Model], number: int) -> Outcomes:
    """Everything that a push can lead to, in any order, from any of the worlds that it may meet."""
    search = _explored(series, starts, number)
    return MappingProxyType({outcome: frozenset(worlds) for outcome, worlds in search.found.items()})


def _explored(series: Series, starts: Iterable[Model], number: int) -> _Search:
    fresh = [(replace(start, step=0), Ids()) for start in starts]
    ours = frozenset(shared(series, str(number + 1)))
    environment = replace(series.staged.environment, atomic=alone(series), indifferent=ours, shared=series.universe)
    return _run(_Search(environment, series.program(number), set(fresh), deque(fresh)))


def alone(series: Series) -> Ids:
    """Kustomizations whose objects no other touches, and that bring nothing by which others act.

    Nobody can tell whether such a one reconciles in one step or in three.
    """
    touched: dict[ObjectId, set[ObjectId]] = {}
    renders = series.staged.environment.renders
    assert isinstance(renders, RenderTable)
    for (owner, _, _), build in renders.builds.items():
        touched.setdefault(owner, set()).update(object.id for object in objects_of(build))
    count = Counter(id for ids in touched.values() for id in ids)
    homes = {id.name for id in count if id.kind == "Namespace"}
    return frozenset(
        owner for owner, ids in touched.items() if all(count[id] == 1 and _is_plain(id, homes) for id in ids)
    )


def _is_plain(id: ObjectId, homes: set[str]) -> bool:
    return id.kind in ("ConfigMap", "Secret") and id.namespace not in homes


def shared(series: Series, revision: str) -> Iterator[ObjectId]:
    """What several Kustomizations build at a revision: they take it from each other for ever."""
    renders = series.staged.environment.renders
    assert isinstance(renders, RenderTable)
    owners: dict[ObjectId, set[ObjectId]] = {}
    for (owner, _, at), build in renders.builds.items():
        if at == revision and isinstance(build, Built):
            for id in build.ids:
                owners.setdefault(id, set()).add(owner)
    return (id for id, all in owners.items() if len(all) > 1)


def _run(search: _Search) -> _Search:
    while search.waiting:
        assert len(search.seen) <= LIMIT, "a world too large to judge"
        world, gone = search.waiting.popleft()
        for move in all_moves(world, search.environment, search.program):
            assert not move.undecided, move.undecided
            reached = move.world, gone | {deletion.id for deletion in move.deletions}
            if reached not in search.seen:
                search.seen.add(reached)
                search.waiting.append(reached)
        if world.step == len(search.program) and is_at_rest(world, search.environment):
            search.found.setdefault(Outcome(ending_of(world), gone), set()).add(world)
    return search


def ending_of(world: Model) -> Ending:
    """The ending that a world of the model is."""
    terminating = frozenset(id for id, live in world.live.items() if live.deleting)
    failing = (id for id, live in world.live.items() if isinstance(live.spec, KustomizationSpec) and _fails(world, id))
    return Ending(frozenset(world.live), terminating, frozenset(failing) - terminating)


def _fails(world: Model, id: ObjectId) -> bool:
    if waits_for(world, id) and not is_suspended(world.live[id]):
        return False
    return id in world.records and not world.records[id].ready


def counts(series: Series) -> tuple[int, ...]:
    """In how many ways each revision after the first may end, whatever came before."""
    starts: frozenset[Model] = frozenset({series.start})
    found = []
    for number in range(1, len(series.staged.pushes) + 1):
        allowed = outcomes(series, starts, number)
        found.append(len(allowed))
        starts = frozenset().union(*allowed.values())
    return tuple(found)

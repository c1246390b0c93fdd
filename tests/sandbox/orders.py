"""Two orders of a world that may end in several ways: who waits for whom, and what the model says comes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import combinations, permutations

from sandbox.judging import LIMIT, Ids, Outcome, Series, alone, ending_of, outcomes, shared

from flux_handover.objects import ObjectId
from flux_handover.proof.exploration import all_moves
from flux_handover.proof.reconcile import Move
from flux_handover.proof.reconcile_cluster import Program
from flux_handover.proof.reconcile_kustomization import moves_of, started, waits_for
from flux_handover.proof.settle import is_at_rest
from flux_handover.proof.world import Actor, Environment, KustomizationSpec, Record
from flux_handover.proof.world import World as Model

State = tuple[Model, Ids]


class Withheld(Enum):
    """What a Kustomization may not do while it waits."""

    ALL = "writes nothing"
    DELETIONS = "deletes nothing"
    END = "has begun before the push, and waits"
    REQUEST = "is not asked"


@dataclass(frozen=True, slots=True)
class Turn:
    """Some Kustomizations wait until all others have nothing left to do."""

    held: tuple[ObjectId, ...]
    withheld: Withheld = Withheld.ALL

    def __str__(self) -> str:
        return f"{' and '.join(ks.name for ks in self.held)} {self.withheld.value}"


@dataclass(frozen=True, slots=True)
class Order:
    """Turns after a push, and, where it matters, who reconciles last before it."""

    turns: tuple[Turn, ...]
    last: ObjectId | None = None

    def __str__(self) -> str:
        first = (f"{self.last.name} is last before the push",) if self.last else ()
        return ", then ".join((*first, *map(str, self.turns)))


@dataclass(frozen=True, slots=True)
class Forced:
    """An order of a revision, counted from 1 after the first, all that it can lead to, and all that is allowed."""

    order: Order
    number: int
    expected: frozenset[Outcome]
    allowed: frozenset[Outcome]


def two_orders(series: Series) -> tuple[Forced, ...]:
    """Two orders of the first revision that may end in several ways, with nothing in common; empty without such."""
    starts: frozenset[Model] = frozenset({series.start})
    for number in range(1, len(series.staged.pushes) + 1):
        allowed = outcomes(series, starts, number)
        if len(allowed) > 1:
            return _apart(series, starts, number, frozenset(allowed))
        (starts,) = allowed.values()
    return ()


def _apart(series: Series, starts: frozenset[Model], number: int, allowed: frozenset[Outcome]) -> tuple[Forced, ...]:
    """The plainest orders whose outcomes have nothing in common."""
    found: list[Forced] = []
    for order in tried(sorted(id for id in series.universe if id.kind == "Kustomization")):
        new = Forced(order, number, expected_of(series, starts, number, order), allowed)
        if new.expected and new.expected <= allowed:
            for one in found:
                if not one.expected & new.expected:
                    return one, new
            found.append(new)
    return ()


def tried(every: Sequence[ObjectId]) -> Iterator[Order]:
    """Orders to try, the plainest first."""
    pairs = list(permutations(every, 2))
    yield from (Order((Turn((ks,)),)) for ks in every)
    yield from (Order((Turn((ks,), Withheld.DELETIONS),)) for ks in every)
    yield from (Order((Turn((ks,)),), last) for ks, last in pairs)
    yield from (Order((Turn(pair),)) for pair in combinations(every, 2))
    yield from (Order((Turn((ks,), Withheld.END),)) for ks in every)
    yield from (Order((Turn((one,), Withheld.END), Turn((other,), Withheld.REQUEST))) for one, other in pairs)


def expected_of(series: Series, starts: Iterable[Model], number: int, order: Order) -> frozenset[Outcome]:
    """All that an order can lead to: turn by turn, and then nobody waits any more."""
    atomic = alone(series) - {ks for turn in order.turns for ks in turn.held}
    ours = frozenset(shared(series, str(number + 1)))
    search = _Search(replace(series.staged.environment, atomic=atomic, indifferent=ours), series.program(number))
    begun = (begin(search.environment, replace(start, step=0), order) for start in starts)
    states: frozenset[State] = frozenset((world, Ids()) for world in begun if world is not None)
    for turn in (*order.turns, Turn(())):
        states = search.ends(states, turn)
    return frozenset(Outcome(ending_of(world), gone) for world, gone in states)


def begin(environment: Environment, start: Model, order: Order) -> Model | None:
    """How a world is at the push; nothing where somebody cannot reconcile who should."""
    if order.last is not None:
        if order.last not in start.live:
            return None
        whole = replace(environment, atomic=frozenset(start.live))
        return next((move.world for move in moves_of(start, whole, order.last)), start)
    for turn in order.turns:
        for ks in turn.held if turn.withheld is Withheld.END else ():
            if ks not in start.live or waits_for(start, ks):
                return None
            start = started(start, ks).world
    return start


@dataclass(frozen=True, slots=True)
class _Search:
    environment: Environment
    program: Program

    def ends(self, starts: Iterable[State], turn: Turn) -> frozenset[State]:
        """Where nobody has anything left to do who does not wait."""
        seen, found = set(starts), set()
        waiting = deque(seen)
        while waiting:
            assert len(seen) <= LIMIT, "a world too large to judge"
            world, gone = waiting.popleft()
            moves = self._moves(world, self.environment, turn)
            reached = {(move.world, gone | {deletion.id for deletion in move.deletions}) for move in moves}
            waiting += reached - seen
            seen |= reached
            if world.step == len(self.program) and self._is_calm(world, turn):
                found.add((world, gone))
        return frozenset(found)

    def _moves(self, world: Model, environment: Environment, turn: Turn) -> Iterator[Move]:
        for move in all_moves(world, environment, self.program):
            if not is_held(world, move, turn):
                yield move
            elif turn.withheld is Withheld.ALL and (failed := refused(world, move)) != world:
                yield replace(move, world=failed, deletions=())

    def _is_calm(self, world: Model, turn: Turn) -> bool:
        if not turn.held:
            return is_at_rest(world, self.environment)
        if world.runs.keys() - set(turn.held):
            return False
        whole = replace(self.environment, atomic=frozenset(world.live))
        return all(self._is_same(world, move.world) for move in self._moves(world, whole, turn))

    def _is_same(self, one: Model, other: Model) -> bool:
        """Whether two worlds differ in nothing but the labels of what several Kustomizations take from each other."""
        if one.live.keys() != other.live.keys() or replace(one, live=other.live) != other:
            return False
        return all(one.live[id] == live for id, live in other.live.items() if id not in self.environment.indifferent)


def refused(world: Model, move: Move) -> Model:
    """What comes of a move if the API server refuses all that it writes: a Kustomization that is not ready."""
    assert move.subject is not None
    live = world.live[move.subject]
    if live.deleting or not isinstance(live.spec, KustomizationSpec):
        return world
    record = replace(world.records.get(move.subject, Record()), ready=False, spec=live.spec, reason="refused")
    return replace(world, records=world.records.put(move.subject, record))


def is_held(world: Model, move: Move, turn: Turn) -> bool:
    """Whether a move is what somebody waits with."""
    if move.actor is not Actor.KUSTOMIZE or move.subject is None or move.subject not in turn.held:
        return False
    if turn.withheld is not Withheld.DELETIONS:
        return True
    has_applied = move.subject in world.runs or world.live[move.subject].deleting
    return has_applied and bool(move.deletions)

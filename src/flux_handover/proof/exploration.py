"""Every order in which controllers can act, and a shortest trace to each thing that goes wrong.

Breadth first over whole worlds: a controller may reconcile whatever it can at any time, so an order is
never assumed. `explore` is exhaustive up to `limit` states and says when it was not.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile import Deletion, Move
from flux_handover.proof.reconcile_cluster import Program, lifecycle_moves, source_moves, user_moves
from flux_handover.proof.reconcile_helm import helm_moves
from flux_handover.proof.reconcile_kustomization import kustomization_moves
from flux_handover.proof.reconcile_operator import operator_moves
from flux_handover.proof.settle import is_at_rest
from flux_handover.proof.trace import Trace, numbered
from flux_handover.proof.world import Environment, World, is_home

LIMIT = 200_000
AFTERMATH = 2_000
Path = tuple[tuple[World, Move], ...]


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """A safety property broken in a state: its code P1..P9, the objects, and why, for a person."""

    property: str
    ids: tuple[ObjectId, ...]
    why: str


class Judge(Protocol):
    """What must hold: in every state, where everything rests, and of every move."""

    def of_state(self, world: World) -> Iterable[Violation]:
        """Violations in a state."""
        ...

    def of_rest(self, world: World) -> Iterable[Violation]:
        """Violations in a state where nobody has anything left to do."""
        ...

    def of_move(self, world: World, move: Move) -> Iterable[Violation]:
        """Violations by a move from `world`."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What went wrong and the moves that lead there from the first world, each with the world before it."""

    what: Deletion | Violation
    path: Path

    @property
    def trace(self) -> Trace:
        """The numbered events; the last ones are what went wrong."""
        return numbered((move.actor.value, event) for _, move in self.path for event in move.events)


@dataclass(frozen=True, slots=True)
class Reachable:
    """All that can happen: how many states there are, what is deleted or violated in some order, where it ends.

    `settled` are the worlds in which nobody has anything left to do.
    """

    states: int
    complete: bool
    deletions: Mapping[ObjectId, Found]
    violations: Mapping[Violation, Found]
    settled: frozenset[World]
    undecided: frozenset[str] = frozenset()


def all_moves(world: World, environment: Environment, program: Program = ()) -> Iterator[Move]:
    """Every move of every actor that changes something."""
    moves = chain(
        user_moves(world, program),
        source_moves(world),
        kustomization_moves(world, environment),
        helm_moves(world, environment),
        operator_moves(world, environment),
        lifecycle_moves(world, environment),
    )
    return (move for move in moves if move.world != world or move.undecided)


@dataclass(slots=True)
class _Search:
    came: dict[World, tuple[World, Move] | None]
    queue: deque[World]
    deletions: dict[ObjectId, Found] = field(default_factory=dict)
    violations: dict[Violation, Found] = field(default_factory=dict)
    settled: set[World] = field(default_factory=set)
    undecided: set[str] = field(default_factory=set)

    def reached(self, world: World, move: Move, judge: Judge | None) -> None:
        """Note one transition; the first to reach a state is a shortest one."""
        if move.undecided:
            self.undecided.add(move.undecided)
        for deletion in move.deletions:
            if deletion.id not in self.deletions:
                self.deletions[deletion.id] = Found(deletion, (*self.path(world), (world, move)))
        for violation in judge.of_move(world, move) if judge else ():
            if violation not in self.violations:
                self.violations[violation] = Found(violation, (*self.path(world), (world, move)))
        if move.world not in self.came:
            self.came[move.world] = (world, move)
            self.queue.append(move.world)

    def visited(self, world: World, rests: bool, judge: Judge | None) -> None:
        """Note one state."""
        if rests:
            self.settled.add(world)
        if judge:
            for violation in chain(judge.of_state(world), judge.of_rest(world) if rests else ()):
                if violation not in self.violations:
                    self.violations[violation] = Found(violation, self.path(world))

    def path(self, world: World) -> Path:
        """The moves from the first world to this one."""
        steps: list[tuple[World, Move]] = []
        while (step := self.came[world]) is not None:
            steps.append(step)
            world = step[0]
        return tuple(reversed(steps))


def explore(
    worlds: Iterable[World],
    environment: Environment,
    program: Program = (),
    *,
    judge: Judge | None = None,
    limit: int = LIMIT,
) -> Reachable:
    """What can happen from any of `worlds` while the user follows `program` and the controllers act in any order.

    Once some order deletes what a controller runs on, the question is answered: a little more is looked at, so
    that what goes with it is named, and the rest is not.
    """
    first = tuple(dict.fromkeys(worlds))
    search = _Search(dict.fromkeys(first), deque(first))
    while search.queue and len(search.came) <= limit:
        world = search.queue.popleft()
        for move in all_moves(world, environment, program):
            search.reached(world, move, judge)
            if any(is_home(deletion.id, environment.controllers) for deletion in move.deletions):
                limit = min(limit, AFTERMATH)
        search.visited(world, _rests(world, environment, program), judge)
    return Reachable(
        len(search.came),
        not search.queue,
        search.deletions,
        search.violations,
        frozenset(search.settled),
        frozenset(search.undecided),
    )


def _rests(world: World, environment: Environment, program: Program) -> bool:
    return is_at_rest(world, environment) and not any(user_moves(world, program))

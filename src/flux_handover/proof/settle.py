"""The world when every controller has done its work in the plain order: parents first, nothing in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile import Deletions, Move
from flux_handover.proof.reconcile_cluster import lifecycle_moves, source_moves
from flux_handover.proof.reconcile_helm import release_moves
from flux_handover.proof.reconcile_kustomization import finalized, is_idle, started, waits_for, whole
from flux_handover.proof.reconcile_operator import instance_moves
from flux_handover.proof.table import Table
from flux_handover.proof.world import (
    Actor,
    Desired,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Live,
    World,
    is_up,
)

ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Settled:
    """Where a world comes to rest, what was deleted on the way, and whether it ever rests: two owners of one
    object take it from each other for ever."""

    world: World
    moves: tuple[Move, ...]
    rests: bool

    @property
    def deletions(self) -> Deletions:
        """Everything that was deleted, in order."""
        return tuple(deletion for move in self.moves for deletion in move.deletions)


def settled(world: World, environment: Environment) -> Settled:
    """The world after rounds of reconciles, until a round changes nothing or a world comes back."""
    world = replace(world, runs=type(world.runs)(), taken=frozenset())
    done: list[Move] = []
    seen: set[World] = set()
    rests = False
    while not rests and world not in seen and len(seen) < ROUNDS:
        seen.add(world)
        rests = True
        for move in _round(world, environment):
            rests = False
            done.append(move)
            world = move.world
    return Settled(world, tuple(done), rests)


def bootstrapped(objects: Iterable[Desired], heads: Mapping[str, str], environment: Environment) -> Settled:
    """The cluster that comes of what a person or a bootstrap tool applied, and of the revisions at each origin.

    `objects` are the first source and Kustomization, and whatever nobody renders but is known to be there.
    """
    live = {o.id: Live(marks=o.marks, digest=o.digest, spec=o.spec, definition=o.definition) for o in objects}
    return settled(World(live=Table(live), heads=Table(heads)), environment)


def is_at_rest(world: World, environment: Environment) -> bool:
    """Whether no controller is in the middle of anything, and another reconcile of everything changes nothing."""
    if world.runs or world.taken:
        return False
    return all(_is_same(world, move.world, environment.indifferent) for move in _round(world, environment))


def _is_same(one: World, other: World, indifferent: frozenset[ObjectId]) -> bool:
    """Whether two worlds differ in nothing but indifferent objects."""
    if not indifferent or one.live.keys() != other.live.keys() or replace(one, live=other.live) != other:
        return False
    return all(other.live[id] == live for id, live in one.live.items() if id not in indifferent)


def _round(world: World, environment: Environment) -> Iterator[Move]:
    """One reconcile of everything, in the order it came to life; each move starts from the world of the last."""
    for move in source_moves(world):
        assert move.subject is not None
        fetched = world.artifacts.put(move.subject, move.world.artifacts[move.subject])
        if fetched is not world.artifacts:
            world = replace(world, artifacts=fetched)
            yield replace(move, world=world)
    for id in tuple(world.live):
        next_move = _next(world, environment, id)
        if next_move is not None and next_move.world != world:
            world = next_move.world
            yield next_move
    for move in lifecycle_moves(replace(world, crashes=0), environment):
        world = replace(world, stopped=move.world.stopped)
        yield replace(move, world=world)


def _next(world: World, environment: Environment, id: ObjectId) -> Move | None:
    live = world.live.get(id)
    match live.spec if live else None:
        case KustomizationSpec() if live and is_up(world, Actor.KUSTOMIZE):
            if live.deleting:
                return finalized(world, environment, id)
            busy = not waits_for(world, id) and not is_idle(world, environment, id)
            return whole(started(world, id), environment, id) if busy else None
        case HelmReleaseSpec() as spec if is_up(world, Actor.HELM):
            return next(release_moves(world, environment, id, spec), None)
        case FluxInstanceSpec() as spec if live and is_up(world, Actor.OPERATOR):
            return next(instance_moves(world, environment, id, live, spec), None)
        case _:
            return None

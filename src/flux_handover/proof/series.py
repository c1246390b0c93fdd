"""What each revision of a series deletes, in the worst order, from the cluster that the ones before it left.

Nothing is compared with a parent commit: the inventories, owner labels and live specs that a revision
meets are those that the revisions before it brought about, frozen Kustomizations included.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from flux_handover.objects import ObjectId, names
from flux_handover.proof.edges import edge_of
from flux_handover.proof.exploration import LIMIT, Found, Reachable, Violation, explore
from flux_handover.proof.properties import Properties
from flux_handover.proof.reconcile import Deletion, How
from flux_handover.proof.reconcile_cluster import Action, Program, UserStep, acted
from flux_handover.proof.reduction import Part, parts
from flux_handover.proof.settle import settled
from flux_handover.proof.stored import manifest_of
from flux_handover.proof.sweep import swept
from flux_handover.proof.trace import Counterexample
from flux_handover.proof.vanishing import may_go
from flux_handover.proof.world import Environment, HelmReleaseSpec, KustomizationSpec, World, is_home

AFTERMATH_OF_OTHERS = 200
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Loss:
    """One object whose live copy some order deletes; `counterexample` is a shortest such order.

    `recreated` says that it is there again once every controller has done its work, `opaque` that it is a
    HelmRelease whose chart was not rendered: what its uninstall takes along is unknown.
    """

    deletion: Deletion
    counterexample: Counterexample
    recreated: bool
    opaque: bool = False

    @property
    def id(self) -> ObjectId:
        """The object."""
        return self.deletion.id


@dataclass(frozen=True, slots=True)
class Breach:
    """A safety property other than deletion that some order breaks."""

    violation: Violation
    counterexample: Counterexample


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step of a series does: the cluster after it, and what the worst order deletes or breaks.

    `rests` is false where two owners take an object from each other for ever; `undecided` says what is not known.
    """

    world: World
    losses: tuple[Loss, ...]
    breaches: tuple[Breach, ...]
    undecided: tuple[str, ...]
    rests: bool
    states: int

    @property
    def deleted(self) -> frozenset[ObjectId]:
        """The ids of all losses."""
        return frozenset(loss.id for loss in self.losses)

    @property
    def frozen(self) -> tuple[tuple[ObjectId, str], ...]:
        """Kustomizations that are not ready at the end, and why."""
        return tuple(
            (id, record.reason)
            for id, record in sorted(self.world.records.items())
            if not record.ready and isinstance(record.spec, KustomizationSpec)
        )


def simulate(
    world: World, actions: Iterable[Action], environment: Environment, *, limit: int = LIMIT
) -> Iterator[Outcome]:
    """The outcome of each action in turn, every controller coming to rest before the next."""
    for action in actions:
        outcome = outcome_of(world, (UserStep(action),), environment, limit=limit)
        yield outcome
        world = outcome.world


def outcome_of(world: World, program: Program, environment: Environment, *, limit: int = LIMIT) -> Outcome:
    """What the steps of `program` do together: nothing need come to rest between two, unless one waits for it."""
    explored = _all_explored(parts(world, environment, program), limit)
    rest = settled(_followed(world, program), environment)
    undecided = {reason for _, reach in explored for reason in reach.undecided}
    losses = _losses(world, environment, explored, rest.world)
    if not all(reach.complete for _, reach in explored):
        others = may_go(world, environment, program) - {loss.id for loss in losses}
        undecided.add(f"{_unfinished(environment, explored, limit)}; {_at_most(others)}")
    return Outcome(
        world=replace(rest.world, step=0),
        losses=losses,
        breaches=_breaches(environment, explored, rest.world),
        undecided=tuple(sorted(undecided)),
        rests=rest.rests,
        states=sum(reach.states for _, reach in explored),
    )


def _all_explored(pieces: Iterable[Part], limit: int) -> list[tuple[Part, Reachable]]:
    """Every part, all within one limit; after one in which Flux loses what it runs on, the others get a few states."""
    explored: list[tuple[Part, Reachable]] = []
    left = limit
    for part in pieces:
        reach = _explored(part, min(limit, max(left, 0)))
        left -= reach.states
        explored.append((part, reach))
        if _is_fatal(part.environment, reach):
            limit = min(limit, AFTERMATH_OF_OTHERS)
    return explored


def _is_fatal(environment: Environment, reach: Reachable) -> bool:
    return any(is_home(id, environment.controllers) for id in reach.deletions)


def _unfinished(environment: Environment, explored: list[tuple[Part, Reachable]], limit: int) -> str:
    if any(_is_fatal(environment, reach) for _, reach in explored):
        return "not every order was tried once one was found in which Flux deletes itself"
    return f"more than {limit} states"


def _at_most(others: frozenset[ObjectId]) -> str:
    """What else may go where not every order was tried, taken too large rather than too small."""
    if not others:
        return "every object that can be deleted is listed all the same"
    shown, more = names(sorted(others)[:SHOWN]), len(others) - SHOWN
    return f"beside what is listed, {shown}{f' and {more} more' if more > 0 else ''} may be deleted"


def _explored(part: Part, limit: int) -> Reachable:
    judge = Properties(part.world, part.environment)
    first = replace(part.world, crashes=1)
    return explore((first,), part.environment, part.program, judge=judge, limit=limit)


def _followed(world: World, program: Program) -> World:
    for step in program:
        world = acted(world, step.action).world
    return world


def _losses(
    world: World, environment: Environment, explored: list[tuple[Part, Reachable]], rest: World
) -> tuple[Loss, ...]:
    found: dict[ObjectId, tuple[Deletion, Found]] = {}
    for part, reach in explored:
        for id, one in reach.deletions.items():
            for member in part.alike.get(id, frozenset({id})):
                assert isinstance(one.what, Deletion)
                found[member] = replace(one.what, id=member), one
    # A finalizer is known where its owner goes in a part of its own, and that part was searched to the end.
    owners = frozenset(id for part, reach in explored if reach.complete for id in part.owners & reach.deletions.keys())
    for deletion, cause in swept(world, environment, {id: one for id, (one, _) in found.items()}, owners):
        found[deletion.id] = deletion, found[cause][1]
    ordered = sorted(found.values(), key=lambda pair: pair[0].id)
    return tuple(_loss(deletion, one, environment, world, rest) for deletion, one in ordered)


def _loss(deletion: Deletion, found: Found, environment: Environment, before: World, after: World) -> Loss:
    live = after.live.get(deletion.id)
    counterexample = Counterexample(edge_of(found, environment, after), (deletion.id,), found.trace)
    # What still has the labels of the owner that prunes it was only not pruned yet: its owner waits for something.
    waits = live is not None and deletion.how is How.PRUNE and live.owner == deletion.by
    recreated = live is not None and not live.deleting and not waits
    return Loss(deletion, counterexample, recreated, _is_opaque(before, deletion.id))


def _is_opaque(world: World, id: ObjectId) -> bool:
    live = world.live.get(id)
    if live is None or not isinstance(live.spec, HelmReleaseSpec) or id not in world.records:
        return False
    manifest = manifest_of(world, live.spec.release)
    return manifest is not None and not manifest.known


def _breaches(environment: Environment, explored: list[tuple[Part, Reachable]], rest: World) -> tuple[Breach, ...]:
    breaches = []
    for _, reach in explored:
        for violation, found in reach.violations.items():
            counterexample = Counterexample(edge_of(found, environment, rest), violation.ids, found.trace)
            breaches.append(Breach(violation, counterexample))
    return tuple(sorted(breaches, key=lambda breach: breach.violation))

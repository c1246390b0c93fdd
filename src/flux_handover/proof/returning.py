"""Whether the way back of a phase leads back: obligation `way-back` (rules.md R25).

The printed commands are followed from where the phase came to rest, each in every order of the controllers and
each when the one before it came to rest. Nothing that was there before the phase may go, and in the end
everything belongs to whom it belonged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from flux_handover.objects import ObjectId, first_names, names
from flux_handover.proof.commands import Program, Scenery, instances, program_of
from flux_handover.proof.edges import edge_of
from flux_handover.proof.exploration import LIMIT, Found, Reachable, Violation, explore
from flux_handover.proof.obligations import Judgement, Obligation, Verdict
from flux_handover.proof.properties import Properties
from flux_handover.proof.reconcile import Move
from flux_handover.proof.reconcile_cluster import UserStep, acted
from flux_handover.proof.reduction import Part, parts
from flux_handover.proof.settle import settled
from flux_handover.proof.staging import Staged, staged
from flux_handover.proof.steps import Step
from flux_handover.proof.trace import Counterexample
from flux_handover.proof.world import Environment, World

LOST = "WAY-BACK"
BROKEN = frozenset({"P2", "P6", "P7", LOST})
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Homecoming:
    """The properties on the way, and that nothing goes which `before` has, the world before the phase.

    `alike` are all objects that each object of the part stands for.
    """

    properties: Properties
    before: World
    alike: Mapping[ObjectId, frozenset[ObjectId]]

    def of_state(self, world: World) -> Iterator[Violation]:
        """What must hold in every state of what was there before."""
        return self._known(self.properties.of_state(world))

    def of_rest(self, world: World) -> Iterator[Violation]:
        """What must hold wherever a step comes to rest."""
        return self._known(self.properties.of_rest(world))

    def of_move(self, world: World, move: Move) -> Iterator[Violation]:
        """Nothing that was there before the phase is deleted on the way."""
        gone = {id for deletion in move.deletions for id in self.alike.get(deletion.id, {deletion.id})}
        lost = tuple(sorted(gone & self.before.live.keys()))
        if lost:
            yield Violation(LOST, lost, f"{names(lost[:SHOWN])} would be deleted on the way back")

    def _known(self, violations: Iterator[Violation]) -> Iterator[Violation]:
        """What the phase brought may go again."""
        return (v for v in violations if v.property in BROKEN and any(id in self.before.live for id in v.ids))


@dataclass(slots=True)
class _Walk:
    """How far a way back has been followed, and what went wrong."""

    world: World
    states: int = 0
    broken: list[tuple[Part, Violation, Found]] = field(default_factory=list)
    undecided: set[str] = field(default_factory=set)
    stopped: str = ""

    def follow(self, step: UserStep, environment: Environment, before: World) -> None:
        """Explore one step, and go on from where it comes to rest."""
        if step.seen is not None and not step.seen(self.world):
            self.stopped = "what one of its steps waits for never comes"
            return
        program = (UserStep(step.action),)
        for part in parts(self.world, environment, program):
            self._note(part, _explored(part, before))
        self.world = replace(settled(acted(self.world, step.action).world, environment).world, step=0)

    def _note(self, part: Part, reach: Reachable) -> None:
        self.states += reach.states
        self.undecided |= reach.undecided
        if not reach.complete:
            self.undecided.add(f"more than {LIMIT} states")
        self.broken.extend((part, violation, found) for violation, found in reach.violations.items())


def prove_way_back(step: Step) -> Judgement:
    """The printed steps undo the phase: nothing is lost by them, and everything belongs to its old owner again."""
    if not step.phase.way_back or step.back is None:
        return Judgement(Obligation.WAY_BACK, Verdict.REFUTED, ("the phase has no way back",))
    pair = staged((step.stages[1], step.back), step.gates)
    program = program_of(step.phase.way_back, _scenery(step, pair))
    if program.unknown:
        return Judgement(Obligation.WAY_BACK, Verdict.UNKNOWN, tuple(f"not understood: {t}" for t in program.unknown))
    return _judged(step, _walked(step, pair.environment, program))


def _scenery(step: Step, pair: Staged) -> Scenery:
    stage = step.stages[1]
    adopted = tuple(object for id in stage.instances for object in stage.components(id))
    known = step.outcome.world.live.keys() | step.start.live.keys()
    return Scenery(frozenset(known), adopted, step.plan.installation.owner, pair.pushes[0])


def _walked(step: Step, environment: Environment, program: Program) -> _Walk:
    walk = _Walk(replace(step.outcome.world, step=0))
    for one in program.steps:
        if not walk.stopped:
            walk.follow(one, environment, step.start)
    if not walk.stopped and not all(seen(walk.world) for seen in program.last):
        walk.stopped = "what its last steps wait for never comes"
    return walk


def _explored(part: Part, before: World) -> Reachable:
    judge = Homecoming(Properties(part.world, part.environment), before, part.alike)
    return explore((replace(part.world, crashes=1),), part.environment, part.program, judge=judge)


def _judged(step: Step, walk: _Walk) -> Judgement:
    if walk.broken:
        return _refuted(walk)
    if walk.undecided:
        return Judgement(Obligation.WAY_BACK, Verdict.UNKNOWN, tuple(sorted(walk.undecided)))
    left = tuple(_left(walk, step.start))
    if left:
        return Judgement(Obligation.WAY_BACK, Verdict.REFUTED, left)
    told = f"its steps lose nothing and give everything back, each in every order ({walk.states} states)"
    return Judgement(Obligation.WAY_BACK, Verdict.HOLDS, (told,))


def _refuted(walk: _Walk) -> Judgement:
    part, violation, found = min(walk.broken, key=lambda one: (len(one[2].path), one[1]))
    evidence = tuple(dict.fromkeys(other.why for _, other, _ in walk.broken))
    edge = edge_of(found, part.environment, walk.world)
    return Judgement(Obligation.WAY_BACK, Verdict.REFUTED, evidence, Counterexample(edge, violation.ids, found.trace))


def _left(walk: _Walk, before: World) -> Iterator[str]:
    """What is not as it was: a step that nothing follows, an object of another owner, an instance that stays."""
    if walk.stopped:
        yield f"the way back stops: {walk.stopped}"
        return
    missing = before.live.keys() - walk.world.live.keys()
    if missing:
        yield f"{first_names(missing, SHOWN)} would not come back"
    foreign = {id for id in before.live.keys() - missing if not _is_home(id, walk.world, before)}
    if foreign:
        yield f"{first_names(foreign, SHOWN)} would not go back to the old owner"
    staying = instances(walk.world) - instances(before)
    if staying:
        yield f"{names(staying)} would still be there"


def _is_home(id: ObjectId, world: World, before: World) -> bool:
    """Whether an object has its old owner, or one that had it too: two take its labels from each other for ever."""
    owner = world.live[id].owner
    record = before.records.get(owner) if owner else None
    return owner == before.live[id].owner or (record is not None and id in record.inventory)

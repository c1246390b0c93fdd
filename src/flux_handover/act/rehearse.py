"""`execute` on a sandbox: the plan played forward, back by its own steps, and forward again.

The sandbox is furnished as the user's cluster is, brought to rest at the revision that was planned, and
only then does the first phase begin. It never knows the user's cluster.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from flux_handover.act.comparing import Announced
from flux_handover.act.execute import (
    Direction,
    Mark,
    Place,
    Run,
    carried_out,
    marked,
    published,
    settings,
    summed_up,
)
from flux_handover.act.journal import Journal
from flux_handover.act.observing import Expected, Rest, wait_for_rest
from flux_handover.act.proved import ProvedPlan, worst
from flux_handover.act.rehearse_back import Going, taken_back
from flux_handover.act.rehearse_setup import (
    Publishing,
    Stage,
    Unlifted,
    furnish,
    install,
    restarts_of,
    start_flux,
    versions_there,
)
from flux_handover.adapters.recorder import Recorder
from flux_handover.adapters.sandbox.binaries.doctor import AROUND, CONTROL_PLANE, CONTROLLERS
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.gates import Difference
from flux_handover.adapters.sandbox.releases.artifacts import CHART_NOTE
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.objects import ObjectId
from flux_handover.plan.phases import Phase, PhaseName
from flux_handover.proof.obligations import Verdict
from flux_handover.proof.steps import committing
from flux_handover.tree import Tree

PROGRAMS = (*CONTROL_PLANE, *CONTROLLERS, "flux-operator", *AROUND)
PATIENCE_SECONDS, START_SECONDS = 420.0, 600.0


class Course(Enum):
    """How far a rehearsal goes: only forward, or forward, back to the beginning, and forward again."""

    FORWARD = "forward"
    AND_BACK = "and-back"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A rehearsal as it went.

    `versions` are those that ran, `differences` the rules on which these and the user's differ: about them
    nothing is known. `lifted` could not become ready in a sandbox, `pretended` are controllers without a
    program.
    """

    cluster: str
    runs: tuple[Run, ...]
    versions: Mapping[str, str]
    differences: tuple[Difference, ...]
    lifted: Mapping[ObjectId, str]
    pretended: tuple[str, ...]
    notes: tuple[str, ...]
    objects: int
    start_seconds: float
    seconds: float
    problems: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Refuted where anything went otherwise than announced, unknown where nothing could be played."""
        if self.problems:
            return Verdict.UNKNOWN
        return worst(run.verdict for run in self.runs)


@dataclass(frozen=True, slots=True)
class Playing:
    """A furnished sandbox at rest at the first revision."""

    sandbox: Sandbox
    place: Place
    stage: Stage
    base: Mark
    rest: Rest
    started: float


@contextmanager
def playing(
    programs: Mapping[str, Program], stage: Stage, tree: Tree, journal: Path, told: Callable[[str], None]
) -> Iterator[Playing]:
    """A sandbox that is the cluster of a revision, at rest."""
    started = time.monotonic()
    with ExitStack() as stack:
        told("starting a control plane")
        sandbox = stack.enter_context(running_sandbox(programs, there=versions_there(stage)))
        furnish(sandbox, stage)
        publishing = Publishing(sandbox, stage)
        told("installing Flux as it is installed")
        install(sandbox, stage, publishing.key)
        sha = publishing.push(tree, "as planned")
        start_flux(sandbox.cluster, stage)
        recorder = stack.enter_context(Recorder(sandbox.cluster))
        place = Place(
            cluster=sandbox.cluster,
            recorder=recorder,
            view=Unlifted(sandbox),
            push=publishing.push,
            restarts=restarts_of(sandbox),
            journal=stack.enter_context(Journal(journal)),
            told=told,
            sources=publishing.sources,
            flux=frozenset(object.id for object in stage.installation.live),
            patience=PATIENCE_SECONDS,
        )
        expected = Expected(sha, publishing.sources, frozenset(id for id in place.flux if id.kind == "Deployment"))
        rest = wait_for_rest(sandbox.cluster, recorder, expected, seconds=START_SECONDS, told=told)
        yield Playing(sandbox, replace(place, kept=settings(place)), stage, marked(place), rest, started)


def rehearse(
    play: Playing, proved: ProvedPlan, tree: Tree, course: Course, until: PhaseName | None = None
) -> Rehearsed:
    """The plan's phases, up to one of them, on a sandbox that is at rest at the planned revision."""
    ready = time.monotonic()
    if play.rest.missing:
        return told_of(play, (), ready, unrested(play.rest))
    phases = wanted(committing(proved.plan), until)
    runs = list(forward(play, proved, phases, Direction.FORWARD))
    if course is Course.AND_BACK and all(run.verdict is not Verdict.REFUTED for run in runs):
        runs += back(play, proved, phases, tree)
        if all(run.verdict is not Verdict.REFUTED for run in runs):
            runs += forward(play, proved, phases, Direction.AGAIN)
    return told_of(play, tuple(runs), ready)


def wanted(phases: Sequence[Phase], until: PhaseName | None) -> tuple[Phase, ...]:
    """The phases up to one, that one included."""
    names = [phase.name for phase in phases]
    return tuple(phases[: names.index(until) + 1] if until in names else phases)


def forward(play: Playing, proved: ProvedPlan, phases: Sequence[Phase], direction: Direction) -> Iterator[Run]:
    """The phases in order, until one does not go as announced."""
    # What was brought, and taken back, comes a second time.
    returning = removed_since(play) if direction is Direction.AGAIN else frozenset()
    for phase in phases:
        play.place.told(f"phase {phase.name.value}")
        run = carried_out(play.place, proved.plan, phase, direction, returning)
        yield run
        if run.verdict is Verdict.REFUTED:
            return


def back(play: Playing, proved: ProvedPlan, phases: Sequence[Phase], tree: Tree) -> Iterator[Run]:
    """The phases undone in reverse; at the end everything of the beginning is there, with its settings."""
    trees = (tree, *(phase.tree for phase in phases))
    owner = proved.plan.installation.owner
    for number in reversed(range(len(phases))):
        play.place.told(f"back from phase {phases[number].name.value}")
        play.place.recorder.settled()
        brought = frozenset(ids_since(play))
        run = taken_back(Going(play.place, trees[number], brought, owner), phases[number])
        yield run
        if run.verdict is Verdict.REFUTED:
            return


def ids_since(play: Playing) -> Iterator[ObjectId]:
    """Everything that is there and was not there at the beginning."""
    before = play.base.uids
    return (id for id, uid in play.place.recorder.current().items() if before.get(id) != uid)


def removed_since(play: Playing) -> frozenset[ObjectId]:
    """Everything that came and went since the beginning, and was not there then."""
    changes = play.place.recorder.changes[play.base.change :]
    return frozenset(change.id for change in changes if change.id not in play.base.uids)


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit made by hand, with what the judge says it deletes, and what of that was meant."""

    name: str
    title: str
    tree: Tree
    reachable: frozenset[ObjectId]
    meant: frozenset[ObjectId]


def rehearse_series(play: Playing, revisions: Sequence[Revision]) -> Rehearsed:
    """Commits made by hand, each pushed alone; it ends where Flux is gone."""
    ready = time.monotonic()
    if play.rest.missing:
        return told_of(play, (), ready, unrested(play.rest))
    return told_of(play, tuple(_series(play, revisions)), ready)


def _series(play: Playing, revisions: Sequence[Revision]) -> Iterator[Run]:
    for revision in revisions:
        mark = marked(play.place)
        rest = published(play.place, revision.tree, revision.title)
        yield summed_up(play.place, revision.name, Direction.COMMIT, Announced(revision.meant), mark, rest)
        if rest.is_gone:
            return


def unrested(rest: Rest) -> tuple[str, ...]:
    """Why nothing could be played: what was not ready before anything changed."""
    return tuple(f"not ready before anything changed: {id}: {reason}" for id, reason in rest.missing.items())


def told_of(play: Playing, runs: tuple[Run, ...], ready: float, problems: tuple[str, ...] = ()) -> Rehearsed:
    """The rehearsal, with what must be known to judge it."""
    sandbox, stage = play.sandbox, play.stage
    components = stage.installation.components
    return Rehearsed(
        cluster=stage.cluster.name,
        runs=runs,
        versions=sandbox.versions,
        differences=sandbox.differences(versions_there(stage)),
        lifted=dict(sorted(sandbox.lifter.lifted.items())),
        pretended=tuple(sorted(name for name in components if name not in sandbox.programs)),
        notes=notes(stage),
        objects=len(play.base.uids),
        start_seconds=ready - play.started,
        seconds=time.monotonic() - play.started,
        problems=problems,
    )


def notes(stage: Stage) -> tuple[str, ...]:
    """What a reader must know about any rehearsal like this one."""
    charts = (f"flux-operator and flux-instance: {CHART_NOTE}",) if stage.operator_version else ()
    return (*charts, "secrets were replaced by placeholders, encrypted for a throw-away key")

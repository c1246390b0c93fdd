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
from typing import assert_never

from flux_handover.act.comparing import Announced
from flux_handover.act.content import NOTHING_WRITTEN, Written, shared, written_between
from flux_handover.act.execute import (
    Direction,
    Leg,
    Mark,
    Place,
    Run,
    carried_out,
    marked,
    published,
    rewritten,
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
    recording_folder,
    refuse_what_cannot_be_played,
    restarts_of,
    start_flux,
    versions_there,
)
from flux_handover.adapters.recorder import Recorder
from flux_handover.adapters.sandbox.binaries.doctor import AROUND, CONTROL_PLANE, CONTROLLERS
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.gates import Difference
from flux_handover.adapters.sandbox.releases.artifacts import CHART_NOTE, CHART_PATH, CHARTS, HOST
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.model.flux import helm_releases
from flux_handover.model.rendering import Cluster
from flux_handover.objects import ObjectId, ids_of
from flux_handover.plan.phases import Phase, PhaseName
from flux_handover.proof.obligations import Verdict
from flux_handover.proof.steps import Step
from flux_handover.tree import Tree

PROGRAMS = (*CONTROL_PLANE, *CONTROLLERS, "flux-operator", *AROUND)
JOURNAL = "journal.jsonl"
APPLIES_ELSEWHERE = "applies to another cluster: it was not rehearsed, and what becomes of its objects is unknown"
PATIENCE_SECONDS, START_SECONDS = 420.0, 600.0


class Course(Enum):
    """How far a rehearsal goes: only forward, at the end back and forward again, or so after every phase too."""

    FORWARD = "forward"
    AND_BACK = "and-back"
    FROM_EVERY_PHASE = "from-every-phase"


Turn = tuple[Direction, int]
"""One phase, by its number, in one direction."""


def legs(course: Course, count: int) -> tuple[Turn, ...]:
    """The order in which a number of phases is played."""
    forward = tuple((Direction.FORWARD, number) for number in range(count))
    around = (
        *((Direction.BACK, number) for number in reversed(range(count))),
        *((Direction.AGAIN, number) for number in range(count)),
    )
    match course:
        case Course.FORWARD:
            return forward
        case Course.AND_BACK:
            return (*forward, *around)
        case Course.FROM_EVERY_PHASE:
            ways = (Direction.FORWARD, Direction.BACK, Direction.AGAIN)
            return (*((way, number) for number in range(count) for way in ways), *around)
        case _:
            assert_never(course)


@dataclass(frozen=True, slots=True)
class Script:
    """What is played: a proved plan on the tree it begins from; what each phase writes, and how it was proved."""

    proved: ProvedPlan
    tree: Tree
    phases: tuple[Phase, ...]
    written: Mapping[str, Written]
    steps: Mapping[str, Step]

    def before(self, number: int) -> Tree:
        """The tree that a phase finds."""
        return self.phases[number - 1].tree if number else self.tree


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A rehearsal as it went; it began at a time, and what happened is told by times.

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
    began: float = 0.0
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
    programs: Mapping[str, Program], stage: Stage, tree: Tree, journal: Path | None, told: Callable[[str], None]
) -> Iterator[Playing]:
    """A sandbox that is the cluster of a revision, at rest; a journal that nobody wants goes with it."""
    refuse_what_cannot_be_played(stage.installation)
    started = time.monotonic()
    with ExitStack() as stack:
        told("starting a control plane")
        sandbox = stack.enter_context(
            running_sandbox(programs, network=stage.network, recording=recording_folder(), there=versions_there(stage))
        )
        furnish(sandbox, stage)
        publishing = Publishing(sandbox, stage)
        told("installing Flux as it is installed")
        install(sandbox, stage, publishing.key)
        sha = publishing.push(tree, "as planned")
        start_flux(sandbox.cluster, stage)
        written = stack.enter_context(Journal(journal or sandbox.plane.folder / JOURNAL))
        place = place_of(stack, sandbox, stage, publishing, written, told)
        expected = Expected(sha, publishing.sources, place.controllers)
        rest = wait_for_rest(sandbox.cluster, place.recorder, expected, seconds=START_SECONDS, told=told)
        place = replace(place, kept=settings(place))
        base = marked(place, written_between(stage.cluster, stage.cluster))
        yield Playing(sandbox, place, stage, base, rest, started)


def place_of(
    stack: ExitStack,
    sandbox: Sandbox,
    stage: Stage,
    publishing: Publishing,
    journal: Journal,
    told: Callable[[str], None],
) -> Place:
    """Where things are carried out in a sandbox, recorded from now on."""
    return Place(
        cluster=sandbox.cluster,
        recorder=stack.enter_context(Recorder(sandbox.cluster)),
        view=Unlifted(sandbox),
        push=publishing.push,
        restarts=restarts_of(sandbox),
        journal=journal,
        told=told,
        sources=publishing.sources,
        addresses=publishing.addresses,
        flux=ids_of(stage.installation.live),
        patience=PATIENCE_SECONDS,
        shared=shared(stage.cluster),
        kubectl=sandbox.programs["kubectl"].path if "kubectl" in sandbox.programs else None,
    )


def rehearse(play: Playing, script: Script, course: Course) -> Rehearsed:
    """A plan's phases on a sandbox that is at rest at the planned revision."""
    ready = time.monotonic()
    if play.rest.missing:
        return told_of(play, (), ready, unrested(play.rest))
    return told_of(play, tuple(walked(play, script, legs(course, len(script.phases)))), ready)


def wanted(phases: Sequence[Phase], until: PhaseName | None) -> tuple[Phase, ...]:
    """The phases up to one, that one included."""
    names = [phase.name for phase in phases]
    return tuple(phases[: names.index(until) + 1] if until in names else phases)


def walked(play: Playing, script: Script, way: Sequence[Turn]) -> Iterator[Run]:
    """Leg after leg, until one does not go as announced."""
    for direction, number in way:
        phase = script.phases[number]
        play.place.told(f"phase {phase.name.value}, {direction.value}")
        run = back(play, script, number) if direction is Direction.BACK else forward(play, script, phase, direction)
        yield run
        if run.verdict is Verdict.REFUTED or not run.is_pushed:
            return


def forward(play: Playing, script: Script, phase: Phase, direction: Direction) -> Run:
    """A phase carried out; what was brought, and taken back, comes a second time."""
    returning = removed_since(play) if direction is Direction.AGAIN else frozenset()
    name = phase.name.value
    leg = Leg(phase, direction, script.steps[name], returning, script.written.get(name, NOTHING_WRITTEN))
    return carried_out(play.place, script.proved.plan, leg)


def back(play: Playing, script: Script, number: int) -> Run:
    """A phase undone; before the first one everything of the beginning is there as it was."""
    phase = script.phases[number]
    play.place.recorder.settled()
    written = script.written.get(phase.name.value, NOTHING_WRITTEN)
    owner = script.proved.plan.installation.owner
    run = taken_back(Going(play.place, script.before(number), frozenset(ids_since(play)), owner, written), phase)
    if number:
        return run
    left = tuple(f"not as it was at the beginning: {id} {field}" for id, field in rewritten(play.place, play.base))
    return replace(run, problems=(*run.problems, *left))


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
    written: Written = NOTHING_WRITTEN


def rehearse_series(play: Playing, revisions: Sequence[Revision]) -> Rehearsed:
    """Commits made by hand, each pushed alone; it ends where Flux is gone."""
    ready = time.monotonic()
    if play.rest.missing:
        return told_of(play, (), ready, unrested(play.rest))
    return told_of(play, tuple(_series(play, revisions)), ready)


def _series(play: Playing, revisions: Sequence[Revision]) -> Iterator[Run]:
    for revision in revisions:
        mark = marked(play.place, revision.written)
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
    seconds = time.monotonic() - play.started
    components = stage.installation.components
    return Rehearsed(
        cluster=stage.cluster.name,
        runs=runs,
        versions=sandbox.versions,
        differences=sandbox.differences(versions_there(stage)),
        lifted=dict(sorted(sandbox.lifter.lifted.items())),
        pretended=tuple(sorted(name for name in components if name not in sandbox.programs)),
        notes=notes(stage, made_here(sandbox)),
        objects=len(play.base.uids),
        start_seconds=ready - play.started,
        seconds=seconds,
        began=time.time() - seconds,
        problems=problems,
    )


def made_here(sandbox: Sandbox) -> tuple[str, ...]:
    """The release charts that the network did not give."""
    return tuple(name for name in CHARTS if sandbox.world.registry.has(HOST, f"{CHART_PATH}/{name}"))


def notes(stage: Stage, made: tuple[str, ...]) -> tuple[str, ...]:
    """What a reader must know about any rehearsal like this one; `made` are the charts of our own making."""
    charts = (f"{' and '.join(made)}: {CHART_NOTE}",) if made else ()
    twice = (
        f"{id} is applied by more than one Kustomization; its fields were not compared"
        for id in sorted(shared(stage.cluster))
    )
    elsewhere = (f"{id} {APPLIES_ELSEWHERE}" for id in sorted(applying_elsewhere(stage.cluster)))
    return (*charts, *twice, *elsewhere, "secrets were replaced by placeholders, encrypted for a throw-away key")


def applying_elsewhere(cluster: Cluster) -> Iterator[ObjectId]:
    """What a `kubeConfig` leads to another cluster."""
    for build in cluster:
        if build.ks.remote_cluster:
            yield build.id
        yield from (release.id for release in helm_releases(build.present) if release.remote)

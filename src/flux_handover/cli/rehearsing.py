"""From arguments to rehearsals: the plan of each cluster, or the commits between two revisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from itertools import chain, pairwise
from pathlib import Path

from flux_handover.act.bare_steps import deeds_of
from flux_handover.act.content import NOTHING_WRITTEN, Written, with_taken_over, written_between
from flux_handover.act.proved import ProvedPlan
from flux_handover.act.rehearse import (
    PROGRAMS,
    Course,
    Rehearsed,
    Revision,
    Script,
    playing,
    rehearse,
    rehearse_series,
)
from flux_handover.act.rehearse import wanted as up_to
from flux_handover.act.rehearse_bare import bare, rehearse_bare
from flux_handover.act.rehearse_setup import Stage
from flux_handover.adapters.sandbox.binaries.doctor import BARE_CLUSTER, WAY_BACK
from flux_handover.adapters.sandbox.binaries.providers import Installed, Modules, Program, choose, of_images
from flux_handover.adapters.sandbox.world.world import Network
from flux_handover.cli.ahead import Ahead
from flux_handover.cli.guarding import Asked as Judging
from flux_handover.cli.guarding import reports
from flux_handover.cli.planning import planned
from flux_handover.cli.ranges import Each, range_of
from flux_handover.cli.reading import Opened, Wanted, snapshot_of, tree_reader
from flux_handover.errors import UsageError
from flux_handover.model.reading import Reading
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import Object
from flux_handover.plan.phases import PhaseName
from flux_handover.plan.target import Options
from flux_handover.proof import stages
from flux_handover.proof.guard_report import GuardReport
from flux_handover.proof.steps import committing, steps_of
from flux_handover.workloads import images_of


class What(Enum):
    """Which side of a plan is played: its phases on the cluster as it is, or its bootstrap on a bare one."""

    PHASES = "phases"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True, slots=True)
class Asked:
    """What to play: the plan up to a phase and as far as the course says, or a series of commits."""

    options: Options
    series: str = ""
    until: str = ""
    course: Course = Course.FORWARD
    what: What = What.PHASES
    journal: Path | None = None


def played(tools: Opened, wanted: Wanted, asked: Asked) -> tuple[Rehearsed, ...]:
    """The rehearsals of every cluster that is wanted."""
    until, journal = phase_named(asked.until), asked.journal
    if asked.series:
        return tuple(_series(tools, wanted, asked.series, journal))
    snapshot = snapshot_of(tools, wanted)
    plans = planned(tools, snapshot, wanted, asked.options)
    if asked.what is What.BOOTSTRAP:
        return tuple(_bootstrap(tools, wanted, snapshot, plan, journal) for plan in plans)
    return tuple(
        _plan(tools, wanted, script_of(tools, wanted, snapshot, plan, until), snapshot, asked) for plan in plans
    )


def phase_named(name: str) -> PhaseName | None:
    """The phase of a name, None for the empty one."""
    if not name:
        return None
    try:
        return PhaseName(name)
    except ValueError as error:
        known = ", ".join(phase.value for phase in PhaseName)
        raise UsageError(f"there is no phase {name!r}", hint=f"say one of {known}") from error


def script_of(tools: Opened, wanted: Wanted, snapshot: Snapshot, proved: ProvedPlan, until: PhaseName | None) -> Script:
    """The phases to play, what each writes by the renderings before and after it, and what it was proved by."""
    read, name = tree_reader(tools, wanted, snapshot.revision), proved.plan.cluster
    snapshots = [snapshot]
    for phase in committing(proved.plan):
        snapshots.append(read(phase.tree, snapshots[-1]))
    steps = {step.phase.name.value: step for step in steps_of(proved.plan, tuple(snapshots), tools.engine)}
    phases = up_to(committing(proved.plan), until)
    written = {}
    for phase, (before, after) in zip(phases, pairwise(snapshots), strict=False):
        between = written_between(before.cluster(name), after.cluster(name))
        written[phase.name.value] = with_taken_over(between, before.cluster(name), _given(tools, after, name))
    return Script(proved, snapshot.tree, phases, written, steps)


def _given(tools: Opened, snapshot: Snapshot, name: str) -> Iterator[Object]:
    """What the FluxInstances of a cluster render."""
    revision = stages.Revision(snapshot.revision, snapshot.tree, snapshot.cluster(name))
    stage = stages.stage_of(revision, None, tools.engine)
    return chain.from_iterable(map(stage.components, stage.instances))


def _plan(tools: Opened, wanted: Wanted, script: Script, snapshot: Snapshot, asked: Asked) -> Rehearsed:
    plan = script.proved.plan
    stage = stage_of(tools, wanted, snapshot, plan.cluster, plan.target.operator_version)
    needed = PROGRAMS if asked.course is Course.FORWARD else (*PROGRAMS, *WAY_BACK)
    with playing(obtained(needed, stage), stage, snapshot.tree, asked.journal, tools.progress) as play:
        return rehearse(play, script, asked.course)


def _bootstrap(
    tools: Opened, wanted: Wanted, snapshot: Snapshot, proved: ProvedPlan, journal: Path | None
) -> Rehearsed:
    """The plan's new bootstrap, on a bare control plane."""
    plan = proved.plan
    phases = committing(plan)
    read = tree_reader(tools, wanted, snapshot.revision)
    after = read(phases[-1].tree, snapshot) if phases else snapshot
    stage = replace(
        stage_of(tools, wanted, after, plan.cluster, plan.target.operator_version),
        installation=snapshot.installations[plan.cluster],
    )
    programs = obtained((*PROGRAMS, *BARE_CLUSTER), stage)
    base = snapshot.cluster(plan.cluster)
    with bare(programs, stage, base, after.tree, journal, tools.progress) as built:
        return rehearse_bare(built, deeds_of(stage.cluster, after.tree))


def obtained(names: Sequence[str], stage: Stage) -> Mapping[str, Program]:
    """The programs: online the controllers that the cluster runs, the tools that a person would use on this machine."""
    tools = [name for name in names if name in BARE_CLUSTER]
    built = [name for name in names if name not in BARE_CLUSTER]
    programs = {**choose(built, (Modules(),)), **choose(tools, (Installed(), Modules()))}
    if stage.network is Network.OFFLINE:
        return programs
    deployments = (object for object in stage.installation.live if object.id.kind == "Deployment")
    exact = of_images(chain.from_iterable(map(images_of, deployments)))
    return {**programs, **{name: program for name, program in exact.items() if name in programs}}


def stage_of(tools: Opened, wanted: Wanted, snapshot: Snapshot, cluster: str, operator_version: str) -> Stage:
    """What a sandbox is furnished with for one cluster of a revision."""
    chosen = snapshot.cluster(cluster)
    objects: tuple[Object, ...] = tuple(object for build in chosen for object in build.present)
    lender = tools.repository.path
    network = Network.ONLINE if wanted.allow_network else Network.OFFLINE
    every = (*objects, *chosen.bootstrap)
    return Stage(chosen, snapshot.installations[cluster], every, operator_version, lender, network)


def _series(tools: Opened, wanted: Wanted, series: str, journal: Path | None) -> Iterator[Rehearsed]:
    range = range_of(tools.repository, (series,), Each.ALONE)
    snapshot = snapshot_of(tools, replace(wanted, revision=range.base))
    last = snapshot_of(tools, replace(wanted, revision=range.heads[-1]))
    with Ahead(tools, range, Reading(wanted.root or None)) as ahead:
        judged = tuple(reports(tools, Judging(), ahead, date.today()))
    for cluster in snapshot.clusters:
        stage = stage_of(tools, wanted, snapshot, cluster.name, operator_in(last, cluster.name))
        revisions = tuple(
            _revisions(tools, wanted, snapshot, cluster.name, tuple(zip(range.heads, judged, strict=True)))
        )
        with playing(obtained(PROGRAMS, stage), stage, snapshot.tree, journal, tools.progress) as play:
            yield rehearse_series(play, revisions)


def operator_in(snapshot: Snapshot, cluster: str) -> str:
    """The operator that a revision brings to a cluster; empty where it brings none, or the cluster is not there."""
    found = (one for one in snapshot.clusters if one.name == cluster)
    return next(map(stages.operator_version, found), "")


def _revisions(
    tools: Opened, wanted: Wanted, base: Snapshot, cluster: str, judged: Sequence[tuple[str, GuardReport]]
) -> Iterator[Revision]:
    read, before = tree_reader(tools, wanted, base.revision), base
    for head, report in judged:
        after = read(tools.repository.read_tree(head), before)
        deletes = tuple(deleted for deleted in report.deletes if deleted.cluster == cluster)
        yield Revision(
            head[:12],
            f"commit {head[:12]}",
            after.tree,
            frozenset(deleted.id for deleted in deletes),
            frozenset(deleted.id for deleted in deletes if deleted.expected),
            _written(before, after, cluster),
        )
        before = after


def _written(before: Snapshot, after: Snapshot, cluster: str) -> Written:
    """What a commit writes; nothing is compared where it takes the cluster out of Git."""
    if any(cluster not in {one.name for one in side.clusters} for side in (before, after)):
        return NOTHING_WRITTEN
    return written_between(before.cluster(cluster), after.cluster(cluster))

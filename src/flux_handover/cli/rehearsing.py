"""From arguments to rehearsals: the plan of each cluster, or the commits between two revisions."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from flux_handover.act.proved import ProvedPlan
from flux_handover.act.rehearse import (
    PROGRAMS,
    Course,
    Rehearsed,
    Revision,
    playing,
    rehearse,
    rehearse_series,
)
from flux_handover.act.rehearse_setup import Stage
from flux_handover.adapters.sandbox.binaries.providers import Modules, choose
from flux_handover.cli.guarding import Asked as Judged
from flux_handover.cli.guarding import Each, range_of, reports
from flux_handover.cli.planning import planned
from flux_handover.cli.reading import Opened, Wanted, snapshot_of
from flux_handover.errors import UsageError
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import Object
from flux_handover.plan.phases import PhaseName
from flux_handover.plan.target import Options
from flux_handover.proof.guard_report import GuardReport
from flux_handover.proof.stages import operator_version


@dataclass(frozen=True, slots=True)
class Asked:
    """What to play: the plan up to a phase, perhaps back and forward again, or a series of commits."""

    options: Options
    series: str = ""
    until: str = ""
    back: bool = False
    journal: Path | None = None


def played(tools: Opened, wanted: Wanted, asked: Asked) -> tuple[Rehearsed, ...]:
    """The rehearsals of every cluster that is wanted."""
    until = phase_named(asked.until)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flux-handover-")))
        journal = asked.journal or folder / "journal.jsonl"
        if asked.series:
            return tuple(_series(tools, wanted, asked.series, journal))
        snapshot = snapshot_of(tools, wanted)
        plans = planned(tools, snapshot, wanted, asked.options)
        course = Course.AND_BACK if asked.back else Course.FORWARD
        return tuple(_plan(tools, snapshot, proved, journal, course, until) for proved in plans)


def phase_named(name: str) -> PhaseName | None:
    """The phase of a name, None for the empty one."""
    if not name:
        return None
    try:
        return PhaseName(name)
    except ValueError as error:
        known = ", ".join(phase.value for phase in PhaseName)
        raise UsageError(f"there is no phase {name!r}", hint=f"say one of {known}") from error


def _plan(
    tools: Opened, snapshot: Snapshot, proved: ProvedPlan, journal: Path, course: Course, until: PhaseName | None
) -> Rehearsed:
    stage = stage_of(tools, snapshot, proved.plan.cluster, proved.plan.target.operator_version)
    with playing(choose(PROGRAMS, (Modules(),)), stage, snapshot.tree, journal, tools.progress) as play:
        return rehearse(play, proved, snapshot.tree, course, until)


def stage_of(tools: Opened, snapshot: Snapshot, cluster: str, operator_version: str) -> Stage:
    """What a sandbox is furnished with for one cluster of a revision."""
    chosen = snapshot.cluster(cluster)
    objects: tuple[Object, ...] = tuple(object for build in chosen for object in build.present)
    lender = tools.repository.path
    return Stage(chosen, snapshot.installations[cluster], (*objects, *chosen.bootstrap), operator_version, lender)


def _series(tools: Opened, wanted: Wanted, series: str, journal: Path) -> Iterator[Rehearsed]:
    range = range_of(tools.repository, (series,), Each.ALONE)
    snapshot = snapshot_of(tools, replace(wanted, revision=range.base))
    last = snapshot_of(tools, replace(wanted, revision=range.heads[-1]))
    judged = tuple(reports(tools, Judged(wanted.root), range, date.today()))
    for cluster in snapshot.clusters:
        stage = stage_of(tools, snapshot, cluster.name, operator_in(last, cluster.name))
        revisions = tuple(
            _revision(tools, cluster.name, head, report) for head, report in zip(range.heads, judged, strict=True)
        )
        with playing(choose(PROGRAMS, (Modules(),)), stage, snapshot.tree, journal, tools.progress) as play:
            yield rehearse_series(play, revisions)


def operator_in(snapshot: Snapshot, cluster: str) -> str:
    """The operator that a revision brings to a cluster; empty where it brings none, or the cluster is not there."""
    found = (one for one in snapshot.clusters if one.name == cluster)
    return next(map(operator_version, found), "")


def _revision(tools: Opened, cluster: str, head: str, report: GuardReport) -> Revision:
    deletes = tuple(deleted for deleted in report.deletes if deleted.cluster == cluster)
    return Revision(
        head[:12],
        f"commit {head[:12]}",
        tools.repository.read_tree(head),
        frozenset(deleted.id for deleted in deletes),
        frozenset(deleted.id for deleted in deletes if deleted.expected),
    )

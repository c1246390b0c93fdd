"""`guard --output json`: what Flux would delete, what stops building, and every hazard."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Literal

import msgspec

from flux_handover.proof.deletions import Deleted
from flux_handover.proof.guard_report import GuardReport, Standing, worst
from flux_handover.proof.trace import Counterexample
from flux_handover.report.shapes.common import FindingShape, finding_shape
from flux_handover.waivers import Waived

SafetyShape = Literal["safe", "unsafe", "unknown"]
BuildShape = Literal["ok", "failed", "unknown", "gone"]


class EventShape(msgspec.Struct, frozen=True):
    """One event of a counterexample."""

    n: int
    actor: str
    event: str


class TraceShape(msgspec.Struct, frozen=True):
    """What is lost, and the events that lose it; `edge` is E1..E21, or empty."""

    edge: str
    lost: tuple[str, ...]
    trace: tuple[EventShape, ...]


class DeletedShape(msgspec.Struct, frozen=True):
    """One object whose live copy goes in the worst order.

    `via` is what it goes along with; `takes_along` is `unknown` where a chart that was not rendered goes too.
    """

    cluster: str
    sha: str
    id: str
    owner: str
    reason: str
    cascade: bool
    via: str
    expected: bool
    recreated: bool
    takes_along: str
    counterexample: TraceShape | None


class BaseShape(msgspec.Struct, frozen=True):
    """Whence the inventory is; an empty sha means that it is not known."""

    sha: str
    assumed: bool


class StandingShape(msgspec.Struct, frozen=True):
    """One Kustomization on both sides; `build` is `gone` where it left."""

    cluster: str
    id: str
    build: BuildShape
    error: str
    objects_before: int
    objects_after: int
    base: BaseShape | None


class WaivedShape(msgspec.Struct, frozen=True):
    """What a person accepted, and why."""

    code: str
    object: str
    reason: str
    until: str
    message: str


class CommitShape(msgspec.Struct, frozen=True):
    """One step of `--each`."""

    sha: str
    base: str
    verdict: SafetyShape
    deletes: tuple[DeletedShape, ...]
    kustomizations: tuple[StandingShape, ...]
    findings: tuple[FindingShape, ...]
    undecided: tuple[str, ...]
    waived: tuple[WaivedShape, ...]
    notes: tuple[str, ...]


class GuardShape(msgspec.Struct, frozen=True):
    """Everything; with `--each` the top level holds the deletions and findings of all commits."""

    schema: Literal["flux-handover/guard/v1"]
    base: str
    head: str
    verdict: SafetyShape
    clusters: tuple[str, ...]
    deletes: tuple[DeletedShape, ...]
    kustomizations: tuple[StandingShape, ...]
    findings: tuple[FindingShape, ...]
    undecided: tuple[str, ...]
    waived: tuple[WaivedShape, ...]
    notes: tuple[str, ...]
    candidates: tuple[str, ...]
    commits: tuple[CommitShape, ...]


def guard_report(base: str, reports: Sequence[GuardReport]) -> GuardShape:
    """The report of a range; without any step, the base is all there is to say."""
    commits = tuple(map(_commit, reports))
    last = reports[-1] if reports else GuardReport(base, base, (), (), (), ())
    return GuardShape(
        schema="flux-handover/guard/v1",
        base=base,
        head=last.revision,
        verdict=worst(report.verdict for report in reports).value,
        clusters=last.clusters,
        deletes=tuple(chain.from_iterable(commit.deletes for commit in commits)),
        kustomizations=tuple(map(_standing, last.kustomizations)),
        findings=tuple(chain.from_iterable(commit.findings for commit in commits)),
        undecided=_once(chain.from_iterable(commit.undecided for commit in commits)),
        waived=tuple(chain.from_iterable(commit.waived for commit in commits)),
        notes=_once(chain.from_iterable(commit.notes for commit in commits)),
        candidates=last.candidates,
        commits=commits,
    )


def _once(sentences: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentences))


def _commit(report: GuardReport) -> CommitShape:
    return CommitShape(
        sha=report.revision,
        base=report.base,
        verdict=report.verdict.value,
        deletes=tuple(_deleted(one, report.revision) for one in report.deletes),
        kustomizations=tuple(map(_standing, report.kustomizations)),
        findings=tuple(map(finding_shape, report.findings)),
        undecided=report.undecided,
        waived=tuple(map(_waived, report.waived)),
        notes=report.notes,
    )


def _deleted(one: Deleted, sha: str) -> DeletedShape:
    return DeletedShape(
        cluster=one.cluster,
        sha=sha,
        id=one.id.full,
        owner=one.owner.full if one.owner else "",
        reason=one.reason,
        cascade=one.cascade,
        via=one.via.full if one.via else "",
        expected=one.expected,
        recreated=one.recreated,
        takes_along=one.takes_along,
        counterexample=None if one.expected else _trace(one.counterexample),
    )


def _trace(found: Counterexample) -> TraceShape:
    steps = tuple(EventShape(step.n, step.actor, step.event) for step in found.trace)
    return TraceShape(found.edge, tuple(id.full for id in found.lost), steps)


def _standing(one: Standing) -> StandingShape:
    base = BaseShape(one.base.revision, one.base.assumed) if one.base else None
    build: BuildShape = one.after.value if one.after else "gone"
    return StandingShape(one.cluster, one.id.full, build, one.error, one.objects_before, one.objects_after, base)


def _waived(one: Waived) -> WaivedShape:
    until = one.waiver.until.isoformat() if one.waiver.until else ""
    return WaivedShape(one.waiver.code, one.waiver.object, one.waiver.reason, until, one.message)

"""`rehearse --output json`: what was played on a real control plane, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from flux_handover.act.execute import Run
from flux_handover.act.gates import Observation
from flux_handover.act.proved import worst
from flux_handover.act.rehearse import Rehearsed
from flux_handover.objects import ObjectId
from flux_handover.proof.obligations import Judgement, Verdict
from flux_handover.report.shapes.plan import CounterexampleShape, VerdictShape, counterexample_shape

RehearsalVerdict = Literal["confirmed", "refuted", "unknown"]
VERDICTS: dict[Verdict, RehearsalVerdict] = {
    Verdict.HOLDS: "confirmed",
    Verdict.REFUTED: "refuted",
    Verdict.UNKNOWN: "unknown",
}


class RestartShape(msgspec.Struct, frozen=True):
    """A controller that started, stopped or crashed; `second` counts from the first of its phase."""

    program: str
    happening: str
    second: float


class MomentShape(msgspec.Struct, frozen=True):
    """Something that happened; `second` counts from the beginning of the rehearsal."""

    second: float
    event: str


class SeenShape(msgspec.Struct, frozen=True):
    """One gate as it was seen."""

    id: str
    verdict: VerdictShape
    evidence: str


class GateSeenShape(msgspec.Struct, frozen=True):
    """All gates before a phase; `refuted` means that the phase was not pushed."""

    verdict: VerdictShape
    seen: tuple[SeenShape, ...]


class ProvedAgainShape(msgspec.Struct, frozen=True):
    """An obligation decided once more from what was live before the push; `counterexample` where it is refuted."""

    obligation: str
    verdict: VerdictShape
    evidence: tuple[str, ...]
    counterexample: CounterexampleShape | None


class RehearsedPhaseShape(msgspec.Struct, frozen=True):
    """One phase as it went; `direction` is forward, back, again (forward after back), commit or bootstrap.

    It was not `pushed` where a gate did not hold, or where it was not `proved_again` from what was live.
    """

    cluster: str
    name: str
    direction: str
    verdict: RehearsalVerdict
    announced: tuple[str, ...]
    deleted: tuple[str, ...]
    recreated: tuple[str, ...]
    created: tuple[str, ...]
    changed: tuple[str, ...]
    restarts: tuple[RestartShape, ...]
    gate: GateSeenShape
    proved_again: tuple[ProvedAgainShape, ...]
    pushed: bool
    problems: tuple[str, ...]
    seconds: float
    timeline: tuple[MomentShape, ...]


class LiftedShape(msgspec.Struct, frozen=True):
    """An object that could not become ready in a sandbox, so that nothing waited for it."""

    id: str
    reason: str


class RehearsedClusterShape(msgspec.Struct, frozen=True):
    """What must be known of a rehearsal to judge it; `unknown_rules` are not decided by it."""

    cluster: str
    verdict: RehearsalVerdict
    versions: dict[str, str]
    unknown_rules: tuple[str, ...]
    lifted: tuple[LiftedShape, ...]
    pretended: tuple[str, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    objects: int
    start_seconds: float
    seconds: float


class RehearseReport(msgspec.Struct, frozen=True):
    """Every phase that was played, in order, and how much that says."""

    schema: Literal["flux-handover/rehearse/v1"]
    revision: str
    verdict: RehearsalVerdict
    phases: tuple[RehearsedPhaseShape, ...]
    clusters: tuple[RehearsedClusterShape, ...]


def rehearse_report(revision: str, rehearsals: Sequence[Rehearsed]) -> RehearseReport:
    """The report of all clusters' rehearsals."""
    return RehearseReport(
        "flux-handover/rehearse/v1",
        revision,
        VERDICTS[worst(one.verdict for one in rehearsals)],
        tuple(_phase(one, run) for one in rehearsals for run in one.runs),
        tuple(map(_cluster, rehearsals)),
    )


def _phase(one: Rehearsed, run: Run) -> RehearsedPhaseShape:
    first = run.restarts[0].time if run.restarts else 0.0
    happened = run.happened
    return RehearsedPhaseShape(
        one.cluster,
        run.name,
        run.direction.value,
        VERDICTS[run.verdict],
        _ids(run.announced),
        _ids(happened.deleted),
        _ids(happened.recreated),
        _ids(happened.created),
        _ids(happened.changed),
        tuple(RestartShape(each.program, each.happening, round(each.time - first, 1)) for each in run.restarts),
        _gate(run.gates),
        tuple(map(_again, run.judgements)),
        run.is_pushed,
        run.problems,
        round(run.seconds, 1),
        tuple(MomentShape(round(moment.time - one.began, 1), moment.text) for moment in run.moments),
    )


def _again(judgement: Judgement) -> ProvedAgainShape:
    return ProvedAgainShape(
        judgement.obligation.value,
        judgement.verdict.value,
        judgement.evidence,
        counterexample_shape(judgement.counterexample) if judgement.counterexample else None,
    )


def _ids(ids: Iterable[ObjectId]) -> tuple[str, ...]:
    return tuple(id.full for id in ids)


def _gate(gates: Sequence[Observation]) -> GateSeenShape:
    seen = tuple(SeenShape(one.gate.id, one.verdict.value, one.evidence) for one in gates)
    return GateSeenShape(worst(one.verdict for one in gates).value, seen)


def _cluster(one: Rehearsed) -> RehearsedClusterShape:
    return RehearsedClusterShape(
        one.cluster,
        VERDICTS[one.verdict],
        dict(one.versions),
        tuple(map(str, one.differences)),
        tuple(LiftedShape(id.full, reason) for id, reason in one.lifted.items()),
        one.pretended,
        one.notes,
        one.problems,
        one.objects,
        round(one.start_seconds, 1),
        round(one.seconds, 1),
    )

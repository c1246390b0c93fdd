"""`plan --output json`: the phases, what each deletes, its gates, its proof, its way back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Literal

import msgspec

from flux_handover.act.describing import describe
from flux_handover.act.proved import ProvedPlan, worst
from flux_handover.plan.operations import Operation
from flux_handover.plan.phases import Gate, LiveStep, Phase, Plan
from flux_handover.proof.obligations import Judgement, Verdict
from flux_handover.proof.trace import Counterexample
from flux_handover.report.shapes.common import FindingShape, finding_shape

PlanVerdict = Literal["proved", "refuted", "unknown"]
VerdictShape = Literal["holds", "refuted", "unknown"]
_VERDICTS: dict[Verdict, PlanVerdict] = {
    Verdict.HOLDS: "proved",
    Verdict.REFUTED: "refuted",
    Verdict.UNKNOWN: "unknown",
}


class PatchShape(msgspec.Struct, frozen=True):
    """One patch of `FluxInstance.spec.kustomize.patches`, and the place it was taken from."""

    target: dict[str, str]
    patch: str
    file: str
    line: int
    changed: str


class TargetShape(msgspec.Struct, frozen=True):
    """The FluxInstance and the operator at the end."""

    cluster: str
    sync: str
    instance: str
    form: str
    operator_version: str
    flux_version: str
    components: tuple[str, ...]
    patches: tuple[PatchShape, ...]


class OperationShape(msgspec.Struct, frozen=True):
    """One intention: `+` adds, `-` removes, `~` changes."""

    operation: str
    sign: Literal["+", "-", "~"]
    subject: str
    effect: str
    file: str
    why: str


class FilesShape(msgspec.Struct, frozen=True):
    """Paths, sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


class GateShape(msgspec.Struct, frozen=True):
    """What must be seen in the cluster before the phase reaches the synced branch."""

    id: str
    object: str
    condition: str
    command: str
    expect: str
    why: str


class StepShape(msgspec.Struct, frozen=True):
    """One event of a counterexample."""

    n: int
    actor: str
    event: str


class CounterexampleShape(msgspec.Struct, frozen=True):
    """What is lost, and the events that lose it."""

    lost: tuple[str, ...]
    trace: tuple[StepShape, ...]


class JudgementShape(msgspec.Struct, frozen=True):
    """One obligation decided."""

    obligation: str
    verdict: VerdictShape
    evidence: tuple[str, ...]
    counterexample: CounterexampleShape | None
    hint: str


class WayBackShape(msgspec.Struct, frozen=True):
    """One live step of the way back; an empty command is a commit or a decision."""

    text: str
    command: str
    expect: str


class PhaseShape(msgspec.Struct, frozen=True):
    """One commit; `preflight` makes none."""

    cluster: str
    name: str
    title: str
    verdict: VerdictShape
    operations: tuple[OperationShape, ...]
    files: FilesShape
    deletes: tuple[str, ...]
    gates: tuple[GateShape, ...]
    proof: tuple[JudgementShape, ...]
    way_back: tuple[WayBackShape, ...]
    notes: tuple[str, ...]


class PlanReport(msgspec.Struct, frozen=True):
    """All phases still to be done, for every cluster that needs them; `target` is that of the first cluster."""

    schema: Literal["flux-handover/plan/v1"]
    revision: str
    verdict: PlanVerdict
    target: TargetShape | None
    targets: tuple[TargetShape, ...]
    phases: tuple[PhaseShape, ...]
    observed: tuple[str, ...]
    contradicted: tuple[str, ...]
    assumptions: tuple[str, ...]
    decisions: tuple[str, ...]
    findings: tuple[FindingShape, ...]


def plan_report(revision: str, plans: Sequence[ProvedPlan]) -> PlanReport:
    """The report of all clusters' plans."""
    targets = tuple(_target(proved.plan) for proved in plans)
    return PlanReport(
        "flux-handover/plan/v1",
        revision,
        _VERDICTS[worst(proved.verdict for proved in plans)],
        next(iter(targets), None),
        targets,
        tuple(chain.from_iterable(map(_phases, plans))),
        _once(proved.observed for proved in plans),
        _once(proved.contradicted for proved in plans),
        _once(proved.plan.assumptions for proved in plans),
        _once(proved.plan.decisions for proved in plans),
        tuple(finding_shape(finding) for proved in plans for finding in proved.plan.findings),
    )


def _phases(proved: ProvedPlan) -> Iterator[PhaseShape]:
    return (_phase(proved, phase) for phase in proved.plan.phases)


def _once(texts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(texts)))


def _target(plan: Plan) -> TargetShape:
    target = plan.target
    return TargetShape(
        plan.cluster,
        target.sync.value,
        target.instance_id.full,
        target.form.value,
        target.operator_version,
        target.flux_version,
        target.components,
        tuple(
            PatchShape(
                dict(patch.target),
                patch.patch,
                patch.where.file if patch.where else "",
                patch.where.line if patch.where else 0,
                patch.changed,
            )
            for patch in target.patches
        ),
    )


def _phase(proved: ProvedPlan, phase: Phase) -> PhaseShape:
    proof = proved.proof(phase)
    return PhaseShape(
        proved.plan.cluster,
        phase.name.value,
        phase.title,
        proof.verdict.value,
        tuple(map(_operation, phase.operations)),
        FilesShape(phase.files.added, phase.files.changed, phase.files.removed),
        tuple(id.full for id in sorted(phase.removes)),
        tuple(map(gate_shape, phase.gates)),
        tuple(map(_judgement, proof.judgements)),
        tuple(map(way_back_shape, phase.way_back)),
        phase.notes,
    )


def _operation(operation: Operation) -> OperationShape:
    words = describe(operation)
    kind = "".join(f"-{c.lower()}" if c.isupper() else c for c in type(operation).__name__).lstrip("-")
    return OperationShape(kind, words.sign, words.subject, words.effect, words.file, words.why)


def gate_shape(gate: Gate) -> GateShape:
    """The gate for programs."""
    object = gate.object.full if gate.object else ""
    return GateShape(gate.id, object, gate.condition, gate.command, gate.expect, gate.why)


def way_back_shape(step: LiveStep) -> WayBackShape:
    """The step for programs."""
    return WayBackShape(step.text, step.command, step.expect)


def _judgement(judgement: Judgement) -> JudgementShape:
    found = judgement.counterexample
    return JudgementShape(
        judgement.obligation.value,
        judgement.verdict.value,
        judgement.evidence,
        counterexample_shape(found) if found else None,
        judgement.hint,
    )


def counterexample_shape(found: Counterexample) -> CounterexampleShape:
    """The counterexample for programs."""
    steps = tuple(StepShape(step.n, step.actor, step.event) for step in found.trace)
    return CounterexampleShape(tuple(id.full for id in sorted(found.lost)), steps)

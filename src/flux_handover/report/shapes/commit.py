"""`commit --output json`: what was written, or why nothing was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from flux_handover.act.commit import Committed, gates_before
from flux_handover.act.proved import ProvedPlan
from flux_handover.plan.phases import Phase
from flux_handover.proof.obligations import Verdict
from flux_handover.report.shapes.plan import GateShape, WayBackShape, gate_shape, way_back_shape


class CommitShape(msgspec.Struct, frozen=True):
    """One commit, with what a person does with it: see the gates, push, or go back."""

    cluster: str
    phase: str
    branch: str
    sha: str
    gates: tuple[GateShape, ...]
    push: str
    way_back: tuple[WayBackShape, ...]


class RefusedShape(msgspec.Struct, frozen=True):
    """One phase that was not written because its proof does not hold."""

    cluster: str
    phase: str
    verdict: Literal["refuted", "unknown"]
    obligations: tuple[str, ...]


class CommitReport(msgspec.Struct, frozen=True):
    """The commits in order; with `--all`, the last branch holds every phase."""

    schema: Literal["flux-handover/commit/v1"]
    commits: tuple[CommitShape, ...]
    refused: tuple[RefusedShape, ...]


def commit_report(
    commits: Sequence[Committed], refused: Sequence[tuple[ProvedPlan, Phase]] = (), remote: str = "origin"
) -> CommitReport:
    """The report of what was written, or refused."""
    return CommitReport(
        "flux-handover/commit/v1",
        tuple(_commit(one, remote) for one in commits),
        tuple(_refused(*one) for one in refused),
    )


def push_command(branch: str, remote: str) -> str:
    """What a person types to publish a branch."""
    return f"git push {remote} {branch}"


def _commit(one: Committed, remote: str) -> CommitShape:
    draft = one.draft
    return CommitShape(
        draft.plan.cluster,
        draft.phase.name.value,
        draft.branch,
        one.sha,
        tuple(gate_shape(gate) for gate in gates_before(draft.plan, draft.phase)),
        push_command(draft.branch, remote),
        tuple(way_back_shape(step) for step in draft.phase.way_back),
    )


def _refused(proved: ProvedPlan, phase: Phase) -> RefusedShape:
    proof = proved.proof(phase)
    bad = tuple(one.obligation.value for one in proof.judgements if one.verdict is not Verdict.HOLDS)
    verdict: Literal["refuted", "unknown"] = "refuted" if proof.verdict is Verdict.REFUTED else "unknown"
    return RefusedShape(proved.plan.cluster, phase.name.value, verdict, bad)

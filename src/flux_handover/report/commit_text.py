"""`commit` for people: what was written, and per phase the gates, the push and the way back (contract K11)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType

from flux_handover.act.commit import Committed, deletions, gates_before
from flux_handover.act.proved import ProvedPlan
from flux_handover.objects import names
from flux_handover.plan.phases import Phase
from flux_handover.proof.obligations import Verdict
from flux_handover.report.page import Screen, command, heading, indented, quiet, rendered, text
from flux_handover.report.plan_text import gates, notes, way_back
from flux_handover.report.shapes.commit import push_command


def commit_text(commits: Sequence[Committed], remote: str, screen: Screen) -> str:
    """The page after writing."""
    return rendered(screen, _page(commits, remote))


def refusal_text(refused: Sequence[tuple[ProvedPlan, Phase]], screen: Screen) -> str:
    """The page instead of it, where a proof does not hold."""
    return rendered(screen, _refusal(refused))


def _page(commits: Sequence[Committed], remote: str) -> Iterator[RenderableType]:
    if not commits:
        yield text("nothing is left to do: no phase of the handover is missing from this revision")
        return
    for one in commits:
        draft = one.draft
        yield heading(f"{draft.branch}  {one.sha[:12]}")
        yield indented(text(deletions(draft.phase.removes)), *gates(gates_before(draft.plan, draft.phase)))
        yield indented(quiet("then"), indented(command(push_command(draft.branch, remote)), _merge(draft.phase)))
        yield indented(*notes(draft.phase))
        yield indented(*way_back(draft.phase.way_back))
        yield text("")
    yield text(_closing(commits))


def _merge(phase: Phase) -> RenderableType:
    return quiet(f"and merge it alone; {names(phase.removes)} will go" if phase.removes else "and merge it alone")


def _closing(commits: Sequence[Committed]) -> str:
    if len(commits) == 1:
        return "1 commit written, nothing pushed; when it is merged and reconciled, run flux-handover commit again"
    return (
        f"{len(commits)} commits written on stacked branches, nothing pushed; "
        "merge them one by one, each after its gates, never together"
    )


def _refusal(refused: Sequence[tuple[ProvedPlan, Phase]]) -> Iterator[RenderableType]:
    for proved, phase in refused:
        proof = proved.proof(phase)
        yield heading(f"{phase.name.value} is {proof.verdict.value}, so nothing was written")
        for judgement in proof.judgements:
            if judgement.verdict is not Verdict.HOLDS:
                evidence = indented(*(text(one) for one in judgement.evidence))
                yield indented(text(judgement.obligation.value, "bold"), evidence)
    yield text("see ").append_text(command("flux-handover plan --verbose"))

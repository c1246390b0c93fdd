"""`guard` for a pull request: the risk first, on one screen, everything else folded and escaped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from flux_handover.findings import Finding, Severity
from flux_handover.proof.deletions import Deleted
from flux_handover.proof.guard_report import GuardReport, Safety, worst
from flux_handover.report.escaping import code, markdown
from flux_handover.report.findings_text import summary
from flux_handover.report.guard_text import brief, told, total
from flux_handover.report.page import counted

ROWS = 8
MAX_DETAILS = 50
_WORDS = {
    Safety.SAFE: "safe: Flux deletes nothing that was not meant",
    Safety.UNSAFE: "unsafe",
    Safety.UNKNOWN: "unknown",
}


def guard_markdown(base: str, reports: Sequence[GuardReport]) -> str:
    """The whole comment."""
    verdict = worst(report.verdict for report in reports)
    head = reports[-1].revision if reports else base
    lines = (
        f"### Flux guard: {_WORDS[verdict]}",
        "",
        f"{code(base[:12])} to {code(head[:12])}{_steps(reports)}",
        "",
        *_risks(reports),
        *_unknown(reports),
        *_details(reports),
    )
    return "\n".join(lines).rstrip() + "\n"


def _steps(reports: Sequence[GuardReport]) -> str:
    return f", {len(reports)} commits one by one" if len(reports) > 1 else ""


def _risks(reports: Sequence[GuardReport]) -> Iterator[str]:
    """The errors, and the deletions behind them, as a short table."""
    deletes = [one for report in reports for one in report.deletes]
    deleted = {one.id for one in deletes if not one.expected}
    expected = {one.id for one in deletes if one.expected}
    if deleted:
        yield from (f"**Flux would delete {counted(len(deleted), 'object')}** that nobody meant to delete.", "")
    if expected:
        yield from (f"{counted(len(expected), 'object')} left Git on purpose: {markdown(brief(expected))}", "")
    yield from _table([one for report in reports for one in report.findings if one.severity is Severity.ERROR])


def _table(errors: Sequence[Finding]) -> Iterator[str]:
    if errors:
        yield from ("| | what |", "|---|---|")
        yield from (f"| **{markdown(one.hazard)}** | {markdown(one.message)} |" for one in errors[:ROWS])
        yield ""
    if len(errors) > ROWS:
        yield from (f"and {len(errors) - ROWS} more errors, below", "")


def _unknown(reports: Sequence[GuardReport]) -> Iterator[str]:
    sentences = list(dict.fromkeys(chain.from_iterable(report.undecided for report in reports)))
    if sentences:
        yield from ("**Not decided:**", "", *(f"- {markdown(sentence)}" for sentence in sentences[:ROWS]))
        yield from ((f"- and {len(sentences) - ROWS} more",) if len(sentences) > ROWS else ())
        yield ""


def _details(reports: Sequence[GuardReport]) -> Iterator[str]:
    told = [report for report in reports if report.deletes or report.findings or report.waived]
    for report in told[:MAX_DETAILS]:
        yield from _folded(f"{report.revision[:12]}: {summary(report.findings)}", tuple(_step(report)))
    if len(told) > MAX_DETAILS:
        yield f"{len(told) - MAX_DETAILS} further commits have findings; see the JSON report."


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ("<details>", f"<summary>{markdown(title)}</summary>", "", *lines, "", "</details>", "")


def _step(report: GuardReport) -> Iterator[str]:
    yield from (_deleted(report, one) for one in report.direct)
    yield from (_finding(finding) for finding in report.findings if finding.severity is not Severity.INFO)
    yield from map(_trace, told(report, [one for one in report.deletes[:ROWS] if not one.cascade]))
    for waived in report.waived:
        waiver = waived.waiver
        yield f"- waived: {code(waiver.code)} {code(waiver.object)}: {markdown(waiver.reason)}"


def _deleted(report: GuardReport, one: Deleted) -> str:
    below = total(report, [one]) - {one.id}
    also = f", and with it {brief(below)}" if below else ""
    meant = " (meant)" if one.expected else ""
    return f"- deletes {code(str(one.id))}{meant}: {markdown(one.reason + also)}"


def _finding(finding: Finding) -> str:
    where = f" ({code(str(finding.where))})" if finding.where else ""
    hint = f" {markdown(finding.hint)}" if finding.hint else ""
    return f"- {finding.severity.value} **{markdown(finding.hazard)}**: {markdown(finding.message)}{where}.{hint}"


def _trace(one: Deleted) -> str:
    steps = "".join(f"\n  {step.n}. {markdown(f'{step.actor} {step.event}')}" for step in one.counterexample.trace)
    return f"- how {code(str(one.id))} is lost:{steps}"

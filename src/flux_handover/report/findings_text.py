"""Findings for people: the worst first, each with its place and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import RenderableType

from flux_handover.findings import Finding, Location, Severity
from flux_handover.report.page import columns, counted, heading, quiet, state, text

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def findings_page(findings: Iterable[Finding]) -> Iterator[RenderableType]:
    """A section of findings, or nothing where there are none."""
    ordered = sorted(findings, key=_rank)
    if not ordered:
        return
    yield heading(f"Findings: {summary(ordered)}")
    yield columns(row for finding in ordered for row in _rows(finding))
    yield text("")


def summary(findings: Iterable[Finding]) -> str:
    """`1 error, 2 warnings`."""
    found = [finding.severity for finding in findings]
    nouns = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
    counts = ((found.count(severity), nouns[severity]) for severity in _ORDER)
    return ", ".join(counted(number, noun) for number, noun in counts if number) or "none"


def _rank(finding: Finding) -> tuple[object, ...]:
    where = finding.where or Location("")
    return (_ORDER.index(finding.severity), finding.grade, finding.hazard, where, finding.message)


def _rows(finding: Finding) -> Iterator[tuple[RenderableType, ...]]:
    yield state(finding.severity.value), text(finding.hazard, "bold"), text(finding.message)
    if finding.where:
        yield text(""), text(""), quiet(str(finding.where))
    if finding.hint:
        yield text(""), text(""), text(f"hint: {finding.hint}")

"""`guard --output sarif`: every finding of every step; the rules are the hazards, and what has none is a rule too."""

from __future__ import annotations

from collections.abc import Sequence

from flux_handover.findings import Finding, Severity
from flux_handover.proof.guard_report import GuardReport
from flux_handover.report.hazard_explanations import HAZARDS, UNDECIDED, WAIVER
from flux_handover.report.sarif import sarif


def guard_sarif(reports: Sequence[GuardReport]) -> str:
    """The log of a range; what is undecided is a warning of its own."""
    findings = tuple(dict.fromkeys(finding for report in reports for finding in report.findings))
    return sarif((*findings, *_undecided(reports)), (*HAZARDS, WAIVER, UNDECIDED))


def _undecided(reports: Sequence[GuardReport]) -> tuple[Finding, ...]:
    sentences = dict.fromkeys(sentence for report in reports for sentence in report.undecided)
    return tuple(Finding(UNDECIDED.code, Severity.WARNING, "S2", sentence) for sentence in sentences)

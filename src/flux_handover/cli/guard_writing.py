"""Judging what `guard` was asked, and writing it: at once for people, as one page for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from flux_handover.adapters.answers import Answer
from flux_handover.cli.ahead import Ahead
from flux_handover.cli.guarding import Asked, reports
from flux_handover.cli.reading import Opened
from flux_handover.cli.showing import screen
from flux_handover.cli.writing import write
from flux_handover.findings import Severity
from flux_handover.proof.guard_report import GuardReport, Safety, worst
from flux_handover.proof.seen import Sights
from flux_handover.report.guard_markdown import guard_markdown
from flux_handover.report.guard_sarif import guard_sarif
from flux_handover.report.guard_text import guard_text
from flux_handover.report.shapes.common import encoded
from flux_handover.report.shapes.guard import guard_report


@dataclass(frozen=True, slots=True)
class Wanted:
    """By what is judged beside the revisions, and how the answer is to look."""

    depth: int
    observed: Path | None
    output: str
    verbose: bool
    fail_on: str


def answered(tools: Opened, ahead: Ahead, wanted: Wanted) -> Answer:
    """Judge, write, and say what was written and the exit status."""
    found = reports(tools, Asked(wanted.depth, _sights(wanted.observed)), ahead, date.today())
    if wanted.output == "text":
        pages = tuple(_streamed(found, wanted.verbose))
        shown = tuple(report for report, _ in pages)
        return Answer("".join(page for _, page in pages), _status(shown, wanted.fail_on))
    shown = tuple(found)
    page = _page(ahead.range.base, shown, wanted.output)
    write(page)
    return Answer(page, _status(shown, wanted.fail_on))


def _sights(file: Path | None) -> Sights:
    if file is None:
        return {}
    # What reads a live cluster brings a client of Kubernetes along, which takes as long to load as the judge.
    from flux_handover.act.observed import sights_of
    from flux_handover.cli.observing import observed_cluster

    return sights_of(observed_cluster(file))


def _streamed(found: Iterator[GuardReport], verbose: bool) -> Iterator[tuple[GuardReport, str]]:
    """Each report with its page, which is written as soon as it is there."""
    for report in found:
        page = guard_text(report, screen(verbose))
        write(page)
        yield report, page


def _page(base: str, shown: tuple[GuardReport, ...], output: str) -> str:
    match output:
        case "json":
            return encoded(guard_report(base, shown))
        case "sarif":
            return guard_sarif(shown)
        case _:
            return guard_markdown(base, shown)


def _status(shown: tuple[GuardReport, ...], fail_on: str) -> int:
    verdict = worst(report.verdict for report in shown)
    warned = any(f.severity is Severity.WARNING for report in shown for f in report.findings)
    if verdict is Safety.UNSAFE or (fail_on == "warning" and warned):
        return 1
    return 2 if verdict is Safety.UNKNOWN else 0

"""`guard`: what Flux would delete or stop building between two revisions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from flux_handover.cli.guarding import Asked, Each, range_of, reports, staged_range
from flux_handover.cli.options import AllowNetwork, FailOn, Root, Verbose
from flux_handover.cli.reading import opened
from flux_handover.cli.showing import screen, write
from flux_handover.findings import Severity
from flux_handover.model.building import Network
from flux_handover.proof.guard_report import GuardReport, Safety, worst

Format = Literal["text", "json", "markdown", "sarif"]


def guard(
    *revisions: Annotated[str, Parameter(name="REVISION", help="BASE HEAD, BASE..HEAD, or only HEAD.")],
    each: Annotated[
        bool,
        Parameter(
            show_default=False, negative=(), help="Judge every first-parent commit, as if each were pushed alone."
        ),
    ] = False,
    staged: Annotated[
        bool, Parameter(show_default=False, negative=(), help="Judge what is staged against the last commit.")
    ] = False,
    repository: Annotated[Path, Parameter(name="--repository", help="The repository, or a directory in it.")] = Path(),
    root: Root = "",
    depth: Annotated[
        int, Parameter(help="How many commits to look back for what a broken Kustomization applied last.")
    ] = 100,
    fail_on: FailOn = "error",
    allow_network: AllowNetwork = False,
    output: Annotated[
        Format, Parameter(name="--output", help="For people, programs, a pull request, or code scanning.")
    ] = "text",
    verbose: Verbose = False,
) -> int:
    """Compare two revisions, and refuse what would delete or break; write nothing and ask no cluster.

    Exit status: 0 safe; 1 an error, or with --fail-on warning a warning; 2 unknown, or it could not run.
    """
    asked = Asked(root, Network.ALLOWED if allow_network else Network.DENIED, depth)
    with opened(repository) as tools:
        if staged:
            range = staged_range(tools.repository)
        else:
            range = range_of(tools.repository, revisions, Each.ALONE if each else Each.TOGETHER)
        found = reports(tools, asked, range, date.today())
        shown = tuple(_streamed(found, verbose) if output == "text" else found)
    if output != "text":
        write(_page(range.base, shown, output))
    return _status(shown, fail_on)


def _streamed(found: Iterator[GuardReport], verbose: bool) -> Iterator[GuardReport]:
    """Each report, written as soon as it is there."""
    from flux_handover.report.guard_text import guard_text

    for report in found:
        write(guard_text(report, screen(verbose)))
        yield report


def _page(base: str, shown: tuple[GuardReport, ...], output: str) -> str:
    if output == "json":
        from flux_handover.report.shapes.common import encoded
        from flux_handover.report.shapes.guard import guard_report

        return encoded(guard_report(base, shown))
    if output == "sarif":
        from flux_handover.report.guard_sarif import guard_sarif

        return guard_sarif(shown)
    from flux_handover.report.guard_markdown import guard_markdown

    return guard_markdown(base, shown)


def _status(shown: tuple[GuardReport, ...], fail_on: str) -> int:
    verdict = worst(report.verdict for report in shown)
    warned = any(f.severity is Severity.WARNING for report in shown for f in report.findings)
    if verdict is Safety.UNSAFE or (fail_on == "warning" and warned):
        return 1
    return 2 if verdict is Safety.UNKNOWN else 0

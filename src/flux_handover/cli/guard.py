"""`guard`: what Flux would delete or stop building between two revisions."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from flux_handover.adapters.answers import answers, question
from flux_handover.adapters.git import Repository
from flux_handover.cli.options import AllowNetwork, FailOn, ObservedFile, Root, Verbose
from flux_handover.cli.revisions import named
from flux_handover.cli.writing import write
from flux_handover.errors import HandoverError

Format = Literal["text", "json", "markdown", "sarif"]


def guard(
    *revisions: Annotated[str, Parameter(name="REVISION", help="BASE HEAD, BASE..HEAD, BASE...HEAD, or only HEAD.")],
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
    observed: ObservedFile = None,
    allow_network: AllowNetwork = False,
    output: Annotated[
        Format, Parameter(name="--output", help="For people, programs, a pull request, or code scanning.")
    ] = "text",
    verbose: Verbose = False,
) -> int:
    """Compare two revisions, and refuse what would delete or break; write nothing and ask no cluster.

    Exit status: 0 safe; 1 an error, or with --fail-on warning a warning; 2 unknown, or it could not run.
    """
    known = answers()
    asked, ends = (
        ("", revisions)
        if each or staged or observed or allow_network
        else _question(repository, revisions, root, depth, fail_on)
    )
    key = question((asked, output, verbose, _terminal(), date.today())) if asked else ""
    answer = known.find(key) if key else None
    if answer is not None:
        write(answer.page)
        return answer.status
    # What judges takes longer to load than an answer that is known takes to be found.
    from flux_handover.cli.guard_pages import Judged, judged

    answer = judged(
        Judged(repository, ends, each, staged, root, depth, allow_network, observed), output, verbose, fail_on
    )
    if key:
        known.keep(key, answer)
    return answer.status


def _question(repository: Path, revisions: tuple[str, ...], *arguments: object) -> tuple[str, tuple[str, ...]]:
    """Which two commits are compared, and by which arguments; empty where that is not clear, or may change.

    The second value is the ids of the commits, so that they need not be looked up again.
    """
    try:
        ends = named(revisions)
        if len(ends) != 2:
            return "", revisions
        with Repository.open(repository) as opened:
            commits = tuple(opened.resolve(end) for end in ends)
            known = "" if opened.is_shallow else question((commits, opened.git_dir, *arguments))
            return known, commits
    except HandoverError:
        return "", revisions


def _terminal() -> tuple[object, ...]:
    """Whatever a page is laid out by."""
    shown = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    return shown, os.environ.get("NO_COLOR"), os.environ.get("TERM"), sys.stdout.encoding

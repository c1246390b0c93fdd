"""What `guard` was asked: opened and begun, while the rest of the program is still loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flux_handover.adapters.answers import Answer
from flux_handover.cli.ahead import Ahead
from flux_handover.cli.ranges import Each, Range, range_of, staged_range
from flux_handover.cli.reading import Opened, opened
from flux_handover.model.building import Network
from flux_handover.model.reading import Reading


@dataclass(frozen=True, slots=True)
class Judged:
    """What is judged, as the arguments say it."""

    repository: Path
    revisions: tuple[str, ...]
    each: bool
    staged: bool
    root: str
    depth: int
    allow_network: bool
    observed: Path | None = None


def judged(wanted: Judged, output: str, verbose: bool, fail_on: str) -> Answer:
    """Judge, write, and say what was written and the exit status."""
    reading = Reading(wanted.root or None, Network.ALLOWED if wanted.allow_network else Network.DENIED)
    with opened(wanted.repository) as tools, Ahead(tools, _range(wanted, tools), reading) as ahead:
        # The engine builds meanwhile, on another processor.
        from flux_handover.cli.guard_writing import Wanted, answered

        return answered(tools, ahead, Wanted(wanted.depth, wanted.observed, output, verbose, fail_on))


def _range(wanted: Judged, tools: Opened) -> Range:
    each = Each.ALONE if wanted.each else Each.TOGETHER
    if wanted.staged:
        return staged_range(tools.repository, wanted.revisions, each)
    return range_of(tools.repository, wanted.revisions, each)

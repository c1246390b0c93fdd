"""Judging the revisions of a range, one report for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

from flux_handover.adapters.git import Repository
from flux_handover.cli.ahead import Ahead
from flux_handover.cli.ranges import short
from flux_handover.cli.reading import Opened
from flux_handover.errors import UsageError
from flux_handover.model.snapshot import Snapshot
from flux_handover.proof.guard import Point, Start, guard
from flux_handover.proof.guard_bases import known_at
from flux_handover.proof.guard_report import GuardReport
from flux_handover.proof.seen import Sights, is_of
from flux_handover.tree import Tree
from flux_handover.waivers import Waiver, applied, complaints, read_waivers


@dataclass(frozen=True, slots=True)
class Asked:
    """What a guard is asked beside the range."""

    depth: int = 100
    sights: Sights = field(default_factory=dict)


def reports(tools: Opened, asked: Asked, ahead: Ahead, today: date) -> Iterator[GuardReport]:
    """One report for each revision of a range, waivers of the base applied."""
    range = ahead.range
    tools.progress(f"reading {short(range.base)}")
    tree = ahead.tree(range.base)
    ancestors = _ancestors(tools.repository, range.base, asked.depth)
    (*lead, base), bases = known_at(ahead.read(tree, range.base, None), ancestors, ahead.read)
    start = Start(base, bases, _sights(asked, base), tuple(lead))
    waivers = read_waivers(tree)
    used: set[Waiver] = set()
    last = len(range.heads)
    for number, report in enumerate(guard(start, _points(tools, ahead), ahead.read, tools.engine), 1):
        sorted_ = applied(waivers, report.findings, report.undecided, today)
        used |= {waived.waiver for waived in sorted_.waived}
        left = complaints(waivers, used, today) if number == last else ()
        yield replace(report, findings=(*sorted_.findings, *left), undecided=sorted_.undecided, waived=sorted_.waived)


def _sights(asked: Asked, base: Snapshot) -> Sights:
    """What was seen of the live cluster; it must be one of this repository's."""
    if asked.sights and not any(is_of(asked.sights, cluster) for cluster in base.clusters):
        raise UsageError(
            "the observed facts are of no cluster of this repository: none has its root with the same path",
            hint="write them on the cluster that follows this repository, or leave --observed out",
        )
    return asked.sights


def _points(tools: Opened, ahead: Ahead) -> Iterator[Point]:
    heads = ahead.range.heads
    for number, head in enumerate(heads, 1):
        tools.progress(f"judging {short(head)} ({number} of {len(heads)})")
        yield Point(head, ahead.tree(head))


def _ancestors(repository: Repository, base: str, depth: int) -> Iterator[tuple[str, Callable[[], Tree]]]:
    for sha in repository.history(base, depth + 1)[1:]:
        yield sha, partial(repository.read_tree, sha)

"""From arguments to the revisions that are judged: two, every one between, or what is staged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import Enum
from functools import partial

from flux_handover.adapters.git import Repository
from flux_handover.cli.reading import Opened
from flux_handover.cli.revisions import DOTS, named
from flux_handover.cli.showing import note
from flux_handover.errors import UnreadableRepository, UsageError
from flux_handover.model.building import Network
from flux_handover.model.detection import detect
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.model.snapshot import Snapshot
from flux_handover.proof.guard import Point, Start, guard
from flux_handover.proof.guard_bases import known_at
from flux_handover.proof.guard_report import GuardReport
from flux_handover.proof.seen import Sights, is_of
from flux_handover.tree import Tree
from flux_handover.waivers import Waiver, applied, complaints, read_waivers

STAGED = "staged"
_MAIN_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


class Each(Enum):
    """Whether the commits between two revisions arrive together or one by one (rules.md R2)."""

    TOGETHER = "together"
    ALONE = "alone"


@dataclass(frozen=True, slots=True)
class Range:
    """What is judged: from one commit to another, or to what is staged."""

    base: str
    heads: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a guard is asked beside the range."""

    root: str = ""
    network: Network = Network.DENIED
    depth: int = 100
    sights: Sights = field(default_factory=dict)


def staged_range(repository: Repository, revisions: Sequence[str], each: Each) -> Range:
    """From the last commit to what is staged."""
    if revisions or each is Each.ALONE:
        raise UsageError("what is staged is compared with the last commit alone", hint="leave out what is beside it")
    if repository.is_bare:
        raise UsageError("a bare repository has nothing staged", where=str(repository.path))
    return Range(repository.resolve("HEAD"), (STAGED,))


def range_of(repository: Repository, revisions: Sequence[str], each: Each) -> Range:
    """The range that one or two revisions name."""
    base, head = _ends(repository, revisions)
    common = _common(repository, base, head)
    if common not in (base, head):
        note(f"what only {_short(base)} has counts as removed; to compare from {_short(common)}, write BASE...HEAD")
    if each is Each.TOGETHER:
        return Range(base, (head,))
    heads = repository.first_parents(base, head)
    if not heads and base != head:
        raise UsageError(f"no commit leads from {_short(base)} to {_short(head)}", hint="write the older one first")
    return Range(base, heads)


def _common(repository: Repository, base: str, head: str) -> str:
    common = repository.merge_base(base, head)
    if common is None:
        raise UsageError(
            f"{_short(base)} and {_short(head)} have no commit in common",
            where=str(repository.path),
            hint="name two revisions of one history; in a CI checkout, fetch all of it",
        )
    return common


def _ends(repository: Repository, revisions: Sequence[str]) -> tuple[str, str]:
    if len(revisions) == 1 and DOTS in revisions[0]:
        base, head = (repository.resolve(end or "HEAD") for end in revisions[0].split(DOTS, 1))
        return _common(repository, base, head), head
    match named(revisions):
        case [base, head]:
            return repository.resolve(base), repository.resolve(head)
        case [head]:
            return _since_branching(repository, repository.resolve(head))
        case []:
            raise UsageError("say which revisions to compare", hint="flux-handover guard BASE HEAD, or guard --staged")
        case _:
            raise UsageError("more than two revisions", hint="flux-handover guard BASE HEAD")


def _since_branching(repository: Repository, head: str) -> tuple[str, str]:
    """The merge base with the default branch, for a single revision; said, since it was not asked for."""
    for branch in _MAIN_BRANCHES:
        try:
            main = repository.resolve(branch)
        except UnreadableRepository:
            continue
        base = repository.merge_base(main, head)
        if base is not None and base != head:
            note(f"comparing with {_short(base)}, where this branched off {branch}")
            return base, head
    raise UsageError("nothing to compare with was found", hint="name two revisions: flux-handover guard BASE HEAD")


def _short(revision: str) -> str:
    return revision[:12]


def reports(tools: Opened, asked: Asked, range: Range, today: date) -> Iterator[GuardReport]:
    """One report for each revision of a range, waivers of the base applied."""
    read = partial(_read, tools, asked)
    tools.progress(f"reading {_short(range.base)}")
    tree = tools.repository.read_tree(range.base)
    ancestors = _ancestors(tools.repository, range.base, asked.depth)
    (*lead, base), bases = known_at(read(tree, range.base, None), ancestors, read)
    start = Start(base, bases, _sights(asked, base), tuple(lead))
    points = _points(tools, range)
    waivers = read_waivers(tree)
    used: set[Waiver] = set()
    last = len(range.heads)
    for number, report in enumerate(guard(start, points, read, tools.engine), 1):
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


def _points(tools: Opened, range: Range) -> Iterator[Point]:
    total = len(range.heads)
    for number, head in enumerate(range.heads, 1):
        tools.progress(f"judging {_short(head)} ({number} of {total})")
        tree = tools.repository.read_index() if head == STAGED else tools.repository.read_tree(head)
        yield Point(head, tree)


def _ancestors(repository: Repository, base: str, depth: int) -> Iterator[tuple[str, Callable[[], Tree]]]:
    for sha in repository.history(base, depth + 1)[1:]:
        yield sha, partial(repository.read_tree, sha)


def _read(tools: Opened, asked: Asked, tree: Tree, name: str, previous: Snapshot | None) -> Snapshot:
    reading = Reading(asked.root or None, asked.network, lambda _: None)
    return take_snapshot(tree, name, tools.engine, detect, reading, previous)

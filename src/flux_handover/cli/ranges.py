"""From arguments to the revisions that are judged: two, every one between, or what is staged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from flux_handover.adapters.git import Repository
from flux_handover.cli.progress import note
from flux_handover.cli.revisions import DOTS, named
from flux_handover.errors import UnreadableRepository, UsageError

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
        note(f"what only {short(base)} has counts as removed; to compare from {short(common)}, write BASE...HEAD")
    if each is Each.TOGETHER:
        return Range(base, (head,))
    heads = repository.first_parents(base, head)
    if not heads and base != head:
        raise UsageError(f"no commit leads from {short(base)} to {short(head)}", hint="write the older one first")
    return Range(base, heads)


def _common(repository: Repository, base: str, head: str) -> str:
    common = repository.merge_base(base, head)
    if common is None:
        raise UsageError(
            f"{short(base)} and {short(head)} have no commit in common",
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
            note(f"comparing with {short(base)}, where this branched off {branch}")
            return base, head
    raise UsageError("nothing to compare with was found", hint="name two revisions: flux-handover guard BASE HEAD")


def short(revision: str) -> str:
    """A commit as people read it."""
    return revision[:12]

"""The registry of hazards: each is documented where it is decided, and one runner asks them all.

A hazard of a tree is asked of both sides, and only what is new on the second counts: what was there before
is a finding of `inspect`, not of a change. Hazards of a pair and of a series see both sides and the judge's outcome.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from flux_handover.findings import Finding, Location, Severity
from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Cluster
from flux_handover.objects import Object, ObjectId
from flux_handover.proof.deletions import Deleted
from flux_handover.proof.series import Breach
from flux_handover.tree import Tree


class Decided(Enum):
    """What a hazard is decided from (contract K5); `live` ones need a cluster and are gates."""

    TREE = "tree"
    PAIR = "pair"
    SERIES = "series"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class View:
    """One cluster at one revision; `instance` are the objects that its FluxInstance renders, as far as is known."""

    tree: Tree
    cluster: Cluster
    installation: Installation
    instance: tuple[Object, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """One cluster before and after a change, what is deleted, and what else goes wrong in some order.

    `frozen` gives, for each Kustomization that is not ready at the end, the reason; `codes` the hazard of
    each deletion that was not meant (`losses.coded`).
    """

    before: View
    after: View
    deletes: tuple[Deleted, ...] = ()
    breaches: tuple[Breach, ...] = ()
    frozen: Mapping[ObjectId, str] = field(default_factory=dict)
    codes: Mapping[ObjectId, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sign:
    """A hazard in one place; severity and grade are those of the hazard where they are not given."""

    message: str
    subject: ObjectId | None = None
    where: Location | None = None
    hint: str = ""
    severity: Severity | None = None
    grade: str = ""


TreeCheck = Callable[[View], Iterator[Sign]]
PairCheck = Callable[[Pair], Iterator[Sign]]


@dataclass(frozen=True, slots=True)
class Hazard:
    """One code: title, worst grade, what decides it, and its documentation in parts."""

    code: str
    title: str
    grade: str
    severity: Severity
    decided: Decided
    what: str
    why: str
    example: str
    do: str
    of_tree: TreeCheck | None = None
    of_pair: PairCheck | None = None


_HAZARDS: dict[str, Hazard] = {}
_PARTS = ("Why:", "Example:", "Do:")


def in_tree(
    code: str, title: str, grade: str, severity: Severity = Severity.WARNING
) -> Callable[[TreeCheck], TreeCheck]:
    """Registers a check of one side."""

    def register(check: TreeCheck) -> TreeCheck:
        _add(code, title, grade, severity, Decided.TREE, check.__doc__, of_tree=check)
        return check

    return register


def in_pair(
    code: str, title: str, grade: str, severity: Severity = Severity.ERROR, decided: Decided = Decided.PAIR
) -> Callable[[PairCheck], PairCheck]:
    """Registers a check of two sides, or of a series."""

    def register(check: PairCheck) -> PairCheck:
        _add(code, title, grade, severity, decided, check.__doc__, of_pair=check)
        return check

    return register


def also_in_pair(code: str) -> Callable[[PairCheck], PairCheck]:
    """Adds what only two sides show to a hazard of a tree."""

    def register(check: PairCheck) -> PairCheck:
        _HAZARDS[code] = replace(_HAZARDS[code], of_pair=check)
        return check

    return register


def live(code: str, title: str, grade: str, documentation: str) -> None:
    """Registers a hazard that only a cluster shows: it has its page and a gate, and no check."""
    _add(code, title, grade, Severity.WARNING, Decided.LIVE, documentation)


def _add(
    code: str,
    title: str,
    grade: str,
    severity: Severity,
    decided: Decided,
    documentation: str | None,
    of_tree: TreeCheck | None = None,
    of_pair: PairCheck | None = None,
) -> None:
    assert code not in _HAZARDS, code
    what, why, example, do = parts_of(documentation or "")
    _HAZARDS[code] = Hazard(code, title, grade, severity, decided, what, why, example, do, of_tree, of_pair)


def parts_of(documentation: str) -> tuple[str, str, str, str]:
    """What, why, example and what to do, from a docstring."""
    text = inspect.cleandoc(documentation)
    found = {part: text.find(f"\n{part}") for part in _PARTS}
    ends = [*sorted(at for at in found.values() if at >= 0), len(text)]

    def part(start: int, word: str) -> str:
        end = next(at for at in ends if at > start)
        return " ".join(text[start:end].replace(word, "", 1).split())

    return part(0, ""), *(part(found[word], word) if found[word] >= 0 else "" for word in _PARTS)  # type: ignore[return-value]


def hazards() -> tuple[Hazard, ...]:
    """All that are registered, in the order of the catalogue."""
    return tuple(sorted(_HAZARDS.values(), key=lambda one: ("GOAVB".index(one.code[0]), int(one.code[1:]))))


def signs_of(view: View) -> dict[str, tuple[Sign, ...]]:
    """By code, what one side alone shows."""
    checks = ((one.code, one.of_tree) for one in hazards())
    return {code: tuple(check(view)) for code, check in checks if check is not None}


def findings_of(view: View) -> tuple[Finding, ...]:
    """Everything that one side alone shows, as findings."""
    return tuple(finding_of(code, sign, view.cluster.name) for code, signs in signs_of(view).items() for sign in signs)


def findings_between(
    pair: Pair, old: Mapping[str, tuple[Sign, ...]], new: Mapping[str, tuple[Sign, ...]]
) -> Iterator[Finding]:
    """What the change brings: new signs of the second side, and what only both sides together show."""
    name = pair.after.cluster.name
    # What lacks an object that this change deletes is told with the deletion.
    gone = frozenset(deleted.id for deleted in pair.deletes if not deleted.recreated)
    for one in hazards():
        between = tuple(one.of_pair(pair)) if one.of_pair is not None else ()
        told = gone.union(sign.subject for sign in between if sign.subject)
        fresh = _fresh(old.get(one.code, ()), new.get(one.code, ()), told)
        yield from (finding_of(one.code, sign, name) for sign in (*fresh, *between))


def _fresh(old: Iterable[Sign], new: Iterable[Sign], told: frozenset[ObjectId]) -> Iterator[Sign]:
    """Signs that were not there before, of what nobody told yet."""
    known = {_key(sign) for sign in old}
    return (sign for sign in new if _key(sign) not in known and sign.subject not in told)


def _key(sign: Sign) -> tuple[object, ...]:
    """What makes a sign the same on both sides: not its line, which moves, and not its file, which may be renamed."""
    return (sign.subject, sign.message) if sign.subject else (sign.message, sign.where.file if sign.where else "")


def finding_of(code: str, sign: Sign, cluster: str) -> Finding:
    """The sign as a finding of its hazard."""
    one = _HAZARDS[code]
    return Finding(
        hazard=code,
        severity=sign.severity or one.severity,
        grade=sign.grade or one.grade,
        message=sign.message,
        where=sign.where,
        hint=sign.hint or one.do,
        subject=sign.subject.full if sign.subject else "",
        cluster=cluster,
    )

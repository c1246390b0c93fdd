"""Waivers: findings that a person accepted by code, object and reason, in `.flux-handover.toml`.

They are read from the base, so that a change cannot waive itself, and each is printed where it is used.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from flux_handover.errors import UnreadableRepository
from flux_handover.findings import Finding, Location, Severity
from flux_handover.objects import parse_id, text_at
from flux_handover.tree import Tree

FILE = ".flux-handover.toml"
UNKNOWN = "unknown"
"""The code of a waiver that accepts what could not be decided."""

_KEYS = {"code", "object", "reason", "until"}


@dataclass(frozen=True, slots=True)
class Waiver:
    """One `[[waive]]`; `object` is a full or short id, `until` the last day on which it holds, or None."""

    code: str
    object: str
    reason: str
    until: date | None
    where: Location


@dataclass(frozen=True, slots=True)
class Waived:
    """One finding or undecided sentence that a waiver covers."""

    waiver: Waiver
    message: str


@dataclass(frozen=True, slots=True)
class Sorted:
    """Findings and undecided sentences that count, those that are waived, and the waivers that were used."""

    findings: tuple[Finding, ...]
    undecided: tuple[str, ...]
    waived: tuple[Waived, ...]


def read_waivers(tree: Tree) -> tuple[Waiver, ...]:
    """The waivers of a revision; raises where the file is not what it should be."""
    if FILE not in tree or tree.files[FILE].content is None:
        return ()
    text = tree.read(FILE).decode("utf-8", "replace")
    entries = _entries(text)
    lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip().startswith("[[waive]]")]
    return tuple(
        _waiver(entry, Location(FILE, line)) for entry, line in zip(entries, _padded(lines, entries), strict=True)
    )


def _entries(text: str) -> list[Any]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UnreadableRepository(f"not TOML: {error}", where=FILE) from error
    entries = document.get("waive", [])
    if not isinstance(entries, list):
        raise UnreadableRepository("waive is not a list", where=FILE, hint="write [[waive]] before each waiver")
    return entries


def _padded(lines: list[int], entries: list[Any]) -> list[int]:
    return [*lines, *(0 for _ in range(len(entries) - len(lines)))][: len(entries)]


def _waiver(entry: Mapping[str, Any], where: Location) -> Waiver:
    if not isinstance(entry, Mapping):
        raise UnreadableRepository("a waiver is not a table", where=str(where), hint="write [[waive]] before it")
    problems = [
        *(f"does not know {key!r}" for key in sorted(set(entry) - _KEYS)),
        *(f"lacks {key!r}" for key in ("code", "object", "reason") if not text_at(entry, key).strip()),
    ]
    if problems:
        raise UnreadableRepository(
            f"a waiver {problems[0]}", where=str(where), hint="code, object and reason; until if you like"
        )
    return Waiver(
        str(entry["code"]), str(entry["object"]), str(entry["reason"]).strip(), _until(entry.get("until"), where), where
    )


def _until(value: Any, where: Location) -> date | None:
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise UnreadableRepository("until is not a date", where=str(where), hint="write it as 2030-12-31") from error


def applied(waivers: Iterable[Waiver], findings: Iterable[Finding], undecided: Iterable[str], today: date) -> Sorted:
    """What is left after the waivers that still hold."""
    valid = [waiver for waiver in waivers if not is_expired(waiver, today)]
    of_findings = _covered(findings, valid, _covers)
    of_sentences = _covered(undecided, valid, _covers_sentence)
    waived = (
        *(Waived(waiver, finding.message) for finding, waiver in of_findings.items() if waiver),
        *(Waived(waiver, sentence) for sentence, waiver in of_sentences.items() if waiver),
    )
    return Sorted(_left(of_findings), _left(of_sentences), waived)


T = TypeVar("T")


def _covered(
    things: Iterable[T], waivers: Iterable[Waiver], covers: Callable[[Waiver, T], bool]
) -> dict[T, Waiver | None]:
    """The first waiver of each, if there is one."""
    return {one: next((waiver for waiver in waivers if covers(waiver, one)), None) for one in things}


def _left(covered: Mapping[T, Waiver | None]) -> tuple[T, ...]:
    return tuple(one for one, waiver in covered.items() if waiver is None)


def is_expired(waiver: Waiver, today: date) -> bool:
    """Whether the last day of a waiver is over."""
    return waiver.until is not None and waiver.until < today


def complaints(waivers: Iterable[Waiver], used: Iterable[Waiver], today: date) -> tuple[Finding, ...]:
    """Warnings about waivers that are over, or that matched nothing."""
    matched = frozenset(used)
    return tuple(_complaint(waiver, today) for waiver in waivers if waiver not in matched)


def _complaint(waiver: Waiver, today: date) -> Finding:
    if is_expired(waiver, today):
        said, hint = f"ended on {waiver.until}, so it accepts nothing", "remove it, or give it a new date"
    else:
        said, hint = "matches nothing", "remove it; what it accepted is gone"
    message = f"the waiver of {waiver.code} for {waiver.object} {said}"
    return Finding("waiver", Severity.WARNING, "S4", message, waiver.where, hint)


def _covers(waiver: Waiver, finding: Finding) -> bool:
    return waiver.code == finding.hazard and waiver.object in _spellings(finding)


def _covers_sentence(waiver: Waiver, sentence: str) -> bool:
    return waiver.code == UNKNOWN and waiver.object in sentence


def _spellings(finding: Finding) -> set[str]:
    """A full id, the same as people write it, and for a finding without an object its file."""
    if finding.subject:
        return {finding.subject, str(parse_id(finding.subject))}
    return {finding.where.file} if finding.where else set()

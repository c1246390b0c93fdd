"""Versions and version ranges, as the operator's semver library reads them.

`github.com/Masterminds/semver/v3@v3.5.0`: alternatives are parted by `||`, conditions of one
alternative by comma or space; `2.6`, `2.6.x` and `2.6.*` leave a part open. Flux and the
operator are released without pre-release parts, so those match nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Version = tuple[int, int, int]

_EXACT = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_PART = r"(\d+|[xX*])"
_CONDITION = re.compile(
    rf"(==?|!=|>=|=>|<=|=<|>|<|~>?|\^)?\s*v?{_PART}(?:\.{_PART})?(?:\.{_PART})?(?P<before>-[\w.-]+)?(?:\+[\w.-]+)?"
)
_SPACED = re.compile(r"([=!<>~^])\s+")
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")


class MalformedRange(ValueError):
    """A text that is no version range."""


def number(text: str) -> Version:
    """`v2.6.4` and `2.6.4` as (2, 6, 4); raises ValueError for any other shape."""
    match = _EXACT.fullmatch(text)
    if match is None:
        raise ValueError(f"not a version: {text}")
    return (int(match[1]), int(match[2]), int(match[3]))


def is_at_least(version: str, floor: str) -> bool:
    """Whether `version` is `floor` or newer."""
    return number(version) >= number(floor)


def newest_match(expression: str, candidates: Iterable[str]) -> str | None:
    """The newest candidate that the range allows; raises MalformedRange for a text that is no range."""
    alternatives = [_conditions(part) for part in expression.split("||")]
    if not all(alternatives):
        raise MalformedRange('improper constraint: ""')
    allowed = (version for version in candidates if any(_holds(all_of, number(version)) for all_of in alternatives))
    return max(allowed, key=number, default=None)


def _holds(conditions: list[Callable[[Version], bool]], version: Version) -> bool:
    return all(holds(version) for holds in conditions)


def _conditions(alternative: str) -> list[Callable[[Version], bool]]:
    spread = _HYPHEN.sub(r">=\1 <=\2", alternative.strip())
    return [_condition(part) for part in re.split(r"[,\s]+", _SPACED.sub(r"\1", spread)) if part]


def _condition(text: str) -> Callable[[Version], bool]:
    match = _CONDITION.fullmatch(text)
    if match is None:
        raise MalformedRange(f'improper constraint: "{text}"')
    operator, given = match[1] or "=", _given(match[2], match[3], match[4])
    low, above = _before(operator, given) if match["before"] else _bounds(operator, given)
    if operator == "!=":
        return lambda version: not low <= version < above
    return lambda version: low <= version < above


def _before(operator: str, given: tuple[int, ...]) -> tuple[Version, Version]:
    """Bounds at a version that precedes the release `given`, so that no release equals it."""
    low = _filled(given)
    match operator:
        case ">":
            return low, _ENDLESS
        case "<=" | "=<":
            return (0, 0, 0), low
        case "=" | "==" | "!=":
            return low, low
        case _:
            return _bounds(operator, given)


def _given(*parts: str | None) -> tuple[int, ...]:
    """The leading parts that are numbers: `2.x.3` gives only 2."""
    numbers: list[int] = []
    for part in parts:
        if part is None or not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


_ENDLESS: Version = (2**31, 0, 0)


def _bounds(operator: str, given: tuple[int, ...]) -> tuple[Version, Version]:
    """The half-open interval of versions that a condition allows."""
    low, above = _filled(given), _above(given, len(given))
    match operator:
        case ">=" | "=>":
            return low, _ENDLESS
        case ">":
            return above, _ENDLESS
        case "<=" | "=<":
            return (0, 0, 0), above
        case "<":
            return (0, 0, 0), low
        case "~" | "~>":
            return low, _above(given, min(len(given), 2))
        case "^":
            return low, _above(given, _significant(given))
        case _:
            return low, above


def _significant(given: tuple[int, ...]) -> int:
    """How many parts `^` keeps: up to the first that is not zero."""
    leading = next((index for index, part in enumerate(given) if part), len(given) - 1)
    return min(leading + 1, len(given))


def _filled(given: tuple[int, ...]) -> Version:
    padded = (*given, 0, 0, 0)
    return (padded[0], padded[1], padded[2])


def _above(given: tuple[int, ...], kept: int) -> Version:
    """The first version above all that share the first `kept` parts."""
    if kept == 0:
        return _ENDLESS
    return _filled((*given[: kept - 1], given[kept - 1] + 1))

"""JSON5 with places: Renovate's configuration is edited by inserting text, never written again.

Read as Renovate reads it: comments, bare keys, single quotes and trailing commas are allowed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLANK = re.compile(r"(?:\s|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_WORD = re.compile(r"[A-Za-z_$][\w$-]*")
_NUMBER = re.compile(r"[-+]?(?:0x[0-9a-fA-F]+|\.?\d[\d.]*(?:[eE][-+]?\d+)?)")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|\n|.)", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": ""}
_CONSTANTS = {"true": True, "false": False, "null": None}
_DEEPEST = 64


class UnreadableConfig(ValueError):
    """Text that is not JSON5; says the offset only."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value with its span; `members` of an object, `elements` of a list, else `plain`."""

    start: int
    end: int
    plain: object = None
    members: tuple[tuple[str, Value], ...] | None = None
    elements: tuple[Value, ...] | None = None

    def get(self, key: str) -> Value | None:
        """The member of an object; None where there is none."""
        return next((value for name, value in self.members or () if name == key), None)

    @property
    def children(self) -> tuple[Value, ...]:
        """The values in it, in order."""
        return self.elements or tuple(value for _, value in self.members or ())

    def strings(self, key: str) -> tuple[str, ...]:
        """The texts of a member that is a list, or a single text."""
        value = self.get(key)
        found = (value.elements or (value,)) if value is not None else ()
        return tuple(element.plain for element in found if isinstance(element.plain, str))


def read_json5(text: str) -> Value:
    """The value of a whole text; raises UnreadableConfig."""
    reader = _Reader(text)
    value = reader.value(0)
    reader.blank()
    if reader.at != len(text):
        raise UnreadableConfig(f"unexpected text at {reader.at}")
    return value


class _Reader:
    """A cursor over the text."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.blank()

    def blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def value(self, depth: int) -> Value:
        start = self.at
        head = self.text[start : start + 1]
        if depth > _DEEPEST or not head:
            raise UnreadableConfig(f"no value at {start}")
        match head:
            case "{":
                members = tuple(self._members(depth))
                return Value(start, self.at, members=members)
            case "[":
                elements = tuple(self._elements(depth))
                return Value(start, self.at, elements=elements)
            case "'" | '"':
                text = self._string(head)
                return Value(start, self.at, text)
            case _:
                plain = self._bare()
                return Value(start, self.at, plain)

    def _members(self, depth: int) -> Iterator[tuple[str, Value]]:
        for _ in self._until("}"):
            head = self.text[self.at : self.at + 1]
            key = self._string(head) if head in ("'", '"') else self._key()
            self.blank()
            self._expect(":")
            yield key, self.value(depth + 1)

    def _elements(self, depth: int) -> Iterator[Value]:
        for _ in self._until("]"):
            yield self.value(depth + 1)

    def _until(self, closing: str) -> Iterator[None]:
        """Each place of a member, up to and over the closing bracket."""
        self.at += 1
        self.blank()
        while not self.text.startswith(closing, self.at):
            yield
            self.blank()
            if not self.text.startswith(closing, self.at):
                self._expect(",")
        self.at += 1

    def _expect(self, sign: str) -> None:
        if not self.text.startswith(sign, self.at):
            raise UnreadableConfig(f"{sign} is missing at {self.at}")
        self.at += 1
        self.blank()

    def _key(self) -> str:
        match = _WORD.match(self.text, self.at)
        if match is None:
            raise UnreadableConfig(f"no key at {self.at}")
        self.at = match.end()
        return match.group()

    def _bare(self) -> object:
        """A number or a constant."""
        number = _NUMBER.match(self.text, self.at)
        if number is not None:
            self.at = number.end()
            return _number(number.group())
        word = _WORD.match(self.text, self.at)
        if word is None or word.group() not in _CONSTANTS:
            raise UnreadableConfig(f"no value at {self.at}")
        self.at = word.end()
        return _CONSTANTS[word.group()]

    def _string(self, quote: str) -> str:
        match = re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL).match(self.text, self.at)
        if match is None:
            raise UnreadableConfig(f"a text that does not end at {self.at}")
        self.at = match.end()
        return _ESCAPE.sub(_unescaped, match[1])


def _number(text: str) -> float:
    """Its value; where the digits are no number, none that is equal to anything."""
    try:
        return float(int(text, 16) if "x" in text else float(text))
    except ValueError:
        return float("nan")


def _unescaped(match: re.Match[str]) -> str:
    sign = match[1]
    if sign[0] in "ux" and len(sign) > 1:
        return chr(int(sign[1:], 16))
    return _PLAIN.get(sign, sign)


def quoted(text: str, sample: str) -> str:
    """A text as a JSON string, in the quotes that the file uses."""
    double = json.dumps(text, ensure_ascii=False)
    uses_single = sample.count("'") > sample.count('"') and "'" not in text
    return "'" + double[1:-1].replace('\\"', '"') + "'" if uses_single else double

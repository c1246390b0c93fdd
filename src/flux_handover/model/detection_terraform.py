"""Flux in Terraform or OpenTofu: blocks are read as text, nothing is evaluated or run.

The reader is tolerant: it finds the blocks that name Flux and the attributes written as plain
strings, numbers, booleans and lists in them; an expression is kept as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from flux_handover.findings import Location
from flux_handover.tree import Tree

SUFFIXES = (".tf", ".tofu", ".tf.json")
MAX_BYTES = 1024 * 1024

_BLOCK = re.compile(r'^[ \t]*(resource|data|module)[ \t]+"([^"\n]+)"(?:[ \t]+"([^"\n]+)")?[ \t]*\{', re.MULTILINE)
_LOCALS = re.compile(r"^[ \t]*locals[ \t]*\{", re.MULTILINE)
_ATTRIBUTE = re.compile(r"^[ \t]*([A-Za-z_][A-Za-z0-9_-]*)[ \t]*=(?!=)", re.MULTILINE)
_STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_NOISE = re.compile(r'"(?:[^"\\\n]|\\.)*"|#[^\n]*|//[^\n]*|/\*.*?\*/|<<[-~]?(\w+)\n.*?\n[ \t]*\1\b', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: a string, bool, number or list of strings where written plainly, else its expression."""

    value: Any
    line: int
    is_literal: bool


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its labels, its attributes at the first level, and its whole text; also one value of `locals`."""

    path: str
    line: int
    kind: str
    type: str
    name: str
    attributes: Mapping[str, Attribute]
    text: str

    @property
    def where(self) -> Location:
        """Its first line."""
        return Location(self.path, self.line)

    @property
    def last_line(self) -> int:
        """The number of its last line."""
        return self.line + self.text.count("\n")

    def covers(self, where: Location) -> bool:
        """Whether a line is one of its own."""
        return where.file == self.path and self.line <= where.line <= self.last_line

    @property
    def address(self) -> str:
        """How a state names it; the module it is in is not known."""
        return (
            f"{self.type}.{self.name}"
            if self.kind == "resource"
            else f"{self.kind}.{self.type}.{self.name}".rstrip(".")
        )

    def literal(self, attribute: str) -> Any:
        """The value of an attribute that is written plainly, else None."""
        found = self.attributes.get(attribute)
        return found.value if found is not None and found.is_literal else None

    def line_of(self, attribute: str) -> Location:
        """The line of an attribute, or of the block."""
        found = self.attributes.get(attribute)
        return Location(self.path, found.line if found else self.line)


def terraform_blocks(tree: Tree) -> Iterator[Block]:
    """Every block of every Terraform file."""
    for path in tree:
        content = tree.files[path].content
        if path.endswith(SUFFIXES) and content is not None and len(content) <= MAX_BYTES:
            text = content.decode(errors="replace")
            yield from blocks(path, text)
            yield from local_values(path, text)


def blocks(path: str, text: str) -> Iterator[Block]:
    """The resource, data and module blocks of one file."""
    masked = _masked(text)
    for match in _BLOCK.finditer(text):
        if masked[match.end() - 1] != "{":
            continue
        end = _closing(masked, match.end())
        line = text.count("\n", 0, match.start(1)) + 1
        body = text[match.end() : end]
        attributes = _attributes(body, masked[match.end() : end], line)
        yield Block(path, line, match[1], match[2], match[3] or "", attributes, text[match.start() : end + 1])


def local_values(path: str, text: str) -> Iterator[Block]:
    """Each value of the `locals` blocks of one file, as a block of its own."""
    masked = _masked(text)
    for match in _LOCALS.finditer(masked):
        body, end = match.end(), _closing(masked, match.end())
        starts = [*_starts(masked[body:end]), (end - body, "")]
        for (start, name), (following, _) in pairwise(starts):
            line = text.count("\n", 0, body + start) + 1
            yield Block(path, line, "local", name, "", {}, text[body + start : body + following].rstrip())


def _starts(masked: str) -> Iterator[tuple[int, str]]:
    """Where the attributes of the first level begin, with their names."""
    for match in _ATTRIBUTE.finditer(masked):
        before = masked[: match.start()]
        if all(before.count(opening) == before.count(closing) for opening, closing in ("{}", "[]", "()")):
            yield match.start(1), match[1]


def _masked(text: str) -> str:
    """The text with strings, comments and heredocs blanked out, so that braces in them do not count."""
    return _NOISE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _closing(masked: str, start: int) -> int:
    depth = 1
    for position in range(start, len(masked)):
        depth += {"{": 1, "}": -1}.get(masked[position], 0)
        if depth == 0:
            return position
    return len(masked)


def _attributes(body: str, masked: str, first_line: int) -> Mapping[str, Attribute]:
    found: dict[str, Attribute] = {}
    for start, name in _starts(masked):
        value, is_literal = _value(body, masked, masked.index("=", start) + 1)
        found[name] = Attribute(value, first_line + body.count("\n", 0, start), is_literal)
    return found


def _list_value(written: str) -> tuple[tuple[str, ...], bool]:
    """The texts of a list, and whether it holds nothing else."""
    return tuple(_STRING.findall(written)), "${" not in written and "." not in _STRING.sub("", written)


def _value(body: str, masked: str, start: int) -> tuple[Any, bool]:
    start += len(body[start:]) - len(body[start:].lstrip(" \t"))
    rest = body[start:]
    if rest.startswith("["):
        return _list_value(body[start : start + masked[start:].find("]") + 1])
    string = _STRING.match(rest)
    if string is not None:
        return string[1], "${" not in string[1]
    expression = rest.partition("\n")[0].partition("#")[0].strip()
    if expression in ("true", "false"):
        return expression == "true", True
    return (int(expression), True) if expression.isdigit() else (expression, False)

"""Lines, indentation and comments around the nodes of a YAML text, and text put between them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from flux_handover.spans import Node, NodeKind, walk

_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]*)+")
_TO_DASH = re.compile(r"(?:[ \t\r\n]+|#[^\n]*|[&!][^\s]*(?=\s))*-")
_COMMENT = re.compile(r"[ \t]+#[^\r\n]*")


class Spanned(Protocol):
    """Anything with a place in the text."""

    @property
    def start(self) -> int:
        """Its first character."""
        ...

    @property
    def end(self) -> int:
        """The character after its last one."""
        ...


@dataclass(frozen=True, slots=True)
class _Mark:
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Text:
    """The text of a document; every method gives the whole text after one change."""

    source: str

    @property
    def newline(self) -> str:
        """The line break that the document uses."""
        return "\r\n" if "\r\n" in self.source else "\n"

    def put(self, start: int, end: int, new: str) -> str:
        """The text with a span replaced."""
        return self.source[:start] + new + self.source[end:]

    def joined(self, lines: Sequence[str], column: int) -> str:
        """Lines as text whose first line already stands at `column`."""
        indent = " " * column
        rest = [indent + line if line else line for line in lines[1:]]
        return self.newline.join([lines[0], *rest])

    def spaced(self, start: int, new: str) -> str:
        """`new` with a space before it where it would touch a colon or dash."""
        return f" {new}" if start and self.source[start - 1] in ":-" else new

    def after_properties(self, node: Node) -> int:
        """Where a node begins after its anchor, which an edit keeps."""
        if not node.anchor:
            return node.start
        found = _PROPERTIES.match(self.source, node.start, max(node.end, node.start))
        return found.end() if found else node.start

    def before_block(self, key: Node | None, node: Node) -> int:
        """Where a value on one line goes that replaces a block below its key."""
        if key is None:
            return node.start
        colon = self.source.find(":", key.end) + 1
        return colon if not self.source[colon : node.start].strip() else node.start

    def put_block(self, key: Node | None, node: Node, head: str, lines: Sequence[str], step: int) -> str:
        """The text with a value replaced by a block; a comment behind the old value stays on its line."""
        start, column = node.start, column_of(self.source, node.start)
        if key is not None:
            start, column = self.source.find(":", key.end) + 1, column_of(self.source, key.start) + step
        comment, end = self._comment_after(node)
        properties = self.source[node.start : self.after_properties(node)].strip()
        first = "".join(f" {part}" for part in (properties, head) if part) + comment
        body = self.joined(["", *lines], column)
        return self.put(start, end, (first if key else first.lstrip()) + body)

    def _comment_after(self, node: Node) -> tuple[str, int]:
        """The comment behind a node on its line, and where it ends."""
        found = _COMMENT.match(self.source, node.end)
        return (found.group(), found.end()) if found else ("", node.end)

    def put_in_flow(self, before: Sequence[Node], parent: Node, new: str) -> str:
        """The text with one more member of a flow collection, after those in `before`."""
        if not before:
            return self.put(
                parent.start,
                parent.end,
                f"{self.source[parent.start : parent.end - 1].rstrip()}{new}{self.source[parent.end - 1]}",
            )
        return self.put(before[-1].end, before[-1].end, f", {new}")

    def drop_from_flow(self, siblings: Sequence[tuple[Node, Node]], position: int) -> str:
        """The text without one member of a flow collection and its comma."""
        following = siblings[position + 1 : position + 2]
        if following:
            return self.put(siblings[position][0].start, following[0][0].start, "")
        start = siblings[position - 1][1].end if position else siblings[position][0].start
        return self.put(start, siblings[position][1].end, "")

    def put_between(self, members: Sequence[tuple[Spanned, Node]], position: int, lines: Sequence[str]) -> str:
        """The text with lines put before the member at `position`, or after the last one."""
        column = column_of(self.source, members[0][0].start)
        indent = " " * column
        shown = [indent + line if line else line for line in lines]
        if position:
            end = line_end(self.source, members[position - 1][1].end)
            return self.put(end, end, self.newline.join(["", *shown]))
        first = members[0][0].start
        start = line_start(self.source, first)
        if self.source[start:first].strip():
            return self.put(first, first, self.joined([*lines, ""], column) + indent)
        start = group_start(self.source, start)
        return self.put(start, start, self.newline.join([*shown, ""]))

    def drop_lines(self, start: int, end: int) -> str:
        """The text without some lines; a text that had no final line break gets none."""
        if end == len(self.source) and not self.source.endswith("\n"):
            start = len(self.source[:start].rstrip("\r\n"))
        return self.put(start, end, "")

    def dashes(self, node: Node) -> list[Spanned]:
        """The dash of each element of a block list, as the element's beginning."""
        marks: list[Spanned] = []
        start = node.start
        for element in node.elements:
            found = _TO_DASH.match(self.source, start)
            marks.append(_Mark(found.end() - 1 if found else element.start, element.end))
            start = element.end
        return marks


def line_start(source: str, index: int) -> int:
    """Where the line of a position begins."""
    return source.rfind("\n", 0, index) + 1


def line_end(source: str, index: int) -> int:
    """Where the line of a position ends, before its line break."""
    end = source.find("\n", index)
    if end < 0:
        return len(source)
    return end - 1 if source[end - 1] == "\r" and end > index else end


def next_line(source: str, index: int) -> int:
    """Where the line after a position begins."""
    end = source.find("\n", index)
    return len(source) if end < 0 else end + 1


def column_of(source: str, index: int) -> int:
    """How many characters stand before a position on its line."""
    return index - line_start(source, index)


def group_start(source: str, start: int) -> int:
    """Where the comment lines directly above a line begin, or the line itself."""
    indent = len(source[start:]) - len(source[start:].lstrip(" "))
    while start:
        above = line_start(source, start - 1)
        line = source[above:start]
        if not line.lstrip().startswith("#") or len(line) - len(line.lstrip(" ")) != indent:
            break
        start = above
    return start


def commented_start(source: str, start: int, end: int) -> int:
    """Where lines to be removed begin: with the comment above, if it is about them alone.

    A comment above several neighbours is a heading of them all, and stays for the others.
    """
    following = source[end : line_end(source, end)]
    indent = len(source[start:end]) - len(source[start:end].lstrip(" "))
    deep = len(following) - len(following.lstrip(" "))
    alone = not following.strip() or following.lstrip().startswith("#") or deep < indent
    above = group_start(source, start)
    return above if alone and above and source[:above].strip("-\r\n \t") else start


def indents_lists(text: Text, root: Node) -> bool:
    """Whether lists below a key are indented in this document; if it has none, they are."""
    return next(list_indents(text.source, root), True)


def list_indents(source: str, root: Node) -> Iterator[bool]:
    """Of each block list below a key, whether it is indented."""
    for node in walk(root):
        for key, value in node.pairs:
            if value.kind is NodeKind.LIST and not value.is_flow:
                dash = Text(source).dashes(value)[0]
                yield column_of(source, dash.start) > column_of(source, key.start)

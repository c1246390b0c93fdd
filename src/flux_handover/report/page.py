"""Pages of text: tables, trees and paragraphs to a string of a given width, with or without colour.

Colour never carries meaning alone. Whatever comes from a repository passes `printable` on its way in.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from flux_handover.report.escaping import printable

COLOURS = {"holds": "green", "refuted": "bold red", "unknown": "yellow", "ok": "green", "failed": "bold red"} | {
    "error": "bold red",
    "warning": "yellow",
    "info": "cyan",
    "+": "green",
    "-": "red",
    "~": "yellow",
}


SHORT = 24
"""A cell of this many characters is not wrapped."""


class Detail(Enum):
    """How much a page says: what one needs to decide, or everything."""

    BRIEF = "brief"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Screen:
    """What the page is for; without a terminal, lines are long and plain."""

    width: int = 120
    colour: bool = False
    detail: Detail = Detail.BRIEF

    @property
    def is_full(self) -> bool:
        """Whether everything is wanted."""
        return self.detail is Detail.FULL


def rendered(screen: Screen, parts: Iterable[RenderableType]) -> str:
    """The parts below each other, without blanks at the ends of lines."""
    console = Console(
        file=io.StringIO(),
        width=screen.width,
        force_terminal=screen.colour,
        color_system="standard" if screen.colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part, crop=False)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def text(words: str, style: str = "") -> Text:
    """Words, printable."""
    return Text(printable(words), style=style)


def heading(words: str) -> Text:
    """A line that opens a section."""
    return text(words, "bold")


def state(word: str) -> Text:
    """A verdict, severity or sign, coloured by what it says."""
    return text(word, COLOURS.get(word, ""))


def command(words: str) -> Text:
    """Something to type; it is never wrapped, so that it can be copied."""
    return Text(printable(words), style="cyan", no_wrap=True, overflow="ignore")


def quiet(words: str) -> Text:
    """Something that may be skipped."""
    return text(words, "dim")


class Indented:
    """Parts, moved to the right; unlike Padding it cuts nothing off."""

    def __init__(self, parts: tuple[RenderableType, ...], by: int) -> None:
        self._parts = parts
        self._by = by

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines of the parts, each behind blanks."""
        inner = options.update(max_width=max(options.max_width - self._by, 1))
        for part in self._parts:
            for line in Segment.split_lines(console.render(part, inner)):
                yield Segment(" " * self._by)
                yield from line
                yield Segment.line()


def indented(*parts: RenderableType, by: int = 2) -> Indented:
    """The parts, moved to the right."""
    return Indented(parts, by)


def _width(cell: RenderableType) -> int:
    return cell.cell_len if isinstance(cell, Text) else 0


def columns(rows: Iterable[Iterable[RenderableType]], *, gap: int = 2) -> Table:
    """Rows in aligned columns, without lines; where they do not fit, long cells are wrapped and short ones are not."""
    cells = [tuple(row) for row in rows]
    table = Table.grid(padding=(0, gap, 0, 0), expand=False)
    for column in zip_longest(*cells, fillvalue=""):
        widest = max(map(_width, column), default=0)
        table.add_column(overflow="fold", no_wrap=widest <= SHORT, min_width=min(widest, SHORT))
    for row in cells:
        table.add_row(*row)
    return table


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 object`, `2 objects`."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def shortened(words: str, width: int) -> str:
    """The words on one line, cut with dots where they are longer than `width`."""
    line = " ".join(words.split())
    return line if len(line) <= width else f"{line[: width - 3]}..."

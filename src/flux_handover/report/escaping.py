"""Text from a repository, made harmless for where it is shown.

File names, object names and messages of parsers come from files that anybody may have written. On a
terminal a control character moves the cursor or hides text; in Markdown, brackets and angles
become links, images and mentions.
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~@&:-])")
_TICKS = re.compile(r"`+")


def printable(text: str) -> str:
    """The text with every character that a terminal would obey or hide written as an escape; line breaks stay."""
    return "".join(char if _is_visible(char) else _escape(char) for char in text)


def one_line(text: str) -> str:
    """The text, printable, with its lines joined by a space."""
    return printable(" ".join(text.split()))


def markdown(text: str) -> str:
    """The text as literal Markdown on one line; a name after an @ is told nothing, a web address is no link."""
    literal = _MARKDOWN.sub(r"\\\1", one_line(text))
    return literal.replace("@", "@\u200b").replace("www.", "www\\.")


def code(text: str) -> str:
    """The text as a code span, whatever backticks it holds."""
    shown = one_line(text)
    fence = "`" * (1 + max((len(run) for run in _TICKS.findall(shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown.replace('|', chr(92) + '|')}{pad}{fence}"


def code_block(text: str, language: str = "") -> str:
    """The text as a fenced block, whatever fences it holds."""
    fence = "`" * max(3, 1 + max((len(run) for run in _TICKS.findall(text)), default=0))
    return f"{fence}{language}\n{printable(text).rstrip()}\n{fence}"


def _is_visible(char: str) -> bool:
    return char == "\n" or unicodedata.category(char) not in _HIDDEN


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode()

"""YAML text for new files and new fields, in the conventions of the files around them.

Keys keep their order, strings are quoted only where another YAML reader (1.1 or 1.2) could take
them for something else, and text of several lines becomes a literal block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from flux_handover.objects import id_of
from flux_handover.scalars import plain_value

STEP = 2

# What YAML 1.1 readers such as Helm's values or older tools take for a boolean, a date or a base 60 number.
_OTHER_MEANING = re.compile(
    r"(?:---.*|\.\.\..*|[yYnN]|[yY]es|YES|[nN]o|NO|[oO]n|ON|[oO]ff|OFF|=|<<"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*)\Z"
)
_PLAIN = re.compile(r"(?:[^\s\-?:,\[\]{}#&*!|>'\"%@`]|-(?=[^\s,\[\]{}]))(?:[^\n]*[^\s:])?\Z")
_BREAKS_PLAIN = re.compile(r": |:\t| #|\t#")
_BREAKS_FLOW = re.compile(r"[,\[\]{}]|:(?=[,\[\]{}]|\Z)")
_QUOTES = ("'", '"')
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}


@dataclass(frozen=True, slots=True)
class Style:
    """How the files of a directory are written; `schemas` and `file_names` go by `Kind.group`."""

    document_start: bool = True
    indented_lists: bool = True
    dot_slash: bool = True
    sorted_resources: bool = True
    extension: str = "yaml"
    schemas: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    file_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def dump(value: Any, style: Style | None = None) -> str:
    """A whole file for one document, with the `---` and schema comment that its neighbours have."""
    style = style or Style()
    lines = ["---"] if style.document_start else []
    schema = style.schemas.get(kind_and_group(value))
    if schema:
        lines.append(schema)
    return "\n".join([*lines, *block_lines(value, indented_lists=style.indented_lists)]) + "\n"


def kind_and_group(value: Any) -> str:
    """`Kind.group` of a manifest, since kustomize and Flux share a kind; empty for other content."""
    if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
        return ""
    id = id_of(value)
    return f"{id.kind}.{id.group}" if id.group else id.kind


def block_lines(value: Any, *, indented_lists: bool = True) -> list[str]:
    """The lines of a value in block style, its outermost level at column 0."""
    if is_filled(value):
        lines = _members(value, indented_lists=indented_lists)
        return [line for member in lines for line in member]
    head, body = scalar_parts(value)
    return [head, *indented(body)]


def _members(value: Any, *, indented_lists: bool) -> Iterator[list[str]]:
    if isinstance(value, Mapping):
        return (field_lines(key, child, indented_lists=indented_lists) for key, child in value.items())
    return (element_lines(child, indented_lists=indented_lists) for child in value)


def field_lines(key: str, value: Any, *, indented_lists: bool = True) -> list[str]:
    """The lines of `key: value` at column 0."""
    name = scalar_text(key)
    if is_filled(value):
        step = 0 if not isinstance(value, Mapping) and not indented_lists else STEP
        return [f"{name}:", *indented(block_lines(value, indented_lists=indented_lists), step)]
    head, body = scalar_parts(value)
    return [f"{name}: {head}", *indented(body)]


def element_lines(value: Any, *, indented_lists: bool = True) -> list[str]:
    """The lines of `- value` at column 0."""
    first, *rest = block_lines(value, indented_lists=indented_lists)
    return [f"- {first}", *indented(rest)]


def indented(lines: Sequence[str], step: int = STEP) -> list[str]:
    """The lines moved to the right; empty ones stay empty."""
    return [" " * step + line if line else line for line in lines]


def is_filled(value: Any) -> bool:
    """Whether a value is a mapping or list with something in it."""
    return isinstance(value, (Mapping, list, tuple)) and bool(value)


def scalar_parts(value: Any) -> tuple[str, list[str]]:
    """What stands after the colon, and the lines of a literal block at column 0."""
    if isinstance(value, str) and "\n" in value and (block := _literal(value)):
        return block
    return flow_text(value, in_flow=False), []


def flow_text(value: Any, style: str = "", *, in_flow: bool = True) -> str:
    """A value on one line, inside braces or brackets where it is a collection; a text keeps quotes of `style`."""
    if isinstance(value, Mapping):
        members = (f"{scalar_text(key, in_flow=True)}: {flow_text(child)}" for key, child in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow_text, value)) + "]"
    return scalar_text(value, style if style in _QUOTES else "", in_flow=in_flow)


def scalar_text(value: Any, quote: str = "", *, in_flow: bool = False) -> str:
    """A scalar on one line; a string gets `quote` if it can, else quotes only where it needs them."""
    if not isinstance(value, str):
        return _constant_text(value)
    if not quote and _is_plain(value, in_flow=in_flow):
        return value
    return _quoted(value, quote or _best_quote(value))


def _quoted(text: str, quote: str) -> str:
    if quote == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _best_quote(text: str) -> str:
    """Single quotes where double ones would need a backslash."""
    return "'" if {'"', "\\"} & set(text) else '"'


def _constant_text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return _float_text(value)
        case _:
            return str(value)


def _is_plain(text: str, *, in_flow: bool) -> bool:
    breaks = (_BREAKS_PLAIN, _BREAKS_FLOW) if in_flow else (_BREAKS_PLAIN,)
    if not text.isprintable() or not _PLAIN.match(text) or any(sign.search(text) for sign in breaks):
        return False
    return isinstance(plain_value(text), str) and not _OTHER_MEANING.match(text)


def _literal(text: str) -> tuple[str, list[str]] | None:
    """The header and lines of a literal block, or None where only quotes can hold the text."""
    body = text.rstrip("\n")
    lines = body.split("\n")
    # Leading blanks or breaks would need an indentation indicator.
    if not body or body[0].isspace() or not all(map(_fits_block, lines)):
        return None
    ending = len(text) - len(body)
    return "|" + ("-" if ending == 0 else "" if ending == 1 else "+"), lines + [""] * (ending - 1)


def _fits_block(line: str) -> bool:
    return not line or (bool(line.strip()) and line.replace("\t", "").isprintable())


def _float_text(value: float) -> str:
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    return repr(value)


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

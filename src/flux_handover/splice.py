"""Edits of YAML files that keep every other byte: text is put in or taken out at a node's span.

Dumping a file again changes comments, quotes and blank lines in one of twelve real files, so no
existing file is ever dumped (ADR 0004). Each edit reads its result back and compares the values
of all documents; an edit that would change more than was asked is refused, and says what a
person has to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flux_handover.content import Refused, content_of
from flux_handover.documents import split_documents, value_at
from flux_handover.errors import HandoverError
from flux_handover.fields import Step, position, replaced, with_element, with_field, without_child
from flux_handover.layout import Text, next_line
from flux_handover.spans import Node, NodeKind, root_of

Path = tuple[str | int, ...]

_BOM = "\ufeff"


class UneditableYaml(HandoverError):
    """An edit that cannot be made without changing more than was asked."""


@dataclass(frozen=True, slots=True)
class _Place:
    """One document of a file, opened for an edit."""

    before: str
    source: str
    after: str
    value: Any
    root: Node
    others: tuple[Any, ...]
    index: int


def set_field(content: bytes, document: int, path: Path, value: Any) -> bytes:
    """The file with a field replaced, or added where the mapping's other keys suggest."""
    place = _open(content, document)
    existing = value_at(place.value, path)
    if same(existing, value) and _has(place.value, path):
        return content
    steps = _steps(place, path)
    missing = path[len(steps) - 1 :]
    if not missing and _are_filled_mappings(existing, value):
        return _merged(content, document, path, existing, value)
    edited = _with_missing(place, steps, path, value) if missing else replaced(Text(place.source), steps, value)
    return _checked(place, edited, _with_value(place.value, path, value), path)


def remove_field(content: bytes, document: int, path: Path) -> bytes:
    """The file without a field, and without the comment that was about it alone."""
    place = _open(content, document)
    steps = _steps(place, path)
    if len(steps) <= len(path) or not path:
        raise _refused(path, "there is no such field", place, steps[-1].node)
    edited = without_child(Text(place.source), steps[:-1], steps[-1])
    return _checked(place, edited, _without_value(place.value, path), path)


def insert_element(content: bytes, document: int, path: Path, value: Any) -> bytes:
    """The file with one more element in a list: in order if the list is sorted, else at its end."""
    place = _open(content, document)
    elements = value_at(place.value, path)
    if not elements:
        return set_field(content, document, path, [value])
    if not isinstance(elements, list):
        raise _refused(path, "it is not a list", place, place.root)
    index = position(elements, value)
    steps = _steps(place, path)
    edited = with_element(Text(place.source), steps[-1].node, index, value)
    expected = _with_value(place.value, path, [*elements[:index], value, *elements[index:]])
    return _checked(place, edited, expected, path)


def insert_resource(content: bytes, document: int, path: Path, name: str) -> bytes:
    """The file with one more path in a list such as `resources`, with `./` if the others have it."""
    elements = value_at(_open(content, document).value, path) or []
    return insert_element(content, document, path, _as_others(name, list(filter(_is_local, elements))))


def remove_element(content: bytes, document: int, path: Path, value: Any) -> bytes:
    """The file without the one element of a list that equals `value`."""
    place = _open(content, document)
    elements = value_at(place.value, path)
    found = [n for n, element in enumerate(elements or []) if same(element, value)] if elements else []
    if len(found) != 1:
        raise _refused(path, f"{len(found)} elements have the value that one should have", place, place.root)
    return remove_field(content, document, (*path, found[0]))


def remove_document(content: bytes, index: int) -> bytes:
    """The file without one of its documents and the comments before it."""
    place = _open(content, index)
    if not place.others:
        raise UneditableYaml("it is the only document of its file", hint="remove the file instead")
    is_first = not place.before.strip(_BOM)
    # What follows a first document without `---` is then a first document without one.
    needs_mark = not is_first or _starts_with_mark(place.source)
    after = place.after if needs_mark else _without_mark(place.after)
    result = (place.before + after).encode()
    if not _same_documents(result, place.others):
        raise UneditableYaml(f"document {index} cannot be taken out by its lines", hint="remove it by hand")
    return result


def _without_mark(text: str) -> str:
    return text[next_line(text, 0) :] if _starts_with_mark(text) else text


def append_document(content: bytes, text: str) -> bytes:
    """The file with one more document at its end; `text` is one document, with or without `---`."""
    old = content.decode()
    newline = Text(old).newline
    body = text if _starts_with_mark(text) else f"---\n{text}"
    joint = "" if not old.strip(_BOM) or old.endswith("\n") else newline
    result = (old + joint + body.replace("\r\n", "\n").replace("\n", newline)).encode()
    expected = [*_values(old), content_of(text)[1]]
    if not _same_documents(result, tuple(expected)):
        raise UneditableYaml("the document cannot be added at the end of the file", hint="add it by hand")
    return result


def replace_lines(content: bytes, expected_old: str, new: str) -> bytes:
    """The file, of any language, with whole lines replaced that must be found exactly once."""
    newline = b"\r\n" if b"\r\n" in content else b"\n"
    old_lines = _lines(expected_old)
    lines = content.split(newline)
    starts = range(len(lines) - len(old_lines) + 1) if old_lines else range(0)
    found = [n for n in starts if lines[n : n + len(old_lines)] == old_lines]
    if len(found) != 1:
        raise UneditableYaml(
            f"the lines to be replaced are there {len(found)} times, not once", hint="make this change by hand"
        )
    return newline.join([*lines[: found[0]], *_lines(new), *lines[found[0] + len(old_lines) :]])


def _lines(text: str) -> list[bytes]:
    return text.removesuffix("\n").encode().split(b"\n") if text else []


def same(one: Any, other: Any) -> bool:
    """Equal in value and type, so that 1, 1.0 and true differ; order of keys does not count."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return repr(one) == repr(other)


def _are_filled_mappings(one: Any, other: Any) -> bool:
    return isinstance(one, dict) and isinstance(other, dict) and bool(one) and bool(other)


def _with_missing(place: _Place, steps: list[Step], path: Path, value: Any) -> str:
    """The text with a field whose last step that is written is a mapping, or nothing yet."""
    reached = len(steps) - 1
    parent = value_at(place.value, path[:reached])
    text, missing = Text(place.source), path[reached:]
    if parent is None:
        return replaced(text, steps, _nested(missing, value))
    if not isinstance(parent, dict):
        raise _refused(path, "the path leads through something that is not a mapping", place, steps[-1].node)
    return with_field(text, steps, str(missing[0]), _nested(missing[1:], value))


def _is_local(element: Any) -> bool:
    return isinstance(element, str) and "://" not in element


def _as_others(name: str, others: list[str]) -> str:
    bare = name.removeprefix("./")
    dotted = all(other.startswith(("./", "../")) for other in others) if others else name.startswith("./")
    return f"./{bare}" if dotted and not bare.startswith("../") else bare


def _open(content: bytes, index: int) -> _Place:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UneditableYaml("the file is not UTF-8", hint="save it as UTF-8") from error
    documents = _filled_documents(text)
    if not 0 <= index < len(documents):
        raise UneditableYaml(f"the file has {len(documents)} documents, none with index {index}")
    start, source, value = documents[index]
    end = start + len(source)
    others = tuple(other for _, _, other in documents[:index] + documents[index + 1 :])
    return _Place(text[:start], source, text[end:], value, root_of(source), others, index)


def _filled_documents(text: str) -> list[tuple[int, str, Any]]:
    """Where each document starts that is not empty, its text and its value."""
    bom = len(_BOM) if text.startswith(_BOM) else 0
    parts = ((offset + bom, source, _value(source)) for offset, source in split_documents(text[bom:]))
    return [part for part in parts if part[2] is not None]


def _value(source: str) -> Any:
    try:
        return content_of(source)[1]
    except Refused as refused:
        reason = refused.places[0][1]
        raise UneditableYaml(
            f"a document of the file cannot be read: {reason}", hint="make this change by hand"
        ) from refused


def _values(text: str) -> list[Any]:
    values = (_value(source) for _, source in split_documents(text.removeprefix(_BOM)))
    return [value for value in values if value is not None]


def _same_documents(content: bytes, expected: tuple[Any, ...]) -> bool:
    try:
        return same(_values(content.decode()), list(expected))
    except UneditableYaml:
        return False


def _checked(place: _Place, source: str, expected: Any, path: Path) -> bytes:
    wanted = (*place.others[: place.index], expected, *place.others[place.index :])
    results = ((place.before + text + place.after).encode() for text in _ended(place, source))
    result = next((result for result in results if _same_documents(result, wanted)), None)
    if result is None:
        raise _refused(
            path, "the change would reach other fields, through an anchor or unusual layout", place, place.root
        )
    return result


def _ended(place: _Place, source: str) -> tuple[str, ...]:
    """The document as it is, then with the line break that a literal block needs at the end of a file."""
    if place.after or source.endswith("\n"):
        return (source,)
    return (source, source + Text(source).newline)


def _refused(path: Path, reason: str, place: _Place, node: Node) -> UneditableYaml:
    line = place.before.count("\n") + place.source.count("\n", 0, node.start) + 1
    field = ".".join(map(str, path)) or "the document"
    return UneditableYaml(f"{field} cannot be edited: {reason}", where=f"line {line}", hint="make this change by hand")


def _steps(place: _Place, path: Path) -> list[Step]:
    """The nodes along a path as far as they are written; raises where one is an alias or merged."""
    steps = [Step(None, place.root)]
    for part in path:
        following = _child(steps[-1].node, part)
        if following is None:
            _require_unmerged(place, path, steps, part)
            break
        if following.node.kind is NodeKind.ALIAS:
            raise _refused(path, f"its value is an alias (*{following.node.anchor})", place, following.node)
        steps.append(following)
    return steps


def _child(node: Node, part: str | int) -> Step | None:
    if node.kind is NodeKind.LIST:
        inside = isinstance(part, int) and 0 <= part < len(node.elements)
        return Step(None, node.elements[int(part)]) if inside else None
    pair = node.pair(str(part))
    return Step(*pair) if pair else None


def _require_unmerged(place: _Place, path: Path, steps: list[Step], part: str | int) -> None:
    parent = value_at(place.value, path[: len(steps) - 1])
    if isinstance(parent, dict) and part in parent:
        raise _refused(path, "its value comes from a merge (<<)", place, steps[-1].node)


def _has(value: Any, path: Path) -> bool:
    if not path:
        return True
    parent = value_at(value, path[:-1])
    if isinstance(parent, list):
        return isinstance(path[-1], int) and 0 <= path[-1] < len(parent)
    return isinstance(parent, dict) and path[-1] in parent


def _nested(path: Path, value: Any) -> Any:
    for part in reversed(path):
        value = {str(part): value}
    return value


def _with_value(content: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(content, list):
        index = int(first)
        return [*content[:index], _with_value(content[index], rest, value), *content[index + 1 :]]
    content = content or {}
    return {**content, first: _with_value(content.get(first), rest, value)}


def _without_value(content: Any, path: Path) -> Any:
    first, rest = path[0], path[1:]
    if rest:
        return _with_value(content, (first,), _without_value(content[first], rest))
    if isinstance(content, list):
        return [element for n, element in enumerate(content) if n != first]
    return {key: value for key, value in content.items() if key != first}


def _merged(content: bytes, document: int, path: Path, old: dict[str, Any], new: dict[str, Any]) -> bytes:
    for key in new:
        content = set_field(content, document, (*path, key), new[key])
    for key in old:
        if key not in new:
            content = remove_field(content, document, (*path, key))
    return content


def _starts_with_mark(text: str) -> bool:
    return text.removeprefix(_BOM).startswith("---")

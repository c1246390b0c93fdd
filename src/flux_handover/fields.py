"""The text of a document after one field or element was put in, taken out or replaced.

What the change means is checked by `splice`; here it is only made, in the style around it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flux_handover import emit
from flux_handover.layout import Text, column_of, commented_start, indents_lists, line_end, line_start, next_line
from flux_handover.spans import Node, NodeKind

_HEAD = frozenset(("apiVersion", "kind", "metadata"))


@dataclass(frozen=True, slots=True)
class Step:
    """A node on the way to a field, with the key it stands under."""

    key: Node | None
    node: Node


def position(elements: Sequence[Any], value: Any) -> int:
    """Where an element goes: among sorted texts in order, else last."""
    keys = list(map(_sort_key, elements))
    are_texts = {type(element) for element in (*elements, value)} == {str}
    if len(keys) < 2 or not are_texts or keys != sorted(keys):
        return len(elements)
    return bisect_right(keys, _sort_key(value))


def replaced(text: Text, steps: Sequence[Step], value: Any) -> str:
    """The text with the value of the last step replaced."""
    step = steps[-1]
    if any(parent.node.is_flow for parent in steps[:-1]):
        start = text.after_properties(step.node)
        return text.put(start, step.node.end, text.spaced(start, emit.flow_text(value, step.node.style)))
    if emit.is_filled(value):
        return _replaced_by_block(text, steps, value)
    head, body = emit.scalar_parts(value)
    if body:
        return text.put_block(step.key, step.node, head, body, emit.STEP)
    return _replaced_by_scalar(text, step, value)


def with_field(text: Text, steps: Sequence[Step], key: str, value: Any) -> str:
    """The text with a new field in the mapping of the last step."""
    node = steps[-1].node
    if node.is_flow:
        return text.put_in_flow([pair[1] for pair in node.pairs], node, emit.flow_text({key: value})[1:-1])
    index = _key_position([pair[0].text for pair in node.pairs], key)
    lines = emit.field_lines(key, value, indented_lists=indents_lists(text, steps[0].node))
    return text.put_between(node.pairs, index, lines)


def with_element(text: Text, node: Node, index: int, value: Any) -> str:
    """The text with a new element before the one at `index` of a list."""
    if not node.is_flow:
        lines = emit.element_lines(value, indented_lists=indents_lists(text, node))
        return text.put_between(list(zip(text.dashes(node), node.elements, strict=True)), index, lines)
    shown = emit.flow_text([value])[1:-1]
    if index:
        return text.put_in_flow(node.elements[:index], node, shown)
    first = node.elements[0].start
    return text.put(first, first, f"{shown}, ")


def without_child(text: Text, parents: Sequence[Step], child: Step) -> str:
    """The text without a field or element of the last of `parents`."""
    parent = parents[-1]
    siblings = parent.node.pairs or list(zip(parent.node.elements, parent.node.elements, strict=True))
    index = [pair[1] is child.node for pair in siblings].index(True)
    if parent.node.is_flow:
        return text.drop_from_flow(siblings, index)
    if len(siblings) == 1:
        start = text.before_block(parent.key, parent.node)
        empty = "{}" if parent.node.kind is NodeKind.MAPPING else "[]"
        return text.put(start, parent.node.end, text.spaced(start, empty))
    starts = _starts(text, parent.node)
    return _without_lines(text, child.node, starts[index], starts[index + 1 : index + 2])


def _starts(text: Text, node: Node) -> list[int]:
    return [pair[0].start for pair in node.pairs] or [dash.start for dash in text.dashes(node)]


def _without_lines(text: Text, node: Node, begin: int, following: Sequence[int]) -> str:
    start = line_start(text.source, begin)
    if text.source[start:begin].strip():
        # The first field of a list element shares its line with the dash.
        return text.put(begin, following[0] if following else node.end, "")
    end = next_line(text.source, line_end(text.source, node.end))
    return text.drop_lines(commented_start(text.source, start, end), end)


def _replaced_by_scalar(text: Text, step: Step, value: Any) -> str:
    node = step.node
    start = text.before_block(step.key, node) if node.is_block else text.after_properties(node)
    return text.put(start, node.end, text.spaced(start, emit.flow_text(value, node.style, in_flow=False)))


def _replaced_by_block(text: Text, steps: Sequence[Step], value: Any) -> str:
    step, node = steps[-1], steps[-1].node
    indented = indents_lists(text, steps[0].node)
    lines = emit.block_lines(value, indented_lists=indented)
    if node.is_block or (step.key is None and len(steps) > 1):
        start = _starts(text, node)[0] if node.is_block else text.after_properties(node)
        return text.put(start, node.end, text.joined(lines, column_of(text.source, start)))
    flat = isinstance(value, list) and not indented
    return text.put_block(step.key, node, "", lines, 0 if flat else emit.STEP)


def _key_position(keys: Sequence[str], key: str) -> int:
    """Where a new key goes: among sorted ones in order, else last; the head of a manifest stays first."""
    head = sum(other in _HEAD for other in keys)
    rest = list(keys[head:])
    is_sorted = len(rest) > 2 and rest == sorted(rest) and set(keys[:head]) <= _HEAD
    return head + bisect_left(rest, key) if is_sorted else len(keys)


def _sort_key(value: Any) -> str:
    return str(value).removeprefix("./")

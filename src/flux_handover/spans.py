"""Where each node of a YAML document lies in its text: for the line of a field, and for edits.

Offsets are characters of the text that was given. A block collection ends where its last child
ends, not at the next token as the parser says, so that comments after it are not part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import yaml

from flux_handover.content import events


class NodeKind(Enum):
    """What a node is in the text; an alias is not followed."""

    SCALAR = "scalar"
    MAPPING = "mapping"
    LIST = "list"
    ALIAS = "alias"


@dataclass(slots=True)
class Node:
    """A node and its span; `style` is the quote or block sign of a scalar, or `flow` of a collection."""

    kind: NodeKind
    start: int
    end: int
    style: str = ""
    anchor: str = ""
    text: str = field(default="", repr=False)
    pairs: list[tuple[Node, Node]] = field(default_factory=list, repr=False)
    elements: list[Node] = field(default_factory=list, repr=False)
    target: Node | None = field(default=None, repr=False)

    def pair(self, key: str) -> tuple[Node, Node] | None:
        """The key and value nodes of a field written in this mapping itself."""
        return next((pair for pair in self.pairs if pair[0].text == key), None)

    def resolved(self) -> Node:
        """The node that an alias stands for, else this one."""
        return self.target or self

    @property
    def is_flow(self) -> bool:
        """Whether a collection is written in braces or brackets."""
        return self.style == "flow"

    @property
    def is_block(self) -> bool:
        """Whether it is a collection written on lines of its own."""
        return self.kind in (NodeKind.MAPPING, NodeKind.LIST) and not self.is_flow


@dataclass(frozen=True, slots=True)
class Found:
    """A node reached by a path: `start` is that of its key or of the element itself."""

    start: int
    value: Node


def root_of(source: str) -> Node:
    """The node of the first document in `source`; an empty scalar where it has none."""
    top = Node(NodeKind.LIST, 0, len(source))
    frames = [top]
    anchors: dict[str, Node] = {}
    for event in events(source):
        if isinstance(event, yaml.DocumentEndEvent):
            break
        if isinstance(event, yaml.CollectionEndEvent):
            _finish(frames.pop(), event)
        elif isinstance(event, yaml.NodeEvent):
            node = _node(event, source)
            _register(node, anchors)
            _attach(frames[-1], node)
            frames.extend([node] if isinstance(event, yaml.CollectionStartEvent) else [])
    return top.elements[0] if top.elements else Node(NodeKind.SCALAR, len(source), len(source))


def find_nearest(root: Node, path: Sequence[str | int]) -> Found:
    """The node under a path, through aliases and merges, or the last one on the way to it."""
    found = Found(root.start, root)
    for part in path:
        step = _step(found.value.resolved(), part, ())
        if step is None:
            break
        found = step
    return Found(found.start, found.value.resolved())


def walk(node: Node) -> Iterator[Node]:
    """The node and everything written inside it."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(current.elements)
        for pair in current.pairs:
            pending.extend(pair)


def _step(node: Node, part: str | int, seen: tuple[int, ...]) -> Found | None:
    match node.kind:
        case NodeKind.LIST if isinstance(part, int) and -len(node.elements) <= part < len(node.elements):
            return Found(node.elements[part].start, node.elements[part])
        case NodeKind.MAPPING if id(node) not in seen:
            pair = node.pair(str(part))
            return Found(pair[0].start, pair[1]) if pair else _merged_step(node, part, seen)
        case _:
            return None


def _merged_step(node: Node, part: str | int, seen: tuple[int, ...]) -> Found | None:
    found = (_step(source, part, (*seen, id(node))) for source in _merge_sources(node))
    return next(filter(None, found), None)


def _merge_sources(node: Node) -> list[Node]:
    pair = node.pair("<<")
    if pair is None or pair[0].style:
        return []
    value = pair[1].resolved()
    return [element.resolved() for element in value.elements] if value.kind is NodeKind.LIST else [value]


def _node(event: Any, source: str) -> Node:
    start, end, anchor = event.start_mark.index, event.end_mark.index, event.anchor or ""
    match event:
        case yaml.ScalarEvent(style="|" | ">"):
            end = _block_end(source, start, end)
            return Node(NodeKind.SCALAR, start, end, str(event.style), anchor, text=event.value)
        case yaml.ScalarEvent():
            return Node(NodeKind.SCALAR, start, end, event.style or "", anchor, text=event.value)
        case yaml.AliasEvent():
            return Node(NodeKind.ALIAS, start, end, anchor=anchor)
        case _:
            kind = NodeKind.MAPPING if isinstance(event, yaml.MappingStartEvent) else NodeKind.LIST
            return Node(kind, start, end, "flow" if event.flow_style else "", anchor)


def _register(node: Node, anchors: dict[str, Node]) -> None:
    if node.kind is NodeKind.ALIAS:
        node.target = anchors.get(node.anchor)
    elif node.anchor:
        anchors[node.anchor] = node


def _attach(parent: Node, node: Node) -> None:
    if parent.kind is NodeKind.LIST:
        parent.elements.append(node)
    elif parent.pairs and parent.pairs[-1][0] is parent.pairs[-1][1]:
        parent.pairs[-1] = (parent.pairs[-1][0], node)
    else:
        parent.pairs.append((node, node))


def _finish(node: Node, event: Any) -> None:
    if node.is_flow:
        node.end = event.end_mark.index
        return
    children = node.elements or [pair[1] for pair in node.pairs]
    node.end = children[-1].end if children else node.end


def _block_end(source: str, start: int, end: int) -> int:
    """The end of the last line of a block scalar that has text, without its line break."""
    trimmed = source[start:end].rstrip()
    return start + len(trimmed)

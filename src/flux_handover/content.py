"""The value of one YAML document: a single pass over the C parser's events, without recursion.

PyYAML's own composer recurses, accepts duplicate keys and reads YAML 1.1. The rules here are
those of go-yaml v3 as kustomize uses it: duplicate keys are an error, `<<` merges, keys are
text, unknown tags are ignored (`go.yaml.in/yaml/v3:decode.go@v3.0.4`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from flux_handover.scalars import plain_value, tagged_value

MAX_DEPTH = 200
MAX_NODES = 500_000

_LOADER: Any = getattr(yaml, "CLoader", yaml.Loader)
_NOTHING: Any = object()
_MERGE: Any = object()


class Refused(Exception):
    """A document that kustomize would refuse too, or that exceeds a limit; places are offsets."""

    def __init__(self, places: list[tuple[int, str]], hint: str = "") -> None:
        super().__init__()
        self.places = places
        self.hint = hint


@dataclass(slots=True)
class _Frame:
    """A collection that is being read; `container` is a dict, a list, or at the top a list of one."""

    container: Any
    anchor: str | None = None
    nodes_before: int = 0
    height: int = 1
    key: Any = _NOTHING
    merged: list[Any] = field(default_factory=list)

    @property
    def awaits_key(self) -> bool:
        return self.key is _NOTHING and type(self.container) is dict


@dataclass(frozen=True, slots=True)
class _Anchor:
    value: Any
    nodes: int
    height: int


def events(source: str) -> Iterator[yaml.Event]:
    """The parser's events; raises Refused where the text is not YAML."""
    try:
        yield from yaml.parse(source, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, source) from error
    except yaml.YAMLError as error:
        position = getattr(error, "position", 0)
        raise Refused([(position, "not valid YAML: a control character")]) from error


def _not_yaml(error: yaml.MarkedYAMLError, source: str) -> Refused:
    mark = error.problem_mark or error.context_mark
    index = mark.index if mark else 0
    what = ", ".join(filter(None, (error.context, error.problem)))
    hint = "indent with spaces, not with tabs" if source[index : index + 1] == "\t" else ""
    return Refused([(index, f"not valid YAML: {what}")], hint)


def content_of(source: str) -> tuple[int, Any]:
    """Where the first document of `source` begins, and its value; None where there is none."""
    reading = _Reading()
    for event in events(source):
        reading.read(event)
        if isinstance(event, yaml.DocumentEndEvent):
            break
    if reading.duplicates:
        raise Refused(reading.duplicates, "kustomize refuses duplicate keys; keep one of them")
    return reading.start, reading.top[0] if reading.top else None


class _Reading:
    """The state of the pass: open collections, anchors, and the limits' counters."""

    def __init__(self) -> None:
        self.top: list[Any] = []
        self.frames = [_Frame(self.top)]
        self.anchors: dict[str, _Anchor] = {}
        self.nodes = 0
        self.start = 0
        self.duplicates: list[tuple[int, str]] = []

    def read(self, event: Any) -> None:
        """Take one event."""
        take = _TAKERS.get(type(event))
        if take is None:
            return
        if not self.nodes:
            self.start = event.start_mark.index
        take(self, event)

    def _scalar(self, event: Any) -> None:
        frame = self.frames[-1]
        self._count(event, 1, 0)
        if frame.awaits_key:
            self._remember(event.anchor, event.value, 1, 0)
            is_merge = event.value == "<<" and event.implicit[0]
            frame.key = _MERGE if is_merge else self._key(frame, event, event.value)
            return
        value = _scalar_value(event)
        self._remember(event.anchor, value, 1, 0)
        self._place(event, value, 0)

    def _key(self, frame: _Frame, event: Any, text: str) -> str:
        if text in frame.container:
            self.duplicates.append((event.start_mark.index, f"the key {shown(text)} is given twice"))
        return text

    def _open_mapping(self, event: Any) -> None:
        self._open(event, {})

    def _open_list(self, event: Any) -> None:
        self._open(event, [])

    def _open(self, event: Any, container: Any) -> None:
        frame = self.frames[-1]
        if frame.awaits_key:
            _refuse(event, "a mapping or list as a key")
        self._count(event, 1, 0)
        self.frames.append(_Frame(container, event.anchor, self.nodes - 1))
        if len(self.frames) > MAX_DEPTH:
            _refuse(event, f"nested more than {MAX_DEPTH} deep")

    def _close(self, event: Any) -> None:
        frame = self.frames.pop()
        for merged in frame.merged:
            for key, value in merged.items():
                frame.container.setdefault(key, value)
        self._remember(frame.anchor, frame.container, self.nodes - frame.nodes_before, frame.height)
        self._place(event, frame.container, frame.height)

    def _alias(self, event: Any) -> None:
        anchor = self._anchor(event)
        self._count(event, anchor.nodes, anchor.height)
        frame = self.frames[-1]
        if not frame.awaits_key:
            self._place(event, anchor.value, anchor.height)
        elif anchor.height:
            _refuse(event, "a mapping or list as a key")
        else:
            frame.key = self._key(frame, event, str(anchor.value))

    def _anchor(self, event: Any) -> _Anchor:
        anchor = self.anchors.get(event.anchor)
        if anchor is None:
            within = any(frame.anchor == event.anchor for frame in self.frames)
            what = "is used inside itself" if within else "is not defined in this document"
            _refuse(event, f"the anchor {shown(event.anchor)} {what}")
        return anchor

    def _place(self, event: Any, value: Any, height: int) -> None:
        frame = self.frames[-1]
        frame.height = max(frame.height, height + 1)
        if type(frame.container) is list:
            frame.container.append(value)
        elif frame.key is _MERGE:
            frame.merged.extend(_merged(event, value))
            frame.key = _NOTHING
        else:
            frame.container[frame.key] = value
            frame.key = _NOTHING

    def _remember(self, anchor: str | None, value: Any, nodes: int, height: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = _Anchor(value, nodes, height)

    def _count(self, event: Any, nodes: int, height: int) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            _refuse(event, f"more than {MAX_NODES} values once aliases are expanded")
        if height + len(self.frames) > MAX_DEPTH:
            _refuse(event, f"nested more than {MAX_DEPTH} deep")


_TAKERS: dict[type, Callable[[_Reading, Any], None]] = {
    yaml.ScalarEvent: _Reading._scalar,
    yaml.MappingStartEvent: _Reading._open_mapping,
    yaml.SequenceStartEvent: _Reading._open_list,
    yaml.MappingEndEvent: _Reading._close,
    yaml.SequenceEndEvent: _Reading._close,
    yaml.AliasEvent: _Reading._alias,
}


def _scalar_value(event: Any) -> Any:
    if event.tag is None:
        return plain_value(event.value) if event.implicit[0] else event.value
    return tagged_value(event.tag, event.value)


def shown(text: str) -> str:
    """A key or anchor in quotes, shortened, without control characters."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _merged(event: Any, value: Any) -> list[Any]:
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        _refuse(event, "<< merges something that is not a mapping")
    return sources


def _refuse(event: Any, message: str, hint: str = "") -> NoReturn:
    raise Refused([(event.start_mark.index, message)], hint)

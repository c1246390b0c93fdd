"""The line on which a setting is written, found in the text that makes it.

A patch is text inside text, in half a dozen languages (strategic merge, JSON 6902, an image
entry, a whole manifest), so the line is looked for by what a person would look for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flux_handover.findings import Location
from flux_handover.model.installation import SettingKind
from flux_handover.model.settings import Change

_SECTIONS = {SettingKind.LIMIT.value: "limits", SettingKind.REQUEST.value: "requests"}
_IMAGE_WORDS = ("newTag", "newName", "digest", "image:", "/image")
_DELETE_WORDS = ("$patch: delete", "op: remove", '"$patch":"delete"', '"remove"')

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passage:
    """Lines of a file that make one change; the first has the number `first`."""

    file: str
    first: int
    lines: tuple[str, ...]

    @property
    def start(self) -> Location:
        """Where it begins."""
        return Location(self.file, self.first)

    def at(self, index: int) -> Location:
        """The place of one of its lines."""
        return Location(self.file, self.first + index)


def passage(file: str, content: bytes, first: int, last: int | None = None) -> Passage:
    """The lines `first` to `last` of a file, both included; None is the end."""
    lines = content.decode(errors="replace").splitlines()
    return Passage(file, first, tuple(lines[max(first - 1, 0) : last]))


def place_of(change: Change, passages: Sequence[Passage]) -> Location | None:
    """The best line for a change among the passages, the last of them first; None without any passage."""
    for words in _attempts(change):
        for one in reversed(passages):
            found = _found(one, words, _SECTIONS.get(change.about.kind))
            if found is not None:
                return one.at(found)
    return passages[-1].start if passages else None


def _attempts(change: Change) -> tuple[Words, ...]:
    """What to look for, the most telling first; of each attempt's words one suffices."""
    key = change.about.key if change.about.kind == SettingKind.METADATA.value else change.about.key.rpartition(":")[2]
    return _ATTEMPTS[SettingKind(change.about.kind)](key, change.value)


def _flag(key: str, value: str) -> tuple[Words, ...]:
    return ((f"{key}={value}",), (f"{key} {value}",), (f"{key}=",), (key,))


def _amount(section: str) -> Callable[[str, str], tuple[Words, ...]]:
    return lambda key, _: ((f"/{section}/{key}",), (f"{key}:",))


def _deleted(_: str, __: str) -> tuple[Words, ...]:
    return (_DELETE_WORDS,)


def _image(_: str, value: str) -> tuple[Words, ...]:
    tag = value.rpartition(":")[2]
    return ((tag,), _IMAGE_WORDS) if tag else (_IMAGE_WORDS,)


def _mark(key: str, _: str) -> tuple[Words, ...]:
    mark = key.removeprefix("template.").partition(".")[2]
    return ((mark, mark.replace("~", "~0").replace("/", "~1")),)


def _rule(key: str, _: str) -> tuple[Words, ...]:
    inner = key.rpartition("[")[2].rstrip("]") if ".enum[" in key else key.partition("[")[0].rpartition("/")[2]
    return ((inner,), ("rules", "enum"))


def _field(key: str, _: str) -> tuple[Words, ...]:
    last = key.rpartition(".")[2]
    return ((f"{last}:",), (f"/{last}",), (key.partition(".")[0],), (last,))


def _named(key: str, _: str) -> tuple[Words, ...]:
    return ((f"name: {key}", f"mountPath: {key}"), (key,))


_ATTEMPTS: Mapping[SettingKind, Callable[[str, str], tuple[Words, ...]]] = {
    SettingKind.ARGUMENT: _flag,
    SettingKind.GATE: _flag,
    SettingKind.LIMIT: _amount("limits"),
    SettingKind.REQUEST: _amount("requests"),
    SettingKind.DELETION: _deleted,
    SettingKind.COMPONENT: _deleted,
    SettingKind.IMAGE: _image,
    SettingKind.METADATA: _mark,
    SettingKind.RULE: _rule,
    SettingKind.SCHEDULING: _field,
    SettingKind.SYNC: _field,
    SettingKind.ENV: _named,
    SettingKind.VOLUME: _named,
}


def _found(one: Passage, words: Words, section: str | None) -> int | None:
    """The last line with one of the words; within a section, where the passage has it, the first."""
    hits = [index for index, line in enumerate(one.lines) if any(word in line for word in words)]
    start = _start(one, section)
    inside = [hit for hit in hits if hit >= start]
    return next(iter(inside[:1] if start else inside[-1:]), None)


def _start(one: Passage, section: str | None) -> int:
    """The line on which a section begins, 0 where the passage has none."""
    return next((index for index, line in enumerate(one.lines) if f"{section}:" in line), 0)

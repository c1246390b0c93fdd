"""The line on which a setting is written, found in the text that makes it.

A patch is text inside text, in half a dozen languages (strategic merge, JSON 6902, an image
entry, a whole manifest), so the line is looked for by what a person would look for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flux_handover.findings import Location
from flux_handover.model.installation import SettingKind
from flux_handover.model.settings import Change

_SECTIONS = {SettingKind.LIMIT.value: "limits", SettingKind.REQUEST.value: "requests"}
_IMAGE_WORDS = ("newTag", "newName", "digest", "image:", "/image")
_DELETE_WORDS = ("$patch: delete", "op: remove", '"$patch":"delete"', '"remove"')


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


def _attempts(change: Change) -> Iterator[tuple[str, ...]]:
    """What to look for, the most telling first; each attempt is a set of words of which one suffices."""
    key = change.about.key.rpartition(":")[2] if change.about.kind != SettingKind.METADATA.value else change.about.key
    last = key.rpartition(".")[2]
    match SettingKind(change.about.kind):
        case SettingKind.ARGUMENT | SettingKind.GATE:
            yield from ((f"{key}={change.value}",), (f"{key} {change.value}",), (f"{key}=",), (key,))
        case SettingKind.LIMIT | SettingKind.REQUEST:
            yield (f"/{_SECTIONS[change.about.kind]}/{key}",)
            yield (f"{key}:",)
        case SettingKind.DELETION | SettingKind.COMPONENT:
            yield from (_DELETE_WORDS,)
        case SettingKind.IMAGE:
            yield from ((change.value.rpartition(":")[2],), _IMAGE_WORDS) if change.value else (_IMAGE_WORDS,)
        case SettingKind.METADATA:
            mark = change.about.key.removeprefix("template.").partition(".")[2]
            yield (mark, mark.replace("~", "~0").replace("/", "~1"))
        case SettingKind.RULE:
            yield from ((change.about.key.partition("[")[0].rpartition("/")[2],), ("rules", "enum"))
        case SettingKind.SCHEDULING:
            yield from ((f"{last}:",), (key.partition(".")[0],), (f"/{last}",))
        case SettingKind.ENV | SettingKind.VOLUME:
            yield from ((f"name: {key}", f"mountPath: {key}"), (key,))
        case SettingKind.SYNC:
            yield from ((f"{last}:",), (last,))


def _found(one: Passage, words: tuple[str, ...], section: str | None) -> int | None:
    """The last line with one of the words, within its section where the passage has it."""
    start = next((i for i, line in enumerate(one.lines) if section and f"{section}:" in line), 0)
    hits = [i for i, line in enumerate(one.lines) if i >= start and any(word and word in line for word in words)]
    if not hits:
        return None
    return hits[0] if section and start else hits[-1]

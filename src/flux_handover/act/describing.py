"""Operations in words: a sign as in a diff, what it is done to, and what is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, assert_never

from flux_handover.objects import ObjectId, names
from flux_handover.plan.operations import (
    AddFile,
    AppendElement,
    DisablePrune,
    ListResource,
    Operation,
    RemoveDocument,
    RemoveField,
    RemoveFile,
    ReplaceText,
    SetField,
    UnlistResource,
)
from flux_handover.proof.equivalence import dotted


@dataclass(frozen=True, slots=True)
class Description:
    """One operation for people: `+` adds, `-` removes, `~` changes; `file` is where."""

    sign: Literal["+", "-", "~"]
    subject: str
    effect: str
    file: str
    why: str

    def __str__(self) -> str:
        return f"{self.sign} {self.subject}: {self.effect}"


def describe(operation: Operation) -> Description:
    """The words for an operation."""
    match operation:
        case DisablePrune(ks, where):
            return Description("~", str(ks), "set prune to false", where.file, "its inventory is about to leave it")
        case AddFile(path, _, adds, why):
            return Description("+", path, _brought(adds), path, why)
        case RemoveFile(path, drops, why):
            return Description("-", path, _taken(drops), path, why)
        case RemoveDocument(id, where, why):
            return Description("-", str(id), "remove from its file", where.file, why)
        case _:
            return _inside(operation)


def _inside(
    operation: ListResource | UnlistResource | SetField | RemoveField | AppendElement | ReplaceText,
) -> Description:
    match operation:
        case ListResource(path, field, entry, why):
            return Description("~", path, f"list {entry} in {field}", path, why)
        case UnlistResource(path, field, entry, why):
            return Description("~", path, f"take {entry} off {field}", path, why)
        case SetField(path, _, field, value, why):
            return Description("~", path, f"set {dotted(field)} to {_short(value)}", path, why)
        case RemoveField(path, _, field, why):
            return Description("~", path, f"remove {dotted(field)}", path, why)
        case AppendElement(path, _, field, value, why):
            return Description("~", path, f"add {_short(value)} to {dotted(field)}", path, why)
        case ReplaceText(path, old, new, why):
            return Description("~", path, f"replace {_short(old)} by {_short(new)}", path, why)
        case _:
            assert_never(operation)


def _brought(adds: tuple[ObjectId, ...]) -> str:
    return f"new file with {names(adds)}" if adds else "new file"


def _taken(drops: tuple[ObjectId, ...]) -> str:
    return f"remove the file with {names(drops)}" if drops else "remove the file"


def _short(value: object) -> str:
    """A value in a few words; of a mapping or a list, only its shape."""
    match value:
        case bool():
            return str(value).lower()
        case Mapping():
            return f"an entry with {', '.join(map(str, value))}"
        case list() | tuple():
            return f"a list of {len(value)}"
        case _:
            line = " ".join(str(value).split())
            return line if len(line) <= 60 else f"{line[:57]}..."

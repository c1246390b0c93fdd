"""What a phase intends, one frozen value each; printing, editing, proving and running read these.

An operation carries all its data, so nothing needs to be computed again by a reader.
The set is closed: a reader that forgets one fails to type-check.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flux_handover.findings import Location
from flux_handover.objects import ObjectId


@dataclass(frozen=True, slots=True)
class DisablePrune:
    """Set `prune: false` on a Kustomization, and drop a `deletionPolicy` that would delete all the same (R9)."""

    ks: ObjectId
    where: Location


@dataclass(frozen=True, slots=True)
class AddFile:
    """Write a new file; `adds` are the objects it brings."""

    path: str
    content: str
    adds: tuple[ObjectId, ...]
    why: str


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Remove a whole file; `drops` are the objects that leave Git with it."""

    path: str
    drops: tuple[ObjectId, ...]
    why: str


@dataclass(frozen=True, slots=True)
class RemoveDocument:
    """Remove one YAML document of a file that has others."""

    id: ObjectId
    where: Location
    why: str


@dataclass(frozen=True, slots=True)
class ListResource:
    """Add an entry to a list of a kustomization.yaml (`resources`, `components`)."""

    path: str
    field: str
    entry: str
    why: str


@dataclass(frozen=True, slots=True)
class UnlistResource:
    """Remove an entry from a list of a kustomization.yaml; `drops` are the objects that leave Git with it."""

    path: str
    field: str
    entry: str
    why: str
    drops: tuple[ObjectId, ...] = ()


@dataclass(frozen=True, slots=True)
class SetField:
    """Set one field of one document; `value` is plain YAML data."""

    path: str
    document: int
    field: tuple[str | int, ...]
    value: Any
    why: str


@dataclass(frozen=True, slots=True)
class RemoveField:
    """Remove one field, or one list entry, of one document."""

    path: str
    document: int
    field: tuple[str | int, ...]
    why: str


@dataclass(frozen=True, slots=True)
class AppendElement:
    """Add one element at the end of a list of one document.

    `marks` are rendered objects that it keeps from prunes, `writes` are fields of others that it sets.
    """

    path: str
    document: int
    field: tuple[str | int, ...]
    value: Any
    why: str
    marks: frozenset[ObjectId] = frozenset()
    writes: tuple[tuple[ObjectId, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ReplaceText:
    """Replace lines of a file that is not YAML, or that only reads as text; `old` occurs exactly once."""

    path: str
    old: str
    new: str
    why: str


Operation = (
    DisablePrune
    | AddFile
    | RemoveFile
    | RemoveDocument
    | ListResource
    | UnlistResource
    | SetField
    | RemoveField
    | AppendElement
    | ReplaceText
)

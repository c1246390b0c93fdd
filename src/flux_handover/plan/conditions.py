"""What a gate looks for in the cluster, as values that a program can evaluate; pure, like the gate itself.

Each of them says the same as the command that the gate prints for a person.
"""

from __future__ import annotations

from dataclasses import dataclass

from flux_handover.objects import ObjectId

ANY = "*"
"""In a path: some element of a list."""


@dataclass(frozen=True, slots=True)
class FieldIs:
    """A field whose text matches the whole of a pattern; without one, a field that is absent or empty."""

    path: tuple[str | int, ...]
    pattern: str | None


@dataclass(frozen=True, slots=True)
class AllReady:
    """Every object of a kind is Ready, and has observed its own generation; `but` are left out."""

    group: str
    kind: str
    but: frozenset[ObjectId] = frozenset()


@dataclass(frozen=True, slots=True)
class NoneHas:
    """No object of these kinds has the field, those left out that are in `but`; kinds by group and kind."""

    kinds: tuple[tuple[str, str], ...]
    field: FieldIs
    but: frozenset[ObjectId] = frozenset()


@dataclass(frozen=True, slots=True)
class Has:
    """The object exists with these fields; `observed` says that its controller has seen it as it is."""

    id: ObjectId
    fields: tuple[FieldIs, ...] = ()
    observed: bool = False


@dataclass(frozen=True, slots=True)
class IsReady:
    """The object has a condition of this type that is True for its generation."""

    id: ObjectId
    type: str = "Ready"


@dataclass(frozen=True, slots=True)
class IsAbsent:
    """The object does not exist."""

    id: ObjectId


@dataclass(frozen=True, slots=True)
class Every:
    """All of several conditions."""

    conditions: tuple[Condition, ...]


Condition = AllReady | NoneHas | Has | IsReady | IsAbsent | Every

"""An immutable mapping whose hash follows each change, so that exploring states stays cheap."""

from __future__ import annotations

from collections.abc import Hashable, ItemsView, Iterator, KeysView, Mapping
from typing import Generic, TypeVar, overload

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)
Other = TypeVar("Other")


class Table(Mapping[K, V], Generic[K, V]):
    """A mapping with `put` and `drop` that return another one; equal tables hash alike in any order of changes."""

    __slots__ = ("_entries", "_hash")

    def __init__(self, entries: Mapping[K, V] | None = None) -> None:
        self._entries: dict[K, V] = dict(entries or {})
        self._hash = 0
        for entry in self._entries.items():
            self._hash ^= hash(entry)

    def __getitem__(self, key: K) -> V:
        return self._entries[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    # The mixin's ways over `__getitem__` are an order slower, and every search goes through these three.

    @overload
    def get(self, key: K, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V, /) -> V: ...
    @overload
    def get(self, key: K, default: Other, /) -> V | Other: ...
    def get(self, key: K, default: V | Other | None = None, /) -> V | Other | None:
        """What a key has, or the default."""
        return self._entries.get(key, default)

    def keys(self) -> KeysView[K]:
        """The keys."""
        return self._entries.keys()

    def items(self) -> ItemsView[K, V]:
        """The entries."""
        return self._entries.items()

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Table) and self._hash == other._hash and self._entries == other._entries
        )

    def __repr__(self) -> str:
        return f"Table({self._entries!r})"

    def put_all(self, changes: Mapping[K, V]) -> Table[K, V]:
        """This table with every entry of `changes`; itself if nothing differs."""
        new = {key: value for key, value in changes.items() if self._entries.get(key) != value}
        if not new:
            return self
        mark = self._hash
        for key, value in new.items():
            if key in self._entries:
                mark ^= hash((key, self._entries[key]))
            mark ^= hash((key, value))
        return self._made({**self._entries, **new}, mark)

    def put(self, key: K, value: V) -> Table[K, V]:
        """This table with one entry; itself if it was there."""
        return self.put_all({key: value})

    def drop(self, key: K) -> Table[K, V]:
        """This table without a key; itself if it was not there."""
        if key not in self._entries:
            return self
        entries = dict(self._entries)
        return self._made(entries, self._hash ^ hash((key, entries.pop(key))))

    def _made(self, entries: dict[K, V], mark: int) -> Table[K, V]:
        table: Table[K, V] = Table.__new__(Table)
        table._entries = entries
        table._hash = mark
        return table

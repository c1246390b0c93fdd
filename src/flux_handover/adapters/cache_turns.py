"""Turns of threads that want the same: the second to come waits, and then finds what the first has made."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager


class Turns:
    """The keys that some thread works on."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._changed = threading.Condition()

    @contextmanager
    def of(self, keys: Collection[str]) -> Iterator[frozenset[str]]:
        """Those of some keys, at least one, that nobody else works on; the block holds no others, so none waits."""
        with self._changed:
            self._changed.wait_for(lambda: not self._taken.issuperset(keys))
            mine = frozenset(keys) - self._taken
            self._taken |= mine
        try:
            yield mine
        finally:
            with self._changed:
                self._taken -= mine
                self._changed.notify_all()

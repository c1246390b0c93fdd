"""The first two revisions of a range, read in the background while the judge is loaded and judges.

They are read at the same time: the second waits for a build of the first only where both ask for the same one, and
for the first as a whole only where it does not say itself what there is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from flux_handover.cli.ranges import STAGED, Range
from flux_handover.cli.reading import Opened, detect
from flux_handover.model.reading import Previous, Reading, take_snapshot_after
from flux_handover.model.snapshot import Snapshot
from flux_handover.tree import Tree


@dataclass(frozen=True, slots=True)
class _Begun:
    """A revision that is being read, and the one before it."""

    tree: Tree
    snapshot: Future[Snapshot]
    after: Future[Snapshot] | None

    def is_for(self, tree: Tree, previous: Snapshot | None) -> bool:
        """Whether this is the reading of a tree after a snapshot."""
        before = self.after.result() if self.after else None
        return tree is self.tree and previous is before


class Ahead:
    """Revisions of a range; use it in a `with` block."""

    def __init__(self, tools: Opened, range: Range, reading: Reading) -> None:
        self.range = range
        self._tools = tools
        self._reading = reading
        self._threads: list[threading.Thread] = []
        base = self._begun(range.base, None)
        heads = (head for head in range.heads[:1] if head != range.base)
        self._first = {range.base: base, **{head: self._begun(head, base.snapshot) for head in heads}}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Who interrupts does not wait for what was to be judged.
        for thread in self._threads if kind is None or issubclass(kind, Exception) else ():
            thread.join()

    def tree(self, name: str) -> Tree:
        """The files of a revision of the range."""
        begun = self._first.get(name)
        return begun.tree if begun else self._tree(name)

    def read(self, tree: Tree, name: str, previous: Snapshot | None) -> Snapshot:
        """A revision after another, or after none."""
        begun = self._first.get(name)
        if begun is not None and begun.is_for(tree, previous):
            return begun.snapshot.result()
        return self._snapshot(tree, name, lambda: previous)

    def _tree(self, name: str) -> Tree:
        repository = self._tools.repository
        return repository.read_index() if name == STAGED else repository.read_tree(name)

    def _begun(self, name: str, after: Future[Snapshot] | None) -> _Begun:
        snapshot: Future[Snapshot] = Future()
        tree = self._tree(name)
        read = partial(self._snapshot, tree, name, after.result if after else lambda: None)
        thread = threading.Thread(target=_fulfil, args=(snapshot, read), daemon=True)
        self._threads.append(thread)
        thread.start()
        return _Begun(tree, snapshot, after)

    def _snapshot(self, tree: Tree, name: str, previous: Previous) -> Snapshot:
        return take_snapshot_after(tree, name, self._tools.engine, detect, self._reading, previous)


def _fulfil(future: Future[Snapshot], read: Callable[[], Snapshot]) -> None:
    """Read, and give whoever waits the snapshot, or what went wrong."""
    try:
        future.set_result(read())
    except Exception as error:
        future.set_exception(error)

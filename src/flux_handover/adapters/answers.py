"""Whole answers, remembered: the same question put to the same program about the same commits has one answer.

What a pair of commits means is decided by them, by their history, by the arguments and by the program. All of
these are in the key, so an answer cannot go stale; it is kept beside the builds, and leaves like them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from flux_handover import __version__
from flux_handover.adapters.cache_store import Store, cache_directory

ENGINE = "FLUX_HANDOVER_ENGINE"
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was written, and the exit status."""

    page: str
    status: int


class Answers:
    """Answers by question, on disk; without a store it knows none and keeps none."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    def find(self, question: str) -> Answer | None:
        """The answer to a question, if it is known and whole."""
        content = self._store.read(question) if self._store else None
        status, line, page = (content or b"").partition(b"\n")
        if not line or status not in (b"0", b"1", b"2"):
            return None
        try:
            return Answer(page.decode(), int(status))
        except UnicodeDecodeError:
            return None

    def keep(self, question: str, answer: Answer) -> None:
        """Remember an answer, if the disk lets us."""
        if self._store:
            self._store.write(question, f"{answer.status}\n{answer.page}".encode(errors="backslashreplace"))
            self._store.close()


def answers() -> Answers:
    """The answers of this user and program; none where the cache is off, or the engine is another than ours."""
    directory = None if os.environ.get(ENGINE) else cache_directory(os.environ)
    return Answers(Store(directory, f"answers-{program_mark()}") if directory else None)


def question(parts: Sequence[object]) -> str:
    """One key for everything that is asked; two questions differ if any part does."""
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()


def program_mark(package: Path = _PACKAGE) -> str:
    """What tells this program from every other: its version, and size and time of all its files."""
    digest = hashlib.sha256(__version__.encode())
    for path, size, changed in sorted(_files(package)):
        digest.update(f"\0{path}\0{size}\0{changed}".encode())
    return digest.hexdigest()[:16]


def _files(directory: Path) -> Iterator[tuple[str, int, int]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _files(Path(entry.path))
            else:
                status = entry.stat()
                yield entry.path, status.st_size, status.st_mtime_ns

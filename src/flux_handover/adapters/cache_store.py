"""A directory of files by key, for what can be made again: bounded, shared by parallel runs, never trusted.

A file is written beside its place and renamed, so a reader sees a whole one or none. Whatever cannot be
read, written or understood is as if it were not there. The oldest files leave when there are too many.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

ENVIRONMENT = "FLUX_HANDOVER_CACHE"
MAX_BYTES = 256 * 1024 * 1024
MAX_FILE_BYTES = 8 * 1024 * 1024
_OFTEN_BYTES = 16 * 1024 * 1024
_DAY = 24 * 3600.0
_MARK = "last-pruned"
_ENOUGH = "enough"


def cache_directory(variables: Mapping[str, str]) -> Path | None:
    """Where the cache is by the environment; None where it is switched off, or there is no home."""
    if variables.get(ENVIRONMENT, "").lower() == "off":
        return None
    if named := variables.get("XDG_CACHE_HOME"):
        return Path(named) / "flux-handover" / "builds"
    home = variables.get("HOME")
    return Path(home) / ".cache" / "flux-handover" / "builds" if home else None


class Store:
    """Files by key below a directory; `version` names what they were made by."""

    def __init__(self, directory: Path, version: str, *, max_bytes: int = MAX_BYTES) -> None:
        self._top = directory
        self._directory = directory / version
        self._max_bytes = max_bytes
        self._written = 0
        self._made: set[Path] = set()
        self._mark = os.urandom(8).hex()
        self._number = count()

    @property
    def is_enough(self) -> bool:
        """Whether the last run found all that it asked for; a guess at what this one will need."""
        return (self._directory / _ENOUGH).exists()

    def say_enough(self, *, enough: bool) -> None:
        """Remember whether this run found all that it asked for."""
        mark = self._directory / _ENOUGH
        try:
            if enough:
                mark.touch()
            else:
                mark.unlink(missing_ok=True)
        except OSError:
            return

    def read(self, key: str) -> bytes | None:
        """What was kept under a key; reading it makes it young again."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                content = file.read(MAX_FILE_BYTES + 1)
            if time.time() - status.st_mtime > _DAY:
                os.utime(path)
        except OSError:
            return None
        return content if len(content) <= MAX_FILE_BYTES else None

    def write(self, key: str, content: bytes) -> None:
        """Keep a content under a key, if the disk lets us; a cache is no reason to fail."""
        if len(content) > MAX_FILE_BYTES:
            return
        path = self._path(key)
        try:
            if path.parent not in self._made:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._made.add(path.parent)
            _write(path, f"{path.parent}/.{self._mark}-{next(self._number)}", content)
        except OSError:
            self._made.discard(path.parent)
            return
        self._written += len(content)

    def close(self) -> None:
        """Remove the oldest files where all together are too many, if that may be so."""
        mark = self._top / _MARK
        if not self._written or (self._written < _OFTEN_BYTES and not _is_old(mark)):
            return
        self._written = 0
        try:
            mark.touch()
            _prune(self._top, self._max_bytes)
        except OSError:
            return

    def _path(self, key: str) -> Path:
        return self._directory / key[:2] / key[2:]


def _write(path: Path, beside: str, content: bytes) -> None:
    """Write a whole file or none, first under a name beside it that nobody else takes."""
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except OSError:
        Path(beside).unlink(missing_ok=True)
        raise


def _is_old(mark: Path) -> bool:
    try:
        return time.time() - mark.stat().st_mtime > _DAY
    except OSError:
        return True


def _prune(top: Path, max_bytes: int) -> None:
    found = sorted(_files(top))
    total = sum(size for _, size, _ in found)
    # Down to three quarters, so that not every run has to prune again.
    goal = max_bytes if total <= max_bytes else max_bytes * 3 // 4
    for _, size, path in found:
        if total <= goal:
            return
        path.unlink(missing_ok=True)
        total -= size


def _files(top: Path) -> Iterator[tuple[float, int, Path]]:
    """Every kept file with its age and size; another run may remove it at any time."""
    for directory, _, names in os.walk(top):
        for name in names:
            path = Path(directory, name)
            try:
                status = path.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and name not in (_MARK, _ENOUGH):
                yield status.st_mtime, status.st_size, path

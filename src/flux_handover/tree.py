"""The files of one revision, immutable: what Git recorded, never what lies in a work tree."""

from __future__ import annotations

import hashlib
import posixpath
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from types import MappingProxyType


class FileKind(Enum):
    """What a path is in Git: mode 100644 or 100755, 120000, 160000."""

    FILE = "file"
    LINK = "link"
    SUBMODULE = "submodule"


@dataclass(frozen=True, slots=True)
class File:
    """One entry: its bytes (of a link, the target), or None with the reason they were not read.

    `digest` is Git's blob id; equal digests mean equal bytes, so it keys every cache.
    """

    content: bytes | None
    digest: str
    kind: FileKind = FileKind.FILE
    executable: bool = False
    omitted: str = ""

    @property
    def plain(self) -> bytes | None:
        """The bytes of what is neither link nor submodule, if they were read."""
        return self.content if self.kind is FileKind.FILE else None


@dataclass(frozen=True, slots=True)
class Tree:
    """All files of a revision by path, `/`-separated, relative to the repository's top."""

    files: Mapping[str, File] = field(default_factory=lambda: MappingProxyType({}))
    _paths: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __contains__(self, path: str) -> bool:
        return path in self.files

    def __iter__(self) -> Iterator[str]:
        return iter(self._ordered())

    def _ordered(self) -> list[str]:
        """The paths in order, sorted once: a revision is asked for directories thousands of times."""
        if len(self._paths) != len(self.files):
            self._paths[:] = sorted(self.files)
        return self._paths

    def read(self, path: str) -> bytes:
        """The bytes of a file; raises KeyError where it is absent or was not read."""
        content = self.files[path].content
        if content is None:
            raise KeyError(path)
        return content

    def below(self, directory: str) -> tuple[str, ...]:
        """Paths under a directory, sorted; `.` and the empty string are the whole tree."""
        prefix = clean_path(directory)
        return tuple(self._ordered()[self._first(prefix) : self._end(prefix)] if prefix else self._ordered())

    def _first(self, prefix: str) -> int:
        return bisect_left(self._ordered(), f"{prefix}/")

    def _end(self, prefix: str) -> int:
        # No path that begins with the directory sorts behind the character that follows a slash.
        return bisect_left(self._ordered(), f"{prefix}{chr(ord('/') + 1)}")

    def is_directory(self, directory: str) -> bool:
        """Whether any file lies below `directory`."""
        prefix = clean_path(directory)
        return not prefix or self._first(prefix) < self._end(prefix)

    def with_file(self, path: str, content: bytes) -> Tree:
        """This tree with one file written; an existing file keeps its mode."""
        old = self.files.get(path)
        new = File(content, blob_digest(content), executable=old.executable if old else False)
        return Tree(MappingProxyType({**self.files, path: new}))

    def without(self, path: str) -> Tree:
        """This tree with one file removed; raises KeyError where it is absent."""
        if path not in self.files:
            raise KeyError(path)
        return Tree(MappingProxyType({p: f for p, f in self.files.items() if p != path}))


@lru_cache(maxsize=65536)
def clean_path(path: str) -> str:
    """`./a/b/`, `a/b` and `/a/b` as `a/b`; the top is the empty string."""
    cleaned = posixpath.normpath("/" + path.strip()).strip("/")
    return "" if cleaned == "." else cleaned


def common_depth(one: str, other: str) -> int:
    """How many parts two paths begin with alike."""
    return alike(one.split("/"), other.split("/"))


def alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many elements two sequences begin with alike."""
    different = (index for index, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(different, min(len(one), len(other)))


def blob_digest(content: bytes) -> str:
    """The id Git gives a blob of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()

"""Revisions of a Git repository as trees, by Git's plumbing; nothing is checked out.

One `ls-tree` lists a revision, and one long-lived `cat-file` reads the blobs that no earlier
revision had. ADR 0005 says why not a library.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from flux_handover.adapters.git_program import READ_ONLY, Answer, ObjectReader, environment, no_directory, run
from flux_handover.errors import UnreadableRepository, UsageError
from flux_handover.tree import File, FileKind, Tree

MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_TREE_BYTES = 512 * 1024 * 1024
MAX_FILES = 200_000

_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_POINTER_BYTES = 1024
_KINDS = {"120000": FileKind.LINK, "160000": FileKind.SUBMODULE}
_USER_IN_URL = re.compile(r"\A([a-z+]+://)[^/@]*@")


@dataclass(frozen=True, slots=True)
class _Entry:
    mode: str
    digest: str
    size: int
    path: str


class Repository:
    """A repository, bare or not, or a linked worktree of one; use it in a `with` block."""

    def __init__(self, path: Path, git_dir: Path, *, is_bare: bool, is_shallow: bool) -> None:
        self.path = path
        self.git_dir = git_dir
        self.is_bare = is_bare
        self.is_shallow = is_shallow
        self._variables = environment(git_dir, os.environ)
        self._reader = ObjectReader(path, self._variables)
        self._blobs: dict[str, bytes | None] = {}
        self._blob_bytes = 0
        self._commits: set[str] = set()

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """The repository that holds a directory; raises UnreadableRepository where there is none."""
        directory = Path(path).absolute()
        asked = ("--is-bare-repository", "--is-shallow-repository", "--absolute-git-dir")
        answer = run(directory, "rev-parse", *asked, variables=environment(None, os.environ))
        if answer.status:
            raise _unopened(directory, answer)
        is_bare, is_shallow, git_dir = answer.text.split("\n", 2)
        return cls(directory, Path(git_dir), is_bare=is_bare == "true", is_shallow=is_shallow == "true")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process that reads objects."""
        self._reader.close()

    def read_tree(self, revision: str) -> Tree:
        """The files of a revision."""
        sha = self.resolve(revision)
        return self._tree(_tree_entries(self._output("ls-tree", "-r", "-z", "-l", "--full-tree", sha)))

    def read_index(self) -> Tree:
        """The files that are staged; inside a hook, those of the commit that is being made."""
        arguments = ("ls-files", "--stage", "-z", "--full-name", "--", ":/")
        variables = dict(self._variables)
        index = os.environ.get("GIT_INDEX_FILE", "")
        if index and (self.path / index).resolve().is_relative_to(self.git_dir.resolve()):
            variables["GIT_INDEX_FILE"] = str((self.path / index).resolve())
        answer = run(self.path, *arguments, variables=variables)
        if answer.status:
            raise self._failed("ls-files", answer)
        return self._tree(self._sized(_index_entries(answer.output)))

    def resolve(self, revision: str) -> str:
        """The full id of the commit that a revision names; an id that was one once stays one."""
        if revision in self._commits:
            return revision
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        answer = run(self.path, *arguments, variables=self._variables)
        if answer.status:
            raise self._unknown(revision)
        self._commits.add(answer.text)
        return answer.text

    def first_parents(self, base: str, head: str) -> tuple[str, ...]:
        """The commits after `base` up to `head` along first parents, oldest first."""
        span = f"{self.resolve(base)}..{self.resolve(head)}"
        return tuple(self._output("rev-list", "--first-parent", "--reverse", span).decode().split())

    def history(self, revision: str, limit: int) -> tuple[str, ...]:
        """A commit and its first-parent ancestors, newest first, at most `limit`."""
        sha = self.resolve(revision)
        return tuple(self._output("rev-list", "--first-parent", f"--max-count={limit}", sha).decode().split())

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, or None for unrelated or shallow histories."""
        answer = run(self.path, "merge-base", self.resolve(one), self.resolve(other), variables=self._variables)
        if answer.status not in (0, 1):
            raise self._failed("merge-base", answer)
        return answer.text.split("\n")[0] or None

    def parents(self, revision: str) -> tuple[str, ...]:
        """The ids of a commit's parents as recorded, also beyond the edge of a shallow clone."""
        header, _ = self._commit(revision)
        return tuple(line.removeprefix("parent ") for line in header.split("\n") if line.startswith("parent "))

    def commit_message(self, revision: str) -> str:
        """The message of a commit."""
        return self._commit(revision)[1]

    def trailers(self, revision: str) -> tuple[tuple[str, str], ...]:
        """The trailers of a commit's message, in order."""
        return self.trailers_in(self.commit_message(revision))

    def trailers_in(self, message: str) -> tuple[tuple[str, str], ...]:
        """The trailers of a message, in order."""
        answer = run(
            self.path,
            "interpret-trailers",
            "--parse",
            variables=self._variables,
            text=message.encode("utf-8", "replace"),
        )
        if answer.status:
            raise self._failed("interpret-trailers", answer)
        pairs = (line.partition(":") for line in answer.text.split("\n") if line)
        return tuple((key.strip(), value.strip()) for key, _, value in pairs)

    def head_branch(self) -> str | None:
        """The branch that is checked out, also before its first commit; None on a detached head."""
        answer = run(self.path, "symbolic-ref", "--quiet", "--short", "HEAD", variables=self._variables)
        return answer.text if answer.status == 0 else None

    def branches(self, prefix: str = "") -> tuple[tuple[str, str], ...]:
        """Name and commit of each local branch whose name begins with `prefix`, sorted."""
        lines = self._output("for-each-ref", "--format=%(refname)%00%(objectname)", "refs/heads/").decode().split("\n")
        pairs = (line.removeprefix("refs/heads/").split("\0") for line in lines if line)
        return tuple((name, sha) for name, sha in pairs if name.startswith(prefix))

    def remote_url(self, remote: str = "origin") -> str | None:
        """Where a remote lies, without the user or token in its address; None where there is none."""
        answer = run(self.path, "remote", "get-url", remote, variables=self._variables)
        return _USER_IN_URL.sub(r"\1", answer.text) if answer.status == 0 else None

    def is_dirty(self) -> bool:
        """Whether tracked files differ from HEAD; a bare repository never is."""
        if self.is_bare:
            return False
        arguments = ("status", "--porcelain", "-z", "--untracked-files=no", "--ignore-submodules=all")
        answer = run(self.path, *arguments, variables=self._variables, options=(*READ_ONLY, *self.unfiltered()))
        if answer.status:
            raise self._failed("status", answer)
        return bool(answer.output)

    def unfiltered(self) -> tuple[str, ...]:
        """Options that make git leave the configured filter programs alone."""
        arguments = (
            "config",
            "--null",
            "--name-only",
            "--get-regexp",
            r"^filter\..*\.(clean|smudge|process|required)$",
        )
        keys = run(self.path, *arguments, variables=self._variables).output.decode("utf-8", "replace").split("\0")
        values = ((key, "false" if key.endswith(".required") else "") for key in sorted(set(keys)) if key)
        return tuple(option for key, value in values for option in ("-c", f"{key}={value}"))

    def _tree(self, entries: Sequence[_Entry]) -> Tree:
        if len(entries) > MAX_FILES:
            raise UnreadableRepository(
                f"the revision has {len(entries)} files, more than {MAX_FILES}", where=str(self.path)
            )
        reasons = _omitted(entries)
        self._load(entry.digest for entry in entries if entry.path not in reasons)
        files = {entry.path: self._file(entry, reasons.get(entry.path, "")) for entry in entries}
        if len(files) != len(entries):
            raise UnreadableRepository("two paths differ only in bytes that are not UTF-8", where=str(self.path))
        return Tree(MappingProxyType(files))

    def _load(self, digests: Iterable[str]) -> None:
        if self._blob_bytes > MAX_TREE_BYTES:
            self._blobs.clear()
            self._blob_bytes = 0
        wanted = [digest for digest in dict.fromkeys(digests) if digest not in self._blobs]
        for digest, content in zip(wanted, self._reader.read(wanted), strict=True):
            self._blobs[digest] = content
            self._blob_bytes += len(content or b"")

    def _file(self, entry: _Entry, reason: str) -> File:
        kind = _KINDS.get(entry.mode, FileKind.FILE)
        content = None if reason else self._blobs[entry.digest]
        if content is None:
            reason = reason or "the object is missing; the clone is partial or damaged"
        elif kind is FileKind.FILE and _is_lfs_pointer(content):
            content, reason = None, "Git LFS keeps its content elsewhere"
        return File(content, entry.digest, kind, entry.mode == "100755", reason)

    def _sized(self, entries: Sequence[_Entry]) -> list[_Entry]:
        asked = "".join(f"{entry.digest}\n" for entry in entries).encode()
        check = "--batch-check=%(objectname) %(objectsize)"
        answer = run(self.path, "cat-file", check, variables=self._variables, text=asked)
        sizes = dict(line.split(" ", 1) for line in answer.text.split("\n") if line)
        return [replace(entry, size=_size(sizes.get(entry.digest, ""))) for entry in entries]

    def _commit(self, revision: str) -> tuple[str, str]:
        (content,) = self._reader.read([self.resolve(revision)])
        header, _, message = (content or b"").partition(b"\n\n")
        encoding = re.search(rb"^encoding (\S+)$", header, re.MULTILINE)
        try:
            text = message.decode(encoding[1].decode("ascii", "replace") if encoding else "utf-8", "replace")
        except LookupError:
            text = message.decode("utf-8", "replace")
        return header.decode("utf-8", "replace"), text

    def _output(self, *arguments: str) -> bytes:
        answer = run(self.path, *arguments, variables=self._variables)
        if answer.status:
            raise self._failed(arguments[0], answer)
        return answer.output

    def _failed(self, verb: str, answer: Answer) -> UnreadableRepository:
        return UnreadableRepository(f"git {verb} failed: {answer.said or answer.status}", where=str(self.path))

    def _unknown(self, revision: str) -> UnreadableRepository:
        names = [name for name, _ in self.branches()]
        if not names and run(self.path, "rev-list", "-n1", "--all", variables=self._variables).output == b"":
            return UnreadableRepository("the repository has no commits yet", where=str(self.path), hint="commit first")
        hint = _revision_hint(revision, names, is_shallow=self.is_shallow)
        return UnreadableRepository(f"there is no revision {revision!r}", where=str(self.path), hint=hint)


def _is_lfs_pointer(content: bytes) -> bool:
    return len(content) < _LFS_POINTER_BYTES and content.startswith(_LFS)


def _tree_entries(output: bytes) -> list[_Entry]:
    entries = []
    for record in output.split(b"\0")[:-1]:
        meta, _, path = record.partition(b"\t")
        mode, _, digest, size = meta.decode().split()
        entries.append(_Entry(mode, digest, _size(size), _path(path)))
    return entries


def _index_entries(output: bytes) -> list[_Entry]:
    entries = []
    for record in output.split(b"\0")[:-1]:
        meta, _, path = record.partition(b"\t")
        mode, digest, stage = meta.decode().split()
        if stage != "0":
            raise UsageError("the index has unresolved conflicts", where=_path(path), hint="finish the merge first")
        entries.append(_Entry(mode, digest, 0, _path(path)))
    return entries


def _revision_hint(revision: str, names: Sequence[str], *, is_shallow: bool) -> str:
    similar = difflib.get_close_matches(revision, names, n=1)
    if similar:
        return f"did you mean {similar[0]}?"
    if is_shallow:
        return "the clone is shallow; fetch its history with `git fetch --unshallow`"
    return "a branch, a tag or a commit id is wanted"


def _size(text: str) -> int:
    """Submodules and missing objects have no size."""
    return int(text) if text.isdigit() else 0


def _path(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _omitted(entries: Sequence[_Entry]) -> dict[str, str]:
    """Why the content of some paths is not read."""
    reasons, total = {}, 0
    for entry in entries:
        if entry.mode == "160000":
            reasons[entry.path] = "a submodule is another repository"
        elif entry.size > MAX_FILE_BYTES:
            reasons[entry.path] = f"it has {entry.size} bytes, more than the {MAX_FILE_BYTES} that are read"
        elif total + entry.size > MAX_TREE_BYTES:
            reasons[entry.path] = f"the files before it already have {MAX_TREE_BYTES} bytes"
        else:
            total += entry.size
    return reasons


def _unopened(directory: Path, answer: Answer) -> UnreadableRepository:
    if not directory.is_dir():
        return no_directory(directory)
    top = next(_repositories_above(directory), None)
    if top is None:
        return UnreadableRepository("not a Git repository", where=str(directory), hint="name a directory inside one")
    if hasattr(os, "getuid") and top.stat().st_uid != os.getuid():
        return UnreadableRepository(
            "git refuses a repository that belongs to another user",
            where=str(top),
            hint=f"git config --global --add safe.directory {top}",
        )
    return UnreadableRepository(f"git cannot open the repository: {answer.said}", where=str(top))


def _repositories_above(directory: Path) -> Iterator[Path]:
    for place in (directory, *directory.parents):
        if (place / ".git").exists() or ((place / "HEAD").is_file() and (place / "objects").is_dir()):
            yield place

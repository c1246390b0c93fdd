"""The `git` executable, run so that neither the caller's hooks nor the repository steer it.

A hook of Git exports GIT_DIR, GIT_INDEX_FILE and more, which would make us read another
repository than the one that was asked for, so only configuration and identity are passed on.
Reading runs no hook, file system monitor, filter, pager or transport.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from flux_handover.errors import UnreadableRepository

SECONDS = 120
_KEPT = ("GIT_CONFIG", "GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_TRACE", "GIT_EXEC_PATH", "GIT_CEILING_DIRECTORIES")
_QUARANTINE = ("GIT_QUARANTINE_PATH", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES")
_QUIET = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LFS_SKIP_SMUDGE": "1",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}
READ_ONLY = (
    "--no-pager",
    "-c",
    "core.quotepath=off",
    "-c",
    "core.fsmonitor=false",
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "protocol.allow=never",
)
# Requests are written before their answers are read; so many fit into the smallest pipe buffer.
_REQUESTS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run of git gave; `said` is its complaint, for people only."""

    status: int
    output: bytes
    said: str

    @property
    def text(self) -> str:
        """The output without its final line break."""
        return self.output.decode("utf-8", "backslashreplace").rstrip("\n")


def environment(git_dir: Path | None, caller: Mapping[str, str]) -> dict[str, str]:
    """The environment for git: the caller's, without what names another repository, index or work tree."""
    kept = {key: value for key, value in caller.items() if not key.startswith("GIT_") or key.startswith(_KEPT)}
    quarantine = caller.get("GIT_QUARANTINE_PATH")
    # In a pre-receive hook the pushed objects exist nowhere else yet.
    if git_dir and quarantine and Path(quarantine).resolve().is_relative_to(git_dir.resolve()):
        kept |= {key: caller[key] for key in _QUARANTINE if key in caller}
    return kept | _QUIET


def run(
    directory: Path,
    *arguments: str,
    variables: Mapping[str, str],
    options: Sequence[str] = READ_ONLY,
    text: bytes = b"",
) -> Answer:
    """The answer of `git arguments` in a directory, whatever its status."""
    try:
        done = subprocess.run(
            ("git", *options, *arguments),
            cwd=directory,
            env=dict(variables),
            input=text,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise _cannot_start(directory) from error
    except (NotADirectoryError, PermissionError) as error:
        raise UnreadableRepository("the directory cannot be entered", where=str(directory)) from error
    except subprocess.TimeoutExpired as error:
        raise UnreadableRepository(
            f"git {arguments[0]} did not answer in {SECONDS} seconds", where=str(directory)
        ) from error
    return Answer(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip())


class ObjectReader:
    """One long-lived `git cat-file --batch`; closed with `close` or when it is no longer used."""

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        self._directory = directory
        self._variables = dict(variables)
        self._running: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the process."""
        if self._running is not None:
            _end(self._running)
            self._running = None

    def read(self, digests: Sequence[str]) -> Iterator[bytes | None]:
        """The content of each object in order, None for one that is missing."""
        for start in range(0, len(digests), _REQUESTS_AT_ONCE):
            batch = digests[start : start + _REQUESTS_AT_ONCE]
            yield from self._read_batch(batch)

    def _read_batch(self, digests: Sequence[str]) -> list[bytes | None]:
        running = self._running or self._start()
        stdin, stdout = running.stdin, running.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write("".join(f"{digest}\n" for digest in digests).encode())
            stdin.flush()
        except BrokenPipeError as error:
            raise self._died() from error
        contents: list[bytes | None] = []
        for _ in digests:
            contents.append(self._read_answer(stdout))
        return contents

    def _read_answer(self, stdout: IO[bytes]) -> bytes | None:
        header = stdout.readline().split()
        if len(header) < 2:
            raise self._died()
        if header[-1] == b"missing":
            return None
        content = stdout.read(int(header[2]))
        stdout.read(1)
        return content

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            self._running = subprocess.Popen(
                ("git", *READ_ONLY, "cat-file", "--batch"),
                cwd=self._directory,
                env=self._variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except FileNotFoundError as error:
            raise _cannot_start(self._directory) from error
        weakref.finalize(self, _end, self._running)
        return self._running

    def _died(self) -> UnreadableRepository:
        self.close()
        return UnreadableRepository(
            "git stopped while reading objects",
            where=str(self._directory),
            hint="run `git fsck`; a partial clone must first be completed with `git fetch --refetch --no-filter`",
        )


def _end(running: subprocess.Popen[bytes]) -> None:
    for stream in (running.stdin, running.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    try:
        running.wait(timeout=5)
    except subprocess.TimeoutExpired:
        running.kill()
        running.wait()


def no_directory(directory: Path) -> UnreadableRepository:
    """What is said of a directory that is not there."""
    hint = "name a directory inside a Git repository"
    return UnreadableRepository("there is no such directory", where=str(directory), hint=hint)


def _cannot_start(directory: Path) -> UnreadableRepository:
    if not directory.exists():
        return no_directory(directory)
    return UnreadableRepository("git is not installed", hint="install git 2.25 or newer")

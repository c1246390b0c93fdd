"""One process of the engine: requests are written to it in turn, and answered as each is done.

A thread reads the answers for whoever waits for them. What the process writes to stderr is kept in a temporary
file, and its last lines are part of every error about the process itself.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from flux_handover import __version__
from flux_handover.adapters import engine_protocol as protocol
from flux_handover.adapters.engine_trees import Sent
from flux_handover.errors import EngineError

LAST_LINES = 10
PIPE_BYTES = 1024 * 1024
STUCK = 3
REINSTALL = "install flux-handover again (`pip install --force-reinstall flux-handover`), or see `flux-handover doctor`"


class EngineStopped(EngineError):
    """The process ended because of a build that it could not stop, before it answered another request."""


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """What the engine says of itself: its release, and the libraries whose behaviour it has."""

    engine: str
    kustomize: str
    flux_kustomize: str


@dataclass(slots=True, eq=False)
class Question:
    """A request that was written, or could not be: nothing comes then, and the wait ends at once."""

    seconds: float
    answer: bytes = b""
    is_late: bool = False
    over: threading.Event = field(default_factory=threading.Event)

    def end(self, answer: bytes) -> None:
        """Wake up whoever waits."""
        self.answer = answer
        self.over.set()


class Connection:
    """One process, from its greeting to its end. Writing is for one thread at a time, waiting for any."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self._version: EngineVersion | None = None
        self.sent = Sent()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = self._started()
        self._stdin, self._stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        os.set_blocking(self._stdin.fileno(), False)
        self._waiting: dict[int, Question] | None = {}
        self._number = 0
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _started(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [self._path],
                bufsize=PIPE_BYTES,
                pipesize=PIPE_BYTES,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                start_new_session=True,
            )
        except OSError as error:
            self._stderr.close()
            raise EngineError(
                f"the engine cannot be started: {error.strerror}", where=str(self._path), hint=REINSTALL
            ) from error

    @property
    def version(self) -> EngineVersion:
        """What the process says of itself; asked before anything else."""
        if self._version is None:
            self._version = self._greeted()
        return self._version

    @property
    def is_idle(self) -> bool:
        """Whether nobody waits for an answer."""
        return not self._waiting

    def _greeted(self) -> EngineVersion:
        greeting = protocol.greeting(self.answer(self._write(protocol.HELLO, self._seconds)))
        if greeting is None or greeting.protocol != protocol.PROTOCOL:
            raise self._error("the engine speaks another protocol")
        if greeting.version != __version__:
            raise self._error(f"the engine is of version {greeting.version}, flux-handover of {__version__}")
        return EngineVersion(greeting.version, greeting.kustomize, greeting.fluxKustomize)

    def ask(self, request: bytes, seconds: float) -> Question:
        """Write one request, for a process that greeted as it must."""
        assert self.version, "a process that does not greet raises"
        return self._write(request, seconds)

    def _write(self, request: bytes, seconds: float) -> Question:
        question = Question(seconds)
        with self._lock:
            self._number += 1
            number = self._number
            if self._waiting is not None:
                self._waiting[number] = question
            else:
                question.end(b"")
        # Where the process is gone, the thread that reads tells whoever waits.
        with contextlib.suppress(OSError):
            self._put(memoryview(protocol.numbered(number, request)), question)
        return question

    def _put(self, left: memoryview, question: Question) -> None:
        """Write all of it; a process that does not read is killed, so that writing always ends."""
        poll, end = select.poll(), time.monotonic() + question.seconds
        poll.register(self._stdin, select.POLLOUT)
        while left:
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                self._stop(question)
                return
            left = left[os.write(self._stdin.fileno(), left) :]

    def _stop(self, question: Question) -> None:
        question.is_late = True
        self._process.kill()

    def answer(self, question: Question) -> bytes:
        """The response to a request. A process that is too slow is killed, so waiting always ends."""
        if not question.over.wait(question.seconds):
            self._stop(question)
            question.over.wait()
        if not question.answer:
            raise self._failure(question)
        return question.answer

    def _read(self) -> None:
        for line in self._stdout:
            if line.endswith(b"\n"):
                self._taken(protocol.number_of(line)).end(line)
        with self._lock:
            left, self._waiting = self._waiting or {}, None
        for question in left.values():
            question.end(b"")

    def _taken(self, number: int | None) -> Question:
        """The request that is answered: the first one where the answer does not say which."""
        with self._lock:
            waiting = self._waiting or {}
            chosen = number if number in waiting else next(iter(waiting), None)
            return waiting.pop(chosen) if chosen is not None else Question(0)

    def ended(self) -> bool:
        """Whether the process ended by itself, which it does after a build that it could not stop."""
        return self._process.poll() is not None

    def _failure(self, question: Question) -> EngineError:
        if question.is_late:
            return self._error(f"the engine did not answer within {question.seconds:.0f} seconds and was stopped")
        code = self._process.wait()
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        failure = self._error(f"the engine ended without an answer ({how})")
        return EngineStopped(failure.message, where=failure.where, hint=failure.hint) if code == STUCK else failure

    def _error(self, message: str) -> EngineError:
        lines = self._last_lines()
        said = f"; its last words:\n{lines}" if lines else ""
        return EngineError(message + said, where=str(self._path), hint=REINSTALL)

    def _last_lines(self) -> str:
        # Read in place: another thread may have closed the connection by now, and others may read as well.
        with self._lock:
            content = b"" if self._stderr.closed else os.pread(self._stderr.fileno(), 1 << 20, 0)
        return "\n".join(content.decode(errors="replace").splitlines()[-LAST_LINES:])

    def close(self) -> None:
        """End the process by closing its input, or by force."""
        self._stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._stdout.close()
        with self._lock:
            self._stderr.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "the process was started with pipes"
    return pipe

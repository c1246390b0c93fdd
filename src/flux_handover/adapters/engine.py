"""The Go engine as a Builder: one long-lived process, JSON lines over pipes.

The process starts with the first request and ends with the `with` block. All it keeps is trees by
digest, so after a build that did not end it is simply started again. What it writes to stderr is kept in a temporary
file, and its last lines are part of every error about the process itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO, Self

from flux_handover import __version__
from flux_handover.adapters import engine_protocol as protocol
from flux_handover.adapters.engine_trees import Digests, Sent
from flux_handover.errors import EngineError
from flux_handover.model.building import (
    NOTHING,
    BuildRequest,
    BuildResult,
    KustomizeResult,
    Network,
    SubstitutionRequest,
    SubstitutionResult,
)
from flux_handover.tree import Tree

ENVIRONMENT = "FLUX_HANDOVER_ENGINE"
SECONDS = 120.0
BUILDS_PER_TIME = 60
LAST_LINES = 10
REINSTALL = "install flux-handover again (`pip install --force-reinstall flux-handover`), or see `flux-handover doctor`"


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """What the engine says of itself: its release, and the libraries whose behaviour it has."""

    engine: str
    kustomize: str
    flux_kustomize: str


def engine_path() -> Path:
    """The engine's program: of the environment, else the one in the package."""
    if named := os.environ.get(ENVIRONMENT):
        found = shutil.which(named)
        if found is None:
            raise EngineError(
                f"{named} is not a program", where=ENVIRONMENT, hint=f"unset {ENVIRONMENT}, or correct it"
            )
        return Path(found)
    packaged = Path(str(resources.files("flux_handover"))) / "bin" / "flux-handover-engine"
    if not packaged.is_file():
        raise EngineError("the engine is not installed", where=str(packaged), hint=REINSTALL)
    return packaged


class Engine:
    """A Builder that asks the engine. Use it as a context manager; one thread at a time."""

    def __init__(self, path: Path | None = None, *, seconds: float = SECONDS) -> None:
        self._path = path
        self._seconds = seconds
        self._connection: _Connection | None = None
        self._digests = Digests()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; a later request starts another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def version(self) -> EngineVersion:
        """Version of the engine and of the kustomize in it."""
        try:
            return self._connected().version
        except EngineError:
            self.close()
            raise

    def start(self) -> None:
        """Start the process ahead of the first request, without waiting for it."""
        self._connected()

    def build(
        self,
        tree: Tree,
        builds: Sequence[BuildRequest],
        *,
        network: Network = Network.DENIED,
        known: Mapping[str, Tree] = NOTHING,
    ) -> tuple[BuildResult, ...]:
        """The objects of each Kustomization, before substitution."""
        if not builds:
            return ()
        digest, trees = self._stored(tree, known)
        response = self._ask(protocol.build_request(digest, builds, network, trees), len(builds))
        return protocol.build_results(response)

    def kustomize(
        self, tree: Tree, path: str, *, network: Network = Network.DENIED, known: Mapping[str, Tree] = NOTHING
    ) -> KustomizeResult:
        """The objects of a directory, built by plain kustomize."""
        digest, trees = self._stored(tree, known)
        return protocol.kustomize_result(self._ask(protocol.kustomize_request(digest, path, network, trees), 1))

    def substitute(self, sets: Sequence[SubstitutionRequest]) -> tuple[SubstitutionResult, ...]:
        """The objects of each set with its variables put in."""
        if not sets:
            return ()
        response = self._ask(protocol.substitute_request(sets), len(sets))
        return protocol.substitution_results(response, sets)

    def _stored(self, tree: Tree, known: Mapping[str, Tree]) -> tuple[str, dict[str, str]]:
        """The digest of a tree and of those that stand for references, once the process has them all."""
        if self._connection is not None and self._connection.sent.is_full:
            self.close()
        digests = {reference: self._digests.of(other) for reference, other in known.items()}
        digest = self._digests.of(tree)
        trees = [(digest, tree), *((digests[reference], other) for reference, other in known.items())]
        fields = self._connected().sent.missing(trees)
        if fields is not None:
            self._store(fields)
        return digest, digests

    def _store(self, fields: Mapping[str, object]) -> None:
        try:
            protocol.stored(self._ask(protocol.store_request(fields), 1))
        except EngineError:
            self.close()
            raise

    def _connected(self) -> _Connection:
        if self._connection is None:
            self._connection = _Connection(self._path or engine_path(), self._seconds)
        return self._connection

    def _ask(self, request: bytes, builds: int) -> bytes:
        # The engine ends a build that takes a minute; this is for an engine that does not answer at all.
        seconds = self._seconds * (1 + builds / BUILDS_PER_TIME)
        connection = self._connected()
        try:
            response = connection.ask(request, seconds)
        except EngineError:
            self.close()
            raise
        if connection.ended():
            self.close()
        return response


class _Connection:
    """One process, from its greeting to its end."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self._version: EngineVersion | None = None
        self.sent = Sent()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [self._path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, start_new_session=True
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

    def _greeted(self) -> EngineVersion:
        greeting = protocol.greeting(self._ask(protocol.HELLO, self._seconds))
        if greeting is None or greeting.protocol != protocol.PROTOCOL:
            raise self._error("the engine speaks another protocol")
        if greeting.version != __version__:
            raise self._error(f"the engine is of version {greeting.version}, flux-handover of {__version__}")
        return EngineVersion(greeting.version, greeting.kustomize, greeting.fluxKustomize)

    def ask(self, request: bytes, seconds: float) -> bytes:
        """The response to one request line, of a process that greeted as it must."""
        assert self.version, "a process that does not greet raises"
        return self._ask(request, seconds)

    def _ask(self, request: bytes, seconds: float) -> bytes:
        """The response. A process that is too slow is killed, so reading always ends."""
        late = threading.Event()
        timer = threading.Timer(seconds, self._stop, [late])
        timer.start()
        try:
            response = self._exchanged(request)
        except OSError as error:
            raise self._failure(late, seconds) from error
        finally:
            timer.cancel()
        if not response.endswith(b"\n"):
            raise self._failure(late, seconds)
        return response

    def _stop(self, late: threading.Event) -> None:
        late.set()
        self._process.kill()

    def _exchanged(self, request: bytes) -> bytes:
        stdin, stdout = _pipe(self._process.stdin), _pipe(self._process.stdout)
        stdin.write(request + b"\n")
        stdin.flush()
        return stdout.readline()

    def ended(self) -> bool:
        """Whether the process ended by itself, which it does after a build that it could not stop."""
        return self._process.poll() is not None

    def _failure(self, late: threading.Event, seconds: float) -> EngineError:
        if late.is_set():
            return self._error(f"the engine did not answer within {seconds:.0f} seconds and was stopped")
        code = self._process.wait()
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        return self._error(f"the engine ended without an answer ({how})")

    def _error(self, message: str) -> EngineError:
        lines = self._last_lines()
        said = f"; its last words:\n{lines}" if lines else ""
        return EngineError(message + said, where=str(self._path), hint=REINSTALL)

    def _last_lines(self) -> str:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])

    def close(self) -> None:
        """End the process by closing its input, or by force."""
        try:
            self._process.communicate(timeout=5)
        except (subprocess.TimeoutExpired, ValueError):
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
        self._stderr.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "the process was started with pipes"
    return pipe

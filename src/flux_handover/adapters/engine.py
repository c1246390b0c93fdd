"""The Go engine as a Builder: one long-lived process, JSON lines over pipes.

The process starts with the first request and ends with the `with` block. All it keeps is trees by
digest, so after a build that did not end it is simply started again.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Self

from flux_handover.adapters import engine_protocol as protocol
from flux_handover.adapters.engine_process import REINSTALL, Connection, EngineStopped, EngineVersion
from flux_handover.adapters.engine_trees import Digests
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
ATTEMPTS = 3


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
    """A Builder that asks the engine. Use it as a context manager; several threads may ask at a time."""

    def __init__(self, path: Path | None = None, *, seconds: float = SECONDS) -> None:
        self._path = path
        self._seconds = seconds
        self._connection: Connection | None = None
        self._digests = Digests()
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; a later request starts another."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def version(self) -> EngineVersion:
        """Version of the engine and of the kustomize in it."""
        try:
            with self._lock:
                return self._connected().version
        except EngineError:
            self.close()
            raise

    def start(self) -> None:
        """Start the process ahead of the first request, without waiting for it."""
        with self._lock:
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
        digest, trees = self._named(tree, known)
        request = protocol.build_request(digest, builds, network, trees)
        return protocol.build_results(self._asked(request, len(builds), (tree, *known.values())))

    def kustomize(
        self, tree: Tree, path: str, *, network: Network = Network.DENIED, known: Mapping[str, Tree] = NOTHING
    ) -> KustomizeResult:
        """The objects of a directory, built by plain kustomize."""
        digest, trees = self._named(tree, known)
        request = protocol.kustomize_request(digest, path, network, trees)
        return protocol.kustomize_result(self._asked(request, 1, (tree, *known.values())))

    def substitute(self, sets: Sequence[SubstitutionRequest]) -> tuple[SubstitutionResult, ...]:
        """The objects of each set with its variables put in."""
        if not sets:
            return ()
        response = self._asked(protocol.substitute_request(sets), len(sets))
        return protocol.substitution_results(response, sets)

    def _named(self, tree: Tree, known: Mapping[str, Tree]) -> tuple[str, dict[str, str]]:
        """The digest of a tree, and of those that stand for references."""
        with self._lock:
            return self._digests.of(tree), {reference: self._digests.of(other) for reference, other in known.items()}

    def _asked(self, request: bytes, builds: int, trees: Iterable[Tree] = ()) -> bytes:
        """The response to a request about trees; a build of somebody else may have ended the process meanwhile."""
        # The engine ends a build that takes a minute; this is for an engine that does not answer at all.
        seconds = self._seconds * (1 + builds / BUILDS_PER_TIME)
        for _ in range(ATTEMPTS - 1):
            try:
                return self._answer(request, seconds, trees)
            except EngineStopped:
                continue
        return self._answer(request, seconds, trees)

    def _answer(self, request: bytes, seconds: float, trees: Iterable[Tree]) -> bytes:
        with self._lock:
            connection = self._connected()
            try:
                self._store(connection, trees)
                question = connection.ask(request, seconds)
            except EngineError:
                self.close()
                raise
        try:
            response = connection.answer(question)
        except EngineError:
            self._leave(connection)
            raise
        if connection.ended():
            self._leave(connection)
        return response

    def _store(self, connection: Connection, trees: Iterable[Tree]) -> None:
        """See that the process has the trees; what is asked next, it reads after them."""
        fields = connection.sent.missing([(self._digests.of(tree), tree) for tree in trees])
        if fields is not None:
            protocol.stored(connection.answer(connection.ask(protocol.store_request(fields), self._seconds)))

    def _connected(self) -> Connection:
        if self._connection is not None and self._connection.sent.is_full and self._connection.is_idle:
            self.close()
        if self._connection is None:
            self._connection = Connection(self._path or engine_path(), self._seconds)
        return self._connection

    def _leave(self, connection: Connection) -> None:
        """Do without a process from now on, unless that was done already."""
        with self._lock:
            if self._connection is connection:
                self._connection = None
        connection.close()

"""Processes that end with us, however we end: a client of the warden.

A thread that starts children and dies would take them along on Linux, and a program that is killed
cannot clean up at all. So one small process starts everything and outlives us by a moment.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from flux_handover.errors import SandboxError

WARDEN = Path(__file__).with_name("warden.py")


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start: its arguments, whole environment, folder and log."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    log: Path


@dataclass(slots=True)
class Process:
    """A started process; `exit` is set by the warden's word, negative for a signal."""

    number: int
    command: Command
    pid: int = 0
    exit: int | None = None
    error: str = ""
    started: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self.started.is_set() and not self.ended.is_set()


class Processes:
    """Starts, signals and ends processes; the folder vanishes at the end unless it is kept."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._processes: dict[int, Process] = {}
        self._listeners: list[Callable[[Process], None]] = []
        self._warden = subprocess.Popen(
            (sys.executable, "-I", "-S", str(WARDEN), str(folder)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._listen, name="warden", daemon=True)
        self._reader.start()

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, command: Command) -> Process:
        """The process, running; raises SandboxError where the program cannot be started."""
        process = Process(next(self._numbers), command)
        self._processes[process.number] = process
        order = {"spawn": command.arguments, "environment": dict(command.environment)}
        self._order({**order, "id": process.number, "folder": str(command.folder), "log": str(command.log)})
        process.started.wait(30)
        if process.error or not process.pid:
            raise SandboxError(f"{command.arguments[0]} could not be started", hint=process.error)
        return process

    def signal(self, process: Process, number: signal.Signals) -> None:
        """Signals the process and all it started."""
        self._order({"signal": int(number), "id": process.number})

    def stop(self, process: Process, *, grace: float) -> int | None:
        """Ends a process: asked first, killed after `grace` seconds; its exit code."""
        self.signal(process, signal.SIGTERM)
        # A stopped process sees the request only once it goes on.
        self.signal(process, signal.SIGCONT)
        if not process.ended.wait(grace):
            self.signal(process, signal.SIGKILL)
            process.ended.wait(10)
        return process.exit

    def when_one_ends(self, listener: Callable[[Process], None]) -> None:
        """Calls `listener`, on a thread of ours, for every process that ends from now on."""
        self._listeners.append(listener)

    def keep_folder(self) -> None:
        """Leaves the folder, with its logs, where it is."""
        self._order({"keep": True})

    def close(self) -> None:
        """Kills what still runs; returns when all of it is gone."""
        if self._warden.stdin is not None and not self._warden.stdin.closed:
            self._warden.stdin.close()
        self._warden.wait(30)
        self._reader.join(5)
        if self._warden.stdout is not None:
            self._warden.stdout.close()

    def _order(self, order: Mapping[str, Any]) -> None:
        line = json.dumps(order).encode() + b"\n"
        with self._lock:
            try:
                assert self._warden.stdin is not None
                self._warden.stdin.write(line)
                self._warden.stdin.flush()
            except (OSError, ValueError) as error:
                raise SandboxError("the sandbox's processes are gone", hint="start it again") from error

    def _listen(self) -> None:
        assert self._warden.stdout is not None
        for line in self._warden.stdout:
            self._note(json.loads(line))

    def _note(self, answer: Mapping[str, Any]) -> None:
        process = self._processes[answer["id"]]
        process.pid = answer.get("pid", process.pid)
        process.error = answer.get("error", "")
        process.started.set()
        if "exit" in answer:
            process.exit = answer["exit"]
            process.ended.set()
            for listener in self._listeners:
                listener(process)


def plain_environment() -> Mapping[str, str]:
    """What every process may know of ours: no proxy, no kubeconfig, no credentials."""
    return {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}

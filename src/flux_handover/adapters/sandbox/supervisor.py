"""A sandbox that outlives the command that started it: `flux-handover sandbox up|down|kubeconfig`.

A process of its own holds the sandbox and a lock on its folder; a file beside says how it fares. Who
holds the lock is the one to stop, so a recycled process id is never signalled.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from flux_handover.adapters.sandbox.binaries.doctor import CONTROL_PLANE, CONTROLLERS
from flux_handover.adapters.sandbox.binaries.providers import Directory, Modules, Provider, choose
from flux_handover.adapters.sandbox.control.kubeconfig import write_private
from flux_handover.adapters.sandbox.session import running_sandbox
from flux_handover.errors import HandoverError, SandboxError

STATE, LOCK, LOG, INSIDE = "state.json", "lock", "supervisor.log", "sandbox"
PROGRAMS = (*CONTROL_PLANE, *CONTROLLERS, "flux-operator", "gitssh")
START_SECONDS, STOP_SECONDS, CLEAR_SECONDS = 1800.0, 60.0, 10.0


@dataclass(frozen=True, slots=True)
class State:
    """How a detached sandbox fares: `phase` is starting, ready or failed."""

    phase: str
    pid: int
    kubeconfig: str = ""
    error: str = ""


def up(folder: Path, *, directory: Path | None = None) -> State:
    """Starts a detached sandbox in a folder, and returns once it is ready."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / LOCK).open("a") as lock:
        if not taken(lock):
            raise SandboxError("a sandbox runs there already", where=str(folder), hint="`sandbox down` ends it")
        (folder / STATE).unlink(missing_ok=True)
        # What a failed start left for us to read is read by now.
        cleared(folder / INSIDE)
        process = started(folder, lock.fileno(), directory)
    try:
        return awaited(folder, process)
    except BaseException:
        # Whoever stops waiting, by Ctrl-C too, does not know of the sandbox, and would not end it.
        process.terminate()
        raise


def started(folder: Path, lock: int, directory: Path | None) -> subprocess.Popen[bytes]:
    """The supervisor, which has the lock from its first moment: whoever is killed meanwhile leaves it to be found."""
    given = [str(directory)] if directory else []
    with (folder / LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder.resolve()), str(lock), *given],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock,),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )


def awaited(folder: Path, process: subprocess.Popen[bytes]) -> State:
    """The state of a sandbox once it is ready; SandboxError where it is not going to be."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        state = read_state(folder)
        if state is not None and state.phase == "ready":
            # It is meant to go on; nobody here waits for it any more.
            process.returncode = 0
            return state
        if process.poll() is not None:
            words = state.error if state else "it ended at once"
            raise SandboxError("the sandbox did not start", where=str(folder / LOG), hint=words)
        time.sleep(0.1)
    raise SandboxError("the sandbox did not start in time", where=str(folder / LOG))


def down(folder: Path) -> None:
    """Ends the sandbox of a folder; returns when all of it is gone, and it is no error if none runs."""
    end, told = time.monotonic() + STOP_SECONDS, 0
    while is_held(folder):
        state = read_state(folder)
        # One that was started a moment ago does not say yet who it is.
        if state is not None and state.pid != told:
            told = state.pid
            with suppress(ProcessLookupError):
                os.kill(told, signal.SIGTERM)
        if time.monotonic() > end:
            raise SandboxError("the sandbox did not end", where=str(folder / LOG), hint=f"its process is {told}")
        time.sleep(0.1)
    cleared(folder / INSIDE)
    for name in (STATE, LOCK, LOG):
        (folder / name).unlink(missing_ok=True)


def cleared(inside: Path) -> None:
    """Removes what a sandbox that was killed left, while the last of its programs may still write there."""
    end = time.monotonic() + CLEAR_SECONDS
    while inside.exists() and time.monotonic() < end:
        shutil.rmtree(inside, ignore_errors=True)


def kubeconfig(folder: Path) -> Path:
    """The kubeconfig of the sandbox that runs in a folder."""
    state = read_state(folder)
    if state is None or not is_held(folder) or state.phase != "ready":
        raise SandboxError("no sandbox runs there", where=str(folder), hint="`sandbox up` starts one")
    return Path(state.kubeconfig)


def read_state(folder: Path) -> State | None:
    """What the folder says of its sandbox."""
    try:
        return State(**json.loads((folder / STATE).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def is_held(folder: Path) -> bool:
    """Whether a supervisor holds the folder."""
    try:
        with (folder / LOCK).open("r") as lock:
            return not taken(lock)
    except FileNotFoundError:
        return False


def taken(lock: IO[str]) -> bool:
    """Whether the lock could be had; it is given back when the last who has the file open closes it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def write_state(folder: Path, state: State) -> None:
    """Lets others know how the sandbox fares."""
    write_private(folder / STATE, json.dumps(asdict(state)))


def supervise(folder: Path, providers: tuple[Provider, ...]) -> None:
    """Holds a sandbox until it is told to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    write_state(folder, State("starting", os.getpid()))
    with running_sandbox(choose(PROGRAMS, providers), folder=folder / INSIDE) as sandbox:
        write_state(folder, State("ready", os.getpid(), str(sandbox.plane.kubeconfig)))
        threading.Event().wait()


def main(arguments: list[str]) -> int:
    """The supervisor's own process: `FOLDER LOCK [DIRECTORY OF PROGRAMS]`; the lock is a file that it got open."""
    folder = Path(arguments[0])
    os.set_inheritable(int(arguments[1]), False)
    given = tuple(Directory(Path(place)) for place in arguments[2:])
    try:
        supervise(folder, (*given, Modules()))
    except HandoverError as error:
        write_state(folder, State("failed", os.getpid(), error=str(error)))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

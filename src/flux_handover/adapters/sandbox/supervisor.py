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
from dataclasses import asdict, dataclass
from pathlib import Path

from flux_handover.adapters.sandbox.binaries.doctor import CONTROL_PLANE, CONTROLLERS
from flux_handover.adapters.sandbox.binaries.providers import Directory, Modules, Provider, choose
from flux_handover.adapters.sandbox.control.kubeconfig import write_private
from flux_handover.adapters.sandbox.session import running_sandbox
from flux_handover.errors import HandoverError, SandboxError

STATE, LOCK, LOG, INSIDE = "state.json", "lock", "supervisor.log", "sandbox"
PROGRAMS = (*CONTROL_PLANE, *CONTROLLERS, "flux-operator", "gitssh")
START_SECONDS, STOP_SECONDS = 1800.0, 60.0


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
    if is_held(folder):
        raise SandboxError("a sandbox runs there already", where=str(folder), hint="`sandbox down` ends it")
    (folder / STATE).unlink(missing_ok=True)
    # What a failed start left for us to read is read by now.
    shutil.rmtree(folder / INSIDE, ignore_errors=True)
    command = [sys.executable, "-m", __name__, str(folder.resolve()), *([str(directory)] if directory else [])]
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    try:
        return awaited(folder, process)
    except BaseException:
        # Whoever stops waiting, by Ctrl-C too, does not know of the sandbox, and would not end it.
        process.terminate()
        raise


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
    state = read_state(folder)
    if state is not None and is_held(folder):
        os.kill(state.pid, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        while is_held(folder):
            if time.monotonic() > end:
                raise SandboxError(
                    "the sandbox did not end", where=str(folder / LOG), hint=f"its process is {state.pid}"
                )
            time.sleep(0.1)
    for name in (STATE, LOCK, LOG):
        (folder / name).unlink(missing_ok=True)


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
        with (folder / LOCK).open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def write_state(folder: Path, state: State) -> None:
    """Lets others know how the sandbox fares."""
    write_private(folder / STATE, json.dumps(asdict(state)))


def supervise(folder: Path, providers: tuple[Provider, ...]) -> None:
    """Holds a sandbox until it is told to end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    with (folder / LOCK).open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_state(folder, State("starting", os.getpid()))
        with running_sandbox(choose(PROGRAMS, providers), folder=folder / INSIDE) as sandbox:
            write_state(folder, State("ready", os.getpid(), str(sandbox.plane.kubeconfig)))
            threading.Event().wait()


def main(arguments: list[str]) -> int:
    """The supervisor's own process: `FOLDER [DIRECTORY OF PROGRAMS]`."""
    folder = Path(arguments[0])
    given = tuple(Directory(Path(place)) for place in arguments[1:])
    try:
        supervise(folder, (*given, Modules()))
    except HandoverError as error:
        write_state(folder, State("failed", os.getpid(), error=str(error)))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The warden, with real processes: what runs ends with us, however we end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flux_handover.adapters.sandbox.control.leftovers import fresh_folder, is_left_behind
from flux_handover.adapters.sandbox.control.processes import Command, Process, Processes, plain_environment
from flux_handover.adapters.sandbox.control.warden import LOCK
from flux_handover.errors import SandboxError

Eventually = Callable[..., None]


def command(folder: Path, *arguments: str, **environment: str) -> Command:
    return Command(arguments, {**plain_environment(), **environment}, folder, folder / "log")


def shell(folder: Path, script: str) -> Command:
    return command(folder, "sh", "-c", script)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "sandbox"
    place.mkdir()
    return place


@pytest.fixture
def processes(folder: Path) -> Iterator[Processes]:
    with Processes(folder) as running:
        yield running


def test_a_process_runs_in_its_folder_with_its_environment(processes: Processes, folder: Path) -> None:
    process = processes.start(command(folder, "sh", "-c", "echo $WORD; pwd", WORD="hello"))

    assert process.ended.wait(10)
    assert process.exit == 0
    assert (folder / "log").read_text() == f"hello\n{folder}\n"


def test_nothing_of_our_environment_is_passed_on(
    processes: Processes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/home/ada/.kube/config")

    process = processes.start(shell(folder, "env"))

    assert process.ended.wait(10)
    assert "KUBECONFIG" not in (folder / "log").read_text()


def test_a_program_that_does_not_exist_is_an_error(processes: Processes, folder: Path) -> None:
    with pytest.raises(SandboxError, match="could not be started"):
        processes.start(command(folder, "/no/such/program"))


def test_an_exit_is_told_to_whoever_listens(processes: Processes, folder: Path, eventually: Eventually) -> None:
    ended: list[Process] = []
    processes.when_one_ends(ended.append)

    process = processes.start(shell(folder, "exit 3"))

    eventually(lambda: ended, seconds=10)
    assert ended == [process]
    assert process.exit == 3
    assert not process.is_running


def test_stopping_asks_first(processes: Processes, folder: Path, eventually: Eventually) -> None:
    process = processes.start(shell(folder, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"))
    eventually(lambda: "up" in (folder / "log").read_text(), seconds=10)

    assert processes.stop(process, grace=10) == 0
    assert "bye" in (folder / "log").read_text()


def test_who_does_not_listen_is_killed(processes: Processes, folder: Path, eventually: Eventually) -> None:
    process = processes.start(shell(folder, "trap '' TERM; echo up; while :; do sleep 0.1; done"))
    eventually(lambda: "up" in (folder / "log").read_text(), seconds=10)

    assert processes.stop(process, grace=0.3) == -signal.SIGKILL


def test_a_frozen_process_can_be_stopped(processes: Processes, folder: Path) -> None:
    process = processes.start(shell(folder, "sleep 60"))
    processes.signal(process, signal.SIGSTOP)

    assert processes.stop(process, grace=5) == -signal.SIGTERM


def test_the_end_takes_grandchildren_and_the_folder(folder: Path, eventually: Eventually) -> None:
    processes = Processes(folder)
    process = processes.start(shell(folder, "sleep 60 & echo $!; wait"))
    eventually(lambda: (folder / "log").read_text().strip(), seconds=10)
    grandchild = int((folder / "log").read_text())

    processes.close()

    assert not is_alive(process.pid)
    eventually(lambda: not is_alive(grandchild), seconds=10)
    assert not folder.exists()


def test_a_folder_can_be_kept(folder: Path) -> None:
    processes = Processes(folder)
    processes.keep_folder()

    processes.close()

    assert folder.is_dir()


def test_after_the_end_nothing_can_be_started(folder: Path) -> None:
    processes = Processes(folder)
    processes.close()

    with pytest.raises(SandboxError, match="are gone"):
        processes.start(shell(folder, "true"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_parent_that_is_killed_leaves_nothing(folder: Path, number: signal.Signals, eventually: Eventually) -> None:
    # A shell ignores SIGINT for what it starts in the background, and children inherit that.
    script = (
        "import signal, sys, time, pathlib\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from flux_handover.adapters.sandbox.control.processes import *\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "processes = Processes(folder)\n"
        "command = Command(('sleep', '60'), plain_environment(), folder, folder / 'log')\n"
        "print(processes.start(command).pid, processes._warden.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen(
        (sys.executable, "-c", script, str(folder)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    assert parent.stdout is not None
    child, warden = map(int, parent.stdout.readline().split())
    assert is_alive(child)

    parent.send_signal(number)
    parent.wait(10)
    parent.stdout.close()

    eventually(lambda: not is_alive(child) and not is_alive(warden), seconds=10)
    eventually(lambda: not folder.exists(), seconds=10)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_children_die_even_with_a_killed_warden(folder: Path, eventually: Eventually) -> None:
    processes = Processes(folder)
    process = processes.start(shell(folder, "exec sleep 60"))

    os.kill(processes._warden.pid, signal.SIGKILL)

    eventually(lambda: not is_alive(process.pid), seconds=10)
    processes._warden.wait(10)
    time.sleep(0.1)
    for pipe in (processes._warden.stdin, processes._warden.stdout):
        assert pipe is not None
        pipe.close()


def test_a_folder_whose_warden_was_killed_is_left_behind(folder: Path) -> None:
    processes = Processes(folder)
    process = processes.start(shell(folder, "exec sleep 60"))
    assert not is_left_behind(folder)

    os.kill(processes._warden.pid, signal.SIGKILL)
    processes.close()

    assert is_left_behind(folder)
    if is_alive(process.pid):
        os.kill(process.pid, signal.SIGKILL)


def test_a_folder_with_logs_to_read_or_of_somebody_who_begins_is_not(folder: Path) -> None:
    assert not is_left_behind(folder)
    processes = Processes(folder)
    processes.keep_folder()
    processes.close()

    assert folder.is_dir()
    assert not is_left_behind(folder)


def test_the_next_sandbox_removes_what_was_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left = fresh_folder()
    (left / LOCK).touch()

    fresh = fresh_folder()

    assert list(tmp_path.iterdir()) == [fresh]

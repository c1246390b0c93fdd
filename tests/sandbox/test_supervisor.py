from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from flux_handover.adapters.cluster import KubeCluster
from flux_handover.adapters.sandbox import supervisor
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.errors import SandboxError

Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]


def test_nothing_runs_in_an_empty_folder(tmp_path: Path) -> None:
    assert not supervisor.is_held(tmp_path)
    assert supervisor.read_state(tmp_path) is None
    with pytest.raises(SandboxError, match="no sandbox runs there"):
        supervisor.kubeconfig(tmp_path)


def test_ending_what_does_not_run_is_no_error(tmp_path: Path) -> None:
    supervisor.down(tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_state_without_its_process_is_no_sandbox(tmp_path: Path) -> None:
    supervisor.write_state(tmp_path, supervisor.State("ready", os.getpid(), "kubeconfig"))

    with pytest.raises(SandboxError, match="no sandbox runs there"):
        supervisor.kubeconfig(tmp_path)
    supervisor.down(tmp_path)


def test_a_start_that_fails_says_why(program_file: Callable[[str, str], Path], tmp_path: Path) -> None:
    for name in supervisor.PROGRAMS:
        program_file(f"bin/{name}", "echo no such flag >&2; exit 1")

    with pytest.raises(SandboxError) as caught:
        supervisor.up(tmp_path / "sandbox", directory=tmp_path / "bin")

    assert caught.value.message == "the sandbox did not start"
    assert "kube-apiserver did not start" in caught.value.hint
    assert not supervisor.is_held(tmp_path / "sandbox")


@pytest.fixture
def starting(program_file: Callable[[str, str], Path], tmp_path: Path) -> Callable[[Path], subprocess.Popen[bytes]]:
    """Begins to start a sandbox that is never ready, as a person would from a shell."""
    for name in supervisor.PROGRAMS:
        program_file(f"bin/{name}", "exec sleep 600")
    # A shell ignores SIGINT for what it starts in the background, and children inherit that.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    code += (
        f" import sys, pathlib; from {supervisor.__name__} import up; place, given = map(pathlib.Path, sys.argv[1:]);"
    )
    code += " up(place, directory=given)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def start(place: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", code, str(place), str(tmp_path / "bin")], env=environment)

    return start


def etcd_log(place: Path) -> Path:
    return place / supervisor.INSIDE / "logs" / "etcd.log"


def children(pid: int) -> list[int]:
    found = (path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return [int(child) for of_thread in found for child in of_thread]


def test_whoever_is_interrupted_leaves_no_sandbox_behind(
    starting: Callable[[Path], subprocess.Popen[bytes]], tmp_path: Path, eventually: Eventually
) -> None:
    place = tmp_path / "sandbox"
    client = starting(place)
    eventually(lambda: etcd_log(place).exists(), what="it is starting")

    client.send_signal(signal.SIGINT)

    assert client.wait(30) != 0
    eventually(lambda: not supervisor.is_held(place), what="nobody holds the folder")
    eventually(lambda: not (place / supervisor.INSIDE).exists(), what="its folder is gone")


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_whoever_is_killed_at_once_leaves_a_sandbox_that_can_be_ended(
    starting: Callable[[Path], subprocess.Popen[bytes]], tmp_path: Path, eventually: Eventually
) -> None:
    place = tmp_path / "sandbox"
    client = starting(place)
    eventually(lambda: children(client.pid), what="the supervisor is being started")
    (begun,) = children(client.pid)

    client.kill()
    client.wait(10)
    assert supervisor.is_held(place)
    supervisor.down(place)

    assert not Path(f"/proc/{begun}").exists() or "State:\tZ" in Path(f"/proc/{begun}/status").read_text()
    assert list(place.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
@pytest.mark.parametrize("again", [True, False])
def test_what_a_killed_warden_left_is_removed_by_the_next(
    starting: Callable[[Path], subprocess.Popen[bytes]], tmp_path: Path, eventually: Eventually, again: bool
) -> None:
    place = tmp_path / "sandbox"
    client = starting(place)
    eventually(lambda: etcd_log(place).exists(), what="it is starting")
    state = supervisor.read_state(place)
    assert state is not None
    old = etcd_log(place).with_name("old.log")
    old.touch()

    for pid in (*children(state.pid), state.pid, client.pid):
        os.kill(pid, signal.SIGKILL)
    client.wait(10)
    eventually(lambda: not supervisor.is_held(place), what="nobody holds the folder")
    assert (place / supervisor.INSIDE).exists()

    if again:
        other = starting(place)
        eventually(lambda: etcd_log(place).exists() and not old.exists(), what="it starts again")
        other.kill()
        other.wait(10)
    supervisor.down(place)
    assert list(place.iterdir()) == []


@pytest.fixture
def folder(obtain: Obtain, tmp_path: Path) -> Iterator[Path]:
    """A folder in which a detached sandbox runs."""
    obtain(*supervisor.PROGRAMS)
    place = tmp_path / "sandbox"
    supervisor.up(place)
    yield place
    supervisor.down(place)


@pytest.mark.sandbox
def test_a_detached_sandbox_serves_until_it_is_ended(folder: Path) -> None:
    cluster = KubeCluster(supervisor.kubeconfig(folder))

    assert cluster.is_ready()
    with pytest.raises(SandboxError, match="runs there already"):
        supervisor.up(folder)

    supervisor.down(folder)

    assert not cluster.is_ready()
    assert list(folder.iterdir()) == []
    cluster.close()


@pytest.mark.sandbox
def test_a_killed_supervisor_takes_its_sandbox_along(folder: Path, eventually: Eventually) -> None:
    cluster = KubeCluster(supervisor.kubeconfig(folder))
    state = supervisor.read_state(folder)
    assert state is not None

    os.kill(state.pid, signal.SIGKILL)

    eventually(lambda: not cluster.is_ready(), seconds=20, what="the API server is gone")
    eventually(lambda: not (folder / supervisor.INSIDE).exists(), seconds=20, what="its folder is gone")
    assert not supervisor.is_held(folder)
    cluster.close()

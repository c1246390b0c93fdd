from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from flux_handover.adapters.sandbox.binaries.doctor import CONTROL_PLANE
from flux_handover.adapters.sandbox.binaries.providers import Directory, Program, choose, paths
from flux_handover.adapters.sandbox.control.plane import ControlPlane, refuse_elsewhere
from flux_handover.adapters.sandbox.control.ports import HIGHEST, LOWEST, free_port, is_free
from flux_handover.errors import SandboxError
from flux_handover.objects import ObjectId

Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]


def alive(folder: Path) -> list[str]:
    """The processes whose command names a folder."""
    listed = subprocess.run(("ps", "-eww", "-o", "pid,args"), capture_output=True, text=True, check=True).stdout
    mine = str(os.getpid())
    return [line for line in listed.splitlines() if str(folder) in line and line.split()[0] != mine]


def test_missing_programs_are_named_with_what_to_do_instead() -> None:
    with pytest.raises(SandboxError) as caught:
        refuse_elsewhere({})

    assert "etcd, kube-apiserver, kube-controller-manager" in caught.value.message
    assert "disposable cluster" in caught.value.hint
    assert "kind" in caught.value.hint


@pytest.mark.parametrize("arguments", [("rehearse",), ("sandbox", "up"), ("sandbox", "down")])
def test_other_systems_are_told_what_to_use_instead(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Also by verbs whose modules that system could not load."""
    code = "import sys; from flux_handover.cli.main import main; "
    code += "sys.platform, sys.modules['fcntl'] = 'win32', None; main()"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = (sys.executable, "-c", code, *arguments)

    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)

    assert done.returncode == 2
    assert "the sandbox runs on Linux and macOS, not on win32" in done.stderr
    assert "disposable cluster" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_that_nobody_can_give_is_told_with_what_to_do_instead() -> None:
    with pytest.raises(SandboxError, match="nothing gives the program etcd") as caught:
        choose(("etcd",), (Directory(Path("/nowhere")),))

    assert "disposable cluster" in caught.value.hint


def test_a_folder_that_is_in_use_is_refused(program_file: Callable[[str, str], Path], tmp_path: Path) -> None:
    programs = {name: program_file(f"bin/{name}", "true") for name in CONTROL_PLANE}
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "kubeconfig").touch()

    with pytest.raises(SandboxError, match="is not empty"):
        ControlPlane(programs, tmp_path / "used")


def test_a_program_that_ends_at_once_is_told_with_its_log(
    program_file: Callable[[str, str], Path], tmp_path: Path
) -> None:
    programs = {name: program_file(f"bin/{name}", "echo no such flag >&2; exit 1") for name in CONTROL_PLANE}

    with pytest.raises(SandboxError) as caught, ControlPlane(programs, tmp_path / "sandbox"):
        pass

    assert caught.value.message == "kube-apiserver did not start"
    assert caught.value.hint == "no such flag"
    assert Path(caught.value.where).read_text() == "no such flag\n"


def test_ports_are_free_and_never_given_twice() -> None:
    ports = [free_port() for _ in range(50)]

    assert len(set(ports)) == 50
    assert all(LOWEST <= port <= HIGHEST and is_free(port) for port in ports)


@pytest.mark.sandbox
def test_the_api_server_is_verified_and_nothing_is_open_to_strangers(plane: ControlPlane) -> None:
    trusting = ssl.create_default_context(cafile=str(plane.authority.certificate))

    with urllib.request.urlopen(f"{plane.server}/readyz", context=trusting, timeout=10) as answer:
        assert answer.read() == b"ok"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{plane.server}/api/v1/secrets", context=trusting, timeout=10)
    assert "insecure" not in plane.kubeconfig.read_text()


@pytest.mark.sandbox
def test_credentials_are_ours_alone(plane: ControlPlane) -> None:
    secret = [plane.folder, plane.kubeconfig, plane.folder / "tokens.csv", plane.folder / "pki" / "ca.key"]

    assert [path for path in secret if path.stat().st_mode & 0o077] == []


@pytest.mark.sandbox
def test_two_control_planes_run_side_by_side(plane: ControlPlane, obtain: Obtain) -> None:
    with ControlPlane(paths(obtain(*CONTROL_PLANE))) as other:
        name = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "only-there"}}
        other.cluster.apply(name, field_manager="test")

        assert plane.cluster.get(ObjectId("", "Namespace", "", "only-there")) is None
        assert other.cluster.get(ObjectId("", "Namespace", "", "only-there")) is not None
        folder = other.folder

    assert not folder.exists()
    assert alive(folder) == []
    assert plane.cluster.is_ready()


@pytest.mark.sandbox
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_program_leaves_no_control_plane_behind(
    number: signal.Signals, obtain: Obtain, tmp_path: Path, eventually: Eventually
) -> None:
    folder = tmp_path / "sandbox"
    script = (
        "import pathlib, signal, sys, time\n"
        # A shell that starts the tests in the background has it ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from flux_handover.adapters.sandbox.control.plane import ControlPlane\n"
        "programs = dict(zip(sys.argv[2::2], map(pathlib.Path, sys.argv[3::2])))\n"
        "with ControlPlane(programs, pathlib.Path(sys.argv[1])):\n"
        "    print('up', flush=True)\n"
        "    time.sleep(120)\n"
    )
    words = [word for name, path in paths(obtain(*CONTROL_PLANE)).items() for word in (name, str(path))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = (sys.executable, "-c", script, str(folder), *words)
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"up\n"
    assert len(alive(folder)) >= 4

    parent.send_signal(number)
    parent.wait(30)
    parent.stdout.close()

    eventually(lambda: alive(folder) == [], seconds=20, what="no process is left")
    eventually(lambda: not folder.exists(), seconds=20, what="the folder is gone")

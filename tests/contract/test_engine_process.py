"""What a missing, foreign, dying or silent engine becomes: one clear error, and a fresh start."""

from __future__ import annotations

import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from builders import repo

from flux_handover import __version__
from flux_handover.adapters.engine import ENVIRONMENT, Engine, engine_path
from flux_handover.errors import EngineError
from flux_handover.model.building import BuildRequest
from flux_handover.tree import Tree

GREETING = f'{{"id":0,"version":"{__version__}","protocol":1,"kustomize":"api/v0.21.1","fluxKustomize":"v1.35.4"}}'
BUILD = [BuildRequest("x", {"spec": {"path": "none"}})]


def program(directory: Path, *lines: str) -> Path:
    path = directory / "engine"
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def refused(path: Path, *, seconds: float = 30) -> EngineError:
    with Engine(path, seconds=seconds) as engine, pytest.raises(EngineError) as raised:
        engine.build(Tree(), BUILD)
    assert raised.value.hint
    return raised.value


def test_an_engine_of_another_version_is_refused(tmp_path: Path) -> None:
    error = refused(program(tmp_path, "read line", f"echo '{GREETING.replace(__version__, '0.0.1')}'"))

    assert "0.0.1" in error.message
    assert __version__ in error.message
    assert "pip install" in error.hint


@pytest.mark.parametrize("answer", ["not json", '{"id":0}', GREETING.replace('"protocol":1', '"protocol":2')])
def test_an_engine_of_another_protocol_is_refused(tmp_path: Path, answer: str) -> None:
    assert "protocol" in refused(program(tmp_path, "read line", f"echo '{answer}'")).message


def test_a_dying_engine_is_quoted(tmp_path: Path) -> None:
    path = program(tmp_path, "read line", f"echo '{GREETING}'", "read line", "echo 'out of luck' >&2", "exit 7")

    error = refused(path)

    assert "exit code 7" in error.message
    assert "out of luck" in error.message


def test_an_engine_killed_by_a_signal_says_which(tmp_path: Path) -> None:
    assert "signal 9" in refused(program(tmp_path, "kill -9 $$")).message


def test_an_engine_that_stops_reading_does_not_hang_the_client(tmp_path: Path) -> None:
    path = program(tmp_path, "read line", f"echo '{GREETING}'", "exec sleep 60")
    large = Tree().with_file("a", b"x" * 5_000_000)
    began = time.monotonic()

    with Engine(path, seconds=0.5) as engine, pytest.raises(EngineError, match="did not answer within"):
        _ = engine.build(large, []), engine.kustomize(large, ".")

    assert time.monotonic() - began < 10


def test_half_a_line_is_no_answer(tmp_path: Path) -> None:
    path = program(tmp_path, "read line", f"echo '{GREETING}'", "read line", "printf '{\"results\":'")

    assert "ended without an answer" in refused(path).message


def test_an_unreadable_answer_is_reported(tmp_path: Path) -> None:
    stored = ("read line", f"echo '{GREETING}'", "read line", "echo '{}'")
    path = program(tmp_path, *stored, "read line", "echo '{\"results\": 1}'")

    assert "not readable" in refused(path).message


def test_a_file_that_is_no_program_is_reported(tmp_path: Path) -> None:
    (tmp_path / "engine").write_text("")

    assert "cannot be started" in refused(tmp_path / "engine").message


def test_the_environment_names_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program(tmp_path, "exit 0")
    monkeypatch.setenv(ENVIRONMENT, str(path))

    assert engine_path() == path


def test_an_engine_that_the_environment_names_in_vain_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "/nowhere/engine")

    with pytest.raises(EngineError) as raised:
        engine_path()

    assert raised.value.where == ENVIRONMENT


def test_after_a_crash_the_next_request_starts_a_new_engine(tmp_path: Path) -> None:
    once = tmp_path / "crashed"
    path = program(tmp_path, f"if [ -e {once} ]; then exec {engine_path()}; fi", f"touch {once}", "read line", "exit 1")

    with Engine(path) as engine:
        with pytest.raises(EngineError):
            engine.build(Tree(), BUILD)
        (result,) = engine.build(Tree(), BUILD)

    assert result.error is not None
    assert result.error.code == "missing-path"


def test_a_build_of_another_that_ends_the_engine_is_no_error(tmp_path: Path) -> None:
    once = tmp_path / "stuck"
    path = program(
        tmp_path,
        f"if [ -e {once} ]; then exec {engine_path()}; fi",
        f"touch {once}",
        *("read line", f"echo '{GREETING}'", "read line", "exit 3"),
    )

    with Engine(path) as engine:
        (result,) = engine.build(Tree(), BUILD)

    assert result.error is not None
    assert result.error.code == "missing-path"


def test_an_engine_that_always_ends_is_not_started_for_ever(tmp_path: Path) -> None:
    assert "exit code 3" in refused(program(tmp_path, "exit 3")).message


def test_several_threads_get_their_own_answers() -> None:
    def built(number: int) -> str:
        path = f"farm-{number}"
        tree = repo(f"{path}/a.yaml", f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: map-{number}}}\n")
        (result,) = engine.build(tree, [BuildRequest("x", {"spec": {"path": path}})])
        return ", ".join(object.id.name for object in result.objects)

    with Engine() as engine, ThreadPoolExecutor(8) as pool:
        names = list(pool.map(built, range(60)))

    assert names == [f"map-{number}" for number in range(60)]


def test_an_engine_is_started_by_the_first_request_only(tmp_path: Path) -> None:
    started = tmp_path / "started"

    with Engine(program(tmp_path, f"touch {started}")):
        pass

    assert not started.exists()

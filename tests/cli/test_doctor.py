from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest
from builders import git_repository, repo

from flux_handover.adapters.engine import ENVIRONMENT
from flux_handover.cli.main import run
from flux_handover.report.shapes.common import schema_of
from flux_handover.report.shapes.doctor import DoctorReport


def test_a_machine_that_runs_the_tests_lacks_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git_repository(tmp_path, repo("readme.md", "hello"))

    assert run(["doctor", str(tmp_path)]) == 0
    assert "everything that is needed is there" in capsys.readouterr().out


def test_a_missing_engine_is_told_and_is_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "nowhere"))

    assert run(["doctor", str(tmp_path), "--output", "json"]) == 2

    report = json.loads(capsys.readouterr().out)
    jsonschema_rs.validate(json.loads(schema_of("doctor", DoctorReport)), report)
    (engine,) = (check for check in report["checks"] if check["name"] == "engine")
    assert engine["needed"]
    assert not engine["met"]
    assert engine["hint"]


def test_a_folder_without_a_repository_is_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", str(tmp_path)]) == 0
    assert "not a Git repository" in capsys.readouterr().out


def test_changes_that_are_not_committed_are_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git_repository(tmp_path, repo("readme.md", "hello"))
    (tmp_path / "readme.md").write_text("changed")

    assert run(["doctor", str(tmp_path)]) == 0
    assert "has changes not committed" in capsys.readouterr().out


def test_what_a_rehearsal_would_have_to_build_first_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text("#!/bin/sh\necho go version go1.26.0\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")

    run(["doctor", str(tmp_path), "--output", "json"])

    (sandbox,) = (check for check in json.loads(capsys.readouterr().out)["checks"] if check["name"] == "sandbox")
    assert (sandbox["met"], sandbox["needed"]) == (True, False)
    assert re.search(
        r"^0 of 12 programs are there, 0 MB; the first start builds the rest, about \d+ min$", sandbox["found"]
    )


def test_a_rehearsal_that_cannot_be_is_a_note_that_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))

    run(["doctor", str(tmp_path), "--output", "json"])

    (sandbox,) = (check for check in json.loads(capsys.readouterr().out)["checks"] if check["name"] == "sandbox")
    assert not sandbox["met"]
    assert "Go is not installed" in sandbox["hint"]
    assert "openssl is not installed" in sandbox["hint"]
    assert "a disposable cluster" in sandbox["hint"]

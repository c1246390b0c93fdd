"""The main job on the bundled repository: planned, proved, committed, planned again."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from builders import git

from flux_handover.adapters.bundled import prepared
from flux_handover.cli.main import run
from flux_handover.report.shapes.commit import CommitReport
from flux_handover.report.shapes.common import schema_of
from flux_handover.report.shapes.plan import PlanReport

FLUX = "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/flux"
MANIFESTS = "OCIRepository.source.toolkit.fluxcd.io/flux-system/flux-manifests"
SCHEMAS: Mapping[str, type[msgspec.Struct]] = {"plan": PlanReport, "commit": CommitReport}
Report = Mapping[str, Any]


def said(verb: str, repository: Path, capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Report:
    """What a verb says as JSON, checked against its schema."""
    assert run([verb, str(repository), "--output", "json", *arguments]) == status
    report: Report = json.loads(capsys.readouterr().out)
    jsonschema_rs.validate(json.loads(schema_of(verb, SCHEMAS[verb])), report)
    return report


def printed(*arguments: str) -> Report:
    """What a verb prints as JSON, for fixtures that many tests share."""
    page = io.StringIO()
    with contextlib.redirect_stdout(page):
        assert run([*arguments, "--output", "json"]) == 0
    report: Report = json.loads(page.getvalue())
    return report


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("plan") / "demo")


@pytest.fixture(scope="module")
def planned(demo: Path) -> Report:
    return printed("plan", str(demo))


@pytest.fixture(scope="module")
def handed_over(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    repository = prepared(tmp_path_factory.mktemp("commit") / "demo")
    return repository, printed("commit", str(repository), "--all")


def test_the_demo_is_proved(planned: Report) -> None:
    jsonschema_rs.validate(json.loads(schema_of("plan", PlanReport)), planned)

    assert planned["verdict"] == "proved"


def test_only_retire_deletes_and_only_how_flux_was_installed(planned: Report) -> None:
    deleted = {phase["name"]: phase["deletes"] for phase in planned["phases"] if phase["deletes"]}

    assert deleted == {"retire": [FLUX, MANIFESTS]}


def test_the_phases_are_in_order(planned: Report) -> None:
    names = [phase["name"] for phase in planned["phases"]]

    order = ["preflight", "protect", "operator", "instance", "bootstrap", "retire", "references"]
    assert names == [name for name in order if name in names]
    assert {"preflight", "protect", "operator", "instance", "retire"} <= set(names)


def test_the_target_runs_what_runs_today(planned: Report) -> None:
    (target,) = planned["targets"]

    assert target == planned["target"]
    assert target["flux_version"].lstrip("v") == "2.6.4"
    assert len(target["components"]) == 6
    assert target["cluster"] == "homelab/flux"


def test_each_phase_but_the_first_has_files_proof_and_a_way_back(planned: Report) -> None:
    for phase in planned["phases"][1:]:
        assert any(phase["files"].values()), phase["name"]
        assert phase["proof"], phase["name"]
        assert phase["way_back"], phase["name"]


def test_each_gate_has_a_command_that_only_reads(planned: Report) -> None:
    commands = [gate["command"] for phase in planned["phases"] for gate in phase["gates"]]

    assert commands
    assert [one for one in commands if not re.match(r"kubectl (?:-n \S+ )?(?:get|wait) ", one)] == []


def test_planning_writes_nothing(demo: Path, planned: Report) -> None:
    assert planned
    assert git(demo, "status", "--porcelain") == ""
    assert git(demo, "branch", "--format=%(refname:short)") == "main"


def test_every_phase_is_a_commit_on_the_one_before(handed_over: tuple[Path, Report], planned: Report) -> None:
    repository, report = handed_over

    names = [phase["name"] for phase in planned["phases"] if phase["name"] != "preflight"]
    assert [one["phase"] for one in report["commits"]] == names
    parent = git(repository, "rev-parse", "main")
    for one in report["commits"]:
        assert git(repository, "rev-parse", one["branch"]) == one["sha"]
        assert git(repository, "rev-parse", f"{one['sha']}^") == parent
        parent = one["sha"]


def test_a_commit_changes_exactly_the_files_of_its_phase(handed_over: tuple[Path, Report], planned: Report) -> None:
    repository, report = handed_over
    files = {
        phase["name"]: {path for paths in phase["files"].values() for path in paths} for phase in planned["phases"]
    }

    for one in report["commits"]:
        changed = git(repository, "show", "--name-only", "--no-renames", "--format=", one["sha"]).splitlines()
        assert set(changed) == files[one["phase"]]


def test_each_message_is_one_that_git_and_a_person_can_read(handed_over: tuple[Path, Report]) -> None:
    repository, report = handed_over

    for one in report["commits"]:
        message = git(repository, "show", "--no-patch", "--format=%B", one["sha"])
        subject, blank, first, *_ = message.splitlines()
        trailers = git(repository, "show", "--no-patch", "--format=%(trailers:only)", one["sha"])
        assert len(subject) <= 50
        assert blank == ""
        assert first.startswith("Before this reaches the branch that Flux follows")
        assert f"Flux-Handover-Phase: {one['phase']}" in trailers
        assert "Flux-Handover-Plan: " in trailers
        assert "The way back:" in message


def test_nothing_is_left_after_the_last_phase(
    handed_over: tuple[Path, Report], capsys: pytest.CaptureFixture[str]
) -> None:
    repository, report = handed_over
    last = report["commits"][-1]["branch"]

    assert said("plan", repository, capsys, "--revision", last)["phases"] == []
    assert said("commit", repository, capsys, "--revision", last)["commits"] == []


@pytest.mark.slow
def test_after_a_phase_the_later_ones_are_left(
    handed_over: tuple[Path, Report], capsys: pytest.CaptureFixture[str]
) -> None:
    repository, report = handed_over
    names = [one["phase"] for one in report["commits"]]

    for done, one in enumerate(report["commits"][:-1], 1):
        left = said("plan", repository, capsys, "--revision", one["branch"])
        assert [phase["name"] for phase in left["phases"] if phase["name"] != "preflight"] == names[done:]


def test_a_squash_without_trailers_is_recognised_too(
    tmp_path: Path, handed_over: tuple[Path, Report], capsys: pytest.CaptureFixture[str]
) -> None:
    source, report = handed_over
    git(tmp_path, "clone", "-q", str(source), "squashed")
    squashed = tmp_path / "squashed"
    git(squashed, "merge", "-q", "--squash", f"origin/{report['commits'][1]['branch']}")
    git(squashed, "commit", "-q", "-m", "Two at once")

    left = said("plan", squashed, capsys)

    names = [phase["name"] for phase in left["phases"] if phase["name"] != "preflight"]
    assert names == [one["phase"] for one in report["commits"][2:]]


def test_the_next_phase_alone_by_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = prepared(tmp_path / "demo")

    report = said("commit", repository, capsys, "--branch", "move")

    assert [(one["phase"], one["branch"]) for one in report["commits"]] == [("protect", "move/1-protect")]


def test_a_branch_that_exists_stops_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repository = prepared(tmp_path / "demo")
    git(repository, "branch", "flux-handover/5-retire")

    report = said("commit", repository, capsys, "--all", status=2)

    assert "flux-handover/5-retire is there already" in report["error"]["message"]
    assert git(repository, "branch", "--list", "flux-handover/1-protect") == ""


def test_an_operator_that_nobody_knows_is_refused(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = said("plan", demo, capsys, "--operator-version", "99.0.0", status=2)

    assert "99.0.0" in report["error"]["message"]
    assert report["error"]["hint"]


def test_the_demo_runs_everything_and_leaves_the_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--into", str(tmp_path / "here")]) == 0

    shown = capsys.readouterr().out
    for words in ("$ flux-handover inspect", "$ flux-handover plan", "$ flux-handover commit --all", "never together"):
        assert words in shown
    assert (tmp_path / "here" / ".git").is_dir()


def test_the_demo_does_not_write_over_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    assert run(["demo", "--into", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err

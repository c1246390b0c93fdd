"""The steps of the action and of the workflow, run as a runner would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from builders import commit_tree, git, git_repository
from proof.fleets import Files, config, fleet, listing

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / ".github/actions/guard/action.yaml").read_text())
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/guard.yaml").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
SCRIPTS = {
    "action": ACTION["runs"]["steps"][-1]["run"],
    "workflow": WORKFLOW["jobs"]["guard"]["steps"][-1]["run"],
}
ONLY_NOTES: Files = {"apps/kustomization.yaml": listing("notes.yaml")}
MEANT: Files = {**ONLY_NOTES, "apps/memos.yaml": None}
NEVER = "0" * 40


@pytest.fixture
def fleets(tmp_path: Path) -> Path:
    return git_repository(tmp_path / "fleet", fleet())


def ran(script: str, repository: Path, base: str, head: str, **more: str) -> tuple[int, str]:
    """The exit status and the summary of a step."""
    scratch = repository.parent
    summary = scratch / "summary.md"
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "RUNNER_TEMP": str(scratch),
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_OUTPUT": str(scratch / "output"),
        "BASE": base,
        "HEAD": head,
        "REPOSITORY": str(repository),
        "EVENT": "push",
        "EACH": "false",
        "FAIL_ON": "error",
        "ARGUMENTS": "",
    }
    done = subprocess.run(("bash", "-e", "-c", script), cwd=repository, env=environment | more, capture_output=True)
    return done.returncode, summary.read_text()


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(("change", "status", "words"), [(MEANT, 0, "safe"), (ONLY_NOTES, 1, "unsafe")])
def test_the_job_fails_with_the_guard_and_says_why(
    fleets: Path, script: str, change: Files, status: int, words: str
) -> None:
    base, head = git(fleets, "rev-parse", "HEAD"), commit_tree(fleets, fleet(change), "Change")

    found, summary = ran(SCRIPTS[script], fleets, base, head)

    assert found == status
    assert summary.startswith(f"### Flux guard: {words}")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_branch_that_is_new_is_compared_with_where_it_branched_off(fleets: Path, script: str) -> None:
    git(fleets, "checkout", "-q", "-b", "side")
    head = commit_tree(fleets, fleet(ONLY_NOTES), "Change")

    assert ran(SCRIPTS[script], fleets, NEVER, head)[0] == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_pull_request_lacks_because_its_target_moved_on_is_not_removed(fleets: Path, script: str) -> None:
    git(fleets, "checkout", "-q", "-b", "side")
    head = commit_tree(fleets, fleet({"README.md": "words"}), "Change")
    git(fleets, "checkout", "-q", "main")
    base = commit_tree(fleets, fleet({"clusters/main/late.yaml": config("late")}), "Move on")

    status, summary = ran(SCRIPTS[script], fleets, base, head, EVENT="pull_request")

    assert status == 0
    assert "late" not in summary


def test_the_action_writes_what_code_scanning_reads(fleets: Path) -> None:
    base, head = git(fleets, "rev-parse", "HEAD"), commit_tree(fleets, fleet(ONLY_NOTES), "Change")

    ran(SCRIPTS["action"], fleets, base, head, EACH="true", ARGUMENTS="--depth 3")

    outputs = dict(line.split("=", 1) for line in (fleets.parent / "output").read_text().splitlines())
    log = json.loads(Path(outputs["sarif"]).read_text())
    assert [result["ruleId"] for result in log["runs"][0]["results"]] == ["O1"]


def hook(id: str, repository: Path, **more: str) -> int:
    entry = next(one["entry"] for one in HOOKS if one["id"] == id)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **more}
    return subprocess.run(("bash", "-c", entry), cwd=repository, env=environment, capture_output=True).returncode


def test_the_hook_before_a_commit_sees_what_is_staged(fleets: Path) -> None:
    (fleets / "apps/kustomization.yaml").write_text(ONLY_NOTES["apps/kustomization.yaml"] or "")

    assert hook("flux-guard", fleets) == 0
    git(fleets, "add", "-A")
    assert hook("flux-guard", fleets) == 1


def test_the_hook_before_a_push_sees_what_is_pushed(fleets: Path) -> None:
    base, head = git(fleets, "rev-parse", "HEAD"), commit_tree(fleets, fleet(ONLY_NOTES), "Change")

    assert hook("flux-guard-push", fleets, PRE_COMMIT_FROM_REF=base, PRE_COMMIT_TO_REF=head) == 1
    assert hook("flux-guard-push", fleets, PRE_COMMIT_FROM_REF=base, PRE_COMMIT_TO_REF=base) == 0

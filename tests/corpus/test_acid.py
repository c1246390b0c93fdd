"""The first user's three commits: one that is harmless, and one that is fatal, told apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import commit_tree, git, git_repository, unpacked
from planning import Reader
from proof.fleets import Judge

from flux_handover.adapters.engine import Engine
from flux_handover.cli.main import run
from flux_handover.findings import Severity
from flux_handover.proof.guard_report import GuardReport, Safety
from flux_handover.tree import Tree

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
STEPS = ("flux-talos-0-base", "flux-talos-1-ecfae904", "flux-talos-2-95954bb7")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not all((CORPUS / f"{name}.tar.xz").is_file() for name in STEPS), reason="the corpus is absent"),
]


@pytest.fixture(scope="module")
def trees() -> tuple[Tree, ...]:
    return tuple(unpacked(CORPUS / f"{name}.tar.xz") for name in STEPS)


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Engine() as engine:
        yield Judge(engine)


@pytest.fixture(scope="module")
def series(judge: Judge, trees: tuple[Tree, ...]) -> tuple[GuardReport, ...]:
    """Base -> 1 -> 2, each pushed alone."""
    return judge.reports(*trees)


def errors(report: GuardReport) -> Counter[str]:
    return Counter(one.hazard for one in report.findings if one.severity is Severity.ERROR)


def test_the_first_commit_breaks_two_builds_and_deletes_nothing(series: tuple[GuardReport, ...]) -> None:
    first = series[0]

    assert first.deletes == ()
    assert errors(first) == {"G3": 1, "A1": 1}
    broken = {finding.subject.rpartition("/")[2] for finding in first.findings if finding.hazard in ("G3", "A1")}
    assert broken == {"cluster", "cluster-apps"}


def test_its_revert_is_harmless(judge: Judge, trees: tuple[Tree, ...]) -> None:
    back = judge.reports(trees[0], trees[1], trees[0])[1]

    assert back.deletes == ()
    assert errors(back) == {}
    assert back.verdict is Safety.SAFE


def test_the_second_deletes_fifty_objects(series: tuple[GuardReport, ...]) -> None:
    deleted = Counter(one.id.kind for one in series[1].deletes)

    assert deleted == {"HelmRepository": 47, "GitRepository": 1, "ConfigMap": 1, "Secret": 1}
    names = {one.id.name for one in series[1].deletes if one.id.kind != "HelmRepository"}
    assert names == {"gateway-api", "cluster-settings", "cluster-secrets"}
    assert not any(one.expected for one in series[1].deletes)


def test_then_the_variables_are_missing_for_ever(series: tuple[GuardReport, ...]) -> None:
    deadlocks = [one for one in series[1].findings if one.hazard == "V1"]

    assert [one.subject for one in deadlocks] == ["ConfigMap/flux-system/cluster-settings"]
    assert series[1].verdict is Safety.UNSAFE


def test_all_phases_of_his_plan_in_one_commit_are_refused_with_the_trace_that_kills_flux(
    judge: Judge, trees: tuple[Tree, ...]
) -> None:
    plan = Reader(judge.engine).plan(trees[0])

    (report,) = judge.reports(trees[0], plan.phases[-1].tree)

    lost = {str(one.id): one for one in report.deletes}
    trace = [step.event for step in lost["Deployment/flux-system/kustomize-controller"].counterexample.trace]
    assert report.verdict is Safety.UNSAFE
    assert "O4" in errors(report)
    assert "finalizes Kustomization/flux-system/flux with the live prune true" in trace
    assert any(event.startswith("deletes Deployment/flux-system/kustomize-controller") for event in trace)
    assert lost.keys() >= {"Namespace/flux-system", "GitRepository/flux-system/home-kubernetes"}


def test_each_deletion_has_a_trace_that_ends_with_it(series: tuple[GuardReport, ...]) -> None:
    for deleted in series[1].deletes:
        steps = [step.event for step in deleted.counterexample.trace]
        assert any(f"deletes {deleted.id}" in event for event in steps) or "deletes" in steps[-1]


def test_the_command_line_says_the_same(
    tmp_path: Path, trees: tuple[Tree, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    repository = git_repository(tmp_path / "fleet", trees[0])
    base = git(repository, "rev-parse", "HEAD")
    for tree in trees[1:]:
        commit_tree(repository, tree, "Next")

    status = run(["guard", f"{base}..HEAD", "--each", "--repository", str(repository), "--output", "json"])

    report = json.loads(capsys.readouterr().out)
    assert status == 1
    assert len(report["deletes"]) == 50
    assert [len(commit["deletes"]) for commit in report["commits"]] == [0, 50]

"""The demo repository on a real control plane: the plan forward, back and forward, and the hasty variant."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from builders import git

from flux_handover.act.execute import Direction, Run
from flux_handover.act.journal import entries
from flux_handover.act.rehearse import PROGRAMS, Course, Rehearsed
from flux_handover.adapters.bundled import prepared
from flux_handover.adapters.sandbox.binaries.doctor import BARE_CLUSTER
from flux_handover.adapters.sandbox.binaries.providers import Installed, Program, State
from flux_handover.cli.commit import commit
from flux_handover.cli.reading import Wanted, opened
from flux_handover.cli.rehearsing import Asked, What, played
from flux_handover.objects import ObjectId
from flux_handover.plan.target import Options, SyncStrategy
from flux_handover.proof.obligations import Verdict

pytestmark = pytest.mark.sandbox
Obtain = Callable[..., Mapping[str, Program]]
ARCHIVE = Path(__file__).parents[3] / "shared" / "corpus" / "flux-talos-0-base.tar.xz"
FLUX = {
    ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "flux"),
    ObjectId("source.toolkit.fluxcd.io", "OCIRepository", "flux-system", "flux-manifests"),
}
OLD_ROOT = {
    ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "harbour"),
    ObjectId("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "lighthouse"),
}
KUSTOMIZE_CONTROLLER = ObjectId("apps", "Deployment", "flux-system", "kustomize-controller")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, obtain: Obtain) -> Path:
    needed(obtain, "kubectl")
    return prepared(tmp_path_factory.mktemp("rehearsal") / "demo")


def needed(obtain: Obtain, *tools: str) -> None:
    """Builds what a rehearsal needs, or skips; tools of the machine itself are not built."""
    missing = [tool for tool in tools if Installed().availability(tool).state is State.MISSING]
    obtain(*PROGRAMS, *missing)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journal") / "journal.jsonl"


def rehearsal(repository: Path, asked: Asked) -> Rehearsed:
    with opened(repository) as tools:
        (rehearsed,) = played(tools, Wanted(repository, "HEAD"), asked)
    return rehearsed


@pytest.fixture(scope="module")
def rehearsed(demo: Path, journal: Path) -> Rehearsed:
    return rehearsal(demo, Asked(Options(), course=Course.AND_BACK, journal=journal))


def runs(rehearsed: Rehearsed, direction: Direction) -> dict[str, Run]:
    return {run.name: run for run in rehearsed.runs if run.direction is direction}


def problems(rehearsed: Rehearsed) -> list[str]:
    return [*rehearsed.problems, *(f"{run.name}: {problem}" for run in rehearsed.runs for problem in run.problems)]


def test_the_plan_is_confirmed_forward_back_and_forward(rehearsed: Rehearsed) -> None:
    assert problems(rehearsed) == []
    assert rehearsed.verdict is Verdict.HOLDS
    forward, back, again = (runs(rehearsed, way) for way in (Direction.FORWARD, Direction.BACK, Direction.AGAIN))
    assert list(forward) == list(again) == list(reversed(back))


def test_exactly_what_was_announced_is_deleted(rehearsed: Rehearsed) -> None:
    for way in (Direction.FORWARD, Direction.AGAIN):
        deleted = {name: set(run.happened.deleted) for name, run in runs(rehearsed, way).items()}

        assert deleted.pop("retire") == FLUX
        assert set().union(*deleted.values()) == set()
    assert not any(run.happened.recreated for run in runs(rehearsed, Direction.FORWARD).values())


def test_every_gate_was_seen(rehearsed: Rehearsed) -> None:
    gates = [gate for run in rehearsed.runs for gate in run.gates]

    assert len({gate.gate.id for gate in gates}) > 10
    assert {gate.verdict for gate in gates} == {Verdict.HOLDS}


def test_what_the_rehearsal_does_not_say_is_said(rehearsed: Rehearsed) -> None:
    rules = "\n".join(map(str, rehearsed.differences))

    assert "a live `ssa: Ignore` protects from pruning" in rules
    assert "existing objects are taken over by default" not in rules
    assert rehearsed.pretended == ("image-automation-controller", "image-reflector-controller")
    assert any(id.kind == "HelmRelease" for id in rehearsed.lifted)
    assert any("not the published chart" in note for note in rehearsed.notes)
    assert "Namespace/flux-system is applied by more than one Kustomization; its fields were not compared" in (
        rehearsed.notes
    )


def test_the_journal_tells_every_push_and_gate(rehearsed: Rehearsed, journal: Path) -> None:
    steps = [str(entry["step"]) for entry in entries(journal)]

    assert steps.count("push") == len(rehearsed.runs)
    assert steps.count("gate") == sum(len(run.gates) for run in rehearsed.runs)


def test_the_timeline_tells_when_flux_was_rolled(rehearsed: Rehearsed) -> None:
    moments = runs(rehearsed, Direction.FORWARD)["instance"].moments

    assert [moment.time for moment in moments] == sorted(moment.time for moment in moments)
    assert "kustomize-controller started" in [moment.text for moment in moments]


def test_all_phases_in_one_commit_destroy_flux(demo: Path, tmp_path: Path) -> None:
    last = hasty_commit(demo)

    rehearsed = rehearsal(demo, Asked(Options(), series=f"main..{last}", journal=tmp_path / "journal.jsonl"))

    (run,) = rehearsed.runs
    assert rehearsed.verdict is Verdict.REFUTED
    assert KUSTOMIZE_CONTROLLER in run.happened.deleted
    assert f"not at rest: {KUSTOMIZE_CONTROLLER}: it is gone" in run.problems


def hasty_commit(demo: Path) -> str:
    """The tree after the last phase, as one commit on the revision that was planned."""
    assert commit(demo, all_phases=True) == 0
    branches = git(demo, "for-each-ref", "--format=%(refname:short)", "refs/heads/flux-handover").split()
    tree = git(demo, "rev-parse", f"{branches[-1]}^{{tree}}")
    return git(demo, "commit-tree", tree, "-p", "main", "-m", "Move to the operator at once")


@pytest.mark.full
def test_each_phase_can_be_taken_back_and_done_again(demo: Path) -> None:
    rehearsed = rehearsal(demo, Asked(Options(), course=Course.FROM_EVERY_PHASE))

    assert problems(rehearsed) == []
    assert rehearsed.verdict is Verdict.HOLDS


@pytest.mark.full
def test_a_root_is_transferred_and_taken_back_and_transferred_again(demo: Path) -> None:
    transferred = rehearsal(demo, Asked(Options(sync=SyncStrategy.TRANSFER), course=Course.AND_BACK))

    assert problems(transferred) == []
    assert transferred.verdict is Verdict.HOLDS
    for way in (Direction.FORWARD, Direction.AGAIN):
        deleted = {name: set(run.happened.deleted) for name, run in runs(transferred, way).items()}

        assert deleted.pop("retire") == FLUX
        assert deleted.pop("sync") == OLD_ROOT
        assert set().union(*deleted.values()) == set()


@pytest.mark.full
def test_a_bare_cluster_gets_there_by_the_new_bootstrap(demo: Path, obtain: Obtain) -> None:
    needed(obtain, *BARE_CLUSTER)

    rehearsed = rehearsal(demo, Asked(Options(), what=What.BOOTSTRAP))

    assert problems(rehearsed) == []
    assert rehearsed.verdict is Verdict.HOLDS
    assert rehearsed.runs[-1].name == "everything reconciles"


@pytest.mark.full
@pytest.mark.skipif(not ARCHIVE.is_file(), reason="the corpus is not here")
def test_a_real_repository_is_handed_over_as_planned(obtain: Obtain, tmp_path: Path) -> None:
    needed(obtain)

    rehearsed = rehearsal(unpacked(ARCHIVE, tmp_path), Asked(Options()))

    assert problems(rehearsed) == []
    assert rehearsed.verdict is Verdict.HOLDS
    assert {id for run in rehearsed.runs for id in run.happened.deleted} == FLUX


def unpacked(archive: Path, folder: Path) -> Path:
    """The files of an archive as a repository of one commit."""
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "-q", "-m", "As it is")
    return folder

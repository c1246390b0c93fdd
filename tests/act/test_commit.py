from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from builders import git, git_repository, repo
from report_values import GATE, phase, plan, proof, proved, refuted, retire, target, unknown

from flux_handover.act.commit import Reach, blocked, drafts, gates_before, message, number_of, plan_digest, write
from flux_handover.act.proved import ProvedPlan, worst
from flux_handover.adapters.git import Repository
from flux_handover.errors import UsageError
from flux_handover.plan.phases import LiveStep, PhaseName
from flux_handover.plan.target import SyncStrategy
from flux_handover.proof.obligations import Judgement, Verdict
from flux_handover.tree import Tree

BASE = repo("lab/flux.yaml", "prune: true\n")
PROTECTED = repo("lab/flux.yaml", "prune: false\n")
RETIRED = repo("readme.md", "gone\n")


def stacked(directory: Path) -> ProvedPlan:
    """A plan of two phases on a real repository."""
    sha = git(git_repository(directory, BASE), "rev-parse", "HEAD")
    phases = (phase(tree=PROTECTED), replace(retire(), tree=RETIRED))
    return ProvedPlan(replace(plan(*phases), revision=sha), tuple(proof(one) for one in phases))


def test_the_next_phase_alone_is_written(tmp_path: Path) -> None:
    found = drafts([stacked(tmp_path)], BASE, Reach.NEXT, "flux-handover")

    with Repository.open(tmp_path) as repository:
        (one,) = write(found, repository)

    assert git(tmp_path, "branch", "--list", "flux-handover/*", "--format=%(refname:short)") == one.draft.branch
    assert git(tmp_path, "show", f"{one.sha}:lab/flux.yaml") == "prune: false"


def test_all_phases_are_stacked_on_branches_of_their_own(tmp_path: Path) -> None:
    found = drafts([stacked(tmp_path)], BASE, Reach.ALL, "handover")

    with Repository.open(tmp_path) as repository:
        first, second = write(found, repository)

    assert git(tmp_path, "rev-parse", f"{second.sha}^") == first.sha
    assert git(tmp_path, "rev-parse", "handover/1-protect", "handover/5-retire").split() == [first.sha, second.sha]
    assert git(tmp_path, "ls-tree", "--name-only", "-r", second.sha) == "readme.md"


def test_work_tree_index_and_branch_stay_as_they_are(tmp_path: Path) -> None:
    proved_plan = stacked(tmp_path)
    (tmp_path / "lab/flux.yaml").write_text("mine\n")
    (tmp_path / "new.txt").write_text("mine\n")
    git(tmp_path, "add", "new.txt")
    before = git(tmp_path, "status", "--porcelain", "--branch")

    with Repository.open(tmp_path) as repository:
        write(drafts([proved_plan], BASE, Reach.ALL, "flux-handover"), repository)

    assert git(tmp_path, "status", "--porcelain", "--branch") == before
    assert (tmp_path / "lab/flux.yaml").read_text() == "mine\n"


def test_nothing_is_written_if_any_branch_exists(tmp_path: Path) -> None:
    proved_plan = stacked(tmp_path)
    git(tmp_path, "branch", "flux-handover/5-retire")

    with Repository.open(tmp_path) as repository, pytest.raises(UsageError, match="5-retire is there already"):
        write(drafts([proved_plan], BASE, Reach.ALL, "flux-handover"), repository)

    assert git(tmp_path, "branch", "--list", "flux-handover/1-*") == ""


def test_the_trailers_are_read_by_git(tmp_path: Path) -> None:
    git_repository(tmp_path, BASE)

    with Repository.open(tmp_path) as repository:
        trailers = dict(repository.trailers_in(message(plan(), retire())))

    assert trailers == {"Flux-Handover-Phase": "retire", "Flux-Handover-Plan": plan_digest(plan())}


def test_several_clusters_have_branches_of_their_own() -> None:
    plans = [proved(phase(), cluster="clusters/a"), proved(phase(), cluster="clusters/b")]

    branches = [draft.branch for draft in drafts(plans, Tree(), Reach.NEXT, "flux-handover")]

    assert branches == ["flux-handover/clusters/a/1-protect", "flux-handover/clusters/b/1-protect"]


def test_preflight_makes_no_commit() -> None:
    plans = [proved(phase(PhaseName.PREFLIGHT), phase())]

    assert [draft.phase.name for draft in drafts(plans, Tree(), Reach.ALL, "x")] == [PhaseName.PROTECT]


@pytest.mark.parametrize("judgement", [refuted(), unknown()])
def test_what_is_not_proved_is_not_written(judgement: Judgement) -> None:
    one = phase()

    assert blocked(ProvedPlan(plan(one), (proof(one, judgement),)), Reach.NEXT) == (one,)
    assert blocked(proved(one), Reach.NEXT) == ()


def test_a_later_phase_blocks_only_when_all_are_wanted() -> None:
    first, last = phase(), retire()
    proved_plan = ProvedPlan(plan(first, last), (proof(first), proof(last, refuted())))

    assert blocked(proved_plan, Reach.NEXT) == ()
    assert blocked(proved_plan, Reach.ALL) == (last,)


def test_the_body_begins_with_the_gate() -> None:
    lines = message(plan(), phase()).splitlines()

    assert lines[2].startswith("Before this reaches the branch that Flux follows")
    assert lines[5] == f"    {GATE.command}"
    assert lines[6] == "    # false"


def test_the_first_commit_asks_for_what_preflight_asks() -> None:
    early = replace(GATE, command="kubectl get everything")
    preflight, first, last = replace(phase(PhaseName.PREFLIGHT), gates=(early,)), phase(), retire()

    assert gates_before(plan(preflight, first, last), first) == (early, GATE)
    assert gates_before(plan(preflight, first, last), last) == (GATE,)
    assert early.command in message(plan(preflight, first, last), first)


def test_what_is_done_stands_below_the_reason() -> None:
    lines = message(plan(), retire()).splitlines()

    at = lines.index("The FluxInstance owns Flux now:")
    assert lines[at + 1].startswith("- lab/flux.yaml: remove the file with Kustomization/flux-system/flux")


def test_the_body_says_what_is_deleted_and_the_way_back() -> None:
    text = " ".join(message(plan(), retire()).split())

    assert "Flux will delete Kustomization/flux-system/flux, OCIRepository/flux-system/flux-manifests, and" in text
    assert "The way back: 1. apply the old Kustomization kubectl apply -f old.yaml" in text


def test_prose_is_wrapped_and_commands_are_not() -> None:
    long = replace(GATE, command=f"kubectl {'x' * 200}")
    text = message(plan(), replace(phase(), gates=(long,), way_back=(LiveStep("so " * 60, ""),)))

    assert long.command in text
    assert all(len(line) <= 72 for line in text.splitlines() if not line.startswith("    "))


def test_the_subject_is_the_title_of_the_phase() -> None:
    assert message(plan(), phase()).splitlines()[:2] == ["Keep Flux from deleting itself", ""]


def test_the_digest_names_the_end_and_not_the_way() -> None:
    whole, rest = plan(phase(), retire()), plan(retire())
    other = replace(whole, target=replace(target(), operator=replace(target().operator, version="0.32.0")))

    assert plan_digest(whole) == plan_digest(rest)
    assert plan_digest(whole) != plan_digest(other)
    assert plan_digest(whole) != plan_digest(replace(whole, cluster="another"))


@pytest.mark.parametrize(
    ("sync", "numbers"),
    [
        (SyncStrategy.KEEP, {"preflight": 0, "state": 0, "protect": 1, "retire": 5, "references": 6}),
        (SyncStrategy.ADOPT, {"preflight": 0, "protect": 1, "retire": 5, "sync": 6, "references": 7}),
        (SyncStrategy.TRANSFER, {"retire": 5, "suspend": 6, "transfer": 7, "settle": 8, "follow": 9, "sync": 10}),
    ],
)
def test_numbers_follow_the_order_of_the_whole_handover(sync: SyncStrategy, numbers: dict[str, int]) -> None:
    one = plan(phase())
    with_sync = replace(one, target=replace(one.target, sync=sync))

    assert {name: number_of(with_sync, PhaseName(name)) for name in numbers} == numbers


@pytest.mark.parametrize("verdicts", list(itertools.product(Verdict, repeat=2)))
def test_refuted_is_worse_than_unknown(verdicts: tuple[Verdict, ...]) -> None:
    order = [Verdict.HOLDS, Verdict.UNKNOWN, Verdict.REFUTED]

    assert worst(verdicts) is max(verdicts, key=order.index)


def test_a_phase_without_proof_is_no_proof() -> None:
    with pytest.raises(KeyError):
        ProvedPlan(plan(phase()), ()).proof(phase())

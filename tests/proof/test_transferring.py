"""The transfer of a root, judged: five phases lose nothing, and two of them at once, or half of one, are refuted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from planning import DEMO, Reader, tree_of
from transferred import (
    NEW_ROOT,
    OLD_ROOT,
    OLD_SOURCE,
    RELEASE,
    ROOT_FILE,
    TRANSFER,
    parted,
    phase_of,
    quay,
    replaced,
    rich,
)

from flux_handover.plan.phases import LiveStep, Phase, PhaseName, Plan
from flux_handover.proof.bootstrapping import prove_bootstrap_complete
from flux_handover.proof.deciding import prove_content_kept, prove_settings_kept
from flux_handover.proof.guard_clusters import continued, with_hazards
from flux_handover.proof.losing import prove_no_deadlock, prove_nothing_lost, prove_single_owner
from flux_handover.proof.obligations import Judgement, Verdict
from flux_handover.proof.returning import prove_way_back
from flux_handover.proof.stages import Revision, gates_between, stage_of, step
from flux_handover.proof.steps import Step
from flux_handover.tree import Tree

Change = Callable[[Tree], Tree]
DECRYPTION = """              decryption:
                provider: sops
                secretRef:
                  name: harbour-key
"""
PAGE = "clusters/quay/quay-is-suspended.md"


@pytest.fixture(scope="module")
def plan(reader: Reader) -> Plan:
    return reader.plan(quay(), TRANSFER)


def between(plan: Plan, first: Tree, second: Tree, phase: Phase, reader: Reader) -> Step:
    """The step between two trees, as if a phase of the plan were it."""
    old = Revision("a", first, reader(first).cluster(plan.cluster))
    new = Revision("b", second, reader(second).cluster(plan.cluster))
    stages = stage_of(old, None, reader.engine), stage_of(new, old, reader.engine)
    gates = gates_between(plan.installation.version, old.cluster, new.cluster)
    staged, outcome = step(*stages, gates)
    back = stage_of(old, new, reader.engine)
    return Step(plan, phase, old, new, stages, staged, staged.world, outcome, gates, back)


def step_of(plan: Plan, reader: Reader, first: PhaseName, last: PhaseName, change: Change = lambda tree: tree) -> Step:
    """The phases from `first` to `last` as one commit, with a change of what it leaves."""
    names = [phase.name for phase in plan.phases]
    before = plan.phases[names.index(first) - 1].tree
    return between(plan, before, change(phase_of(plan, last).tree), phase_of(plan, last), reader)


@pytest.mark.slow
def test_every_phase_is_proved(reader: Reader) -> None:
    plan = reader.plan(rich(), TRANSFER)

    proofs = reader.proofs(rich(), TRANSFER)

    assert {proof.phase: proof.verdict for proof in proofs} == {p.name.value: Verdict.HOLDS for p in plan.phases}


@pytest.mark.slow
@pytest.mark.parametrize("done", [PhaseName.SUSPEND, PhaseName.TRANSFER, PhaseName.SETTLE, PhaseName.FOLLOW])
def test_what_is_left_is_proved_from_every_phase(done: PhaseName, plan: Plan, reader: Reader) -> None:
    proofs = reader.proofs(phase_of(plan, done).tree)

    assert proofs
    assert {proof.verdict for proof in proofs} == {Verdict.HOLDS}


def test_two_active_roots_are_refuted(plan: Plan, reader: Reader) -> None:
    """E6: suspended in the commit that makes the new root, the old one may reconcile beside it."""
    found = step_of(plan, reader, PhaseName.SUSPEND, PhaseName.TRANSFER)

    judgement = prove_single_owner(found)
    assert judgement.verdict is Verdict.REFUTED
    assert judgement.counterexample is not None
    assert judgement.counterexample.edge == "E6"


@pytest.mark.slow
def test_a_source_that_is_named_before_it_is_there_is_refuted(reader: Reader) -> None:
    """With `follow` in the same commit, what brings the sync may wait for the source that only the sync makes."""
    plan = reader.plan(tree_of(DEMO), TRANSFER)

    def moved(tree: Tree) -> Tree:
        return replaced(tree, plan.target.layout.instance.ks_file, "name: lighthouse", "name: flux-system")

    found = step_of(plan, reader, PhaseName.TRANSFER, PhaseName.TRANSFER, moved)

    judgement = prove_no_deadlock(found)
    assert judgement.verdict is Verdict.REFUTED
    assert any("flux-instance is never ready" in line for line in judgement.evidence)


def unsuspended(tree: Tree) -> Tree:
    return replaced(tree, ROOT_FILE, "  suspend: true\n", "")


def test_an_old_root_that_is_removed_while_it_runs_takes_everything_along(plan: Plan, reader: Reader) -> None:
    """E1: only the suspended state makes its removal harmless."""
    before = unsuspended(phase_of(plan, PhaseName.FOLLOW).tree)
    after = phase_of(plan, PhaseName.SYNC).tree

    found = between(plan, before, after, phase_of(plan, PhaseName.SYNC), reader)

    assert prove_nothing_lost(found).verdict is Verdict.REFUTED
    assert len(found.outcome.deleted) > 2


def test_an_old_root_that_leaves_with_the_transfer_is_never_deleted(plan: Plan, reader: Reader) -> None:
    """The new root does not render it and does not prune yet: it stays for ever, with its labels on everything."""
    found = step_of(
        plan, reader, PhaseName.TRANSFER, PhaseName.TRANSFER, lambda tree: tree.with_file(ROOT_FILE, b"# gone\n")
    )

    declared = replace(found, phase=replace(found.phase, removes=frozenset({OLD_ROOT, OLD_SOURCE})))
    judgement = prove_nothing_lost(declared)
    assert judgement.verdict is Verdict.REFUTED
    assert "in no order" in judgement.evidence[0]


def test_taking_back_a_root_that_prunes_takes_everything_along(plan: Plan, reader: Reader) -> None:
    """E7: hence the new root does not prune while it can still be taken back."""
    found = step_of(plan, reader, PhaseName.TRANSFER, PhaseName.SETTLE)

    judgement = prove_way_back(replace(found, phase=phase_of(plan, PhaseName.TRANSFER)))

    assert judgement.verdict is Verdict.REFUTED
    assert judgement.counterexample is not None
    assert judgement.counterexample.edge == "E7"


def test_a_way_back_that_leaves_the_old_root_suspended_is_none(plan: Plan, reader: Reader) -> None:
    for name in (PhaseName.SUSPEND, PhaseName.TRANSFER):
        found = step_of(plan, reader, name, name)
        resumed = found.phase.way_back
        assert prove_way_back(found).verdict is Verdict.HOLDS

        short: tuple[LiveStep, ...] = tuple(one for one in resumed if "patch" not in one.command)
        judgement: Judgement = prove_way_back(replace(found, phase=replace(found.phase, way_back=short)))

        assert judgement.verdict is (Verdict.HOLDS if name is PhaseName.SUSPEND else Verdict.REFUTED), name


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("              timeout: 3m0s\n", "spec.timeout"),
        (DECRYPTION, "spec.decryption.provider"),
        ("              recurseSubmodules: true\n", "spec.recurseSubmodules"),
        ("              prune: false\n", "spec.prune"),
    ],
)
def test_a_field_that_does_not_come_over_is_refuted(lines: str, said: str, reader: Reader) -> None:
    """E5, for an object of another name: what the old pair had, the new one has, and it does not prune yet."""
    plan = reader.plan(rich(), TRANSFER)

    found = step_of(
        plan, reader, PhaseName.TRANSFER, PhaseName.TRANSFER, lambda tree: replaced(tree, RELEASE, lines, "")
    )

    judgement = prove_settings_kept(found)
    assert judgement.verdict is Verdict.REFUTED
    assert any(said in line for line in judgement.evidence)


def test_a_bare_cluster_with_a_suspended_root_is_refuted_without_the_page(plan: Plan, reader: Reader) -> None:
    found = step_of(plan, reader, PhaseName.SUSPEND, PhaseName.SUSPEND, lambda tree: tree.without(PAGE))

    judgement = prove_bootstrap_complete(found)

    assert judgement.verdict is Verdict.REFUTED
    assert "is suspended, and no step lets it go on" in judgement.evidence[0]


def test_another_content_under_the_new_root_is_a_change(plan: Plan, reader: Reader) -> None:
    def change(tree: Tree) -> Tree:
        return replaced(tree, "clusters/quay/web.yaml", "interval: 10m", "interval: 11m")

    kept = step_of(plan, reader, PhaseName.TRANSFER, PhaseName.TRANSFER)
    found = step_of(plan, reader, PhaseName.TRANSFER, PhaseName.TRANSFER, change)

    assert prove_content_kept(kept).verdict is Verdict.HOLDS
    assert prove_content_kept(found).verdict is Verdict.REFUTED


def test_the_new_root_owns_everything_and_the_old_one_too(plan: Plan, reader: Reader) -> None:
    found = step_of(plan, reader, PhaseName.TRANSFER, PhaseName.TRANSFER)

    live = found.outcome.world.live
    assert live[OLD_ROOT].owner == NEW_ROOT
    assert live[OLD_SOURCE].owner == NEW_ROOT
    assert live[NEW_ROOT].operator == plan.target.instance_id
    assert not [id for id, one in live.items() if one.owner == OLD_ROOT]


def test_guard_goes_on_with_the_new_root(plan: Plan, reader: Reader) -> None:
    before = reader(phase_of(plan, PhaseName.SUSPEND).tree)
    after = reader(phase_of(plan, PhaseName.TRANSFER).tree)
    live = frozenset({plan.cluster})

    assert [cluster.root for cluster in continued(before, after, live, reader.engine).clusters] == [NEW_ROOT]
    assert not [one for one in with_hazards(after).findings if one.hazard == "O6"]


def test_guard_does_not_believe_in_a_new_root_while_the_old_one_runs(plan: Plan, reader: Reader) -> None:
    before = reader(phase_of(plan, PhaseName.RETIRE).tree)
    after = reader(phase_of(plan, PhaseName.TRANSFER).tree)

    found = continued(before, after, frozenset({plan.cluster}), reader.engine)

    assert [cluster.root for cluster in found.clusters] == [OLD_ROOT]


@pytest.mark.slow
def test_every_phase_of_a_bootstrapped_root_is_proved(reader: Reader) -> None:
    proofs = reader.proofs(parted(), replace(TRANSFER, sync_name="perch"))

    assert proofs[-1].phase == "sync"
    assert {proof.verdict for proof in proofs} == {Verdict.HOLDS}

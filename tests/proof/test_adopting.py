"""The take-over of source and root, judged: with the patches nothing is lost, without them, or waited for, it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from bootstrapped import HOME, ROOT, SYNC, aviary
from builders import yaml_text
from planning import Reader

from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.plan.target import Options, SyncStrategy
from flux_handover.proof.deciding import prove_settings_kept
from flux_handover.proof.losing import prove_no_deadlock, prove_nothing_lost, prove_single_owner
from flux_handover.proof.obligations import Verdict
from flux_handover.proof.prove import prove
from flux_handover.proof.stages import Revision, gates_between, stage_of, step
from flux_handover.proof.steps import Step
from flux_handover.tree import Tree

FIELDS = """  path: ./clusters/aviary
  wait: true
  decryption:
    provider: sops
    secretRef:
      name: nest-key
  postBuild:
    substituteFrom:
    - kind: Secret
      name: feathers
"""
SYNC_FILE = f"{HOME}/gotk-sync.yaml"
RELEASE = f"{HOME}/flux-instance/app/helmrelease.yaml"
KS = f"{HOME}/flux-instance/ks.yaml"
CHECK = (
    "  - apiVersion: fluxcd.controlplane.io/v1\n    kind: FluxInstance\n    name: flux\n    namespace: flux-system\n"
)

Change = Callable[[Tree], Tree]


@pytest.fixture(scope="module")
def tree() -> Tree:
    return aviary(**{SYNC_FILE: SYNC.replace("  path: ./clusters/aviary\n", FIELDS)})


@pytest.fixture(scope="module")
def plan(tree: Tree, reader: Reader) -> Plan:
    return reader.plan(tree, Options(sync=SyncStrategy.ADOPT))


def phase_of(plan: Plan, name: PhaseName) -> Phase:
    return next(phase for phase in plan.phases if phase.name is name)


def replaced(path: str, old: str, new: str) -> Change:
    def changed(tree: Tree) -> Tree:
        text = tree.read(path).decode()
        assert old in text
        return tree.with_file(path, text.replace(old, new).encode())

    return changed


def judged(plan: Plan, first: Tree, second: Tree, reader: Reader) -> Step:
    """The step between two trees, as if the phase `instance` of the plan were it."""
    old = Revision("a", first, reader(first).cluster(plan.cluster))
    new = Revision("b", second, reader(second).cluster(plan.cluster))
    stages = stage_of(old, None, reader.engine), stage_of(new, old, reader.engine)
    gates = gates_between(plan.installation.version, old.cluster, new.cluster)
    staged, outcome = step(*stages, gates)
    return Step(plan, phase_of(plan, PhaseName.INSTANCE), old, new, stages, staged, staged.world, outcome, gates)


def instance_step(plan: Plan, reader: Reader, change: Change = lambda tree: tree) -> Step:
    before, after = phase_of(plan, PhaseName.OPERATOR).tree, change(phase_of(plan, PhaseName.INSTANCE).tree)
    return judged(plan, before, after, reader)


@pytest.mark.slow
def test_every_phase_is_proved(plan: Plan, tree: Tree, reader: Reader) -> None:
    proofs = prove(plan, reader(tree), lambda changed, _: reader(changed), reader.engine)

    assert {proof.phase: proof.verdict for proof in proofs} == {p.name.value: Verdict.HOLDS for p in plan.phases}


def test_the_take_over_keeps_every_setting(plan: Plan, reader: Reader) -> None:
    found = instance_step(plan, reader)

    assert prove_settings_kept(found).verdict is Verdict.HOLDS
    assert prove_no_deadlock(found).verdict is Verdict.HOLDS
    assert prove_nothing_lost(found).verdict is Verdict.HOLDS
    live = found.outcome.world.live[ROOT]
    assert live.operator == plan.target.instance_id
    assert live.owner is None


def test_a_root_without_its_decryption_is_refuted(plan: Plan, reader: Reader) -> None:
    """E5: the operator drops every field that neither its template nor a patch has."""
    lines = yaml_text("""
                  decryption:
                    provider: sops
                    secretRef:
                      name: nest-key
    """)
    lines = "".join(f"              {line}\n" for line in lines.splitlines() if line.strip())

    found = instance_step(plan, reader, replaced(RELEASE, lines, ""))

    judgement = prove_settings_kept(found)
    assert judgement.verdict is Verdict.REFUTED
    assert any("spec.decryption.provider" in line for line in judgement.evidence)
    assert "E5" in {breach.counterexample.edge for breach in found.outcome.breaches}


def test_a_root_that_waits_for_the_instance_is_refuted(plan: Plan, reader: Reader) -> None:
    """E21: the root waits for a Kustomization that waits for the FluxInstance, which waits for the root."""
    found = instance_step(plan, reader, replaced(KS, "  healthChecks:\n", f"  healthChecks:\n{CHECK}"))

    judgement = prove_no_deadlock(found)
    assert judgement.verdict is Verdict.REFUTED
    assert judgement.counterexample is not None
    assert judgement.counterexample.edge == "E21"


def test_a_second_name_is_refuted(plan: Plan, reader: Reader) -> None:
    """E6: a sync with another name is a second root, which claims everything that the first one has."""
    renamed = replaced(RELEASE, "        name: flux-system\n        url", "        name: second\n        url")

    found = instance_step(plan, reader, renamed)

    assert prove_single_owner(found).verdict is Verdict.REFUTED


def test_files_that_leave_with_the_take_over_may_cost_everything(plan: Plan, reader: Reader) -> None:
    """E1: in some order the root prunes itself before the operator has it; hence a phase of its own."""
    unlisted = replaced(f"{HOME}/kustomization.yaml", "- gotk-sync.yaml\n", "")

    found = instance_step(plan, reader, unlisted)

    assert ROOT in found.outcome.deleted

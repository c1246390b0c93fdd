"""Obligation `bootstrap-complete`: what a bare cluster needs is created by some step."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from planning import DEMO, Reader, tree_of

from flux_handover.plan.phases import PhaseName, Plan
from flux_handover.proof.bootstrapping import prove_bootstrap_complete
from flux_handover.proof.obligations import Judgement, Verdict
from flux_handover.proof.stages import Revision
from flux_handover.proof.steps import Step
from flux_handover.tree import Tree


@pytest.fixture(scope="module")
def plan(reader: Reader) -> Plan:
    return reader.plan(tree_of(DEMO))


def revision(reader: Reader, plan: Plan, tree: Tree) -> Revision:
    return Revision("any", tree, reader(tree).cluster(plan.cluster))


def judged(reader: Reader, plan: Plan, name: PhaseName, before: Tree, after: Tree) -> Judgement:
    phase = replace(next(p for p in plan.phases if p.name is name), tree=after)
    fields: dict[str, Any] = {"plan": plan, "phase": phase}
    step = SimpleNamespace(**fields, before=revision(reader, plan, before), after=revision(reader, plan, after))
    return prove_bootstrap_complete(cast(Step, step))


def tree_after(plan: Plan, name: PhaseName) -> Tree:
    return next(phase.tree for phase in plan.phases if phase.name is name)


def without_line(tree: Tree, path: str, part: str) -> Tree:
    lines = tree.read(path).decode().splitlines(keepends=True)
    kept = [line for line in lines if part not in line]
    assert len(kept) < len(lines)
    return tree.with_file(path, "".join(kept).encode())


def test_every_phase_of_the_demo_keeps_a_way_to_rebuild(reader: Reader, plan: Plan) -> None:
    before = tree_of(DEMO)
    for phase in plan.phases[1:]:
        judgement = judged(reader, plan, phase.name, before, phase.tree)

        assert judgement.verdict is Verdict.HOLDS, (phase.name, judgement.evidence)
        before = phase.tree


def test_the_evidence_names_the_line_of_each_need(reader: Reader, plan: Plan) -> None:
    tree = tree_after(plan, PhaseName.BOOTSTRAP)

    evidence = judged(reader, plan, PhaseName.BOOTSTRAP, tree_of(DEMO), tree).evidence

    assert [line.partition(":")[0] for line in evidence] == [
        "flux-instance",
        "flux-operator",
        "Secret/flux-system/sops-age",
        "ConfigMap/flux-system/harbour-settings",
        "Secret/flux-system/harbour-secrets",
        "Secret/flux-system/lighthouse-deploy-key",
        "GitRepository/flux-system/lighthouse",
        "Kustomization/flux-system/harbour",
    ]
    assert all(": Taskfile.yaml:" in line for line in evidence)


@pytest.mark.parametrize(
    ("part", "missing"),
    [
        ("create secret generic sops-age", "Secret/flux-system/sops-age"),
        ("harbour-settings.yaml", "ConfigMap/flux-system/harbour-settings"),
        ("lighthouse-deploy-key", "Secret/flux-system/lighthouse-deploy-key"),
        ("homelab/flux/config", "Kustomization/flux-system/harbour"),
    ],
)
def test_a_step_that_is_lost_refutes_and_is_named(part: str, missing: str, reader: Reader, plan: Plan) -> None:
    before = tree_after(plan, PhaseName.BOOTSTRAP)
    after = without_line(tree_after(plan, PhaseName.RETIRE), "Taskfile.yaml", part)

    judgement = judged(reader, plan, PhaseName.RETIRE, before, after)

    assert judgement.verdict is Verdict.REFUTED
    assert any(missing in line for line in judgement.evidence)


def test_from_phase_bootstrap_on_the_operator_must_be_installed(reader: Reader, plan: Plan) -> None:
    before = tree_after(plan, PhaseName.INSTANCE)

    judgement = judged(reader, plan, PhaseName.RETIRE, before, before)

    assert judgement.verdict is Verdict.REFUTED
    assert "no step installs flux-operator, or its values cannot be rendered" in judgement.evidence


def test_before_that_the_old_way_must_go_on(reader: Reader, plan: Plan) -> None:
    before = tree_of(DEMO)
    after = without_line(tree_after(plan, PhaseName.PROTECT), "Taskfile.yaml", "homelab/bootstrap/flux\n")

    judgement = judged(reader, plan, PhaseName.PROTECT, before, after)

    assert judgement.verdict is Verdict.REFUTED
    assert judgement.evidence[0].startswith("nothing installs Flux on a bare cluster any more")


def test_another_version_than_the_one_in_git_refutes(reader: Reader, plan: Plan) -> None:
    tree = tree_after(plan, PhaseName.BOOTSTRAP)
    path = "bootstrap/helmfile.d/02-flux.yaml"
    text = tree.read(path).decode().replace(f"version: {plan.target.operator.version}", "version: 0.28.0")

    judgement = judged(reader, plan, PhaseName.BOOTSTRAP, tree_of(DEMO), tree.with_file(path, text.encode()))

    assert judgement.verdict is Verdict.REFUTED
    assert any("installs flux-operator 0.28.0, Git has" in line for line in judgement.evidence)


def test_a_step_that_cannot_be_read_leaves_the_verdict_open(reader: Reader, plan: Plan) -> None:
    after = without_line(tree_after(plan, PhaseName.RETIRE), "Taskfile.yaml", "create secret generic sops-age")
    hidden = after.with_file("keys.sh", b'kubectl apply --filename "$KEYS"\n')

    judgement = judged(reader, plan, PhaseName.RETIRE, tree_after(plan, PhaseName.BOOTSTRAP), hidden)

    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.evidence[-1] == "keys.sh:1: what this applies is not known"


def test_a_step_that_could_not_be_read_before_either_goes_on_doing_what_it_did(reader: Reader, plan: Plan) -> None:
    """What it creates is not known on either side, and it is the same step (rules.md R8)."""
    script = b'kubectl apply --filename "$KEYS"\n'
    before, after = (
        without_line(tree_after(plan, name), "Taskfile.yaml", "create secret generic sops-age").with_file(
            "keys.sh", script
        )
        for name in (PhaseName.BOOTSTRAP, PhaseName.RETIRE)
    )

    kept = judged(reader, plan, PhaseName.RETIRE, before, after)
    edited = judged(reader, plan, PhaseName.RETIRE, before, after.with_file("keys.sh", script + b"# more\n"))

    assert kept.verdict is Verdict.HOLDS
    assert kept.evidence[-1].endswith("sops-age: as before the phase, by a step that cannot be read here: keys.sh:1")
    assert edited.verdict is Verdict.UNKNOWN

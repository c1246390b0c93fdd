"""What must be seen between phases, and the way back: read-only first, live steps only where a revert is not enough."""

import re

import pytest
from planning import CASES, DEMO, Reader, installation, tree_of

from flux_handover.plan.phases import Gate, LiveStep, Phase, PhaseName, Plan
from flux_handover.plan.target import InstanceForm, Options
from flux_handover.plan.ways_back import way_back

CASE = CASES / "plan-namespace-directories" / "before"
FORMS = [Options(instance_as=form) for form in InstanceForm]


def phase_of(plan: Plan, name: PhaseName) -> Phase:
    return next(phase for phase in plan.phases if phase.name is name)


def gates_of(plan: Plan) -> list[Gate]:
    return [gate for phase in plan.phases for gate in phase.gates]


@pytest.mark.parametrize("options", FORMS)
def test_every_gate_only_reads(options: Options, reader: Reader) -> None:
    for gate in gates_of(reader.plan(tree_of(DEMO), options)):
        assert re.match(r"kubectl (-n \S+ )?(get|wait) ", gate.command), gate.command
        assert gate.expect
        assert gate.why
        assert not re.search(r"[;|>]|\$\(", gate.command.replace('"\\n"', "")), gate.command


def test_gates_have_names_of_their_own_in_a_phase(reader: Reader) -> None:
    for phase in reader.plan(tree_of(DEMO)).phases:
        names = [gate.id for gate in phase.gates]

        assert len(names) == len(set(names))


def test_what_the_proof_assumes_is_asked_first(reader: Reader) -> None:
    plan = reader.plan(tree_of(CASE))
    first = phase_of(plan, PhaseName.PREFLIGHT)

    assert len(plan.assumptions) == len(first.gates)
    assert [gate.id for gate in first.gates] == [
        "kustomizations-ready",
        "helmreleases-ready",
        "none-suspended",
        "none-terminating",
        "running-version",
        "stored-versions",
        "live-orchard",
        "live-toolkit",
        "secret-meadow-key",
    ]


def test_the_running_version_is_asked_by_the_tag_of_each_controller(reader: Reader) -> None:
    gate = next(gate for gate in gates_of(reader.plan(tree_of(CASE))) if gate.id == "running-version")

    assert "kustomize-controller v1.7.3" in gate.expect
    assert "source-controller v1.7.4" in gate.expect


def test_adoption_is_seen_for_every_object_before_anything_leaves(reader: Reader) -> None:
    plan = reader.plan(tree_of(CASE))
    seen = "\n".join(gate.expect for gate in phase_of(plan, PhaseName.RETIRE).gates if gate.id.startswith("adopted-"))

    lines = {f"{object.id.kind}/{object.id.name} flux [] Disabled" for object in plan.installation.live}
    assert set(seen.splitlines()) == lines


def test_policies_that_are_deleted_are_not_waited_for(reader: Reader) -> None:
    plan = reader.plan(tree_of(DEMO))

    assert "NetworkPolicy" not in "".join(gate.expect for gate in phase_of(plan, PhaseName.RETIRE).gates)


def test_the_owner_is_seen_not_to_prune_before_anything_is_added(reader: Reader) -> None:
    plan = reader.plan(tree_of(CASE))
    gate = phase_of(plan, PhaseName.OPERATOR).gates[0]

    assert gate.id == "prune-is-off"
    assert "observedGeneration" in gate.command
    assert gate.object == plan.installation.owner


@pytest.mark.parametrize("name", [PhaseName.PROTECT, PhaseName.OPERATOR, PhaseName.BOOTSTRAP, PhaseName.REFERENCES])
def test_before_the_instance_the_revert_comes_first(name: PhaseName, reader: Reader) -> None:
    target = reader.plan(tree_of(CASE)).target

    first = way_back(name, target, installation())[0]

    assert f"Flux-Handover-Phase: {name.value}$" in first.command


@pytest.mark.parametrize("options", FORMS)
def test_after_the_instance_ownership_goes_back_before_the_commit(options: Options, reader: Reader) -> None:
    target = reader.plan(tree_of(CASE), options).target

    steps = way_back(PhaseName.INSTANCE, target, installation())

    order = [
        position(steps, "suspend"),
        position(steps, "fluxcd.controlplane.io/reconcile=disabled"),
        position(steps, "jsonpath='{.metadata.annotations}'"),
        position(steps, "delete fluxinstances"),
        position(steps, "kustomize.toolkit.fluxcd.io/ssa- kustomize.toolkit.fluxcd.io/prune-"),
        position(steps, "-L kustomize.toolkit.fluxcd.io/name"),
        position(steps, "git revert"),
    ]
    assert order == sorted(order)


def test_what_is_suspended_depends_on_the_form(reader: Reader) -> None:
    kinds = {
        options.instance_as: way_back(PhaseName.INSTANCE, reader.plan(tree_of(CASE), options).target, installation())[
            0
        ].command
        for options in FORMS
    }

    assert "helmreleases" in kinds[InstanceForm.HELMRELEASE]
    assert "kustomizations" in kinds[InstanceForm.MANIFEST]


def test_preflight_has_nothing_to_undo(reader: Reader) -> None:
    assert phase_of(reader.plan(tree_of(CASE)), PhaseName.PREFLIGHT).way_back == ()


@pytest.mark.parametrize("question", ["no sync", "a bare cluster", "not 2.x", "when to widen"])
def test_the_usual_questions_are_answered(question: str, reader: Reader) -> None:
    assert any(line.startswith(question) for line in reader.plan(tree_of(CASE)).decisions)


def test_an_operator_that_was_asked_for_is_compared_with_the_newest(reader: Reader) -> None:
    plan = reader.plan(tree_of(CASE), Options(operator_version="0.40.0"))

    assert any("v0.40.0, as asked; v0.50.0 is the newest" in line for line in plan.decisions)


def position(steps: tuple[LiveStep, ...], text: str) -> int:
    return next(number for number, step in enumerate(steps) if text in step.command or text in step.text)

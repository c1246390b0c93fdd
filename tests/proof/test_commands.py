"""What the printed commands of a way back do in the model."""

from __future__ import annotations

from proof.worlds import INSTANCE, NS, config, deployment, ks, release

from flux_handover.objects import OPERATOR_RECONCILE, OWNER_NAME, PRUNE, SSA, Object, ObjectId
from flux_handover.plan.phases import LiveStep
from flux_handover.proof.commands import Program, Scenery, program_of
from flux_handover.proof.reconcile_cluster import Annotate, Push, Remove, Resume, UnmarkAll, resumed
from flux_handover.proof.table import Table
from flux_handover.proof.world import KustomizationSpec, Live, Mark, World

REVERT = Push((("fleet", "1"),))
CONTROLLER = deployment("helm-controller")
KS = "kustomizations.kustomize.toolkit.fluxcd.io"
HR = "helmreleases.helm.toolkit.fluxcd.io"
FI = "fluxinstances.fluxcd.controlplane.io"


def read(*commands: str | tuple[str, str]) -> Program:
    """The program of commands, each alone or with what must be seen after it."""
    steps = [LiveStep("a step", *((one,) if isinstance(one, str) else one)) for one in commands]
    labelled = Object(CONTROLLER, {"metadata": {"labels": {"app.kubernetes.io/part-of": "flux"}}})
    ids = frozenset({INSTANCE, release("web"), ks("flux"), config("web", NS), CONTROLLER})
    return program_of(steps, Scenery(ids, (labelled,), ks("flux"), REVERT))


def actions(*commands: str) -> list[object]:
    return [step.action for step in read(*commands).steps]


def world(id: ObjectId, live: Live | None) -> World:
    return World(live=Table({id: live} if live else {}))


def test_a_revert_pushes_the_revision_before() -> None:
    assert actions('git revert --no-edit "$(git log -1 --format=%H)"') == [REVERT]


def test_a_deletion_names_kinds_and_a_name() -> None:
    assert actions(f"kubectl -n {NS} delete {HR},{KS} web --ignore-not-found") == [Remove(release("web"))]
    assert actions(f"kubectl -n other delete {HR} web") == []


def test_what_helm_stored_is_no_object_of_the_model() -> None:
    assert read(f"kubectl -n {NS} delete secrets -l owner=helm,name=web") == Program(())
    assert read(f"kubectl -n {NS} delete secrets -l app=web").unknown == ("a step",)


def test_the_field_manager_decides_whether_a_suspension_stays() -> None:
    patch = """--type=merge --patch='{"spec":{"suspend":true}}'"""
    marks = frozenset({Mark.SUSPENDED})

    assert actions(f"kubectl -n {NS} patch {HR} web {patch} --field-manager=flux") == [
        Annotate(release("web"), marks, "flux")
    ]
    assert actions(f"kubectl -n {NS} patch {HR} web {patch}") == [Annotate(release("web"), marks, "kubectl-patch")]


def test_a_patch_of_anything_else_is_not_understood() -> None:
    assert read(f"""kubectl -n {NS} patch {HR} web --patch='{{"spec":{{"interval":"1h"}}}}'""").unknown == ("a step",)


def test_marks_come_off_all_objects_with_a_label() -> None:
    program = actions(
        f"kubectl -n {NS} annotate deployments,services -l app.kubernetes.io/part-of=flux {SSA}- {PRUNE}-"
    )

    marks = frozenset({Mark.SSA_IGNORE, Mark.SSA_IF_NOT_PRESENT, Mark.PRUNE_DISABLED})
    assert program == [UnmarkAll(frozenset({CONTROLLER}), marks)]


def test_an_unknown_command_is_said() -> None:
    assert read("flux uninstall").unknown == ("a step",)


def test_a_hint_without_a_command_is_no_step() -> None:
    assert read("") == Program(())


def test_what_is_read_is_waited_for_before_the_next_action() -> None:
    program = read(
        (
            f"kubectl -n {NS} get {FI} flux -o jsonpath='{{.metadata.annotations}}'",
            f'"{OPERATOR_RECONCILE}":"disabled"',
        ),
        f"kubectl -n {NS} delete {FI} flux",
    )

    (step,) = program.steps
    paused = Live(pinned=frozenset({Mark.OPERATOR_RECONCILE_DISABLED}))
    assert step.action == Remove(INSTANCE)
    assert step.about == {INSTANCE}
    assert step.seen is not None
    assert [step.seen(world(INSTANCE, live)) for live in (Live(), paused)] == [False, True]


def test_prune_off_owner_labels_and_absence_can_be_waited_for() -> None:
    waits = {
        (f"kubectl -n {NS} get {KS} flux -o jsonpath='{{.spec.prune}}'", "false"): (
            ks("flux"),
            Live(spec=KustomizationSpec(ks("any"), prune=True)),
            Live(spec=KustomizationSpec(ks("any"), prune=False)),
        ),
        (f"kubectl -n {NS} get deployments -l app.kubernetes.io/part-of=flux -L {OWNER_NAME}", "flux on every line"): (
            CONTROLLER,
            Live(),
            Live(ks("flux")),
        ),
        (f"kubectl get {FI} --all-namespaces -o name", "no output"): (INSTANCE, Live(), None),
    }
    for wait, (id, not_yet, seen) in waits.items():
        (step,) = read(wait, "git revert HEAD").steps
        assert step.seen is not None
        assert [step.seen(world(id, live)) for live in (not_yet, seen)] == [False, True]


def test_what_cannot_be_read_is_not_silently_skipped() -> None:
    assert read((f"kubectl -n {NS} get {KS} flux", "something")).unknown == ("a step",)


def test_a_suspension_and_readiness_can_be_seen() -> None:
    suspended = Live(pinned=frozenset({Mark.SUSPENDED}))
    for command, expect, live in (
        (f"kubectl -n {NS} get {HR} web -o jsonpath='{{.spec.suspend}}'", "true", suspended),
        (f"kubectl -n {NS} wait {HR}/web --for=condition=Ready --timeout=1m", "condition met", Live()),
    ):
        program = read((command, expect), "git revert HEAD")

        (step,) = program.steps
        assert step.seen is not None
        assert [step.seen(world(release("web"), seen)) for seen in (None, live)] == [False, True]


def test_a_wait_for_nothing_that_is_known_is_not_understood() -> None:
    assert read((f"kubectl -n {NS} wait {HR}/other --for=condition=Ready", "condition met")).unknown == ("a step",)


def test_what_is_seen_last_is_no_step_and_not_forgotten() -> None:
    program = read("git revert HEAD", (f"kubectl -n {NS} get {KS} flux -o jsonpath='{{.spec.prune}}'", "false"))

    (seen,) = program.last
    states = [Live(spec=KustomizationSpec(ks("any"), prune=prune)) for prune in (True, False)]
    assert [seen(world(ks("flux"), live)) for live in states] == [False, True]


def test_a_suspension_that_is_taken_off_lets_its_owner_go_on() -> None:
    patch = """--type=json --patch='[{"op": "remove", "path": "/spec/suspend"}]'"""
    other = patch.replace("suspend", "prune")

    assert actions(f"kubectl -n {NS} patch {KS} flux {patch}") == [Resume(ks("flux"))]
    assert read(f"kubectl -n {NS} patch {KS} flux {other}").unknown == ("a step",)
    spec = KustomizationSpec(ks("fleet"), suspend=True)
    assert resumed(Live(spec=spec, pinned=frozenset({Mark.SUSPENDED}))) == Live(spec=KustomizationSpec(ks("fleet")))

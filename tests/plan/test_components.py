"""`flux bootstrap`: one root applies Flux and everything else, so what leaves opts out (rules.md R9)."""

from dataclasses import replace

import pytest
import yaml
from bootstrapped import HOME, NEST, PATCHES, ROOT, aviary, components
from planning import Reader, names_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.installation import Method
from flux_handover.objects import PRUNE, ObjectId, has_mark
from flux_handover.plan.components import is_opt_out
from flux_handover.plan.operations import AppendElement, DisablePrune
from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.proof.deciding import prove_content_kept
from flux_handover.proof.obligations import Verdict
from flux_handover.proof.steps import Step, steps_of
from flux_handover.tree import Tree


def phase_of(plan: Plan, name: PhaseName) -> Phase:
    return next(phase for phase in plan.phases if phase.name is name)


def marked(reader: Reader, tree: Tree) -> set[ObjectId]:
    build = reader(tree).clusters[0].builds[ROOT]
    return {object.id for object in build.objects if has_mark(object, PRUNE, "disabled")}


def test_the_layout_is_recognised(reader: Reader) -> None:
    assert reader(aviary()).installations["clusters/aviary"].method is Method.BOOTSTRAP


def test_exactly_the_objects_of_flux_opt_out(reader: Reader) -> None:
    plan = reader.plan(aviary())

    after = marked(reader, phase_of(plan, PhaseName.PROTECT).tree)

    assert after == {object.id for object in plan.installation.live}


def protect_step(reader: Reader, tree: Tree) -> Step:
    plan = reader.plan(tree)
    commits = plan.phases[1:]
    return next(steps_of(plan, (reader(tree), *(reader(phase.tree) for phase in commits)), reader.engine))


def test_the_marks_are_no_foreign_change(reader: Reader) -> None:
    judgement = prove_content_kept(protect_step(reader, aviary()))

    assert judgement.verdict is Verdict.HOLDS, judgement.evidence


def test_a_mark_that_no_operation_names_is_a_foreign_change(reader: Reader) -> None:
    step = protect_step(reader, aviary())
    silent = tuple(replace(o, marks=frozenset()) for o in step.phase.operations if isinstance(o, AppendElement))

    judgement = prove_content_kept(replace(step, phase=replace(step.phase, operations=silent)))

    assert judgement.verdict is Verdict.REFUTED


def test_a_marked_object_with_another_change_is_a_foreign_change(reader: Reader) -> None:
    step = protect_step(reader, aviary())
    list_of = f"{HOME}/kustomization.yaml"
    text = step.after.tree.read(list_of).decode() + PATCHES.replace("patches:\n", "").replace("# birds are many\n", "")
    changed = reader(step.after.tree.with_file(list_of, text.encode()))

    judgement = prove_content_kept(replace(step, after=replace(step.after, cluster=changed.clusters[0])))

    assert judgement.verdict is Verdict.REFUTED
    assert [line.partition(":")[0] for line in judgement.evidence] == ["Deployment/flux-system/kustomize-controller"]


def test_the_root_goes_on_pruning(reader: Reader) -> None:
    plan = reader.plan(aviary())

    assert not [o for phase in plan.phases for o in phase.operations if isinstance(o, DisablePrune)]
    assert reader(plan.phases[-1].tree).clusters[0].builds[ROOT].ks.prune


def test_an_opt_out_by_kind_where_the_label_hits_more(reader: Reader) -> None:
    labelled = NEST.replace(
        "  namespace: default", "  namespace: default\n  labels:\n    app.kubernetes.io/part-of: flux"
    )

    plan = reader.plan(aviary(**{"clusters/aviary/nest.yaml": labelled}))

    after = marked(reader, phase_of(plan, PhaseName.PROTECT).tree)
    assert after == {object.id for object in plan.installation.live}


def test_the_components_leave_with_their_patches_and_nothing_else(reader: Reader) -> None:
    plan = reader.plan(aviary(PATCHES))
    retire = phase_of(plan, PhaseName.RETIRE)

    assert retire.files.removed == (f"{HOME}/gotk-components.yaml",)
    assert retire.files.changed == (f"{HOME}/kustomization.yaml",)
    assert retire.removes == frozenset()
    listed = yaml.safe_load(retire.tree.read(f"{HOME}/kustomization.yaml"))
    assert "patches" not in listed
    assert "gotk-sync.yaml" in listed["resources"]
    rest = reader(retire.tree).clusters[0].builds[ROOT].ids
    assert ObjectId("", "ConfigMap", "default", "nest") in rest
    assert not rest & {object.id for object in plan.installation.live}


def test_a_patch_of_something_that_stays_stays(reader: Reader) -> None:
    of_sync = """
        - patch: |
            apiVersion: source.toolkit.fluxcd.io/v1
            kind: GitRepository
            metadata:
              name: flux-system
              namespace: flux-system
            spec:
              interval: 5m0s
    """.replace("\n        ", "\n")

    retire = phase_of(reader.plan(aviary(PATCHES + of_sync.strip("\n"))), PhaseName.RETIRE)

    patches = yaml.safe_load(retire.tree.read(f"{HOME}/kustomization.yaml"))["patches"]
    assert [yaml.safe_load(entry["patch"])["spec"] for entry in patches] == [{"interval": "5m0s"}]


def test_settings_of_the_list_are_carried_and_the_opt_out_is_not(reader: Reader) -> None:
    plan = reader.plan(aviary(PATCHES))
    again = reader.plan(phase_of(plan, PhaseName.PROTECT).tree)

    carried = [patch.patch for patch in plan.target.patches]

    assert any("--concurrent=5" in text for text in carried)
    assert [patch.patch for patch in again.target.patches] == carried


def test_planning_goes_on_after_each_phase(reader: Reader) -> None:
    plan = reader.plan(aviary(PATCHES))
    commits = plan.phases[1:]

    for number, phase in enumerate(commits, start=1):
        left = reader.plan(phase.tree)

        assert names_of(left) == [later.name.value for later in commits[number:]]
        assert [later.tree for later in left.phases] == [later.tree for later in commits[number:]]


def test_the_marks_are_seen_live_before_anything_is_added(reader: Reader) -> None:
    plan = reader.plan(aviary())
    gates = phase_of(plan, PhaseName.OPERATOR).gates

    seen = "\n".join(gate.expect for gate in gates if gate.id.startswith("opt-outs-"))

    assert set(seen.splitlines()) == {f"{o.id.kind}/{o.id.name} disabled" for o in plan.installation.live}


@pytest.mark.parametrize(
    ("more", "hint"),
    [
        ("patchesStrategicMerge: []\n", "with a target"),
        ("replicas:\n- name: helm-controller\n  count: 1\n", "with a target"),
    ],
)
def test_fields_that_would_fail_without_components_are_refused(more: str, hint: str, reader: Reader) -> None:
    with pytest.raises(UnsupportedInstallation) as refusal:
        reader.plan(aviary(more))

    assert hint in refusal.value.hint
    assert refusal.value.where.startswith(f"{HOME}/kustomization.yaml:")


def test_a_foreign_object_among_the_components_is_refused(reader: Reader) -> None:
    mixed = components() + "---\n" + NEST.replace("nest", "egg")

    with pytest.raises(UnsupportedInstallation, match="ConfigMap/default/egg stands in a file with Flux's components"):
        reader.plan(aviary(**{f"{HOME}/gotk-components.yaml": mixed}))


@pytest.mark.parametrize("content", [None, "# written by the next bootstrap\n"])
def test_components_that_are_not_in_git_are_refused_with_what_lifts_it(content: str | None, reader: Reader) -> None:
    manifests = f"{HOME}/gotk-components.yaml"
    tree = aviary(**{manifests: content or ""})
    placeholder = tree if content else tree.without(manifests)

    with pytest.raises(UnsupportedInstallation) as refusal:
        reader.plan(placeholder)

    assert refusal.value.where == f"{HOME}/kustomization.yaml:4"
    assert f"{manifests} is not in Git, or empty" in refusal.value.message
    assert f"--export > {manifests}" in refusal.value.hint


def test_a_setting_inside_the_components_that_no_patch_can_say_is_refused_with_its_place(reader: Reader) -> None:
    silent = components().replace("- --log-encoding=json\n", "")

    with pytest.raises(UnsupportedInstallation) as refusal:
        reader.plan(aviary(**{f"{HOME}/gotk-components.yaml": silent}))

    assert refusal.value.where.startswith(f"{HOME}/gotk-components.yaml:")
    assert "the removal of --log-encoding" in refusal.value.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"metadata: {{annotations: {{{PRUNE}: disabled}}}}", True),
        (f"metadata: {{labels: {{{PRUNE}: Disabled}}}}", True),
        (f"metadata: {{annotations: {{{PRUNE}: disabled, a: b}}}}", False),
        (f"metadata: {{annotations: {{{PRUNE}: disabled}}}}\nspec: {{}}", False),
        ("metadata: {name: any}", False),
        ("[]", False),
    ],
)
def test_an_opt_out_is_known_by_its_content(text: str, expected: bool) -> None:
    assert is_opt_out(yaml.safe_load(text)) is expected

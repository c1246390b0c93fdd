"""What the new objects are in the cluster, after every parent's patches (rules.md R12, R13)."""

import pytest
import yaml
from builders import yaml_text
from planning import CASES, DEMO, Reader, tree_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.plan import present
from flux_handover.plan.operations import AppendElement
from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.plan.target import InstanceForm, Options
from flux_handover.tree import Tree

CASE = CASES / "plan-injected-defaults" / "before"
SERVICES = "base/root/services.yaml"


def phase_of(plan: Plan, name: PhaseName) -> Phase:
    return next(phase for phase in plan.phases if phase.name is name)


def with_patch(text: str, target: str = "kind: Kustomization") -> Tree:
    """The case, with one patch in place of those that its parent has."""
    tree = tree_of(CASE)
    head, _, _ = tree.read(SERVICES).decode().partition("  patches:\n")
    body = "".join(f"        {line}\n" for line in yaml_text(text).strip().splitlines())
    patched = f"{head}  patches:\n    - patch: |\n{body}      target:\n        {target}\n"
    return tree.with_file(SERVICES, patched.encode())


def injecting(release: str) -> str:
    """A patch for Kustomizations that patches every HelmRelease."""
    inner = yaml.safe_dump(
        {
            "apiVersion": "helm.toolkit.fluxcd.io/v2",
            "kind": "HelmRelease",
            "metadata": {"name": "any"},
            "spec": yaml.safe_load(release),
        }
    )
    patches = [{"patch": inner, "target": {"kind": "HelmRelease"}}]
    return yaml.safe_dump(
        {
            "apiVersion": f"{KUSTOMIZE_GROUP}/v1",
            "kind": "Kustomization",
            "metadata": {"name": "any"},
            "spec": {"patches": patches},
        }
    )


@pytest.mark.parametrize(
    "release",
    [
        "{install: {remediation: {retries: 3}}}",
        "{install: {remediation: {retries: -1}}}",
        "{upgrade: {remediation: {retries: 3}}}",
        "{upgrade: {remediation: {strategy: uninstall}}}",
        "{install: {disableWait: false}}",
        "{upgrade: {disableWait: false}}",
        "{values: {healthcheck: {enabled: true}}}",
    ],
)
def test_a_default_that_could_undo_the_instance_is_undone_before_it_exists(release: str, reader: Reader) -> None:
    plan = reader.plan(with_patch(injecting(release)))

    names = [
        operation.value["target"]["name"]
        for operation in phase_of(plan, PhaseName.PROTECT).operations
        if isinstance(operation, AppendElement)
    ]
    assert names == ["flux-instance"]
    found = present.instance(reader(phase_of(plan, PhaseName.INSTANCE).tree).clusters[0])
    assert found is not None
    assert found.release is not None
    spec = found.found.object.spec
    assert spec["install"] == {"disableWait": True}
    assert spec["upgrade"] == {"disableWait": True}


@pytest.mark.parametrize(
    "release", ["{install: {crds: CreateReplace}}", "{interval: 5m}", "{upgrade: {cleanupOnFail: true}}"]
)
def test_a_harmless_default_is_left_alone(release: str, reader: Reader) -> None:
    protect = phase_of(reader.plan(with_patch(injecting(release))), PhaseName.PROTECT)

    assert not [operation for operation in protect.operations if isinstance(operation, AppendElement)]


def test_a_manifest_is_not_reached_by_defaults_for_releases(reader: Reader) -> None:
    plan = reader.plan(tree_of(DEMO), Options(instance_as=InstanceForm.MANIFEST))

    protect = phase_of(plan, PhaseName.PROTECT)
    assert not [operation for operation in protect.operations if isinstance(operation, AppendElement)]


@pytest.mark.parametrize("field", ["prune: true", "deletionPolicy: Delete", "deletionPolicy: WaitForTermination"])
def test_a_default_that_would_delete_ours_is_undone(field: str, reader: Reader) -> None:
    text = f"""
        apiVersion: kustomize.toolkit.fluxcd.io/v1
        kind: Kustomization
        metadata:
          name: any
        spec:
          {field}
    """

    plan = reader.plan(with_patch(text))

    cluster = reader(phase_of(plan, PhaseName.INSTANCE).tree).clusters[0]
    for name in ("flux-operator", "flux-instance"):
        ks = cluster.builds[ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", name)].ks
        assert not ks.prune
        assert ks.deletion_policy == "MirrorPrune"


def test_other_children_keep_what_their_parent_gives_them(reader: Reader) -> None:
    birds = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "birds")
    plan = reader.plan(tree_of(CASE))

    before = reader(tree_of(CASE)).clusters[0].builds[birds].ks.object
    after = reader(phase_of(plan, PhaseName.PROTECT).tree).clusters[0].builds[birds].ks.object

    assert after == before


def test_a_release_that_is_renamed_on_the_way_is_refused(reader: Reader) -> None:
    text = """
        - op: add
          path: /spec/patches
          value:
            - patch: |
                - op: add
                  path: /spec/releaseName
                  value: other
              target:
                kind: HelmRelease
    """

    with pytest.raises(UnsupportedInstallation, match="the release is called other, not flux-operator"):
        reader.plan(with_patch(text))


def test_an_instance_that_a_person_added_unsafely_is_refused(reader: Reader) -> None:
    plan = reader.plan(tree_of(CASE))
    tree = phase_of(plan, PhaseName.INSTANCE).tree
    path = "base/services/flux-system/flux-instance/app/helmrelease.yaml"
    waiting = tree.read(path).replace(b"  upgrade:\n    disableWait: true\n", b"")

    with pytest.raises(UnsupportedInstallation) as refusal:
        reader.plan(tree.with_file(path, waiting))

    assert "upgrade waits" in refusal.value.message
    assert "--instance-as manifest" in refusal.value.hint

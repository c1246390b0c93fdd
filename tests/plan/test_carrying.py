"""Patches that changed Flux, as the FluxInstance must have them (semantics 3.5)."""

import pytest
import yaml
from builders import repo
from planning import installation, patch

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.installation import FluxPatch
from flux_handover.plan.carrying import Carried, carried
from flux_handover.tree import Tree

FASTER = """
    - op: add
      path: /spec/template/spec/containers/0/args/-
      value: --concurrent=8
"""
NO_POLICIES = """
    $patch: delete
    apiVersion: networking.k8s.io/v1
    kind: NetworkPolicy
    metadata:
      name: any
"""


def carry(*patches: FluxPatch, version: str = "v2.6.4") -> Carried:
    return carried(installation(*patches, version=version), Tree())


def test_a_patch_that_works_is_reused_as_it_is() -> None:
    original = patch(FASTER, kind="Deployment", name="(kustomize|helm)-controller")

    (same,) = carry(original).patches

    assert (same.patch, same.target, same.where) == (original.patch, original.target, original.where)
    assert not same.changed


def test_patches_keep_their_order() -> None:
    patches = [patch(FASTER.replace("8", str(n)), kind="Deployment", name="helm-controller") for n in (1, 2, 3)]

    assert [one.patch for one in carry(*patches).patches] == [one.patch for one in patches]


def test_deleting_all_policies_becomes_a_field() -> None:
    carry_all = carry(patch(NO_POLICIES, group="networking.k8s.io", kind="NetworkPolicy"))

    assert carry_all.deletes_policies
    assert carry_all.patches == ()


def test_deleting_one_policy_stays_a_patch() -> None:
    carry_one = carry(patch(NO_POLICIES, kind="NetworkPolicy", name="allow-scraping"))

    assert not carry_one.deletes_policies
    assert len(carry_one.patches) == 1


def test_a_namespace_in_the_target_is_dropped() -> None:
    (moved,) = carry(patch(FASTER, kind="Deployment", name="helm-controller", namespace="flux-system")).patches

    assert moved.target == (("kind", "Deployment"), ("name", "helm-controller"))
    assert "no namespace" in moved.changed


def test_a_patch_of_another_namespace_matches_nothing_today_and_is_left_out() -> None:
    carry_none = carry(patch(FASTER, kind="Deployment", namespace="elsewhere"))

    assert carry_none.patches == ()
    assert carry_none.notes == ("clusters/quay/flux.yaml:12: the patch matches nothing and is not carried",)


@pytest.mark.parametrize("selector", ["app.kubernetes.io/instance=flux-system", "app.kubernetes.io/version=v2.6.4"])
def test_labels_that_the_operator_sets_too_late_become_names(selector: str) -> None:
    text = """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: any
        spec:
          replicas: 1
    """

    (named,) = carry(patch(text, kind="Deployment", labelSelector=selector)).patches

    assert dict(named.target)["kind"] == "Deployment"
    assert set(dict(named.target)["name"].strip("()").split("|")) == {
        "helm-controller",
        "image-automation-controller",
        "image-reflector-controller",
        "kustomize-controller",
        "notification-controller",
        "source-controller",
    }


def test_a_selector_over_several_kinds_becomes_one_patch_for_each() -> None:
    text = "{apiVersion: v1, kind: any, metadata: {name: any, annotations: {a: b}}}"

    kinds = [dict(one.target)["kind"] for one in carry(patch(text, labelSelector="app.kubernetes.io/instance")).patches]

    assert kinds == sorted(set(kinds))
    assert {"ClusterRole", "Deployment", "ServiceAccount", "CustomResourceDefinition", "Namespace"} <= set(kinds)


def test_labels_that_deployments_have_by_nature_stay() -> None:
    original = patch(FASTER, kind="Deployment", labelSelector="app.kubernetes.io/component=helm-controller")

    assert carry(original).patches[0].target == original.target


def test_a_patch_without_target_gets_the_object_that_it_names() -> None:
    text = """
        apiVersion: apps/v1
        kind: Deployment
        metadata:
          name: source-controller
          namespace: flux-system
        spec:
          replicas: 1
    """

    (named,) = carry(patch(text)).patches

    assert named.target == (("kind", "Deployment"), ("name", "source-controller"))
    assert named.patch == patch(text).patch


def test_several_documents_become_several_patches() -> None:
    one = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {}\nspec:\n  replicas: 1\n"
    text = one.format("helm-controller") + "---\n" + one.format("source-controller")

    names = [dict(part.target)["name"] for part in carry(patch(text)).patches]

    assert names == ["helm-controller", "source-controller"]


def test_adding_to_a_map_that_is_missing_there_becomes_a_merge() -> None:
    text = """
        - op: add
          path: /metadata/annotations/example.org~1owner
          value: platform
    """

    (merge,) = carry(patch(text, kind="ServiceAccount", name="helm-controller")).patches

    assert yaml.safe_load(merge.patch)["metadata"]["annotations"] == {"example.org/owner": "platform"}


def test_an_argument_whose_position_is_kept_may_be_named_by_it() -> None:
    text = """
        - op: replace
          path: /spec/template/spec/containers/0/args/2
          value: --log-level=debug
    """
    original = patch(text, kind="Deployment", name="helm-controller")

    assert carry(original).patches[0].patch == original.patch


def test_an_argument_at_a_later_position_is_appended() -> None:
    text = """
        - op: add
          path: /spec/template/spec/containers/0/args/9
          value: --concurrent=8
    """

    (appended,) = carry(patch(text, kind="Deployment", name="helm-controller")).patches

    assert yaml.safe_load(appended.patch) == [
        {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--concurrent=8"}
    ]


def test_removing_an_argument_at_a_later_position_is_refused() -> None:
    text = """
        - op: remove
          path: /spec/template/spec/containers/0/args/9
    """

    with pytest.raises(UnsupportedInstallation) as refusal:
        carry(patch(text, kind="Deployment", name="helm-controller"))

    assert refusal.value.where == "clusters/quay/flux.yaml:12"
    assert "default value" in refusal.value.hint


def test_roles_match_by_their_name_with_suffix() -> None:
    text = """
        - op: add
          path: /rules/-
          value: {apiGroups: [""], resources: [secrets], verbs: [get]}
    """
    original = patch(text, kind="ClusterRole", name="flux-view-flux-system")

    assert carry(original).patches[0].target == original.target


def test_a_patch_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(UnsupportedInstallation, match="cannot be read"):
        carry(patch("a: [", kind="Deployment"))


def test_the_comments_above_a_patch_move_along() -> None:
    tree = repo(
        "clusters/quay/flux.yaml",
        """
        kind: Kustomization
        spec:
          patches:
            # two lines
            # of reasons
            - patch: ...
        """,
    )
    original = FluxPatch(
        patch(FASTER).patch, (("kind", "Deployment"),), type(patch("x").where)("clusters/quay/flux.yaml", 6)
    )

    (moved,) = carried(installation(original), tree).patches

    assert moved.comments == ("two lines", "of reasons")

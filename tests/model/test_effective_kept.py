"""What is lost between two installations, and what the operator may change."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from model.flux_objects import controller, manifest, role, with_pod

from flux_handover import catalogue
from flux_handover.model.effective import effective
from flux_handover.model.effective_kept import NORMALISATIONS, allowance, differences, lost
from flux_handover.objects import Object, object_of

GOLDENS = Path(__file__).parents[3] / "shared" / "goldens"


def texts(before: list[Object], after: list[Object]) -> list[str]:
    return [str(difference) for difference in lost(before, after)]


def test_a_flag_that_goes_is_lost() -> None:
    before = controller("helm-controller", "--concurrent=8", "--kube-api-qps=500")
    after = controller("helm-controller", "--concurrent=8")

    assert texts([before], [after]) == ["Deployment/gitops/helm-controller loses argument --kube-api-qps (500)"]


def test_a_flag_that_appears_by_itself_is_gained() -> None:
    before, after = controller("helm-controller"), controller("helm-controller", "--concurrent=5")

    assert texts([before], [after]) == ["Deployment/gitops/helm-controller gains argument --concurrent (5)"]


def test_a_value_that_another_flag_overrides_is_changed() -> None:
    before = controller("helm-controller", "--concurrent=8")
    after = controller("helm-controller", "--concurrent=8", "--concurrent=5")

    assert texts([before], [after]) == ["Deployment/gitops/helm-controller changes argument --concurrent from 8 to 5"]


def test_another_order_and_another_spelling_are_nothing() -> None:
    before = controller("helm-controller", "--a=1", "--b=60m", resources={"limits": {"cpu": "2000m"}})
    after = controller("helm-controller", "--b=1h", "--a=1", resources={"limits": {"cpu": "2"}})

    assert lost([before], [after]) == ()


def test_an_object_that_goes_is_one_difference() -> None:
    policy = manifest("networking.k8s.io/v1", "NetworkPolicy", "allow", spec={"podSelector": {}, "egress": [{}]})

    assert texts([policy], []) == ["NetworkPolicy/gitops/allow loses deletion object (present)"]


def test_an_object_that_was_deleted_and_comes_back_is_gained() -> None:
    policy = manifest("networking.k8s.io/v1", "NetworkPolicy", "allow")

    assert texts([], [policy]) == ["NetworkPolicy/gitops/allow gains deletion object (present)"]


@pytest.mark.parametrize(("version", "other"), [("v2.5.1", "v2.6.4"), ("v2.7.5", "v2.6.4")])
def test_fields_that_are_alike_hide_no_difference(version: str, other: str) -> None:
    before, after = (
        {o.id: o for o in map(object_of, catalogue.install_manifests(one, catalogue.DEFAULT_COMPONENTS))}
        for one in (version, other)
    )
    both = sorted(before.keys() & after.keys())
    old, new = (effective(objects[id] for id in both) for objects in (before, after))

    found = differences((before[id] for id in both), (after[id] for id in both))

    unlike = {
        key for key in old.keys() | new.keys() if key not in old or key not in new or old[key].value != new[key].value
    }
    assert unlike
    assert {difference.about for difference in found} == unlike


def test_a_renamed_object_is_compared_under_its_new_name() -> None:
    old, new = role("crd-controller", ("", "secrets", "get")), role("crd-controller-gitops", ("", "secrets", "get"))

    assert differences([old], [new], renamed={old.id: new.id}) == ()


def test_a_binding_follows_the_role_that_is_renamed() -> None:
    group = "rbac.authorization.k8s.io"
    old, new = role("crd-controller"), role("crd-controller-gitops")
    before = manifest(
        f"{group}/v1", "ClusterRoleBinding", "b", "", roleRef={"kind": "ClusterRole", "name": old.id.name}
    )
    after = manifest(f"{group}/v1", "ClusterRoleBinding", "b", "", roleRef={"kind": "ClusterRole", "name": new.id.name})

    assert lost([old, before], [new, after], renamed={old.id: new.id}) == ()
    assert len(lost([before], [after])) == 1


def test_a_role_that_loses_a_verb_is_lost() -> None:
    before, after = role("r", ("", "secrets", "get,list")), role("r", ("", "secrets", "get"))

    assert texts([before], [after]) == ["ClusterRole/r changes rule /secrets from get,list to get"]


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [
        (
            controller("c"),
            controller("c", "--feature-gates=ObjectLevelWorkloadIdentity=false"),
            "workload-identity-off",
        ),
        (controller("c"), with_pod(controller("c"), nodeSelector={"kubernetes.io/os": "linux"}), "linux-nodes"),
        (role("r"), role("r", ("fluxcd.controlplane.io", "*", "*")), "operator-access"),
    ],
)
def test_what_the_operator_always_writes_is_allowed_by_name(before: Object, after: Object, name: str) -> None:
    (difference,) = differences([before], [after])
    rule = allowance(difference)

    assert rule is not None
    assert rule.name == name
    assert lost([before], [after]) == ()


def test_a_gate_that_turns_on_is_not_excused_by_the_one_that_stays_off() -> None:
    before = controller("c")
    after = controller("c", "--feature-gates=ObjectLevelWorkloadIdentity=true")

    assert texts([before], [after]) == ["Deployment/gitops/c gains gate ObjectLevelWorkloadIdentity (true)"]


def test_a_user_label_of_the_namespace_is_not_excused() -> None:
    before = manifest("v1", "Namespace", "gitops", "", metadata={"labels": {"team": "a"}})
    after = manifest("v1", "Namespace", "gitops", "", metadata={"labels": {"app.kubernetes.io/part-of": "flux"}})

    assert texts([before], [after]) == ["Namespace/gitops loses metadata labels.team (a)"]


def test_each_normalisation_has_a_reason_and_a_name_of_its_own() -> None:
    assert len({rule.name for rule in NORMALISATIONS}) == len(NORMALISATIONS)
    assert all(rule.reason for rule in NORMALISATIONS)


@pytest.mark.parametrize(
    ("golden", "expected"),
    [
        ("v2.5.1-default", []),
        ("v2.6.4-default", ["/serviceaccounts/token"]),
        ("v2.9.4-default", ["/serviceaccounts/token"]),
    ],
)
def test_the_real_operator_loses_only_what_must_be_decided(golden: str, expected: list[str]) -> None:
    if not GOLDENS.is_dir():
        pytest.skip("the operator's recorded outputs are not here")
    text = (GOLDENS / golden / "objects.yaml").read_text()
    rendered = [object_of(content) for content in yaml.load_all(text, Loader=yaml.CSafeLoader) if content]
    installed = catalogue.install_manifests(golden.partition("-")[0], catalogue.DEFAULT_COMPONENTS)
    # The recorded CRDs are cut to names and versions, so they say nothing here.
    before = [o for o in map(object_of, installed) if o.id.kind != "CustomResourceDefinition"]
    after = [o for o in rendered if o.id.kind != "CustomResourceDefinition"]

    assert [difference.about.key for difference in lost(before, after)] == expected

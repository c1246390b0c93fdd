"""The charts of the operator: values in, objects out. Expectations were printed by `helm template`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_handover.catalogue import (
    chart_defaults,
    instance_from_values,
    merged_values,
    operator,
    operator_chart_objects,
    operators,
    validate,
    values_misfits,
)
from flux_handover.catalogue.operators import operator_schema

KNOWN = [version for version in operators() if operator(version).has_known_charts]
CORE = [
    "ClusterRole.rbac.authorization.k8s.io//flux-operator-edit",
    "ClusterRole.rbac.authorization.k8s.io//flux-operator-view",
    "ClusterRoleBinding.rbac.authorization.k8s.io//flux-operator",
    "CustomResourceDefinition.apiextensions.k8s.io//fluxinstances.fluxcd.controlplane.io",
    "CustomResourceDefinition.apiextensions.k8s.io//fluxreports.fluxcd.controlplane.io",
    "CustomResourceDefinition.apiextensions.k8s.io//resourcesetinputproviders.fluxcd.controlplane.io",
    "CustomResourceDefinition.apiextensions.k8s.io//resourcesets.fluxcd.controlplane.io",
    "Deployment.apps/delivery/flux-operator",
    "Service/delivery/flux-operator",
    "ServiceAccount/delivery/flux-operator",
]
WEB = [
    "ClusterRole.rbac.authorization.k8s.io//flux-web-admin",
    "ClusterRole.rbac.authorization.k8s.io//flux-web-user",
    "NetworkPolicy.networking.k8s.io/delivery/flux-operator-web",
]


def objects(version: str, values: Mapping[str, Any], release: str = "flux-operator") -> set[str]:
    return {id.full for id in operator_chart_objects(values, version, namespace="delivery", release=release)}


def spec(values: Mapping[str, Any], version: str = "0.49.0") -> Any:
    return instance_from_values({"instance": values}, version, namespace="delivery")["spec"]


@pytest.mark.parametrize(
    ("version", "expected"), [("0.35.0", CORE), ("0.36.0", [*CORE, WEB[2]]), ("0.49.0", [*CORE, *WEB])]
)
def test_what_the_operator_chart_adds_by_default(version: str, expected: list[str]) -> None:
    assert objects(version, {}) == set(expected)


@pytest.mark.parametrize(("version", "left"), [("0.37.0", [WEB[2]]), ("0.37.1", []), ("0.49.0", [])])
def test_closing_the_web_port_leaves_its_policy_before_0_37_1(version: str, left: list[str]) -> None:
    assert objects(version, {"web": {"enabled": False}}) == {*CORE, *left}


@pytest.mark.parametrize(
    ("values", "gone", "added"),
    [
        ({"installCRDs": False}, CORE[3:7], []),
        ({"rbac": {"create": False}}, [CORE[2]], []),
        ({"rbac": {"createAggregation": False}}, CORE[0:2], []),
        ({"serviceAccount": {"create": False}}, [CORE[9]], []),
        ({"serviceAccount": {"name": "pilot"}}, [CORE[9]], ["ServiceAccount/delivery/pilot"]),
        ({"apiPriority": {"enabled": True}}, [], ["FlowSchema.flowcontrol.apiserver.k8s.io//flux-operator"]),
        ({"serviceMonitor": {"create": True}}, [], ["ServiceMonitor.monitoring.coreos.com/delivery/flux-operator"]),
        ({"web": {"networkPolicy": {"create": False}}}, [WEB[2]], []),
        ({"web": {"rbac": {"createRoles": False}}}, WEB[0:2], []),
        ({"web": {"serverOnly": True}}, [CORE[0]], []),
        ({"web": {"config": {"a": "b"}}}, [], ["Secret/delivery/flux-operator-web-config"]),
        ({"web": {"ingress": {"enabled": True}}}, [], ["Ingress.networking.k8s.io/delivery/flux-operator"]),
        ({"web": {"httpRoute": {"enabled": True}}}, [], ["HTTPRoute.gateway.networking.k8s.io/delivery/flux-operator"]),
        (
            {"web": {"rbac": {"createAggregation": True}}},
            [],
            ["ClusterRole.rbac.authorization.k8s.io//flux-web-edit"],
        ),
    ],
)
def test_what_a_value_changes(values: Mapping[str, Any], gone: list[str], added: list[str]) -> None:
    assert objects("0.49.0", values) == {*CORE, *WEB, *added} - set(gone)


def test_a_server_alone_is_bound_even_where_no_roles_are_wanted() -> None:
    values = {"web": {"serverOnly": True}, "rbac": {"create": False, "createAggregation": False}}

    assert {CORE[1], CORE[2]} <= objects("0.49.0", values)
    assert not {CORE[1], CORE[2]} & objects("0.36.0", values)


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("flux-operator", {}, "flux-operator"),
        ("my-flux-operator", {}, "my-flux-operator"),
        ("pilot", {}, "pilot-flux-operator"),
        ("pilot", {"nameOverride": "op"}, "pilot-op"),
        ("pilot", {"fullnameOverride": "solo"}, "solo"),
    ],
)
def test_names_follow_the_release(release: str, values: Mapping[str, Any], name: str) -> None:
    assert f"Deployment.apps/delivery/{name}" in objects("0.49.0", values, release)


def test_the_instance_by_default_follows_the_latest_artifact() -> None:
    assert spec({}) == {
        "distribution": {
            "version": "2.x",
            "registry": "ghcr.io/fluxcd",
            "artifact": "oci://ghcr.io/controlplaneio-fluxcd/flux-operator-manifests:latest",
        },
        "components": ["source-controller", "kustomize-controller", "helm-controller", "notification-controller"],
        "cluster": {
            "type": "kubernetes",
            "domain": "cluster.local",
            "networkPolicy": True,
            "multitenant": False,
            "tenantDefaultServiceAccount": "default",
        },
        "kustomize": {"patches": []},
    }


@pytest.mark.parametrize("written", ["", None])
def test_an_artifact_without_a_value_is_written_as_null(written: str | None) -> None:
    assert spec({"distribution": {"artifact": written}})["distribution"]["artifact"] is None


@pytest.mark.parametrize(("version", "written"), [("0.46.0", 2.1), ("0.47.0", "2.10")])
def test_before_0_47_a_version_of_two_parts_becomes_a_number(version: str, written: Any) -> None:
    assert spec({"distribution": {"version": "2.10"}}, version)["distribution"]["version"] == written


def test_three_parts_stay_a_text() -> None:
    assert spec({"distribution": {"version": "2.6.4"}}, "0.32.0")["distribution"]["version"] == "2.6.4"


def test_every_key_of_cluster_is_passed_on() -> None:
    assert spec({"cluster": {"objectLevelWorkloadIdentity": True}})["cluster"]["objectLevelWorkloadIdentity"] is True


def test_sync_is_rendered_only_with_a_url() -> None:
    assert "sync" not in spec({"sync": {"ref": "refs/heads/main", "path": "./"}})
    assert spec({"sync": {"url": "https://git.example.org/fleet", "ref": "main", "path": "./"}})["sync"] == {
        "kind": "GitRepository",
        "interval": "1m",
        "url": "https://git.example.org/fleet",
        "ref": "main",
        "path": "./",
    }


def test_storage_of_shards_is_lost() -> None:
    sharding = spec({"sharding": {"shards": ["a"], "storage": "persistent"}})["sharding"]

    assert sharding == {"key": "sharding.fluxcd.io/key", "shards": ["a"]}


def test_common_annotations_are_those_of_the_instance_itself() -> None:
    values = {"commonAnnotations": {"helm.sh/resource-policy": "keep"}, "commonLabels": {"team": "core"}}

    metadata = instance_from_values(values, "0.49.0", namespace="delivery")["metadata"]

    assert metadata["name"] == "flux"
    assert metadata["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert metadata["labels"] == {
        "helm.sh/chart": "flux-instance-0.49.0",
        "app.kubernetes.io/name": "flux-instance",
        "app.kubernetes.io/instance": "flux-instance",
        "app.kubernetes.io/version": "v0.49.0",
        "app.kubernetes.io/managed-by": "Helm",
        "team": "core",
    }


@pytest.mark.parametrize(
    ("chart", "values", "misfit"),
    [
        ("flux-operator", {"web": {"enable": False}}, ".web.enable: is not a known field"),
        ("flux-operator", {"logLevel": "loud"}, ".logLevel: must be one of debug, info, error"),
        ("flux-operator", {"web": {"enabled": "no"}}, ".web.enabled: must be of type boolean"),
        ("flux-instance", {"instance": {"wait": False}}, ".instance.wait: is not a known field"),
        ("flux-instance", {"instance": {"components": "all"}}, ".instance.components: must be of type array"),
    ],
)
def test_values_that_a_chart_refuses_or_ignores(chart: str, values: Mapping[str, Any], misfit: str) -> None:
    assert [str(found) for found in values_misfits(chart, "0.49.0", values)] == [misfit]


@pytest.mark.parametrize(
    ("chart", "values"),
    [
        ("flux-operator", {"commonAnnotations": {"any": "thing"}, "nodeSelector": {"a": "b"}, "affinity": None}),
        ("flux-operator", {"resources": {"limits": {"ephemeral-storage": "1Gi"}}}),
        ("flux-instance", {"instance": {"cluster": {"objectLevelWorkloadIdentity": True}}}),
    ],
)
def test_values_that_a_chart_passes_on(chart: str, values: Mapping[str, Any]) -> None:
    assert values_misfits(chart, "0.49.0", values) == ()


@pytest.mark.parametrize("version", KNOWN)
@pytest.mark.parametrize("chart", ["flux-operator", "flux-instance"])
def test_the_defaults_of_every_chart_fit_its_values(chart: str, version: str) -> None:
    assert values_misfits(chart, version, {}) == ()


@pytest.mark.parametrize("version", KNOWN)
def test_the_instance_of_the_defaults_fits_the_operator_of_its_version(version: str) -> None:
    schema = operator_schema(version, "FluxInstance")
    assert schema is not None

    assert validate(schema, instance_from_values({}, version, namespace="delivery")) == ()


def test_an_unknown_chart_is_not_guessed() -> None:
    with pytest.raises(KeyError):
        chart_defaults("flux-instance", "0.51.0")


def test_merging_as_helm_does() -> None:
    merged = merged_values("flux-instance", "0.49.0", {"instance": {"components": ["a"], "sync": {"kind": None}}})

    assert merged["instance"]["components"] == ["a"]
    assert "kind" not in merged["instance"]["sync"]
    assert merged["instance"]["sync"]["interval"] == "1m"


VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=3),
    lambda below: st.dictionaries(st.sampled_from(["instance", "cluster", "type", "web", "spare"]), below, max_size=3),
    max_leaves=6,
)


def leaves(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(value, Mapping):
        return {path: value}
    return {key: leaf for name, below in value.items() for key, leaf in leaves(below, (*path, name)).items()}


@given(st.dictionaries(st.sampled_from(["instance", "healthcheck", "spare"]), VALUES))
def test_templates_see_every_written_value_but_null(values: dict[str, Any]) -> None:
    merged = leaves(merged_values("flux-instance", "0.49.0", values))

    for path, value in leaves(values).items():
        if value is not None:
            assert merged[path] == value


@given(st.sampled_from(KNOWN))
def test_no_values_are_the_defaults(version: str) -> None:
    assert merged_values("flux-operator", version, {}) == chart_defaults("flux-operator", version)

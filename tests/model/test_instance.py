"""What a FluxInstance renders to, setting by setting, with the real engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flux_handover import catalogue
from flux_handover.adapters.engine import Engine
from flux_handover.model.instance import InstanceError, Kustomizer, render_instance
from flux_handover.model.instance_crds import may_reach_crds
from flux_handover.objects import Object

OPERATOR = "0.49.0"
ALL_SEVEN = list(catalogue.COMPONENTS)


@pytest.fixture(scope="module")
def engine() -> Iterator[Kustomizer]:
    with Engine() as running:
        yield running


def instance(version: str = "2.6.4", namespace: str = "delivery", **spec: Any) -> Mapping[str, Any]:
    distribution = {"version": version, "registry": "registry.example.org/flux"}
    return {"metadata": {"name": "flux", "namespace": namespace}, "spec": {"distribution": distribution, **spec}}


def render(engine: Kustomizer, document: Mapping[str, Any], operator: str = OPERATOR) -> dict[tuple[str, str], Object]:
    rendered = render_instance(document, engine, operator_version=operator)
    return {(object.id.kind, object.id.name): object for object in rendered}


def pod(objects: Mapping[tuple[str, str], Object], name: str) -> Any:
    return objects["Deployment", name].spec["template"]["spec"]


def arguments(objects: Mapping[tuple[str, str], Object], name: str) -> list[str]:
    return list(pod(objects, name)["containers"][0]["args"])


def patch(text: str, **target: str) -> dict[str, Any]:
    return {"target": target, "patch": text} if target else {"patch": text}


def adding(argument: str, **target: str) -> dict[str, Any]:
    return patch(f"- {{op: add, path: /spec/template/spec/containers/0/args/-, value: {argument}}}", **target)


def test_names_registry_and_addresses_are_those_of_the_installation(engine: Kustomizer) -> None:
    objects = render(engine, instance(cluster={"domain": "cluster.example"}))

    assert ("ClusterRole", "crd-controller-delivery") in objects
    assert objects["ResourceQuota", "critical-pods-delivery"].id.namespace == "delivery"
    assert (
        pod(objects, "helm-controller")["containers"][0]["image"] == "registry.example.org/flux/helm-controller:v1.3.0"
    )
    assert arguments(objects, "helm-controller")[0] == (
        "--events-addr=http://notification-controller.delivery.svc.cluster.example./"
    )


def test_roles_are_bound_to_the_accounts_of_the_namespace(engine: Kustomizer) -> None:
    binding = render(engine, instance(components=["source-controller"]))[
        "ClusterRoleBinding", "crd-controller-delivery"
    ]

    assert binding.data["roleRef"]["name"] == "crd-controller-delivery"
    assert {subject["namespace"] for subject in binding.data["subjects"]} == {"delivery"}


def test_the_four_default_components_run_where_none_are_named(engine: Kustomizer) -> None:
    objects = render(engine, instance(components=[]))

    assert {name for kind, name in objects if kind == "Deployment"} == set(catalogue.DEFAULT_COMPONENTS)


@pytest.mark.parametrize(
    ("cluster", "policies"),
    [(None, 3), ({}, 0), ({"networkPolicy": True}, 3), ({"networkPolicy": False}, 0)],
)
def test_policies_without_the_defaults_of_the_crd(
    engine: Kustomizer, cluster: Mapping[str, Any] | None, policies: int
) -> None:
    document = instance() if cluster is None else instance(cluster=cluster)

    assert sum(kind == "NetworkPolicy" for kind, _ in render(engine, document)) == policies


@pytest.mark.parametrize(("cluster", "policies"), [(None, 3), ({}, 3), ({"networkPolicy": False}, 0)])
def test_policies_with_the_defaults_of_the_crd(
    engine: Kustomizer, cluster: Mapping[str, Any] | None, policies: int
) -> None:
    document = instance() if cluster is None else instance(cluster=cluster)

    defaulted = catalogue.instance_defaults(document, OPERATOR)

    assert sum(kind == "NetworkPolicy" for kind, _ in render(engine, defaulted)) == policies


def test_a_users_flag_comes_after_that_of_the_size(engine: Kustomizer) -> None:
    patches = [adding("--concurrent=8", kind="Deployment", name="helm-controller")]

    flags = arguments(
        render(engine, instance(cluster={"size": "large"}, kustomize={"patches": patches})), "helm-controller"
    )

    assert [flag for flag in flags if flag.startswith("--concurrent")] == ["--concurrent=20", "--concurrent=8"]


def test_a_target_with_a_namespace_matches_nothing_in_silence(engine: Kustomizer) -> None:
    patches = [adding("--concurrent=8", kind="Deployment", namespace="delivery")]

    assert render(engine, instance(kustomize={"patches": patches})) == render(engine, instance())


@pytest.mark.parametrize("label", ["app.kubernetes.io/version", "app.kubernetes.io/instance"])
def test_labels_that_the_operator_sets_select_nothing(engine: Kustomizer, label: str) -> None:
    patches = [adding("--concurrent=8", kind="Deployment", labelSelector=label)]

    assert render(engine, instance(kustomize={"patches": patches})) == render(engine, instance())


def test_a_merge_with_a_namespace_stalls_the_instance(engine: Kustomizer) -> None:
    text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: helm-controller, namespace: delivery}}"

    with pytest.raises(InstanceError, match=r"no matches for Id Deployment\.v1\.apps/helm-controller\.delivery"):
        render(engine, instance(kustomize={"patches": [patch(text)]}))


def test_a_merge_on_an_absent_component_stalls_the_instance(engine: Kustomizer) -> None:
    text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: helm-controller}, spec: {replicas: 2}}"

    with pytest.raises(InstanceError, match="no matches for Id"):
        render(engine, instance(components=["source-controller"], kustomize={"patches": [patch(text)]}))


def test_a_role_is_found_by_its_plain_and_by_its_suffixed_name(engine: Kustomizer) -> None:
    rule = "- {op: add, path: /rules/-, value: {apiGroups: [x.example], resources: [y], verbs: [get]}}"
    patches = [patch(rule, kind="ClusterRole", name=name) for name in ("crd-controller", "crd-controller-delivery")]

    role = render(engine, instance(kustomize={"patches": patches}))["ClusterRole", "crd-controller-delivery"]

    assert [rule.get("apiGroups") for rule in role.data["rules"]][-2:] == [["x.example"], ["x.example"]]


def test_a_patch_by_name_also_reaches_the_shards(engine: Kustomizer) -> None:
    patches = [adding("--concurrent=8", kind="Deployment", name="helm-controller")]

    objects = render(engine, instance(sharding={"shards": ["north"]}, kustomize={"patches": patches}))

    assert arguments(objects, "helm-controller")[-1] == "--concurrent=8"
    assert arguments(objects, "helm-controller-north")[-1] == "--concurrent=8"


def test_a_patch_cannot_take_the_operators_marks_away(engine: Kustomizer) -> None:
    text = """{apiVersion: v1, kind: Namespace, metadata: {name: x,
      annotations: {kustomize.toolkit.fluxcd.io/prune: enabled},
      labels: {app.kubernetes.io/managed-by: me, pod-security.kubernetes.io/enforce: privileged}}}"""

    namespace = render(engine, instance(kustomize={"patches": [patch(text, kind="Namespace")]}))[
        "Namespace", "delivery"
    ]

    assert namespace.annotations["kustomize.toolkit.fluxcd.io/prune"] == "Disabled"
    assert namespace.labels["app.kubernetes.io/managed-by"] == "flux-operator"
    assert namespace.labels["pod-security.kubernetes.io/enforce"] == "privileged"


def test_common_metadata_overrides_all_marks_but_whose_the_object_is(engine: Kustomizer) -> None:
    common = {
        "annotations": {"kustomize.toolkit.fluxcd.io/ssa": "Merge"},
        "labels": {"app.kubernetes.io/part-of": "platform", "fluxcd.controlplane.io/name": "other"},
    }

    for object in render(engine, instance(commonMetadata=common)).values():
        assert object.annotations["kustomize.toolkit.fluxcd.io/ssa"] == "Merge"
        assert object.labels["app.kubernetes.io/part-of"] == "platform"
        assert object.labels["fluxcd.controlplane.io/name"] == "flux"


@pytest.mark.parametrize(("operator", "marks"), [("0.27.0", {"ssa"}), ("0.28.0", {"ssa", "prune"})])
def test_operators_opt_out_of_pruning_only_since_0_28(engine: Kustomizer, operator: str, marks: set[str]) -> None:
    for object in render(engine, instance(), operator).values():
        stamped = {key.rpartition("/")[2] for key in object.annotations if key.startswith("kustomize.toolkit")}
        assert stamped == marks


def test_the_namespace_is_never_collected_by_the_operator(engine: Kustomizer) -> None:
    objects = render(engine, instance())

    exempt = {id for id, object in objects.items() if object.annotations.get("fluxcd.controlplane.io/prune")}
    assert exempt == {("Namespace", "delivery")}


TOKEN = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}
GATE = "--feature-gates=ObjectLevelWorkloadIdentity="


@pytest.mark.parametrize("version", ["2.6.4", "2.7.5", "2.8.7"])
def test_without_workload_identity_no_controller_may_create_tokens(engine: Kustomizer, version: str) -> None:
    role = render(engine, instance(version))["ClusterRole", "crd-controller-delivery"]

    assert TOKEN not in role.data["rules"]
    assert {"nonResourceURLs": ["/livez/ping"], "verbs": ["head"]} in role.data["rules"]


def test_with_workload_identity_the_rule_stays(engine: Kustomizer) -> None:
    objects = render(engine, instance(cluster={"objectLevelWorkloadIdentity": True}))

    assert TOKEN in objects["ClusterRole", "crd-controller-delivery"].data["rules"]


@pytest.mark.parametrize(
    ("version", "is_on", "gates"),
    [
        ("2.6.4", False, set()),
        ("2.6.4", True, {"source-controller=true", "kustomize-controller=true", "notification-controller=true"}),
        ("2.8.7", False, {f"{name}=false" for name in catalogue.DEFAULT_COMPONENTS}),
        ("2.8.7", True, {f"{name}=true" for name in catalogue.DEFAULT_COMPONENTS}),
    ],
)
def test_who_gets_the_gate_of_workload_identity(engine: Kustomizer, version: str, is_on: bool, gates: set[str]) -> None:
    objects = render(engine, instance(version, cluster={"objectLevelWorkloadIdentity": is_on}))

    written = {
        f"{name}={flag.removeprefix(GATE)}"
        for name in catalogue.DEFAULT_COMPONENTS
        for flag in arguments(objects, name)
        if flag.startswith(GATE)
    }
    assert written == gates


def test_operators_before_0_29_leave_gate_and_rule_alone(engine: Kustomizer) -> None:
    objects = render(engine, instance("2.6.4"), "0.28.0")

    assert TOKEN in objects["ClusterRole", "crd-controller-delivery"].data["rules"]


def test_lockdown_of_tenants(engine: Kustomizer) -> None:
    sync = {"kind": "GitRepository", "url": "https://git.example.org/fleet", "ref": "refs/heads/main", "path": "./"}
    cluster = {"multitenant": True, "tenantDefaultServiceAccount": "tenant"}

    objects = render(engine, instance(components=ALL_SEVEN[:6], cluster=cluster, sync=sync))

    kept = {
        name: [flag for flag in arguments(objects, name) if flag.startswith(("--no-", "--default-"))]
        for name in ALL_SEVEN[:6]
    }
    assert kept["source-controller"] == []
    assert kept["helm-controller"] == ["--no-cross-namespace-refs=true", "--default-service-account=tenant"]
    assert kept["kustomize-controller"] == [
        "--no-cross-namespace-refs=true",
        "--no-remote-bases=true",
        "--default-service-account=tenant",
    ]
    assert kept["image-reflector-controller"] == ["--no-cross-namespace-refs=true"]
    assert objects["Kustomization", "delivery"].spec["serviceAccountName"] == "kustomize-controller"


def test_tenants_workload_identity_names_an_account_for_each_use(engine: Kustomizer) -> None:
    cluster = {
        "objectLevelWorkloadIdentity": True,
        "multitenantWorkloadIdentity": True,
        "tenantDefaultServiceAccount": "pull",
        "tenantDefaultDecryptionServiceAccount": "decrypt",
        "tenantDefaultKubeConfigServiceAccount": "remote",
    }

    objects = render(engine, instance("2.8.7", components=ALL_SEVEN, cluster=cluster))

    def accounts(name: str) -> list[str]:
        return [flag for flag in arguments(objects, name) if flag.startswith("--default-")]

    assert accounts("source-controller") == ["--default-service-account=pull"]
    assert accounts("helm-controller") == ["--default-kubeconfig-service-account=remote"]
    assert accounts("kustomize-controller") == [
        "--default-decryption-service-account=decrypt",
        "--default-kubeconfig-service-account=remote",
    ]
    assert accounts("source-watcher") == []


@pytest.mark.parametrize(
    ("sync", "spec"),
    [
        ({"kind": "GitRepository"}, {"url": "here", "ref": {"name": "main"}}),
        ({"kind": "OCIRepository"}, {"url": "here", "ref": {"tag": "main"}}),
        ({"kind": "Bucket"}, {"endpoint": "here", "bucketName": "main"}),
        ({"kind": "Bucket", "provider": "aws"}, {"endpoint": "here", "bucketName": "main", "provider": "aws"}),
        (
            {"kind": "GitRepository", "pullSecret": "key"},
            {"url": "here", "ref": {"name": "main"}, "secretRef": {"name": "key"}},
        ),
    ],
)
def test_sync_makes_a_source_and_a_pruning_root_of_one_name(
    engine: Kustomizer, sync: Mapping[str, Any], spec: Mapping[str, Any]
) -> None:
    document = instance(sync={**sync, "name": "top", "url": "here", "ref": "main", "path": "a/b", "interval": "90s"})

    objects = render(engine, document)

    assert objects[sync["kind"], "top"].spec == {"interval": "1m30s", **spec}
    assert objects["Kustomization", "top"].spec == {
        "interval": "10m0s",
        "path": "a/b",
        "prune": True,
        "sourceRef": {"kind": sync["kind"], "name": "top"},
    }


@pytest.mark.parametrize(("version", "api"), [("2.5.1", "v1beta2"), ("2.6.0", "v1")])
def test_the_source_has_the_api_version_of_its_flux(engine: Kustomizer, version: str, api: str) -> None:
    sync = {"kind": "OCIRepository", "url": "oci://r.example.org/fleet", "ref": "latest", "path": "./"}

    objects = render(engine, instance(version, sync=sync))

    assert objects["OCIRepository", "delivery"].api_version == f"source.toolkit.fluxcd.io/{api}"


def test_storage_mounts_a_claim_and_keeps_the_empty_directory_defined(engine: Kustomizer) -> None:
    objects = render(engine, instance(storage={"class": "fast", "size": "5Gi"}, sharding={"shards": ["north"]}))

    volumes = pod(objects, "source-controller")["volumes"]
    assert [volume["name"] for volume in volumes] == ["data", "tmp", "persistent-data"]
    assert pod(objects, "source-controller")["containers"][0]["volumeMounts"][0]["name"] == "persistent-data"
    assert pod(objects, "source-controller-north")["containers"][0]["volumeMounts"][0]["name"] == "data"
    assert objects["PersistentVolumeClaim", "source-controller"].spec["storageClassName"] == "fast"


def test_each_shard_watches_its_key_and_the_rest_watches_what_has_none(engine: Kustomizer) -> None:
    document = instance("2.8.7", components=ALL_SEVEN, sharding={"key": "team.example/shard", "shards": ["a", "b"]})

    objects = render(engine, document)

    assert "--watch-label-selector=!team.example/shard" in arguments(objects, "source-controller")
    assert "--watch-label-selector=team.example/shard=b" in arguments(objects, "source-controller-b")
    assert objects["Service", "source-controller-b"].spec["selector"] == {"app": "source-controller-b"}
    assert {name for kind, name in objects if kind == "Deployment" and name.endswith("-a")} == {
        f"{name}-a" for name in ALL_SEVEN if name not in ("notification-controller", "source-watcher")
    }


def test_openshift_chooses_users_and_profiles_itself(engine: Kustomizer) -> None:
    objects = render(engine, instance(cluster={"type": "openshift"}))

    assert "securityContext" not in pod(objects, "helm-controller")
    assert set(pod(objects, "helm-controller")["containers"][0]["securityContext"]) == {
        "allowPrivilegeEscalation",
        "capabilities",
        "readOnlyRootFilesystem",
    }
    assert not any(key.startswith("pod-security") for key in objects["Namespace", "delivery"].labels)


def test_a_pull_secret_is_on_every_pod(engine: Kustomizer) -> None:
    document = instance()
    document["spec"]["distribution"]["imagePullSecret"] = "mirror"

    objects = render(engine, document)

    assert all(pod(objects, name)["imagePullSecrets"] == [{"name": "mirror"}] for name in catalogue.DEFAULT_COMPONENTS)


def test_alerts_may_name_the_operators_kinds_in_every_version(engine: Kustomizer) -> None:
    crd = render(engine, instance())["CustomResourceDefinition", "alerts.notification.toolkit.fluxcd.io"]

    for version in crd.spec["versions"]:
        fields = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        kinds = fields["eventSources"]["items"]["properties"]["kind"]["enum"]
        assert kinds[-3:] == ["FluxInstance", "ResourceSet", "ResourceSetInputProvider"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (instance("2.99.0"), "no match found for semver: 2.99.0"),
        (instance("2.9.4"), "no match found for semver: 2.9.4"),
        (instance("latest"), "semver 'latest' parse error: improper constraint: \"latest\""),
        (instance(""), ".spec.distribution.version is required"),
        (instance(components=["source-controller", "spare"]), "invalid component: spare"),
        (
            instance(components=["source-controller", "source-watcher"]),
            "source-watcher is only supported in Flux versions >= 2.7.0",
        ),
        (
            instance("2.5.1", cluster={"objectLevelWorkloadIdentity": True}),
            "failed to validate workload identity configuration: .objectLevelWorkloadIdentity and "
            ".multitenantWorkloadIdentity are not supported in Flux versions < 2.6.0",
        ),
        (
            instance("2.8.7", cluster={"multitenantWorkloadIdentity": True}),
            "failed to validate workload identity configuration: .objectLevelWorkloadIdentity must be set to true "
            "when .multitenantWorkloadIdentity is set to true",
        ),
        (
            instance(sync={"kind": "GitRepository", "url": "x", "ref": "y", "path": ""}),
            ".spec.sync.path is required",
        ),
        (
            instance(sync={"kind": "GitRepository", "url": "x", "ref": "y", "path": "z", "interval": "soon"}),
            'time: invalid duration "soon"',
        ),
        (
            instance(sharding={"shards": ["a"], "storage": "persistent"}, storage={"class": "x", "size": "1Gi"}),
            "what the operator renders for sharding.storage: persistent is not known offline",
        ),
    ],
)
def test_what_the_operator_refuses_is_refused_in_its_words(
    engine: Kustomizer, document: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(InstanceError) as caught:
        render(engine, document)

    assert caught.value.message == message


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    version=st.sampled_from(["v2.3.0", "v2.6.4", "v2.8.7"]),
    components=st.sets(st.sampled_from(ALL_SEVEN[:6]), min_size=1),
)
def test_without_settings_an_instance_has_the_ids_of_the_cli_export(
    engine: Kustomizer, version: str, components: set[str]
) -> None:
    chosen = sorted(components)

    rendered = render(engine, instance(version, components=chosen))

    exported = catalogue.install_manifests(version, tuple(chosen), "delivery")
    assert set(rendered) == {(manifest["kind"], manifest["metadata"]["name"]) for manifest in exported}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"target": {"kind": "Deployment"}, "patch": ""}, False),
        ({"target": {"kind": "Custom.*"}, "patch": ""}, True),
        ({"target": {"kind": "(Deployment|Service)", "name": ".*"}, "patch": ""}, False),
        ({"target": {"kind": "*"}, "patch": ""}, True),
        ({"target": {"labelSelector": "app.kubernetes.io/part-of=flux"}, "patch": ""}, True),
        ({"patch": "kind: Namespace"}, False),
        ({"patch": "kind: CustomResourceDefinition"}, True),
    ],
)
def test_only_a_patch_that_may_reach_crds_needs_their_schemas(written: Mapping[str, Any], expected: bool) -> None:
    assert may_reach_crds(written) is expected


def test_crds_are_the_same_built_with_and_without_their_schemas(engine: Kustomizer) -> None:
    unmatched = {
        "target": {"kind": "CustomResourceDefinition", "name": "spare"},
        "patch": "- {op: test, path: /a, value: 1}",
    }

    assert render(engine, instance(kustomize={"patches": [unmatched]})) == render(engine, instance())

"""Facts: what two spellings of one Flux have in common."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.flux_objects import controller, manifest, role, with_pod

from flux_handover.model.effective import FactKey, effective
from flux_handover.model.effective_arguments import GATES, effective_flags, effective_gates
from flux_handover.model.effective_values import duration, image, quantity, text
from flux_handover.objects import Object


def values(*objects: Object, kind: str = "") -> dict[str, str]:
    return {about.key: fact.value for about, fact in effective(objects).items() if kind in ("", about.kind)}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--concurrent=4", "--concurrent=8"], {"--concurrent": "8"}),
        (["--concurrent", "8"], {"--concurrent": "8"}),
        (["--watch-all-namespaces"], {"--watch-all-namespaces": "true"}),
        (["--watch-all-namespaces", "--log-level=info"], {"--watch-all-namespaces": "true", "--log-level": "info"}),
        (["-concurrent=8"], {"--concurrent": "8"}),
        (["--override-manager=a", "--override-manager=b"], {"--override-manager": "a,b"}),
        ([8, "--concurrent=2", "--"], {"--concurrent": "2"}),
        (["--feature-gates=A=true"], {}),
    ],
)
def test_the_last_value_of_a_flag_counts(arguments: list[object], expected: dict[str, str]) -> None:
    assert effective_flags(arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--feature-gates=A=true", "--feature-gates=B=false"], {"A": "true", "B": "false"}),
        (["--feature-gates=A=true,B=true", "--feature-gates=A=false"], {"A": "false", "B": "true"}),
        (["--feature-gates", "A=TRUE"], {"A": "true"}),
        (["--feature-gates=A"], {"A": "true"}),
        (["--feature-gates=A=true,"], {"A": "true"}),
    ],
)
def test_feature_gates_merge_per_key(arguments: list[object], expected: dict[str, str]) -> None:
    assert effective_gates(arguments) == expected


@given(st.lists(st.sampled_from(["--a=1", "--a=2", "--b=1", "--feature-gates=X=true", "--feature-gates=X=false"])))
def test_repeating_a_command_line_changes_nothing(arguments: list[str]) -> None:
    assert effective_flags(arguments + arguments) == effective_flags(arguments)
    assert effective_gates(arguments + arguments) == effective_gates(arguments)


@pytest.mark.parametrize(
    ("one", "other"),
    [("2000m", "2"), ("1Gi", "1024Mi"), ("0.5", "500m"), ("1e3", "1000"), ("2.0", "2"), ("1k", "1000")],
)
def test_two_spellings_of_a_quantity_are_one(one: str, other: str) -> None:
    assert quantity(one) == quantity(other)


@pytest.mark.parametrize(("one", "other"), [("1Gi", "1G"), ("2", "2m"), ("${LIMIT}", "2"), ("", "0")])
def test_different_quantities_stay_different(one: str, other: str) -> None:
    assert quantity(one) != quantity(other)


@given(st.from_regex(r"[0-9]{1,6}(m|k|M|Ki|Mi|Gi)?", fullmatch=True))
def test_a_normal_quantity_is_its_own_normal_form(value: str) -> None:
    assert quantity(quantity(value)) == quantity(value)


@pytest.mark.parametrize(("one", "other"), [("60m", "1h"), ("5s", "5000ms"), ("1m30s", "90s")])
def test_two_spellings_of_a_duration_are_one(one: str, other: str) -> None:
    assert duration(one) == duration(other)


@pytest.mark.parametrize("value", ["8", "debug", "95", "1d", ""])
def test_what_is_no_duration_stays(value: str) -> None:
    assert duration(value) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ghcr.io/x/y:v1@sha256:00", "ghcr.io/x/y:v1"),
        ("ghcr.io/x/y@sha256:00", "ghcr.io/x/y@sha256:00"),
        ("host:5000/x/y@sha256:00", "host:5000/x/y@sha256:00"),
        ("ghcr.io/x/y:v1", "ghcr.io/x/y:v1"),
    ],
)
def test_a_digest_beside_a_tag_is_left_out(value: str, expected: str) -> None:
    assert image(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, "true"), (None, "null"), (8, "8"), ("x", "x"), ({"b": 1, "a": [2]}, '{"a":[2],"b":1}')],
)
def test_values_are_written_as_in_yaml(value: Any, expected: str) -> None:
    assert text(value) == expected


def test_a_flag_that_names_its_own_namespace_equals_the_variable() -> None:
    literal = controller("helm-controller", "--events-addr=http://notification.gitops.svc./")
    variable = controller("helm-controller", "--events-addr=http://notification.$(RUNTIME_NAMESPACE).svc./")

    assert values(literal, kind="argument") == values(variable, kind="argument")


def test_limits_and_requests_are_told_apart() -> None:
    object = controller("helm-controller", resources={"limits": {"cpu": "2000m"}, "requests": {"cpu": "100m"}})

    assert values(object, kind="limit") == {"cpu": "2"}
    assert values(object, kind="request") == {"cpu": "0.1"}


def test_environment_is_keyed_by_name_and_api_defaults_do_not_count() -> None:
    plain = {"resourceFieldRef": {"containerName": "manager", "resource": "limits.cpu"}}
    filled = {"resourceFieldRef": {**plain["resourceFieldRef"], "divisor": "0"}}
    one = controller("helm-controller", env=[{"name": "GOMAXPROCS", "valueFrom": plain}, {"name": "A", "value": "b"}])
    other = controller(
        "helm-controller", env=[{"name": "A", "value": "b"}, {"name": "GOMAXPROCS", "valueFrom": filled}]
    )

    assert values(one, kind="env") == values(other, kind="env")
    assert values(one, kind="env")["A"] == "b"


def test_volumes_and_mounts_have_keys_of_their_own() -> None:
    mounted = controller("kustomize-controller", volumeMounts=[{"name": "temp", "mountPath": "/tmp"}])
    object = with_pod(mounted, volumes=[{"name": "temp", "emptyDir": {"medium": "Memory"}}])

    assert values(object, kind="volume") == {"temp": '{"emptyDir":{"medium":"Memory"}}', "/tmp": '{"name":"temp"}'}


def test_where_a_controller_runs_is_scheduling() -> None:
    object = with_pod(
        controller("source-controller"),
        nodeSelector={"zone": "a"},
        tolerations=[{"operator": "Exists"}],
        hostNetwork=True,
        priorityClassName="high",
        affinity={},
    )

    assert values(object, kind="scheduling") == {
        "nodeSelector.zone": "a",
        "tolerations": '[{"operator":"Exists"}]',
        "hostNetwork": "true",
        "priorityClassName": "high",
    }


def test_a_second_container_does_not_shadow_the_controller() -> None:
    first = controller("source-controller", "--concurrent=2").spec["template"]["spec"]["containers"][0]
    object = with_pod(
        controller("source-controller"),
        containers=[first, {"name": "proxy", "image": "p:1", "args": ["--concurrent=9"]}],
    )

    assert values(object, kind="argument") == {"--concurrent": "2", "proxy:--concurrent": "9"}


def test_an_init_container_and_a_pull_secret_are_seen() -> None:
    object = with_pod(
        controller("source-controller"), initContainers=[{"name": "wait"}], imagePullSecrets=[{"name": "registry"}]
    )

    assert values(object, kind="scheduling") == {"initContainers.wait": '{"name":"wait"}'}
    assert values(object, kind="image")["imagePullSecrets"] == '[{"name":"registry"}]'


def test_a_rule_split_in_two_allows_the_same() -> None:
    whole = role("reader", ("", "secrets", "get,list"))
    split = role("reader", ("", "secrets", "list"), ("", "secrets", "get"))

    assert effective([whole]) == effective([split])


def test_rules_for_named_objects_and_urls_are_told_apart() -> None:
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["one"], "verbs": ["get"]},
        {"nonResourceURLs": ["/livez"], "verbs": ["head"]},
    ]
    object = manifest("rbac.authorization.k8s.io/v1", "ClusterRole", "reader", "", rules=rules)

    assert values(object, kind="rule") == {"/secrets[one]": "get", "/livez": "head"}


def test_a_binding_is_its_role_and_its_subjects() -> None:
    subject = {"kind": "ServiceAccount", "namespace": "gitops", "name": "helm-controller"}
    object = manifest(
        "rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "b", "", roleRef={"name": "r"}, subjects=[subject]
    )

    assert values(object, kind="rule") == {
        "roleRef": '{"name":"r"}',
        "subjects.ServiceAccount/gitops/helm-controller": "bound",
    }


def test_fields_of_the_root_are_sync_facts() -> None:
    object = manifest(
        "kustomize.toolkit.fluxcd.io/v1",
        "Kustomization",
        "root",
        spec={"decryption": {"provider": "sops", "secretRef": {"name": "age"}}, "prune": True},
    )

    assert values(object, kind="sync") == {
        "spec.decryption.provider": "sops",
        "spec.decryption.secretRef.name": "age",
        "spec.prune": "true",
    }


def test_an_enum_counts_word_by_word() -> None:
    kind = {"enum": ["Bucket", "Terraform"]}
    object = manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "alerts.example.org",
        "",
        spec={"versions": [{"name": "v1", "schema": {"kind": kind}}]},
    )

    assert values(object, kind="rule") == {
        "spec.versions[v1].schema.kind.enum[Bucket]": "allowed",
        "spec.versions[v1].schema.kind.enum[Terraform]": "allowed",
    }


def test_labels_and_annotations_of_the_object_and_of_its_pods_are_metadata() -> None:
    object = manifest("v1", "ServiceAccount", "kustomize-controller", metadata={"annotations": {"iam": "role"}})

    assert values(object, kind="metadata") == {"annotations.iam": "role"}


def test_every_object_has_the_fact_that_it_exists() -> None:
    policy = manifest("networking.k8s.io/v1", "NetworkPolicy", "allow-egress")

    assert FactKey(policy.id, "deletion", "object") in effective([policy])
    assert values(controller("x"), kind="component") == {"object": "present"}


@pytest.mark.parametrize("broken", [{"spec": None}, {"spec": {"template": {"spec": {"containers": "x"}}}}, {}])
def test_half_empty_manifests_are_read(broken: dict[str, Any]) -> None:
    object = manifest("apps/v1", "Deployment", "broken", **broken)

    assert values(object) == {"object": "present"}


def test_the_gates_flag_is_known_by_its_name() -> None:
    assert values(controller("x", f"{GATES}=OOMWatch=true"), kind="gate") == {"OOMWatch": "true"}


@pytest.mark.parametrize(
    ("one", "other"),
    [({"interval": "1h"}, {"interval": "1h0m0s"}), ({"wait": False}, {}), ({"ignore": "/*\n"}, {"ignore": "/*"})],
)
def test_two_spellings_of_a_root_are_one(one: dict[str, Any], other: dict[str, Any]) -> None:
    def root(spec: dict[str, Any]) -> dict[str, str]:
        return values(manifest("kustomize.toolkit.fluxcd.io/v1", "Kustomization", "orchard", spec=spec))

    assert root(one) == root(other)
    assert root({"prune": False}) != root({})

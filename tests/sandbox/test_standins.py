from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from flux_handover.adapters.sandbox.gates import VERSION_GATES, differences, older_ways
from flux_handover.adapters.sandbox.standins.lifting import (
    ELSEWHERE,
    MANAGER,
    is_suspended,
    ready_status,
    revision_of,
    says_ready,
    unbuilt,
    unreachable,
)
from flux_handover.adapters.sandbox.standins.placeholders import (
    dotenv_replaced,
    is_encrypted,
    placeholder,
    replaced,
    rule_of,
)
from flux_handover.adapters.sandbox.standins.stubs import plural_of, stub_crd, stub_kinds
from flux_handover.objects import Object, ObjectId, object_of

Manifest = Mapping[str, Any]
SOURCE, HELM, KUSTOMIZE = "source.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io"


def thing(group: str, kind: str, name: str = "x", *, version: str = "v1", namespace: str = "apps") -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return object_of({"apiVersion": f"{group}/{version}" if group else version, "kind": kind, "metadata": metadata})


def crd_for(group: str, kind: str) -> Object:
    return object_of({"kind": "CustomResourceDefinition", "spec": {"group": group, "names": {"kind": kind}}})


def test_only_kinds_that_nobody_serves_or_defines_get_a_stub() -> None:
    objects = [
        thing("cilium.io", "CiliumPool", namespace=""),
        thing("example.org", "Served"),
        thing("example.org", "Defined"),
        crd_for("example.org", "Defined"),
        thing("", "ConfigMap"),
    ]

    stubs = stub_kinds(objects, [("example.org", "Served"), ("apiextensions.k8s.io", "CustomResourceDefinition")])

    assert [(stub.group, stub.kind) for stub in stubs] == [("cilium.io", "CiliumPool")]


def test_a_stub_serves_every_version_in_use_and_stores_one() -> None:
    objects = [thing("example.org", "Widget", version=version) for version in ("v1beta1", "v1")]

    versions = stub_crd(stub_kinds(objects, [])[0])["spec"]["versions"]

    assert [(version["name"], version["served"], version["storage"]) for version in versions] == [
        ("v1", True, False),
        ("v1beta1", True, True),
    ]


@pytest.mark.parametrize(("namespace", "scope"), [("apps", "Namespaced"), ("", "Cluster")])
def test_the_scope_of_a_stub_is_that_of_its_objects(namespace: str, scope: str) -> None:
    stub = stub_kinds([thing("example.org", "Widget", namespace=namespace)], [])[0]

    assert stub_crd(stub)["spec"]["scope"] == scope


def test_a_kind_that_does_without_a_namespace_somewhere_is_one_of_the_whole_cluster() -> None:
    objects = [thing("example.org", "Issuer", namespace=namespace) for namespace in ("apps", "")]

    assert stub_crd(stub_kinds(objects, [])[0])["spec"]["scope"] == "Cluster"


@pytest.mark.parametrize(
    ("status", "reason", "known", "lifted"),
    [
        ("False", "BuildFailed", True, True),
        ("False", "BuildFailed", False, False),
        ("False", "HealthCheckFailed", True, False),
        ("True", "ReconciliationSucceeded", True, False),
        ("True", "NotInSandbox", True, True),
    ],
)
def test_what_is_known_not_to_build_is_lifted_once_it_fails(
    status: str, reason: str, known: bool, lifted: bool
) -> None:
    condition = {"type": "Ready", "status": status, "reason": reason}
    manifest = {**thing(KUSTOMIZE, "Kustomization").data, "status": {"conditions": [condition]}}
    id = ObjectId(KUSTOMIZE, "Kustomization", "apps", "x")

    assert unbuilt([manifest], {id: "no network"} if known else {}) == ({id: "no network"} if lifted else {})


@pytest.mark.parametrize(("group", "kind"), [(KUSTOMIZE, "Kustomization"), (HELM, "HelmRelease")])
def test_what_goes_to_another_cluster_is_lifted(group: str, kind: str) -> None:
    there = thing(group, kind).data
    away = {**there, "spec": {"kubeConfig": {"secretRef": {"name": "other"}}}}
    id = ObjectId(group, kind, "apps", "x")

    assert unreachable([there], lambda url: True) == {}
    assert unreachable([away], lambda url: True) == {id: ELSEWHERE}


def test_a_stub_of_a_reserved_group_says_that_it_is_not_approved() -> None:
    crd = stub_crd(stub_kinds([thing("snapshot.storage.k8s.io", "VolumeSnapshotClass", namespace="")], [])[0])

    assert "api-approved.kubernetes.io" in crd["metadata"]["annotations"]
    assert crd["metadata"]["name"] == "volumesnapshotclasses.snapshot.storage.k8s.io"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("policy", "policies"),
        ("gateway", "gateways"),
        ("ingress", "ingresses"),
        ("box", "boxes"),
        ("widget", "widgets"),
    ],
)
def test_plurals_follow_the_usual_rule(word: str, expected: str) -> None:
    assert plural_of(word) == expected


def source(kind: str, name: str, url: str, **spec: Any) -> Manifest:
    metadata = {"name": name, "namespace": "flux-system"}
    return {"apiVersion": f"{SOURCE}/v1", "kind": kind, "metadata": metadata, "spec": {"url": url, **spec}}


def release(name: str, **spec: Any) -> Manifest:
    metadata = {"name": name, "namespace": "apps"}
    return {"apiVersion": f"{HELM}/v2", "kind": "HelmRelease", "metadata": metadata, "spec": spec}


def chart(name: str, repository: str) -> Manifest:
    reference = {"kind": "HelmRepository", "name": repository, "namespace": "flux-system"}
    return {"spec": {"chart": name, "sourceRef": reference}}


def lifted(*manifests: Manifest, served: frozenset[str] = frozenset()) -> set[str]:
    return {str(id) for id in unreachable(manifests, served.__contains__)}


def test_a_source_that_is_served_stays() -> None:
    served = frozenset({"https://git.example.org/ada/home"})

    assert lifted(source("GitRepository", "home", "https://git.example.org/ada/home"), served=served) == set()
    assert lifted(source("GitRepository", "home", "https://git.example.org/ada/home")) == {
        "GitRepository/flux-system/home"
    }


def test_a_release_goes_with_its_source() -> None:
    manifests = (
        source("HelmRepository", "charts", "https://charts.example.org"),
        source("OCIRepository", "web", "oci://ghcr.io/ada/web"),
        release("by-chart", chart=chart("web", "charts")),
        release("by-reference", chartRef={"kind": "OCIRepository", "name": "web", "namespace": "flux-system"}),
    )

    assert lifted(*manifests) == {
        "HelmRepository/flux-system/charts",
        "OCIRepository/flux-system/web",
        "HelmRelease/apps/by-chart",
        "HelmRelease/apps/by-reference",
    }


@pytest.mark.parametrize(
    ("served", "expected"), [({"oci://ghcr.io/ada/web"}, set()), (set(), {"HelmRelease/apps/web"})]
)
def test_a_chart_of_an_oci_repository_counts_by_its_own_address(served: set[str], expected: set[str]) -> None:
    repository = source("HelmRepository", "charts", "oci://ghcr.io/ada", type="oci")

    assert lifted(repository, release("web", chart=chart("web", "charts")), served=frozenset(served)) == expected


def test_a_kustomization_goes_with_its_source_too() -> None:
    reference = {"kind": "GitRepository", "name": "elsewhere", "namespace": "flux-system"}
    ks = {
        "apiVersion": f"{KUSTOMIZE}/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "apps"},
        "spec": {"sourceRef": reference},
    }

    assert "Kustomization/apps/apps" in lifted(
        source("GitRepository", "elsewhere", "https://elsewhere.example.org"), ks
    )


def test_a_release_whose_source_is_not_there_yet_is_left_alone() -> None:
    assert lifted(release("web", chart=chart("web", "charts"))) == set()


def test_the_reason_names_the_address() -> None:
    manifests = (source("HelmRepository", "c", "https://c.example.org"), release("web", chart=chart("web", "c")))

    reasons = unreachable(manifests, lambda url: False)

    assert "https://c.example.org" in reasons[ObjectId(HELM, "HelmRelease", "apps", "web")]


def test_what_the_user_suspended_is_not_lifted_and_what_we_did_is() -> None:
    ours = {"metadata": {"managedFields": [{"manager": MANAGER}]}, "spec": {"suspend": True}}
    theirs = {"metadata": {"managedFields": [{"manager": "flux"}]}, "spec": {"suspend": True}}

    assert is_suspended(theirs)
    assert not is_suspended(ours)
    assert lifted(source("HelmRepository", "c", "https://c.example.org", suspend=True)) == set()


def test_a_lifted_status_holds_for_one_generation() -> None:
    manifest = {"metadata": {"generation": 3}}
    status = ready_status(manifest, "not here", 0.0)

    assert says_ready({**manifest, **status})
    assert not says_ready({"metadata": {"generation": 4}, **status})
    assert not says_ready(manifest)


def test_a_lifted_kustomization_follows_its_source_so_that_others_need_not_wait() -> None:
    spec = {"sourceRef": {"kind": "GitRepository", "name": "fleet"}}
    source = {"status": {"artifact": {"revision": "main@sha1:bb22"}}}
    ks, fleet = ObjectId(KUSTOMIZE, "Kustomization", "apps", "x"), ObjectId(SOURCE, "GitRepository", "apps", "fleet")
    manifest = {**thing(KUSTOMIZE, "Kustomization").data, "metadata": {"generation": 1}, "spec": spec}

    revision = revision_of(ks, manifest, {fleet: source})
    status = ready_status(manifest, "not here", 0.0, revision)

    assert revision == "main@sha1:bb22"
    assert says_ready({**manifest, **status}, revision)
    assert not says_ready({**manifest, **status}, "main@sha1:cc33")


CIPHER = "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:{}]"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "settings"},
    "stringData": {"DOMAIN": CIPHER.format("str"), "PORT": CIPHER.format("int"), "plain": "kept"},
    "data": {"key": CIPHER.format("str")},
    "sops": {"mac": "ENC[...]", "encrypted_regex": "^(data|stringData)$"},
}


def test_placeholders_keep_the_shape_of_a_secret() -> None:
    document = replaced(SECRET, {"DOMAIN": "example.org"})

    assert document["stringData"] == {"DOMAIN": "example.org", "PORT": 1, "plain": "kept"}
    assert base64.b64decode(document["data"]["key"]) == b"placeholder-key"
    assert "sops" not in document


def test_values_in_lists_are_replaced_too() -> None:
    document = replaced({"hosts": [CIPHER.format("str"), {"a": CIPHER.format("bool")}]}, {})

    assert document == {"hosts": ["placeholder-hosts", {"a": True}]}


@pytest.mark.parametrize(
    ("key", "type", "expected"),
    [
        ("SECRET_DOMAIN", "str", "placeholder-secret-domain"),
        ("x" * 100, "str", ("placeholder-" + "x" * 100)[:60]),
        ("N", "int", 1),
        ("F", "float", 1.5),
        ("B", "bool", True),
        (".dockerconfigjson", "str", '{"auths": {}}'),
    ],
)
def test_a_placeholder_has_the_type_of_what_it_stands_for(key: str, type: str, expected: object) -> None:
    assert placeholder(key, type, {}) == expected


def test_a_document_is_encrypted_if_sops_signed_it() -> None:
    assert is_encrypted(SECRET)
    assert not is_encrypted({"kind": "Secret", "sops": {"age": []}})
    assert not is_encrypted(["sops"])


def test_the_rule_of_what_is_encrypted_is_kept() -> None:
    assert rule_of(SECRET) == ("encrypted_regex", "^(data|stringData)$")
    assert rule_of({"sops": {"mac": "x"}}) is None


def test_a_dotenv_file_keeps_its_names() -> None:
    text = f"# notes\nDOMAIN={CIPHER.format('str')}\nPLAIN=1\nsops_version=3.9\n"

    assert dotenv_replaced(text, {"DOMAIN": "example.org"}) == "# notes\nDOMAIN=example.org\nPLAIN=1\n"


def test_equal_versions_differ_in_no_rule() -> None:
    versions = {"kustomize-controller": "v1.9.6", "helm-controller": "v1.6.3"}

    assert differences(versions, versions) == ()


def test_every_rule_between_two_versions_is_named() -> None:
    found = differences({"kustomize-controller": "v1.9.6"}, {"kustomize-controller": "v1.8.5"})

    assert {difference.gate.since for difference in found} == {"v1.9.0"}
    assert "what a failed prune left stays in the inventory" in {difference.gate.rule for difference in found}


def test_a_rule_that_the_newer_program_can_leave_is_no_difference_but_an_argument() -> None:
    here, there = {"kustomize-controller": "v1.9.6"}, {"kustomize-controller": "v1.8.5"}
    strict = "--feature-gates=StrictPostBuildSubstitutions=false"

    assert older_ways(here, there) == {"kustomize-controller": (strict,)}
    assert "undefined variable" not in str([str(difference) for difference in differences(here, there)])
    assert older_ways(there, here) == {}
    assert "undefined variable" in str([str(difference) for difference in differences(there, here)])


def test_a_rule_of_a_program_that_only_one_side_runs_says_nothing() -> None:
    assert differences({"flux-operator": "v0.58.1"}, {"kustomize-controller": "v1.6.1"}) == ()


def test_a_difference_names_both_versions() -> None:
    words = str(differences({"helm-controller": "v1.6.3"}, {"helm-controller": "v1.3.0"})[0])

    assert "v1.6.3" in words
    assert "v1.3.0" in words


def test_rules_are_of_programs_that_a_sandbox_runs() -> None:
    assert {gate.program for gate in VERSION_GATES} == {"kustomize-controller", "helm-controller", "flux-operator"}

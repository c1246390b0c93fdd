"""What Flux's own tools make of a distribution."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from flux_handover.catalogue import Manifest, artifact_manifests, base_manifests, install_manifests, versions

SUFFIXED = {
    ("ResourceQuota", "critical-pods"),
    ("ClusterRole", "crd-controller"),
    ("ClusterRole", "flux-edit"),
    ("ClusterRole", "flux-view"),
    ("ClusterRoleBinding", "cluster-reconciler"),
    ("ClusterRoleBinding", "crd-controller"),
}


def names(manifests: Iterable[Manifest]) -> set[tuple[str, str]]:
    return {(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests}


def only(manifests: Iterable[Manifest], kind: str, name: str) -> Any:
    (found,) = [one for one in manifests if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def arguments(manifests: Iterable[Manifest], name: str) -> list[str]:
    container = only(manifests, "Deployment", name)["spec"]["template"]["spec"]["containers"][0]
    return list(container["args"])


def test_the_artifact_of_v2_6_4_has_38_objects_of_which_3_are_policies() -> None:
    manifests = artifact_manifests("v2.6.4")

    assert len(manifests) == len(names(manifests)) == 38
    assert sum(manifest["kind"] == "NetworkPolicy" for manifest in manifests) == 3


@pytest.mark.parametrize(("version", "has_watcher"), [("v2.7.5", False), ("v2.9.2", False), ("v2.9.3", True)])
def test_the_artifact_has_source_watcher_only_since_v2_9_3(version: str, has_watcher: bool) -> None:
    assert (("Deployment", "source-watcher") in names(artifact_manifests(version))) is has_watcher


@pytest.mark.parametrize(("version", "has_watcher"), [("v2.8.6", False), ("v2.8.7", True), ("v2.9.4", True)])
def test_the_remote_base_has_source_watcher_only_since_v2_8_7(version: str, has_watcher: bool) -> None:
    assert (("Deployment", "source-watcher") in names(base_manifests(version))) is has_watcher


@pytest.mark.parametrize("version", versions())
def test_artifact_and_remote_base_differ_in_the_six_names_of_roles_only(version: str) -> None:
    artifact, base = names(artifact_manifests(version)), names(base_manifests(version))
    watcher = {(kind, name) for kind, name in artifact ^ base if "source-watcher" in name or "artifactgen" in name}

    assert base - artifact - watcher == SUFFIXED
    assert artifact - base - watcher == {(kind, f"{name}-flux-system") for kind, name in SUFFIXED}


def test_bindings_name_the_suffixed_role_but_cluster_admin_keeps_its_name() -> None:
    manifests = install_manifests("v2.6.4", ("source-controller",))

    assert only(manifests, "ClusterRoleBinding", "crd-controller-flux-system")["roleRef"]["name"] == (
        "crd-controller-flux-system"
    )
    assert only(manifests, "ClusterRoleBinding", "cluster-reconciler-flux-system")["roleRef"]["name"] == "cluster-admin"


def test_bindings_are_for_the_accounts_of_the_namespace_also_of_components_left_out() -> None:
    manifests = install_manifests("v2.6.4", ("source-controller",), "delivery")

    subjects = only(manifests, "ClusterRoleBinding", "crd-controller-delivery")["subjects"]
    assert {subject["namespace"] for subject in subjects} == {"delivery"}
    assert len(subjects) == 6


def test_without_notification_controller_events_go_nowhere() -> None:
    manifests = install_manifests("v2.9.4", ("source-controller",))

    assert arguments(manifests, "source-controller")[0] == "--events-addr="


@pytest.mark.parametrize(
    ("version", "address"),
    [
        ("v2.7.1", "http://notification-controller.delivery.svc.cluster.local./"),
        ("v2.7.2", "http://notification-controller.$(RUNTIME_NAMESPACE).svc.cluster.local./"),
    ],
)
def test_the_events_address_is_literal_before_v2_7_2(version: str, address: str) -> None:
    manifests = install_manifests(version, ("source-controller", "notification-controller"), "delivery")

    assert arguments(manifests, "source-controller")[0] == f"--events-addr={address}"


def test_pods_carry_the_version_label_only_since_v2_7() -> None:
    def labels(version: str) -> Any:
        manifests = install_manifests(version, ("source-controller",))
        return only(manifests, "Deployment", "source-controller")["spec"]["template"]["metadata"]["labels"]

    assert "app.kubernetes.io/version" not in labels("v2.6.4")
    assert labels("v2.7.0")["app.kubernetes.io/version"] == "v2.7.0"


def test_source_watcher_opens_the_gate_of_the_controllers_that_read_its_artifacts() -> None:
    manifests = install_manifests("v2.9.4", ("kustomize-controller", "source-controller", "source-watcher"))

    assert arguments(manifests, "kustomize-controller")[-1] == "--feature-gates=ExternalArtifact=true"
    assert "--feature-gates=ExternalArtifact=true" not in arguments(manifests, "source-controller")


def test_the_remote_base_keeps_the_release_arguments_and_any_node() -> None:
    controller = only(base_manifests("v2.6.4"), "Deployment", "helm-controller")

    assert arguments(base_manifests("v2.6.4"), "helm-controller")[1] == "--watch-all-namespaces"
    assert "nodeSelector" not in controller["spec"]["template"]["spec"]
    assert controller["spec"]["template"]["spec"]["containers"][0]["image"] == "ghcr.io/fluxcd/helm-controller:v1.3.0"


def test_every_namespaced_object_is_in_the_namespace_and_no_other_is() -> None:
    for manifest in install_manifests("v2.9.4", ("source-controller",), "delivery"):
        is_cluster_scoped = manifest["kind"] in {
            "Namespace",
            "CustomResourceDefinition",
            "ClusterRole",
            "ClusterRoleBinding",
        }
        assert manifest["metadata"].get("namespace") == (None if is_cluster_scoped else "delivery")


def test_reading_twice_gives_the_release_unchanged() -> None:
    before = repr(base_manifests("v2.8.8"))
    install_manifests("v2.8.8", ("source-controller",), "delivery")
    base_manifests.cache_clear()

    assert repr(base_manifests("v2.8.8")) == before

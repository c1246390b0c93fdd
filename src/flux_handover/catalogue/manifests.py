"""What Flux's own tools make of a distribution: the CLI's export, its OCI artifact, the remote base.

The three differ in names of roles, labels and arguments, and the difference decides which
objects an operator takes over and which it leaves behind. All are computed from the objects of
the release by the rules of `fluxcd/flux2:pkg/manifestgen/install/templates.go` and
`fluxcd/flux2:manifests/install`, read at every tag from v2.2.3 to v2.9.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from flux_handover.catalogue.distributions import Manifest, components, controller_version, objects_of
from flux_handover.catalogue.versions import is_at_least

DEFAULT_COMPONENTS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
NAMESPACE = "flux-system"
REGISTRY = "ghcr.io/fluxcd"
CLUSTER_SCOPED = frozenset({"Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"})

_EXTERNAL_ARTIFACT = "--feature-gates=ExternalArtifact=true"


@cache
def artifact_manifests(version: str) -> tuple[Manifest, ...]:
    """Objects in the OCI artifact `flux-manifests:<version>`.

    The release job installs the default components with those of `--components-extra`;
    source-watcher is among them only from v2.9.3 (`fluxcd/flux2:.github/workflows/release.yaml`).
    """
    has_watcher = is_at_least(version, "v2.9.3")
    chosen = tuple(name for name in components(version) if has_watcher or name != "source-watcher")
    return install_manifests(version, chosen, NAMESPACE)


@cache
def install_manifests(version: str, chosen: tuple[str, ...], namespace: str = NAMESPACE) -> tuple[Manifest, ...]:
    """Objects of gotk-components.yaml, as `flux install` and `flux bootstrap` write it by default.

    Network policies are among them; `--network-policy=false` leaves exactly those out.
    """
    plain = [
        namespace_manifest(namespace),
        *objects_of(version, "policies"),
        *(_suffixed(manifest, namespace) for manifest in roles(version, namespace)),
        *(
            _installed(manifest, version, chosen, namespace)
            for name in chosen
            for manifest in objects_of(version, name)
        ),
    ]
    labels = {
        "app.kubernetes.io/instance": namespace,
        "app.kubernetes.io/part-of": "flux",
        "app.kubernetes.io/version": version,
    }
    return _finished(plain, labels, version, namespace)


@cache
def base_manifests(version: str) -> tuple[Manifest, ...]:
    """Objects of the remote base `github.com/fluxcd/flux2/manifests/install?ref=<version>`.

    Cluster roles keep their plain names, no version label is set, and every component is
    there; source-watcher from v2.8.7 (`fluxcd/flux2:manifests/install/kustomization.yaml`).
    """
    has_watcher = is_at_least(version, "v2.8.7")
    chosen = tuple(name for name in components(version) if has_watcher or name != "source-watcher")
    plain = [
        namespace_manifest(NAMESPACE),
        *(_with_registry(manifest) for name in chosen for manifest in objects_of(version, name)),
        *objects_of(version, "rbac"),
        *objects_of(version, "policies"),
    ]
    labels = {"app.kubernetes.io/instance": NAMESPACE, "app.kubernetes.io/part-of": "flux"}
    return _finished(plain, labels, version, NAMESPACE)


def namespace_manifest(name: str) -> Manifest:
    """The Namespace that Flux's tools and the operator create."""
    labels = {"pod-security.kubernetes.io/warn": "restricted", "pod-security.kubernetes.io/warn-version": "latest"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def roles(version: str, namespace: str) -> tuple[Manifest, ...]:
    """Roles and bindings of a release for an installation in a namespace, before any name is suffixed.

    Service accounts are those of that namespace, also of components that are not installed
    (`fluxcd/flux2:pkg/manifestgen/install/manifests.go#generate`).
    """
    return tuple(_with_subjects(manifest, namespace) for manifest in objects_of(version, "rbac"))


def _finished(
    plain: Iterable[Manifest], labels: Mapping[str, str], version: str, namespace: str
) -> tuple[Manifest, ...]:
    return tuple(_labelled(_placed(manifest, namespace), labels, version) for manifest in plain)


def _placed(manifest: Manifest, namespace: str) -> Manifest:
    if manifest["kind"] in CLUSTER_SCOPED:
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def _labelled(manifest: Manifest, labels: Mapping[str, str], version: str) -> Manifest:
    labelled = {**manifest, "metadata": _with_labels(manifest["metadata"], labels)}
    if manifest["kind"] == "Deployment" and is_at_least(version, "v2.7.0"):
        template = manifest["spec"]["template"]
        relabelled = {**template, "metadata": _with_labels(template["metadata"], labels)}
        return {**labelled, "spec": {**manifest["spec"], "template": relabelled}}
    return labelled


def _with_labels(metadata: Mapping[str, Any], labels: Mapping[str, str]) -> Mapping[str, Any]:
    return {**metadata, "labels": {**metadata.get("labels", {}), **labels}}


def _with_subjects(manifest: Manifest, namespace: str) -> Manifest:
    if "subjects" not in manifest:
        return manifest
    return {**manifest, "subjects": [{**subject, "namespace": namespace} for subject in manifest["subjects"]]}


def _suffixed(manifest: Manifest, namespace: str) -> Manifest:
    name = manifest["metadata"]["name"]
    suffixed = {**manifest, "metadata": {**manifest["metadata"], "name": f"{name}-{namespace}"}}
    role = manifest.get("roleRef")
    if role is not None and role["name"] != "cluster-admin":
        suffixed["roleRef"] = {**role, "name": f"{role['name']}-{namespace}"}
    return suffixed


def _with_registry(manifest: Manifest) -> Manifest:
    if manifest["kind"] != "Deployment":
        return manifest
    image = manifest["spec"]["template"]["spec"]["containers"][0]["image"]
    return _with_container(manifest, {"image": f"{REGISTRY}/{image.rpartition('/')[2]}"}, {})


def _installed(manifest: Manifest, version: str, chosen: tuple[str, ...], namespace: str) -> Manifest:
    if manifest["kind"] != "Deployment":
        return manifest
    name = manifest["metadata"]["name"]
    container = {
        "image": f"{REGISTRY}/{name}:{controller_version(version, name)}",
        "args": _arguments(manifest, version, chosen, namespace),
    }
    return _with_container(manifest, container, {"nodeSelector": {"kubernetes.io/os": "linux"}})


def _with_container(manifest: Manifest, container: Mapping[str, Any], pod: Mapping[str, Any]) -> Manifest:
    template = manifest["spec"]["template"]
    first, *rest = template["spec"]["containers"]
    spec = {**template["spec"], "containers": [{**first, **container}, *rest], **pod}
    return {**manifest, "spec": {**manifest["spec"], "template": {**template, "spec": spec}}}


def _arguments(manifest: Manifest, version: str, chosen: tuple[str, ...], namespace: str) -> list[str]:
    name = manifest["metadata"]["name"]
    arguments = list(manifest["spec"]["template"]["spec"]["containers"][0]["args"])
    leading = ["--watch-all-namespaces=true", "--log-level=info"]
    if name != "notification-controller":
        leading.insert(0, f"--events-addr={_events_address(version, chosen, namespace)}")
    arguments[: len(leading)] = leading
    if name in ("source-controller", "source-watcher"):
        arguments[6] = f"--storage-adv-addr={name}.$(RUNTIME_NAMESPACE).svc.cluster.local."
    if "source-watcher" in chosen and name in ("kustomize-controller", "helm-controller"):
        arguments.append(_EXTERNAL_ARTIFACT)
    return arguments


def _events_address(version: str, chosen: tuple[str, ...], namespace: str) -> str:
    """Without notification-controller events go nowhere."""
    if "notification-controller" not in chosen:
        return ""
    place = "$(RUNTIME_NAMESPACE)" if is_at_least(version, "v2.7.2") else namespace
    return f"http://notification-controller.{place}.svc.cluster.local./"

"""The patches that the operator puts before those of the user, in its order.

The order decides: flags are repeated and the last one wins, and a user's patch sees what these
have made. Established by running `flux-operator build instance` v0.58.1 over versions and
settings; the effect of each is described in the project's page on the catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flux_handover import catalogue
from flux_handover.model.instance_profiles import profile_patches
from flux_handover.model.instance_resources import SHARD_MARK, sharded
from flux_handover.model.instance_spec import Cluster, InstanceSpec

Patch = Mapping[str, Any]

ARGUMENTS = "/spec/template/spec/containers/0/args"
_APPLIERS = ("kustomize-controller", "helm-controller")


def operator_patches(spec: InstanceSpec, operator: str) -> list[Patch]:
    """Patches of an operator of that version, to be followed by the user's own."""
    return [
        *_scheduling(spec),
        *(_addresses(spec, component) for component in spec.components),
        *_volume(spec),
        *_shard_selectors(spec),
        *_platform(spec),
        *profile_patches(spec.cluster.size, spec.components),
        *_tenancy(spec),
        *_external_artifacts(spec),
        *_notifications(spec),
        *_identity(spec, operator),
        *_tenant_identity(spec),
    ]


def appended(component: str, *arguments: str) -> Patch:
    """Arguments after those that a controller has."""
    steps = [{"op": "add", "path": f"{ARGUMENTS}/-", "value": argument} for argument in arguments]
    return json_patch({"kind": "Deployment", "name": component}, steps)


def json_patch(target: Mapping[str, str], steps: Sequence[Mapping[str, Any]]) -> Patch:
    """A JSON patch on the objects of a target."""
    return {"target": dict(target), "patch": json.dumps(steps)}


def _scheduling(spec: InstanceSpec) -> list[Patch]:
    pod: dict[str, Any] = {"nodeSelector": {"kubernetes.io/os": "linux"}}
    if spec.pull_secret:
        pod["imagePullSecrets"] = [{"name": spec.pull_secret}]
    merge = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "all"},
        "spec": {"template": {"spec": pod}},
    }
    return [{"target": {"kind": "Deployment"}, "patch": json.dumps(merge)}]


def _addresses(spec: InstanceSpec, component: str) -> Patch:
    """Where events go and artifacts are; without notification-controller events go nowhere."""
    domain = spec.cluster.domain
    values = ["--watch-all-namespaces=true", "--log-level=info"]
    if component != "notification-controller":
        has_receiver = "notification-controller" in spec.components
        address = f"http://notification-controller.{spec.namespace}.svc.{domain}./" if has_receiver else ""
        values.insert(0, f"--events-addr={address}")
    steps = [{"op": "replace", "path": f"{ARGUMENTS}/{n}", "value": value} for n, value in enumerate(values)]
    if component in ("source-controller", "source-watcher"):
        value = f"--storage-adv-addr={component}.$(RUNTIME_NAMESPACE).svc.{domain}."
        steps.append({"op": "replace", "path": f"{ARGUMENTS}/6", "value": value})
    return json_patch({"kind": "Deployment", "name": component}, steps)


def _volume(spec: InstanceSpec) -> Iterable[Patch]:
    """The claim is added beside the empty directory, which stays defined but is no longer mounted."""
    if spec.storage is None:
        return
    volume = {"name": "persistent-data", "persistentVolumeClaim": {"claimName": "source-controller"}}
    mount = {"name": "persistent-data", "mountPath": "/data"}
    steps = [
        {"op": "add", "path": "/spec/template/spec/volumes/-", "value": volume},
        {"op": "replace", "path": "/spec/template/spec/containers/0/volumeMounts/0", "value": mount},
    ]
    yield json_patch(_unsharded("source-controller"), steps)


def _unsharded(component: str) -> Mapping[str, str]:
    """kustomize also finds a shard by the name that it had before its suffix, so the mark tells them apart."""
    return {"kind": "Deployment", "name": component, "annotationSelector": f"!{SHARD_MARK}"}


def _shard_selectors(spec: InstanceSpec) -> Iterable[Patch]:
    step = {"op": "add", "path": f"{ARGUMENTS}/-", "value": f"--watch-label-selector=!{spec.shard_key}"}
    for component in sharded(spec):
        yield json_patch(_unsharded(component), [step])


def _platform(spec: InstanceSpec) -> Iterable[Patch]:
    """OpenShift chooses users and security profiles itself; of the other types none changes anything."""
    if spec.cluster.type != "openshift":
        return
    container = "/spec/template/spec/containers/0/securityContext"
    paths = ("/spec/template/spec/securityContext", f"{container}/seccompProfile", f"{container}/runAsNonRoot")
    yield json_patch({"kind": "Deployment"}, [{"op": "remove", "path": path} for path in paths])
    labels = ("pod-security.kubernetes.io~1warn", "pod-security.kubernetes.io~1warn-version")
    yield json_patch({"kind": "Namespace"}, [{"op": "remove", "path": f"/metadata/labels/{key}"} for key in labels])


def _tenancy(spec: InstanceSpec) -> Iterable[Patch]:
    if not spec.cluster.is_multitenant:
        return
    yield from (appended(component, *_lockdown(component, spec.cluster)) for component in spec.components)
    if spec.sync:
        step = {"op": "add", "path": "/spec/serviceAccountName", "value": "kustomize-controller"}
        yield json_patch({"kind": "Kustomization"}, [step])


def _lockdown(component: str, cluster: Cluster) -> Iterable[str]:
    if component != "source-controller":
        yield "--no-cross-namespace-refs=true"
    if component == "kustomize-controller":
        yield "--no-remote-bases=true"
    if component in _APPLIERS:
        yield f"--default-service-account={cluster.tenant_account}"


def _external_artifacts(spec: InstanceSpec) -> Iterable[Patch]:
    if "source-watcher" in spec.components:
        yield from (appended(component, "--feature-gates=ExternalArtifact=true") for component in _APPLIERS)


def _notifications(spec: InstanceSpec) -> Iterable[Patch]:
    """Controllers that notify may read the operator's own kinds; the CRDs are extended elsewhere."""
    if "notification-controller" in spec.components:
        rule = {"apiGroups": ["fluxcd.controlplane.io"], "resources": ["*"], "verbs": ["*"]}
        yield json_patch(
            {"kind": "ClusterRole", "name": "crd-controller"}, [{"op": "add", "path": "/rules/-", "value": rule}]
        )


def _identity(spec: InstanceSpec, operator: str) -> list[Patch]:
    """Gate and rule of object-level workload identity; operators before 0.29 take neither away."""
    if spec.cluster.has_workload_identity:
        return _gates(spec.version, "true")
    if not catalogue.is_at_least(operator, "v0.29.0"):
        return []
    gates = _gates(spec.version, "false") if catalogue.is_at_least(spec.version, "v2.7.0") else []
    return [*gates, *_token_removal(spec.version)]


def _gates(version: str, value: str) -> list[Patch]:
    gate = f"--feature-gates=ObjectLevelWorkloadIdentity={value}"
    return [appended(component, gate) for component in _identity_components(version)]


def _identity_components(version: str) -> tuple[str, ...]:
    """source-watcher has no such gate, and helm-controller has it only since Flux 2.7."""
    without = {"source-watcher"} if catalogue.is_at_least(version, "v2.7.0") else {"source-watcher", "helm-controller"}
    return tuple(component for component in catalogue.COMPONENTS if component not in without)


def _token_removal(version: str) -> Iterable[Patch]:
    roles = [manifest for manifest in catalogue.objects_of(version, "rbac") if manifest["kind"] == "ClusterRole"]
    rules = next(role["rules"] for role in roles if role["metadata"]["name"] == "crd-controller")
    for index, rule in enumerate(rules):
        if "serviceaccounts/token" in rule.get("resources", ()):
            target = {"kind": "ClusterRole", "name": "crd-controller"}
            yield json_patch(target, [{"op": "remove", "path": f"/rules/{index}"}])


def _tenant_identity(spec: InstanceSpec) -> Iterable[Patch]:
    """Lockdown has given the appliers their default account already; the others get it here."""
    components = _identity_components(spec.version) if spec.cluster.has_tenant_identity else ()
    return [appended(component, *_accounts(component, spec.cluster)) for component in components]


def _accounts(component: str, cluster: Cluster) -> Iterable[str]:
    if component not in _APPLIERS:
        yield f"--default-service-account={cluster.tenant_account}"
    if component == "kustomize-controller":
        yield f"--default-decryption-service-account={cluster.decryption_account}"
    if component in _APPLIERS:
        yield f"--default-kubeconfig-service-account={cluster.kube_config_account}"

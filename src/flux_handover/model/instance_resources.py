"""The objects that the operator builds a FluxInstance from, before its patches: files of a small tree."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from flux_handover import catalogue
from flux_handover.model.instance_crds import CRD, extended, needs_schemas, without_schemas
from flux_handover.model.instance_spec import InstanceSpec, Storage, Sync
from flux_handover.tree import File, Tree, blob_digest

ROOT = "instance"
SHARD_MARK = "sharding.fluxcd.io/role"

_KIND = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}


def instance_tree(spec: InstanceSpec, patches: Iterable[Mapping[str, Any]]) -> Tree:
    """The kustomization of an instance with those patches, at `ROOT`; equal to the operator's in its result."""
    resources = _resources(spec)
    files = {f"{ROOT}/{path}": _documents(manifests) for path, manifests in resources.items()}
    files |= {f"{ROOT}/roles/kustomization.yaml": _documents([_roles(spec)])}
    for shard in spec.shards:
        files[f"{ROOT}/{_shard_folder(shard)}/kustomization.yaml"] = _documents([_shard(spec, shard)])
    kustomization = {
        **_KIND,
        "namespace": spec.namespace,
        "resources": _folders(resources, spec),
        "patches": list(patches),
        "images": [_image(spec, component) for component in spec.components],
    }
    files[f"{ROOT}/kustomization.yaml"] = _documents([kustomization])
    return Tree(MappingProxyType({path: File(content, blob_digest(content)) for path, content in files.items()}))


def sharded(spec: InstanceSpec) -> tuple[str, ...]:
    """Components that run once per shard: all but notification-controller, source-watcher since Flux 2.9."""
    alone = {"notification-controller"}
    if not catalogue.is_at_least(spec.version, "v2.9.0"):
        alone.add("source-watcher")
    return tuple(component for component in spec.components if component not in alone) if spec.shards else ()


def _documents(manifests: Iterable[Mapping[str, Any]]) -> bytes:
    return "\n---\n".join(json.dumps(manifest, sort_keys=True) for manifest in manifests).encode()


def _resources(spec: InstanceSpec) -> dict[str, list[Mapping[str, Any]]]:
    resources: dict[str, list[Mapping[str, Any]]] = {
        "namespace.yaml": [_namespace(spec.namespace)],
        "roles/rbac.yaml": list(catalogue.roles(spec.version, spec.namespace)),
    }
    if spec.cluster.has_network_policy:
        resources["policies.yaml"] = list(catalogue.objects_of(spec.version, "policies"))
    resources |= {f"{component}.yaml": _component(spec, component) for component in spec.components}
    resources |= {f"{_shard_folder(shard)}/controllers.yaml": _sharded_objects(spec) for shard in spec.shards}
    if spec.storage:
        resources["storage.yaml"] = [_claim(spec.storage)]
    if spec.sync:
        resources["sync.yaml"] = list(sync_pair(spec.sync, spec.version))
    return resources


def _component(spec: InstanceSpec, component: str) -> list[Mapping[str, Any]]:
    crd = extended if needs_schemas(spec.patches) else without_schemas
    return [crd(each) if each["kind"] == CRD else each for each in catalogue.objects_of(spec.version, component)]


def _folders(resources: Mapping[str, Any], spec: InstanceSpec) -> list[str]:
    files = [path for path in resources if "/" not in path]
    return [*files, "roles", *(_shard_folder(shard) for shard in spec.shards)]


def _namespace(name: str) -> Mapping[str, Any]:
    manifest = catalogue.namespace_manifest(name)
    kept = {"annotations": {"fluxcd.controlplane.io/prune": "disabled"}}
    return {**manifest, "metadata": {**manifest["metadata"], **kept}}


def _roles(spec: InstanceSpec) -> Mapping[str, Any]:
    return {**_KIND, "namespace": spec.namespace, "nameSuffix": f"-{spec.namespace}", "resources": ["rbac.yaml"]}


def _image(spec: InstanceSpec, component: str) -> Mapping[str, Any]:
    tag = catalogue.controller_version(spec.version, component)
    return {"name": f"fluxcd/{component}", "newName": f"{spec.registry}/{component}", "newTag": tag}


def _shard_folder(shard: str) -> str:
    return f"shards/{shard}"


def _sharded_objects(spec: InstanceSpec) -> list[Mapping[str, Any]]:
    return [
        manifest
        for component in sharded(spec)
        for manifest in catalogue.objects_of(spec.version, component)
        if manifest["kind"] in ("Deployment", "Service")
    ]


def _shard(spec: InstanceSpec, shard: str) -> Mapping[str, Any]:
    return {
        **_KIND,
        "namespace": spec.namespace,
        "nameSuffix": f"-{shard}",
        "resources": ["controllers.yaml"],
        "patches": [patch for component in sharded(spec) for patch in _shard_patches(spec, shard, component)],
    }


def _shard_patches(spec: InstanceSpec, shard: str, component: str) -> list[Mapping[str, Any]]:
    name = f"{component}-{shard}"
    domain = spec.cluster.domain
    arguments = [f"--watch-label-selector={spec.shard_key}={shard}"]
    if component in ("source-controller", "source-watcher"):
        arguments.insert(0, f"--storage-adv-addr={name}.$(RUNTIME_NAMESPACE).svc.{domain}.")
    mark = {"metadata": {"annotations": {SHARD_MARK: "shard"}}}
    template = {"metadata": {"labels": {"app": name}, "annotations": {SHARD_MARK: "shard"}}}
    deployment = {**mark, "spec": {"selector": {"matchLabels": {"app": name}}, "template": template}}
    append = [
        {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": argument} for argument in arguments
    ]
    return [
        _merge("apps/v1", "Deployment", component, deployment),
        {"target": {"kind": "Deployment", "name": component}, "patch": json.dumps(append)},
        _merge("v1", "Service", component, {**mark, "spec": {"selector": {"app": name}}}),
    ]


def _merge(api_version: str, kind: str, name: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = {**fields["metadata"], "name": name}
    patch = {"apiVersion": api_version, "kind": kind, **fields, "metadata": metadata}
    return {"target": {"kind": kind, "name": name}, "patch": json.dumps(patch)}


def _claim(storage: Storage) -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "source-controller"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage.storage_class,
            "resources": {"requests": {"storage": storage.size}},
        },
    }


def sync_pair(sync: Sync, version: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The source and the root Kustomization that the operator makes of `spec.sync`, before any patch."""
    return _source(sync, version), _root(sync)


def _source(sync: Sync, version: str) -> Mapping[str, Any]:
    has_v1 = sync.kind == "GitRepository" or catalogue.is_at_least(version, "v2.6.0")
    spec: dict[str, Any] = {"interval": sync.interval, **_place(sync)}
    if sync.pull_secret:
        spec["secretRef"] = {"name": sync.pull_secret}
    if sync.provider:
        spec["provider"] = sync.provider
    return {
        "apiVersion": f"source.toolkit.fluxcd.io/{'v1' if has_v1 else 'v1beta2'}",
        "kind": sync.kind,
        "metadata": {"name": sync.name},
        "spec": spec,
    }


def _place(sync: Sync) -> Mapping[str, Any]:
    match sync.kind:
        case "GitRepository":
            return {"url": sync.url, "ref": {"name": sync.ref}}
        case "OCIRepository":
            return {"url": sync.url, "ref": {"tag": sync.ref}}
        case _:
            return {"endpoint": sync.url, "bucketName": sync.ref}


def _root(sync: Sync) -> Mapping[str, Any]:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": sync.name},
        "spec": {
            "interval": "10m0s",
            "path": sync.path,
            "prune": True,
            "sourceRef": {"kind": sync.kind, "name": sync.name},
        },
    }

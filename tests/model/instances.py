"""Random FluxInstances, and their objects in a form that can be compared."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from flux_handover import catalogue

Manifests = dict[tuple[str, ...], Mapping[str, Any]]

_ARGUMENT = "- {op: add, path: /spec/template/spec/containers/0/args/-, value: %s}"
PATCHES: tuple[Mapping[str, Any], ...] = (
    {"target": {"kind": "Deployment", "name": "helm-controller"}, "patch": _ARGUMENT % "--concurrent=8"},
    {
        "target": {"kind": "Deployment", "labelSelector": "app.kubernetes.io/part-of=flux"},
        "patch": _ARGUMENT % "--kube-api-qps=500",
    },
    {"target": {"kind": "Deployment", "namespace": "delivery"}, "patch": _ARGUMENT % "--spare"},
    {
        "target": {"kind": "Namespace"},
        "patch": "{apiVersion: v1, kind: Namespace, metadata: {name: x, labels: {team: core}}}",
    },
    {"target": {"kind": "ServiceAccount"}, "patch": "- {op: add, path: /metadata/annotations/x, value: y}"},
    {
        "patch": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: source-controller}, spec: {replicas: 2}}",
    },
    {
        "target": {"kind": "ClusterRole", "name": "crd-controller-delivery"},
        "patch": "- {op: add, path: /rules/-, value: {apiGroups: [x.example], resources: [y], verbs: [get]}}",
    },
    {
        "target": {"kind": "CustomResourceDefinition"},
        "patch": "{$patch: delete, apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, "
        "metadata: {name: x}}",
    },
    {
        "target": {"kind": "(Kustomization|GitRepository)"},
        "patch": "- {op: add, path: /metadata/labels, value: {team: core}}",
    },
    {"target": {"kind": "Deployment"}, "patch": "- {op: remove, path: /spec/template/spec/priorityClassName}"},
)


def random_instance(seed: int) -> dict[str, Any]:
    """A FluxInstance with settings of any kind, some of which the operator refuses."""
    choice = random.Random(seed)
    version = choice.choice(catalogue.versions())
    spec = {
        "distribution": {"version": version, "registry": choice.choice(["ghcr.io/fluxcd", "mirror.example.org/a/"])},
        "components": choice.choice([None, choice.sample(catalogue.COMPONENTS, choice.randint(1, 7))]),
        "cluster": choice.choice([None, {}, _cluster(choice)]),
        "commonMetadata": choice.choice([None, None, {"labels": {"team": "core", "app.kubernetes.io/version": "x"}}]),
        "sharding": choice.choice([None, None, {"shards": ["north", "south"]}]),
        "storage": choice.choice([None, None, {"class": "fast", "size": "5Gi"}]),
        "sync": choice.choice([None, _sync(choice)]),
        "kustomize": choice.choice([None, {"patches": choice.sample(PATCHES, 2)}]),
    }
    return {
        "apiVersion": "fluxcd.controlplane.io/v1",
        "kind": "FluxInstance",
        "metadata": {"name": "flux", "namespace": choice.choice(["flux-system", "delivery"])},
        "spec": _present(spec),
    }


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _cluster(choice: random.Random) -> dict[str, Any]:
    fields = {
        "type": choice.choice([None, "kubernetes", "openshift", "aws"]),
        "domain": choice.choice([None, "cluster.example"]),
        "size": choice.choice([None, "small", "medium", "large"]),
        "networkPolicy": choice.choice([None, True, False]),
        "multitenant": choice.choice([None, True]),
        "tenantDefaultServiceAccount": choice.choice([None, "tenant"]),
        "objectLevelWorkloadIdentity": choice.choice([None, True, False]),
        "multitenantWorkloadIdentity": choice.choice([None, None, None, None, True]),
    }
    return _present(fields)


def _sync(choice: random.Random) -> dict[str, Any]:
    fields = {
        "kind": choice.choice(["GitRepository", "OCIRepository", "Bucket"]),
        "url": "https://git.example.org/fleet",
        "ref": "refs/heads/main",
        "path": choice.choice(["./", "clusters/north"]),
        "name": choice.choice([None, "top"]),
        "interval": choice.choice([None, "90s", "1h", "500ms"]),
        "pullSecret": choice.choice([None, "key"]),
        "provider": choice.choice([None, "aws"]),
    }
    return _present(fields)


def by_id(manifests: Iterable[Mapping[str, Any]]) -> Manifests:
    """Objects by kind, namespace and name, as the goldens show them."""
    return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): cut(one) for one in manifests}


def cut(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object as the goldens show it: of a CRD only its names and versions."""
    if manifest["kind"] != "CustomResourceDefinition":
        return manifest
    spec = manifest["spec"]
    versions = [{key: version[key] for key in ("name", "served", "storage")} for version in spec["versions"]]
    kept = {key: spec[key] for key in ("group", "names", "scope")}
    return {**manifest, "spec": {**kept, "versions": sorted(versions, key=lambda version: str(version["name"]))}}

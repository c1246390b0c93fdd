"""What `cluster.size` sets: resources and arguments per controller, as the operator renders them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PROFILE = "fluxcd.controlplane.io/profile"
SIZES = ("small", "medium", "large")

_WORKERS = ("kustomize-controller", "helm-controller")


@dataclass(frozen=True, slots=True)
class Share:
    """What one controller may use: processors and memory, asked for and at most."""

    asks_memory: str
    processors: str
    memory: str

    @property
    def resources(self) -> Mapping[str, Any]:
        """As a container states it."""
        return {
            "requests": {"cpu": "100m", "memory": self.asks_memory},
            "limits": {"cpu": self.processors, "memory": self.memory},
        }


_SHARES: Mapping[str, Mapping[str, Share]] = {
    "small": {"*": Share("64Mi", "1000m", "512Mi")},
    "medium": {
        "kustomize-controller": Share("128Mi", "2000m", "1Gi"),
        "helm-controller": Share("128Mi", "2000m", "1Gi"),
        "source-controller": Share("128Mi", "2000m", "1Gi"),
    },
    "large": {
        "kustomize-controller": Share("256Mi", "3000m", "3Gi"),
        "helm-controller": Share("256Mi", "3000m", "3Gi"),
        "source-controller": Share("256Mi", "2000m", "2Gi"),
    },
}
_WORKER_ARGUMENTS = {
    "small": ("--concurrent=5", "--requeue-dependency=10s"),
    "medium": ("--concurrent=10", "--requeue-dependency=5s"),
    "large": ("--concurrent=20", "--requeue-dependency=5s"),
}
_CACHE = {"small": "10", "medium": "50", "large": "100"}
_FETCHERS = {"medium": "5", "large": "10"}


def profile_patches(size: str, components: Iterable[str]) -> list[Mapping[str, Any]]:
    """Patches of a size; without one only the marks that every instance has."""
    marks = {"labels": {"app.kubernetes.io/part-of": "flux"}}
    evictable = {"annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}}
    every = {"spec": {"template": {"metadata": {**marks, **evictable}}}}
    if not size:
        return [_merge("", every)]
    named = {**every, "metadata": {"annotations": {PROFILE: size}}}
    return [_merge("", named), *(patch for component in components for patch in _of_component(size, component))]


def _of_component(size: str, component: str) -> Iterable[Mapping[str, Any]]:
    share = _SHARES[size].get(component) or _SHARES[size].get("*")
    if share:
        container = {"name": "manager", "resources": share.resources}
        yield _merge(component, {"spec": {"template": {"spec": {"containers": [container]}}}})
    if arguments := _arguments(size, component):
        steps = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": each} for each in arguments]
        yield {"target": {"kind": "Deployment", "name": component}, "patch": json.dumps(steps)}


def _arguments(size: str, component: str) -> tuple[str, ...]:
    if component in _WORKERS:
        return _WORKER_ARGUMENTS[size]
    if component != "source-controller":
        return ()
    cache = (f"--helm-cache-max-size={_CACHE[size]}", "--helm-cache-ttl=720m", "--helm-cache-purge-interval=60m")
    return (*cache, f"--concurrent={_FETCHERS[size]}") if size in _FETCHERS else cache


def _merge(component: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = {**fields.get("metadata", {}), "name": component or "all"}
    patch = {"apiVersion": "apps/v1", "kind": "Deployment", **fields, "metadata": metadata}
    target = {"kind": "Deployment", "name": component} if component else {"kind": "Deployment"}
    return {"target": target, "patch": json.dumps(patch)}

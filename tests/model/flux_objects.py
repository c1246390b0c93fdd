"""Small Flux objects for the tests of settings: what a distribution has, cut down to what a test looks at."""

from __future__ import annotations

from typing import Any

from flux_handover.objects import Object, object_of


def controller(name: str, *arguments: str, namespace: str = "gitops", **container: Any) -> Object:
    """A controller's Deployment; keywords are further fields of its container."""
    main = {"name": "manager", "image": f"ghcr.io/fluxcd/{name}:v1.0.0", "args": list(arguments), **container}
    return object_of(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "flux"}},
            "spec": {"template": {"spec": {"containers": [main]}}},
        }
    )


def with_pod(deployment: Object, **pod: Any) -> Object:
    """The Deployment with further fields of its pod."""
    template = deployment.spec["template"]
    spec = {**deployment.spec, "template": {**template, "spec": {**template["spec"], **pod}}}
    return object_of({**deployment.data, "spec": spec})


def manifest(api_version: str, kind: str, name: str, namespace: str = "gitops", **fields: Any) -> Object:
    """Any other object."""
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **fields.pop("metadata", {})}
    return object_of({"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields})


def role(name: str, *rules: tuple[str, str, str]) -> Object:
    """A ClusterRole; each rule is group, resource, verbs parted by commas."""
    written = [{"apiGroups": [g], "resources": [r], "verbs": v.split(",")} for g, r, v in rules]
    return manifest("rbac.authorization.k8s.io/v1", "ClusterRole", name, "", rules=written)

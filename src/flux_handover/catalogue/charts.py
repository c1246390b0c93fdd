"""The charts `flux-operator` and `flux-instance`: their values, and what they make of them.

Which values a chart takes and their defaults are read from its releases. What it renders was
found by running `helm template` on every known release and is held equal to it; no template is
read or carried. Versions are written as charts are, `0.49.0`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from flux_handover.catalogue.fields import FieldTree, Misfit, tree_of, validate
from flux_handover.catalogue.operators import chart_entry, tagged
from flux_handover.catalogue.versions import is_at_least
from flux_handover.objects import OPERATOR_GROUP, ObjectId, mapping

_KINDS = ("fluxinstances", "fluxreports", "resourcesetinputproviders", "resourcesets")
_ROLES = "rbac.authorization.k8s.io"
_WEB_ROLES = (
    ("createRoles", "v0.38.1", ("flux-web-user", "flux-web-admin")),
    ("createAggregation", "v0.39.0", ("flux-web-edit",)),
)


def chart_defaults(chart: str, version: str) -> Mapping[str, Any]:
    """The default values of a chart; raises KeyError where its facts are not known."""
    defaults: Mapping[str, Any] = chart_entry(chart, version)["defaults"]
    return defaults


@cache
def chart_schema(chart: str, version: str) -> FieldTree:
    """Which values a chart takes; raises KeyError where its facts are not known."""
    return tree_of(chart_entry(chart, version)["values"])


def values_misfits(chart: str, version: str, values: Mapping[str, Any]) -> tuple[Misfit, ...]:
    """What in `values` the chart would refuse, or would ignore because it has no such value."""
    return validate(chart_schema(chart, version), merged_values(chart, version, values))


def merged_values(chart: str, version: str, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values that templates see: maps are merged, lists replaced, null takes a default away."""
    merged: Mapping[str, Any] = _merged(chart_defaults(chart, version), values)
    return merged


def instance_from_values(
    values: Mapping[str, Any], version: str, *, namespace: str, release: str = "flux-instance"
) -> Mapping[str, Any]:
    """The FluxInstance that the chart `flux-instance` renders.

    An empty `artifact` is null there, as the chart writes it: the API server refuses that, unless it is taken
    away first. `wait`, `migrateResources` and `sharding.storage` cannot be set by values.
    """
    merged = merged_values("flux-instance", version, values)
    metadata = {
        "name": _full_name(merged, release, "flux-instance"),
        "namespace": namespace,
        "labels": {**_chart_labels("flux-instance", merged, version, release), **mapping(merged.get("commonLabels"))},
    }
    if annotations := mapping(merged.get("commonAnnotations")):
        metadata["annotations"] = dict(annotations)
    spec = _spec(mapping(merged.get("instance")), tagged(version))
    return {"apiVersion": f"{OPERATOR_GROUP}/v1", "kind": "FluxInstance", "metadata": metadata, "spec": spec}


def operator_chart_objects(
    values: Mapping[str, Any], version: str, *, namespace: str, release: str = "flux-operator"
) -> tuple[ObjectId, ...]:
    """Objects that the chart `flux-operator` adds to the cluster, in order."""
    merged = merged_values("flux-operator", version, values)
    name = _full_name(merged, release, "flux-operator")
    objects = [*_core(merged, name, namespace), *_roles(merged, tagged(version), name)]
    return tuple(sorted({*objects, *_extras(merged, name, namespace), *_web(merged, tagged(version), name, namespace)}))


def _merged(defaults: Any, values: Any) -> Any:
    """Values as Helm merges them: key by key, and null removes what the chart would have."""
    if not isinstance(defaults, Mapping) or not isinstance(values, Mapping):
        return values
    merged = {**defaults, **values}
    for name in defaults.keys() & values.keys():
        merged[name] = _merged(defaults[name], values[name])
    return {name: below for name, below in merged.items() if values.get(name, defaults) is not None}


def _full_name(values: Mapping[str, Any], release: str, chart: str) -> str:
    if override := values.get("fullnameOverride"):
        return str(override)[:63].rstrip("-")
    name = str(values.get("nameOverride") or chart)
    return (release if name in release else f"{release}-{name}")[:63].rstrip("-")


def _chart_labels(chart: str, values: Mapping[str, Any], version: str, release: str) -> Mapping[str, str]:
    return {
        "helm.sh/chart": f"{chart}-{version.removeprefix('v')}",
        "app.kubernetes.io/name": str(values.get("nameOverride") or chart),
        "app.kubernetes.io/instance": release,
        "app.kubernetes.io/version": tagged(version),
        "app.kubernetes.io/managed-by": "Helm",
    }


def _spec(instance: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    spec: dict[str, Any] = {
        "distribution": _distribution(mapping(instance.get("distribution")), version),
        "components": instance.get("components"),
        "cluster": _cluster(mapping(instance.get("cluster")), version),
        "commonMetadata": _filled(mapping(instance.get("commonMetadata"))),
        "kustomize": instance.get("kustomize"),
    }
    if mapping(instance.get("sync")).get("url"):
        spec["sync"] = _filled(instance["sync"])
    if mapping(instance.get("storage")).get("size"):
        spec["storage"] = instance["storage"]
    if mapping(instance.get("sharding")).get("shards"):
        spec["sharding"] = {name: instance["sharding"][name] for name in ("key", "shards")}
    return _filled(spec)


def _cluster(cluster: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """Every key is passed on, also those that the chart's own values do not name."""
    if is_at_least(version, "v0.26.0"):
        return _filled(cluster)
    return {name: value for name, value in cluster.items() if value is not None}


def _distribution(distribution: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    names = ["version", "registry", "artifactPullSecret", "imagePullSecret"]
    if is_at_least(version, "v0.37.0"):
        names.append("variant")
    kept = {name: distribution[name] for name in names if distribution.get(name) not in (None, "")}
    # Before 0.47 the chart does not quote the version, so that one of two parts becomes a number.
    if "version" in kept and not is_at_least(version, "v0.47.0"):
        kept["version"] = yaml.safe_load(str(kept["version"]))
    return {**kept, "artifact": distribution.get("artifact") or None}


def _filled(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fields with a value; the charts leave out what is empty, but not what is false."""
    return {name: value for name, value in fields.items() if value is not None and value != "" and value != {}}


def _core(values: Mapping[str, Any], name: str, namespace: str) -> Iterator[ObjectId]:
    yield ObjectId("apps", "Deployment", namespace, name)
    yield ObjectId("", "Service", namespace, name)
    account = mapping(values.get("serviceAccount"))
    if account.get("create"):
        yield ObjectId("", "ServiceAccount", namespace, str(account.get("name") or name))
    if values.get("installCRDs"):
        crd = ("apiextensions.k8s.io", "CustomResourceDefinition", "")
        yield from (ObjectId(*crd, f"{plural}.{OPERATOR_GROUP}") for plural in _KINDS)


def _roles(values: Mapping[str, Any], version: str, name: str) -> Iterator[ObjectId]:
    rbac, binding = mapping(values.get("rbac")), ObjectId(_ROLES, "ClusterRoleBinding", "", name)
    is_server = _runs_only_the_web_server(values, version)
    if is_server and is_at_least(version, "v0.37.0"):
        yield from (binding, ObjectId(_ROLES, "ClusterRole", "", f"{name}-view"))
        return
    yield from (binding,) if rbac.get("create") else ()
    if not is_server:
        yield from _aggregated(rbac, name)


def _aggregated(rbac: Mapping[str, Any], name: str) -> Iterator[ObjectId]:
    """What extends the cluster's own roles `edit` and `view`."""
    if rbac.get("createAggregation"):
        yield from (ObjectId(_ROLES, "ClusterRole", "", f"{name}-{verb}") for verb in ("edit", "view"))


def _runs_only_the_web_server(values: Mapping[str, Any], version: str) -> bool:
    """Release 0.36.0 did not ask whether the web server runs at all."""
    web = mapping(values.get("web"))
    is_on = web.get("enabled") or not is_at_least(version, "v0.37.0")
    return bool(web.get("serverOnly") and is_on) and is_at_least(version, "v0.36.0")


def _extras(values: Mapping[str, Any], name: str, namespace: str) -> Iterator[ObjectId]:
    if mapping(values.get("apiPriority")).get("enabled"):
        yield ObjectId("flowcontrol.apiserver.k8s.io", "FlowSchema", "", name)
    if mapping(values.get("serviceMonitor")).get("create"):
        yield ObjectId("monitoring.coreos.com", "ServiceMonitor", namespace, name)


def _web(values: Mapping[str, Any], version: str, name: str, namespace: str) -> Iterator[ObjectId]:
    if not is_at_least(version, "v0.36.0"):
        return
    web = mapping(values.get("web"))
    yield from _web_access(web, version, name, namespace)
    yield from _web_entries(web, version, name, namespace)
    yield from (ObjectId(_ROLES, "ClusterRole", "", role) for role in _web_roles(web, version))


def _web_access(web: Mapping[str, Any], version: str, name: str, namespace: str) -> Iterator[ObjectId]:
    """Until 0.37.1 the policy was made whether or not the port was opened, until 0.38.1 the Secret as well."""
    if _follows_port(web, version, "v0.37.1") and mapping(web.get("networkPolicy")).get("create"):
        yield ObjectId("networking.k8s.io", "NetworkPolicy", namespace, f"{name}-web")
    if _follows_port(web, version, "v0.38.1") and web.get("config"):
        yield ObjectId("", "Secret", namespace, f"{name}-web-config")


def _follows_port(web: Mapping[str, Any], version: str, since: str) -> bool:
    """Whether what is made only with an open port from a version on may be made."""
    return bool(web.get("enabled")) or not is_at_least(version, since)


def _web_entries(web: Mapping[str, Any], version: str, name: str, namespace: str) -> Iterator[ObjectId]:
    if mapping(web.get("ingress")).get("enabled"):
        yield ObjectId("networking.k8s.io", "Ingress", namespace, name)
    if mapping(web.get("httpRoute")).get("enabled") and is_at_least(version, "v0.38.1"):
        yield ObjectId("gateway.networking.k8s.io", "HTTPRoute", namespace, name)


def _web_roles(web: Mapping[str, Any], version: str) -> Iterator[str]:
    rbac = mapping(web.get("rbac")) if web.get("enabled") else {}
    for field, since, roles in _WEB_ROLES:
        if rbac.get(field) and is_at_least(version, since):
            yield from roles

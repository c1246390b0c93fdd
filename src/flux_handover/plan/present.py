"""What of the target a cluster has already: found by content, wherever a person put it (R3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.model.flux import HelmRelease, helm_release_of, is_instance, is_kind, source_of
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP, Object, ObjectId, mapping

_OPERATOR_CHART = "flux-operator"
_INSTANCE_CHART = "flux-instance"


@dataclass(frozen=True, slots=True)
class Present:
    """An object of the target that Flux applies today, and the Kustomization that applies it."""

    object: Object
    owner: Build


@dataclass(frozen=True, slots=True)
class PresentInstance:
    """A FluxInstance that is reachable: as a manifest, or as a release of its chart; `spec` is its content."""

    found: Present
    spec: Mapping[str, Any]
    release: HelmRelease | None


def operator_release(cluster: Cluster) -> Present | None:
    """The HelmRelease of the operator, if Flux applies one."""
    return next(_releases(cluster, _OPERATOR_CHART), None)


def instance(cluster: Cluster) -> PresentInstance | None:
    """The FluxInstance that the cluster has or would get."""
    for build, object in cluster.objects():
        if is_instance(object):
            return PresentInstance(Present(object, build), object.spec, None)
    for present in _releases(cluster, _INSTANCE_CHART):
        release = helm_release_of(present.object)
        return PresentInstance(present, mapping(release.values.get("instance")), release)
    return None


def sync_of(found: PresentInstance) -> Mapping[str, Any]:
    """`spec.sync` of a FluxInstance; without an address there is none, whatever else is said."""
    sync = mapping(found.spec.get("sync"))
    return sync if sync.get("url") else {}


def made_by(sync: Mapping[str, Any], namespace: str) -> frozenset[ObjectId]:
    """The source and the root that the operator makes of a sync; none where there is no sync."""
    if not sync.get("url"):
        return frozenset()
    name = str(sync.get("name") or namespace)
    source = ObjectId(SOURCE_GROUP, str(sync.get("kind") or "GitRepository"), namespace, name)
    return frozenset({source, ObjectId(KUSTOMIZE_GROUP, "Kustomization", namespace, name)})


def synced_ids(cluster: Cluster) -> frozenset[ObjectId]:
    """What the FluxInstance of a cluster makes of its sync."""
    found = instance(cluster)
    return made_by(sync_of(found), found.found.object.id.namespace) if found else frozenset()


def _releases(cluster: Cluster, chart: str) -> Iterator[Present]:
    for build, object in cluster.objects():
        release = helm_release_of(object) if is_kind(object, HELM_GROUP, "HelmRelease") else None
        if release is not None and not release.remote and chart_of(release, cluster) == chart:
            yield Present(object, build)


def chart_version(object: Object, cluster: Cluster) -> str:
    """The version of a HelmRelease's chart, without `v`; empty where it is not written."""
    if not is_kind(object, HELM_GROUP, "HelmRelease"):
        return ""
    release = helm_release_of(object)
    source = cluster.sources.get(release.chart_ref) if release.chart_ref else None
    version = (source.ref.get("tag") or source.ref.get("semver") or "") if source else release.chart_version
    return version.removeprefix("v")


def chart_of(release: HelmRelease, cluster: Cluster) -> str:
    """The last part of the chart's address: its name in the registry."""
    if release.chart_ref is None:
        return release.chart
    source = cluster.sources.get(release.chart_ref)
    if source is None:
        found = cluster.find(release.chart_ref)
        source = source_of(found) if found else None
    return source.url.rstrip("/").rpartition("/")[2] if source else ""

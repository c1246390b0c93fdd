"""A cluster whose old installation is gone: nothing is left to plan, or it was never ours to plan (K5).

A FluxInstance that floats, syncs or can be deleted by accident is not the end of a handover, so
planning refuses it; one that is pinned and protected is, whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Cluster
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import HELM_POLICY, PRUNE, mapping
from flux_handover.plan import present
from flux_handover.plan.choosing import CHARTS, strategy_of, transferred
from flux_handover.plan.embedded import follows_a_tag
from flux_handover.plan.located import layout_of
from flux_handover.plan.phases import Plan
from flux_handover.plan.placement import INSTANCE, OPERATOR
from flux_handover.plan.present import PresentInstance
from flux_handover.plan.target import CarriedPatch, InstanceForm, Options, Release, Target
from flux_handover.tree import Tree

_EXACT = re.compile(r"v?\d+\.\d+\.\d+")


def finished_plan(snapshot: Snapshot, cluster: Cluster, installation: Installation, options: Options) -> Plan:
    """A plan without phases; raises UnsupportedInstallation where the FluxInstance is no end of a handover."""
    found = present.instance(cluster)
    if found is None:
        raise UnsupportedInstallation("there is no FluxInstance", where=cluster.name)
    open_ends = tuple(_open_ends(found, cluster))
    if open_ends:
        raise UnsupportedInstallation(
            f"a FluxInstance is reachable already: {'; '.join(open_ends)}",
            where=str(found.found.owner.where or found.found.object.id),
            hint="there is nothing to hand over; `flux-handover guard` judges changes of it",
        )
    return Plan(
        cluster=cluster.name,
        revision=snapshot.revision,
        installation=installation,
        target=target_of(found, cluster, snapshot.tree, options),
        phases=(),
        assumptions=(),
        decisions=("nothing is left to do: the old installation is gone, the FluxInstance is pinned and protected",),
        findings=snapshot.findings,
    )


def target_of(found: PresentInstance, cluster: Cluster, tree: Tree, options: Options) -> Target:
    """The target that is already reached, read from what is there."""
    spec = found.spec
    namespace = found.found.object.id.namespace
    operator = present.operator_release(cluster)
    version = present.chart_version(operator.object, cluster) if operator else ""
    chart = present.chart_version(found.found.object, cluster) or version
    values = found.release.values if found.release else {}
    strategy = strategy_of(cluster, options)
    flux_version = f"v{str(mapping(spec.get('distribution')).get('version', '')).removeprefix('v')}"
    return Target(
        sync=strategy,
        form=InstanceForm.HELMRELEASE if found.release else InstanceForm.MANIFEST,
        namespace=namespace,
        operator_version=f"v{version}" if version else "",
        flux_version=flux_version,
        components=tuple(str(name) for name in spec.get("components") or ()),
        distribution=_frozen(spec.get("distribution")),
        cluster=_frozen(spec.get("cluster")),
        patches=tuple(_patches(spec)),
        operator=_release(
            OPERATOR, namespace, version, mapping(operator.object.spec.get("values")) if operator else {}
        ),
        instance=_release(INSTANCE, namespace, chart, values),
        layout=layout_of(cluster, tree),
        common_metadata=_frozen(spec.get("commonMetadata")),
        synced=_frozen(present.sync_of(found)),
        transfer=transferred(strategy, cluster, tree, namespace, flux_version, options),
    )


def _open_ends(found: PresentInstance, cluster: Cluster) -> Iterator[str]:
    distribution = mapping(found.spec.get("distribution"))
    version = str(distribution.get("version", "2.x"))
    if not _EXACT.fullmatch(version):
        yield f"its version {version} is a range"
    if _has_own_sync(found, cluster):
        yield "it has a sync of its own"
    if follows_a_tag(found):
        yield "its artifact moves without a commit"
    if not _is_protected(found):
        yield "removing it from Git uninstalls Flux"


def _has_own_sync(found: PresentInstance, cluster: Cluster) -> bool:
    return bool(present.sync_of(found)) and not is_root_of(found, cluster)


def is_root_of(found: PresentInstance, cluster: Cluster) -> bool:
    """Whether the sync of a FluxInstance makes the root of the cluster, and not a second one (E6)."""
    return cluster.root in present.made_by(present.sync_of(found), found.found.object.id.namespace)


def _is_protected(found: PresentInstance) -> bool:
    if found.release is None:
        marks = {**found.found.object.labels, **found.found.object.annotations}
        return str(marks.get(PRUNE, "")).lower() == "disabled"
    return mapping(found.release.values.get("commonAnnotations")).get(HELM_POLICY) == "keep"


def _patches(spec: Mapping[str, Any]) -> Iterator[CarriedPatch]:
    for entry in mapping(spec.get("kustomize")).get("patches") or ():
        target = tuple((str(k), str(v)) for k, v in mapping(mapping(entry).get("target")).items())
        yield CarriedPatch(str(mapping(entry).get("patch", "")), target, None)


def _release(name: str, namespace: str, version: str, values: Mapping[str, Any]) -> Release:
    return Release(name, namespace, f"{CHARTS}/{name}", version, MappingProxyType(dict(values)))


def _frozen(value: Any) -> Mapping[str, Any]:
    return MappingProxyType(dict(mapping(value)))

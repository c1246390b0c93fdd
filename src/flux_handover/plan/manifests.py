"""The texts of new files: Kustomizations, HelmReleases, sources and the FluxInstance.

Written in the repository's conventions; every field that keeps a cluster alive is written out,
also where it is a default, because the next reader must see it (rules.md R12, R15, R19).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from flux_handover.catalogue.distributions import storage_api_versions
from flux_handover.emit import Style, block_lines, dump, kind_and_group
from flux_handover.objects import HELM_GROUP, KUSTOMIZE_GROUP, OPERATOR_GROUP, PRUNE, SOURCE_GROUP, ObjectId
from flux_handover.plan.embedded import POST_RENDERERS
from flux_handover.plan.layout import AppFiles, Layout
from flux_handover.plan.target import CarriedPatch, InstanceForm, Release, SyncStrategy, Target

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
OPERATOR_API = f"{OPERATOR_GROUP}/v1"

_ORDER = (
    "targetNamespace",
    "commonMetadata",
    "dependsOn",
    "path",
    "prune",
    "deletionPolicy",
    "sourceRef",
    "wait",
    "healthChecks",
    "interval",
    "retryInterval",
    "timeout",
    "serviceAccountName",
)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be written, and the objects it brings."""

    path: str
    content: str
    adds: tuple[ObjectId, ...]


def operator_files(target: Target, layout: Layout, style: Style) -> tuple[NewFile, ...]:
    """The operator: its Kustomization, the list, the HelmRelease and the chart's source."""
    app = layout.operator
    ks = _ks(app, target, layout, {"wait": True})
    release = _release(target.operator, target, layout, _OPERATOR_ACTIONS)
    return (
        NewFile(app.ks_file, _text(ks, layout, style), (app.ks,)),
        NewFile(app.listing, _text(_list(app, (app.release, app.source), style), layout, style), ()),
        NewFile(app.release, _text(release, layout, style), (target.operator.id,)),
        NewFile(app.source, _text(_source(target.operator, target, layout), layout, style), (target.operator.source,)),
    )


def instance_files(target: Target, layout: Layout, style: Style) -> tuple[NewFile, ...]:
    """The FluxInstance in its form, under a Kustomization that depends on the operator's."""
    app = layout.instance
    ks = _ks(app, target, layout, _instance_fields(target, layout))
    head = NewFile(app.ks_file, _text(ks, layout, style), (app.ks,))
    match target.form:
        case InstanceForm.HELMRELEASE:
            release = _text(_release(target.instance, target, layout, _INSTANCE_ACTIONS), layout, style)
            source = _source(target.instance, target, layout)
            return (
                head,
                NewFile(app.listing, _text(_list(app, (app.release, app.source), style), layout, style), ()),
                NewFile(app.release, with_comments(release, target.patches), (target.instance.id,)),
                NewFile(app.source, _text(source, layout, style), (target.instance.source,)),
            )
        case InstanceForm.MANIFEST:
            text = with_comments(_text(instance_manifest(target), layout, style), target.patches)
            return (
                head,
                NewFile(app.listing, _text(_list(app, (app.manifest,), style), layout, style), ()),
                NewFile(app.manifest, text, (target.instance_id,)),
            )


_OPERATOR_ACTIONS: Mapping[str, Any] = {
    "install": {"remediation": {"retries": 3}},
    "upgrade": {"cleanupOnFail": True, "remediation": {"retries": 3}},
}
# helm-controller is rolled in the middle of this release's own action: it must neither wait nor undo.
_INSTANCE_ACTIONS: Mapping[str, Any] = {
    "install": {"disableWait": True},
    "upgrade": {"disableWait": True},
    "postRenderers": list(POST_RENDERERS),
}


def instance_manifest(target: Target) -> dict[str, Any]:
    """The FluxInstance as a plain manifest, protected from every prune (R19)."""
    metadata = {"name": target.instance_id.name, "namespace": target.namespace, "annotations": {PRUNE: "disabled"}}
    return {"apiVersion": OPERATOR_API, "kind": "FluxInstance", "metadata": metadata, "spec": dict(target.spec)}


def _instance_fields(target: Target, layout: Layout) -> dict[str, Any]:
    """What makes the instance's Kustomization ready: with a sync not the FluxInstance, which waits for the root."""
    id = target.instance_id
    own = {"apiVersion": OPERATOR_API, "kind": id.kind, "name": id.name, "namespace": id.namespace}
    checks = [] if target.synced or target.sync is SyncStrategy.TRANSFER else [own]
    if target.form is InstanceForm.HELMRELEASE:
        api = _api_version(target, HELM_GROUP, "HelmRelease")
        id = target.instance.id
        checks.insert(0, {"apiVersion": api, "kind": id.kind, "name": id.name, "namespace": id.namespace})
    fields: dict[str, Any] = {"dependsOn": [{"name": layout.operator.ks.name}], "wait": False}
    return {**fields, "healthChecks": checks} if checks else fields


def _ks(app: AppFiles, target: Target, layout: Layout, fields: Mapping[str, Any]) -> dict[str, Any]:
    manners = layout.manners
    metadata: dict[str, Any] = {"name": app.ks.name}
    if manners.writes_namespace:
        metadata["namespace"] = app.ks.namespace
    labels = {**layout.opt_outs, **target.tenancy.labels}
    if labels:
        metadata["labels"] = labels
    account = target.tenancy.account("kustomize-controller")
    spec: dict[str, Any] = {**account, **manners.spec, **fields, "path": manners.root + app.directory, "prune": False}
    if manners.targets_namespace:
        spec["targetNamespace"] = target.namespace
    if manners.labelled:
        spec["commonMetadata"] = {"labels": {"app.kubernetes.io/name": app.ks.name}}
    api = _api_version(target, KUSTOMIZE_GROUP, "Kustomization")
    return {"apiVersion": api, "kind": "Kustomization", "metadata": metadata, "spec": _in_order(spec, manners.order)}


def _in_order(spec: Mapping[str, Any], order: tuple[str, ...]) -> dict[str, Any]:
    """The neighbour's order of keys; a key it lacks comes where the usual order has it."""
    known = [key for key in order if key in spec]
    for key in (key for key in _ORDER if key in spec and key not in known):
        before = [k for k in _ORDER[: _ORDER.index(key)] if k in known]
        known.insert(known.index(before[-1]) + 1 if before else 0, key)
    return {key: spec[key] for key in known}


def _release(release: Release, target: Target, layout: Layout, actions: Mapping[str, Any]) -> dict[str, Any]:
    spec = {
        "interval": layout.release_interval,
        "chartRef": {"kind": "OCIRepository", "name": release.name},
        **target.tenancy.account("helm-controller"),
        **actions,
        "values": dict(release.values),
    }
    api = _api_version(target, HELM_GROUP, "HelmRelease")
    return {"apiVersion": api, "kind": "HelmRelease", "metadata": _metadata(release, target, layout), "spec": spec}


def _source(release: Release, target: Target, layout: Layout) -> dict[str, Any]:
    spec = {
        "interval": layout.source_interval,
        "layerSelector": {"mediaType": CHART_LAYER, "operation": "copy"},
        "ref": {"tag": release.version},
        "url": release.chart,
    }
    api = _api_version(target, SOURCE_GROUP, "OCIRepository")
    return {"apiVersion": api, "kind": "OCIRepository", "metadata": _metadata(release, target, layout), "spec": spec}


def _metadata(release: Release, target: Target, layout: Layout) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": release.name}
    if not layout.manners.targets_namespace:
        metadata["namespace"] = release.namespace
    if target.tenancy.labels:
        metadata["labels"] = dict(target.tenancy.labels)
    return metadata


def _list(app: AppFiles, files: tuple[str, ...], style: Style) -> dict[str, Any]:
    prefix = "./" if style.dot_slash else ""
    names = sorted(prefix + posixpath.basename(path) for path in files)
    return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": names}


def _api_version(target: Target, group: str, kind: str) -> str:
    """The version in which the running Flux stores the kind: served today and the longest."""
    return f"{group}/{storage_api_versions(target.flux_version)[group, kind]}"


def _text(manifest: Mapping[str, Any], layout: Layout, style: Style) -> str:
    """A whole file; Flux and kustomize share a kind, so the schema comment goes by API version too."""
    comment = layout.schemas.get(f"{manifest['apiVersion']}/{manifest['kind']}")
    schemas = {kind_and_group(manifest): comment} if comment else {}
    return dump(manifest, replace(style, schemas=MappingProxyType(schemas)))


def text_of(content: Any) -> str:
    """YAML of a patch, for a literal block."""
    return "\n".join(block_lines(content)) + "\n"


def with_comments(text: str, patches: tuple[CarriedPatch, ...]) -> str:
    """The file with each patch's comments above it; `patches` are written in the same order."""
    lines = text.splitlines()
    starts = _patch_lines(lines)
    assert len(starts) == len(patches), "each patch is one element of the list"
    for start, patch in reversed(list(zip(starts, patches, strict=True))):
        indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
        lines[start:start] = [f"{indent}# {comment}".rstrip() for comment in patch.comments]
    return "\n".join(lines) + "\n"


def _patch_lines(lines: list[str]) -> list[int]:
    """Where the elements of the outermost `patches` list begin; a patch's own text lies deeper."""
    starts = [number for number, line in enumerate(lines) if line.lstrip().startswith("- patch:")]
    depth = min((_depth(lines[number]) for number in starts), default=0)
    return [number for number in starts if _depth(lines[number]) == depth]


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())

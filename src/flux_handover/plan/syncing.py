"""Sync strategy `adopt`: the operator makes the source and the root, under their names, with all they have.

`spec.sync` has fields for a few settings, and the take-over drops every other one (semantics 3.6, E5).
So the difference between what the operator's template says and what the cluster has becomes two patches
of the FluxInstance: they are there before the operator writes either object for the first time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from flux_handover.errors import UnsupportedInstallation
from flux_handover.findings import Location
from flux_handover.model.effective_values import duration
from flux_handover.model.flux import Source
from flux_handover.model.installation import Installation
from flux_handover.model.instance_resources import sync_pair
from flux_handover.model.instance_spec import Sync
from flux_handover.model.origin import reference_of
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import Object, mapping, text_at
from flux_handover.plan.bootstrap import bootstrap_steps
from flux_handover.plan.bootstrap_runner import without_files
from flux_handover.plan.kept import OPERATOR_MARKS
from flux_handover.plan.listings import live_listings
from flux_handover.plan.manifests import text_of
from flux_handover.plan.operations import RemoveFile, UnlistResource
from flux_handover.plan.phases import PhaseDraft
from flux_handover.plan.removing import described_in, file_with, removed_documents, useless_patches
from flux_handover.plan.target import CarriedPatch, Target
from flux_handover.tree import Tree

KEEP = "leave --sync out: source and root stay as they are"
_KINDS = ("GitRepository", "OCIRepository", "Bucket")
_OWNED = ("kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace", *OPERATOR_MARKS)
_SET_ANYWAY = ("app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "app.kubernetes.io/part-of")


@dataclass(frozen=True, slots=True)
class Synced:
    """`spec.sync` of a FluxInstance, and the patches that give back what it has no field for."""

    sync: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    patches: tuple[CarriedPatch, ...] = ()


def adopted(cluster: Cluster, installation: Installation) -> Synced:
    """The sync that adopts a cluster's root and source as they are; raises where there is none."""
    root, source = _pair(cluster, installation)
    sync = sync_fields(root.ks.object, source, source.id.name)
    patches = restoring(sync, source.object, root.ks.object, root.where, installation.version)
    return Synced(MappingProxyType(dict(sync)), patches)


def leave_to_the_operator(cluster: Cluster, target: Target, tree: Tree) -> PhaseDraft:
    """Phase `sync`: source and root leave Git, once the operator was seen to have them with all their fields."""
    root = cluster.builds[cluster.root]
    pair = (root.ks.source, root.id)
    if not target.synced or any(described_in(id, cluster, tree) is None for id in pair):
        return PhaseDraft()
    why = "the operator makes it from spec.sync now"
    operations = [*removed_documents(((id, "") for id in pair), cluster, tree, why)]
    unlisted = {operation.path for operation in operations if isinstance(operation, UnlistResource)}
    for listing in live_listings(cluster, tree):
        if listing.path in unlisted or listing.files & {file_with(id, cluster, tree) for id in pair}:
            operations += useless_patches(listing, cluster.builds[listing.parent], frozenset(pair), tree)
    gone = frozenset(operation.path for operation in operations if isinstance(operation, RemoveFile))
    return PhaseDraft((*operations, *without_files(gone, bootstrap_steps(cluster, tree), tree)))


def _pair(cluster: Cluster, installation: Installation) -> tuple[Build, Source]:
    root = cluster.builds[cluster.root]
    source = cluster.sources.get(root.ks.source)
    problem = next(problems(cluster, root, source, installation.namespace), None)
    if problem is not None:
        message, hint = problem
        raise UnsupportedInstallation(
            f"sync cannot adopt {root.id}: {message}", where=str(root.where or cluster.name), hint=hint
        )
    assert source is not None
    return root, source


def problems(cluster: Cluster, root: Build, source: Source | None, namespace: str) -> Iterator[tuple[str, str]]:
    """Why the operator cannot take a root and its source over under their names, and what to do instead."""
    if source is not None and source.id.kind in _KINDS and source.id.name != root.id.name:
        yield f"a sync gives one name to both, and the source is {source.id}", KEEP
    yield from unsuited(cluster, root, source, namespace)


def unsuited(cluster: Cluster, root: Build, source: Source | None, namespace: str) -> Iterator[tuple[str, str]]:
    """Why no sync, under whatever name, can make a root and a source like these."""
    if source is None or source.id.kind not in _KINDS:
        yield f"its source {root.ks.source} is none that a sync can make", KEEP
        return
    if {root.id.namespace, source.id.namespace} != {namespace}:
        yield f"a sync lies in {namespace}, where the FluxInstance does", KEEP
    if not source.url:
        yield f"the address of {source.id} is not in Git", KEEP
    rendered = {object.id for _, object in cluster.objects()}
    missing = next((id for id in (source.id, root.id) if id not in rendered), None)
    if missing is not None:
        yield f"nothing in Git that Flux applies has {missing}, so its fields are not known", KEEP


def sync_fields(root: Object, source: Source, name: str) -> dict[str, Any]:
    """`spec.sync` under a name, as far as it has fields for what a root and its source have."""
    spec = source.object.spec
    found = {
        "kind": source.id.kind,
        "name": name,
        "url": source.url,
        "ref": _ref(source),
        "path": text_at(root.spec, "path", "./"),
        "interval": text_at(spec, "interval"),
        "pullSecret": source.secret.name if source.secret else "",
        "provider": text_at(spec, "provider"),
    }
    return {key: value for key, value in found.items() if value}


def _ref(source: Source) -> str:
    """The reference that a sync needs; one that it cannot say is put right by the patch."""
    match source.id.kind:
        case "GitRepository":
            return reference_of(source).get("name") or f"refs/heads/{source.ref.get('branch') or 'main'}"
        case "OCIRepository":
            return source.ref.get("tag") or "latest"
        case _:
            return str(source.object.spec.get("bucketName") or "")


def _typed(sync: Mapping[str, Any]) -> Sync:
    texts = {key: str(sync.get(key, "")) for key in ("kind", "name", "url", "ref", "path", "interval", "provider")}
    return Sync(**texts, pull_secret=str(sync.get("pullSecret", "")))


def restoring(
    sync: Mapping[str, Any], source: Object, root: Object, where: Location | None, version: str
) -> tuple[CarriedPatch, ...]:
    """The patches that turn what the operator makes of a sync into this source and this root."""
    template = sync_pair(_typed(sync), version)
    patches = (
        _restored(source, template[0], "the source", None),
        _restored(root, template[1], "the root", where),
    )
    return tuple(patch for patch in patches if patch is not None)


def _restored(wanted: Object, template: Mapping[str, Any], subject: str, where: Location | None) -> CarriedPatch | None:
    """The patch that turns what the operator writes into what the cluster has."""
    spec = difference(mapping(template.get("spec")), _said(wanted))
    metadata = {name: marks for name in ("labels", "annotations") if (marks := _marks(wanted, name))}
    if not spec and not metadata:
        return None
    manifest: dict[str, Any] = {
        "apiVersion": template["apiVersion"],
        "kind": wanted.id.kind,
        "metadata": {"name": wanted.id.name, **metadata},
    }
    if spec:
        manifest["spec"] = spec
    target = (("kind", wanted.id.kind), ("name", wanted.id.name))
    return CarriedPatch(text_of(manifest), target, where, (f"what {subject} has, and a sync has no field for",))


def _said(wanted: Object) -> Mapping[str, Any]:
    """The spec, with a reference that a sync can say left to it."""
    spec = dict(wanted.spec)
    if wanted.id.kind == "GitRepository" and not {"semver", "commit"} & mapping(spec.get("ref")).keys():
        spec.pop("ref", None)
    return spec


def difference(template: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A merge patch from one mapping to another: null takes a field away, a reference that is not said stays."""
    changed: dict[str, Any] = {}
    for key, value in wanted.items():
        old = template.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inner := difference(old, value):
                changed[key] = inner
        elif value is not None and not _is_same(old, value):
            changed[key] = value
    gone = (key for key in template if key not in wanted and key not in ("ref", "path"))
    return {**changed, **dict.fromkeys(gone)}


def _is_same(old: Any, value: Any) -> bool:
    """Two values that the API server takes for the same; a field that is off is like one that is absent."""
    if isinstance(old, str) and isinstance(value, str):
        return duration(old) == duration(value)
    return bool(old == value or (old is None and value is False))


def _marks(wanted: Object, name: str) -> dict[str, Any]:
    held = mapping(mapping(wanted.data.get("metadata")).get(name))
    return {key: value for key, value in held.items() if key not in (*_OWNED, *_SET_ANYWAY)}

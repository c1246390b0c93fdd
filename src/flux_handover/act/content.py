"""Whether live objects changed only in fields that a phase writes (contract K18), as it is seen in a cluster.

The proof says of two renderings that they differ by what the phase's operations write, and in nothing else. Here
the same is asked of the objects themselves: whatever else was changed in one of them, somebody else wrote.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flux_handover.act.gates import View
from flux_handover.adapters.cluster import Manifest
from flux_handover.model.rendering import Cluster
from flux_handover.objects import (
    KUSTOMIZE_GROUP,
    OPERATOR_NAME,
    OPERATOR_NAMESPACE,
    OWNER_NAME,
    OWNER_NAMESPACE,
    PRUNE,
    SOURCE_GROUP,
    SSA,
    Object,
    ObjectId,
    id_of,
    mapping,
)
from flux_handover.proof.equivalence import CHANGED, changes, differing

OWN_MARKS = frozenset(
    {
        OWNER_NAME,
        OWNER_NAMESPACE,
        "deployment.kubernetes.io/revision",
        "kubectl.kubernetes.io/last-applied-configuration",
        "reconcile.fluxcd.io/requestedAt",
    }
)
STAMPS = frozenset(
    {
        *(f"metadata.annotations.{name}" for name in (PRUNE, SSA)),
        *(f"metadata.labels.{name}" for name in (OPERATOR_NAME, OPERATOR_NAMESPACE)),
        *(f"metadata.labels.app.kubernetes.io/{name}" for name in ("instance", "managed-by", "part-of", "version")),
    }
)
WRITTEN_ELSEWHERE = frozenset({"status", "metadata", "apiVersion"})
Contents = Mapping[ObjectId, Manifest]


@dataclass(frozen=True, slots=True)
class Written:
    """What a step may change of the objects that Kustomizations render: the paths of fields, by object."""

    rendered: frozenset[ObjectId]
    fields: Mapping[ObjectId, frozenset[str]]


NOTHING_WRITTEN = Written(frozenset(), MappingProxyType({}))


def written_between(before: Cluster, after: Cluster) -> Written:
    """What lies between two revisions of a cluster; it is the same on the way back."""
    all_rendered = frozenset(object.id for side in (before, after) for _, object in side.objects())
    rendered = all_rendered - shared(before) - shared(after)
    fields: dict[ObjectId, frozenset[str]] = {}
    for change in changes(before, after):
        if change.kind == CHANGED:
            fields[change.id] = fields.get(change.id, frozenset()) | frozenset(change.fields)
    return Written(rendered, MappingProxyType(fields))


def with_taken_over(written: Written, before: Cluster, given: Iterable[Object]) -> Written:
    """The same, and what the operator writes into a root and its source by taking them over from Git.

    `given` is what a FluxInstance renders; the operator stamps its labels and opt-outs on that (semantics 3.6).
    """
    rendered = {object.id: object for _, object in before.objects()}
    fields = dict(written.fields)
    for object in given:
        old = rendered.get(object.id)
        if old is not None and object.id.group in (KUSTOMIZE_GROUP, SOURCE_GROUP):
            changed = differing(cleaned(old.data), cleaned(object.data))
            fields[object.id] = fields.get(object.id, frozenset()) | frozenset(changed) | STAMPS
    return Written(written.rendered, MappingProxyType(fields))


def shared(cluster: Cluster) -> frozenset[ObjectId]:
    """Objects that more than one Kustomization applies: their fields are those of whoever was last."""
    return frozenset(id for id, found in cluster.owners().items() if len(set(found)) > 1)


def contents(cluster: View, ids: Iterable[ObjectId]) -> Contents:
    """What is written in each object that exists; of a Secret only a digest."""
    wanted = frozenset(ids)
    kinds = sorted({(id.group, id.kind) for id in wanted})
    there = ((id_of(manifest), manifest) for kind in kinds for manifest in cluster.list(*kind))
    return MappingProxyType({id: cleaned(manifest) for id, manifest in there if id in wanted})


def _without(fields: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in keys}


def cleaned(manifest: Manifest) -> Manifest:
    """An object without what the API server and its owner write into it."""
    metadata = mapping(manifest.get("metadata"))
    kept = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
    for field in ("labels", "annotations"):
        kept[field] = _without(mapping(metadata.get(field)), OWN_MARKS)
    written = _without(manifest, WRITTEN_ELSEWHERE)
    is_secret = (manifest.get("apiVersion"), manifest.get("kind")) == ("v1", "Secret")
    if is_secret:
        written["data"] = digest_of(mapping(manifest.get("data")))
    return {"apiVersion": manifest.get("apiVersion"), "metadata": kept, **written}


def digest_of(content: Mapping[str, object]) -> str:
    """A digest that says whether two contents are the same and nothing else."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def foreign_changes(before: Contents, after: Contents, written: Written) -> Iterator[tuple[ObjectId, str]]:
    """Fields that changed in an object and that the step does not write."""
    for id in sorted(before.keys() & after.keys()):
        allowed = written.fields.get(id, frozenset())
        for path in sorted(differing(before[id], after[id])):
            # Which version is listed is the server's choice, not a content.
            if path != "apiVersion" and not any(is_within(path, field) for field in allowed):
                yield id, path


def is_within(path: str, field: str) -> bool:
    """Whether a path is a field, lies below it, or holds it: a list of another length is one difference."""
    short, long = sorted((path, field), key=len)
    return long.startswith(short) and (len(long) == len(short) or long[len(short)] in ".[")

"""What would change without a word: fields and patches that keep it as it is today.

The operator has an opinion on workload identity, on the labels of the Namespace and on network
policies; whatever a cluster has instead is written down (rules.md R16, R17; semantics 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flux_handover.catalogue.manifests import REGISTRY, namespace_manifest
from flux_handover.catalogue.versions import is_at_least
from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Cluster
from flux_handover.objects import OPERATOR_GROUP, PRUNE, SSA, Object, ObjectId, mapping, texts
from flux_handover.plan.manifests import text_of
from flux_handover.plan.target import CarriedPatch
from flux_handover.workloads import containers_of

_IDENTITY_GATE = "ObjectLevelWorkloadIdentity"
_STRIPS_TOKEN_RULE = "v0.29.0"
OPERATOR_MARKS = (PRUNE, SSA)
"""Annotations that the operator sets on everything, whatever a patch says."""

_DOMAIN = re.compile(r"\.svc\.([a-z0-9.-]*[a-z0-9])")
_RECORDED = (
    "kubectl.kubernetes.io/",
    "meta.helm.sh/",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
)


def kept_patches(installation: Installation, cluster: Cluster, operator_version: str) -> tuple[CarriedPatch, ...]:
    """Patches for what no field of the FluxInstance keeps."""
    found = (*_token_rule(installation, operator_version), *_namespace(installation, cluster))
    return tuple(found)


def cluster_fields(installation: Installation, deletes_policies: bool) -> Mapping[str, Any]:
    """`spec.cluster`, with what the running installation shows."""
    fields: dict[str, Any] = {"type": "kubernetes"}
    domain = _domain(installation.live)
    if domain not in ("", "cluster.local"):
        fields["domain"] = domain
    fields["networkPolicy"] = not deletes_policies and _has_policies(installation)
    if identity_is_on(installation):
        fields["objectLevelWorkloadIdentity"] = True
    return fields


def registry(installation: Installation) -> str:
    """Where all controllers' images come from; the default where they differ."""
    found = {image.rpartition("/")[0] for image in _images(installation.live)}
    return found.pop() if len(found) == 1 else REGISTRY


def identity_is_on(installation: Installation) -> bool:
    """Whether any controller runs with object-level workload identity."""
    return any(_gates(argument).get(_IDENTITY_GATE) == "true" for argument in _arguments(installation.live))


def _has_policies(installation: Installation) -> bool:
    return any(object.id.kind == "NetworkPolicy" for object in installation.live)


def _token_rule(installation: Installation, operator_version: str) -> Iterator[CarriedPatch]:
    """The right to issue tokens of service accounts, which the operator takes away with the gate off (R16)."""
    if identity_is_on(installation) or not is_at_least(operator_version, _STRIPS_TOKEN_RULE):
        return
    for role in installation.live:
        for rule in mapping(role.data).get("rules") or () if role.id.kind == "ClusterRole" else ():
            if "serviceaccounts/token" in mapping(rule).get("resources", ()):
                operation = {"op": "add", "path": "/rules/-", "value": dict(rule)}
                target = (("kind", "ClusterRole"), ("name", "crd-controller"))
                comment = "Flux may issue tokens of service accounts today; the operator takes that right away"
                yield CarriedPatch(text_of([operation]), target, None, (comment,))
                return


def _namespace(installation: Installation, cluster: Cluster) -> Iterator[CarriedPatch]:
    """Labels and annotations of the Namespace from every owner; the operator drops them otherwise (R17)."""
    id = ObjectId("", "Namespace", "", installation.namespace)
    holders = [object for _, object in cluster.objects() if object.id == id]
    native = mapping(namespace_manifest(installation.namespace)["metadata"])
    metadata: dict[str, Any] = {"name": installation.namespace}
    for field in ("labels", "annotations"):
        own = mapping(native.get(field))
        marks = _marks(holders, field)
        stamped = OPERATOR_MARKS if field == "annotations" else ()
        kept = {
            key: value
            for key, value in marks.items()
            if own.get(key) != value and key not in stamped and not _is_recorded(key)
        }
        if kept:
            metadata[field] = kept
    if len(metadata) > 1:
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        comment = "what the Namespace carries today; from now on only this keeps it there"
        yield CarriedPatch(text_of(manifest), (("kind", "Namespace"),), None, (comment,))


def _marks(holders: Iterable[Object], field: str) -> dict[str, str]:
    marks: dict[str, str] = {}
    for holder in holders:
        marks.update({str(k): str(v) for k, v in mapping(mapping(holder.data.get("metadata")).get(field)).items()})
    return dict(sorted(marks.items()))


def _is_recorded(key: str) -> bool:
    """Marks that tools write about themselves, and those that the operator sets anyway."""
    set_anyway = key.startswith(("app.kubernetes.io/", f"{OPERATOR_GROUP}/"))
    return set_anyway or key.startswith(_RECORDED)


def _domain(objects: Iterable[Object]) -> str:
    found = {match[1] for argument in _arguments(objects) for match in _DOMAIN.finditer(argument)}
    return found.pop() if len(found) == 1 else ""


def _arguments(objects: Iterable[Object]) -> Iterator[str]:
    for container in _containers(objects):
        yield from texts(container.get("args"))


def _images(objects: Iterable[Object]) -> Iterator[str]:
    for container in _containers(objects):
        yield str(container.get("image", ""))


def _containers(objects: Iterable[Object]) -> Iterator[Mapping[str, Any]]:
    for object in objects:
        if object.id.kind == "Deployment":
            yield from containers_of(object)[:1]


def _gates(argument: str) -> Mapping[str, str]:
    if not argument.startswith("--feature-gates="):
        return {}
    pairs = (pair.split("=", 1) for pair in argument.removeprefix("--feature-gates=").split(","))
    return {pair[0]: pair[1].lower() for pair in pairs if len(pair) == 2}

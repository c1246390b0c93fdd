"""Which objects live objects name, in whatever field: what still needs something that is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flux_handover.objects import Object, ObjectId, text_at

Named = tuple[str, str, str]
"""Kind, namespace and name, as a reference says them; the API group is rarely a part of it."""

_BY_FIELD: Mapping[str, str] = {
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
    "certSecretRef": "Secret",
    "proxySecretRef": "Secret",
    "configMapRef": "ConfigMap",
    "configMapKeyRef": "ConfigMap",
    "configMap": "ConfigMap",
    "secret": "Secret",
    "kubeConfig": "Secret",
    "imagePullSecrets": "Secret",
    "issuerRef": "Issuer",
    "providerRef": "Provider",
    "imageRepositoryRef": "ImageRepository",
    "parentRefs": "Gateway",
    "backendRefs": "Service",
}
_BY_NAME: Mapping[str, str] = {
    "secretName": "Secret",
    "claimName": "PersistentVolumeClaim",
    "existingClaim": "PersistentVolumeClaim",
    "existingSecret": "Secret",
    "serviceAccountName": "ServiceAccount",
    "storageClassName": "StorageClass",
    "priorityClassName": "PriorityClass",
    "ingressClassName": "IngressClass",
    "gatewayClassName": "GatewayClass",
    "runtimeClassName": "RuntimeClass",
}
_LOCAL_KINDS: Mapping[str, str] = {"dependsOn": ""}
_CLUSTER_SCOPED = frozenset(
    {
        *("StorageClass", "PriorityClass", "IngressClass", "GatewayClass", "RuntimeClass"),
        *("ClusterIssuer", "ClusterSecretStore", "ClusterRole", "Namespace", "PersistentVolume"),
    }
)


def names_of(objects: Iterable[Object]) -> frozenset[Named]:
    """Everything that the objects refer to."""
    return frozenset(named for object in objects for named in _references(object))


def is_named(id: ObjectId, named: frozenset[Named]) -> bool:
    """Whether something refers to the object."""
    return (id.kind, id.namespace, id.name) in named


def _references(object: Object) -> Iterator[Named]:
    for key, value in object.data.items():
        if key not in ("metadata", "apiVersion", "kind", "status"):
            yield from _walk(value, str(key), object.id)


def _walk(value: Any, field: str, holder: ObjectId) -> Iterator[Named]:
    match value:
        case Mapping():
            yield from _of_mapping(value, field, holder)
            for key, below in value.items():
                yield from _walk(below, str(key), holder)
        case list():
            for below in value:
                yield from _walk(below, field, holder)
        case str() if field in _BY_NAME:
            yield _named(_BY_NAME[field], holder.namespace, value)
        case _:
            pass


def _of_mapping(value: Mapping[str, Any], field: str, holder: ObjectId) -> Iterator[Named]:
    """A reference is a mapping with a name, and a kind that it says or that its field implies."""
    name = value.get("name")
    kind = value.get("kind") or _BY_FIELD.get(field) or (holder.kind if field in _LOCAL_KINDS else None)
    if isinstance(name, str) and isinstance(kind, str):
        yield _named(kind, text_at(value, "namespace", holder.namespace), name)


def _named(kind: str, namespace: str, name: str) -> Named:
    return (kind, "" if kind in _CLUSTER_SCOPED else namespace, name)

"""Kubernetes objects, their identity, and the labels and annotations Flux gives a meaning.

Identity is group, kind, namespace and name. Flux keeps its inventory by these four, so a
changed API version is the same object (`fluxcd/kustomize-controller:internal/inventory/inventory.go@v1.9.4`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

OWNER_NAME = "kustomize.toolkit.fluxcd.io/name"
OWNER_NAMESPACE = "kustomize.toolkit.fluxcd.io/namespace"
PRUNE = "kustomize.toolkit.fluxcd.io/prune"
RECONCILE = "kustomize.toolkit.fluxcd.io/reconcile"
SSA = "kustomize.toolkit.fluxcd.io/ssa"
SUBSTITUTE = "kustomize.toolkit.fluxcd.io/substitute"
FORCE = "kustomize.toolkit.fluxcd.io/force"
OPERATOR_NAME = "fluxcd.controlplane.io/name"
OPERATOR_NAMESPACE = "fluxcd.controlplane.io/namespace"
OPERATOR_PRUNE = "fluxcd.controlplane.io/prune"
OPERATOR_RECONCILE = "fluxcd.controlplane.io/reconcile"
HELM_POLICY = "helm.sh/resource-policy"

KUSTOMIZE_GROUP = "kustomize.toolkit.fluxcd.io"
SOURCE_GROUP = "source.toolkit.fluxcd.io"
HELM_GROUP = "helm.toolkit.fluxcd.io"
NOTIFICATION_GROUP = "notification.toolkit.fluxcd.io"
OPERATOR_GROUP = "fluxcd.controlplane.io"


class ObjectId(NamedTuple):
    """Identity of an object in a cluster; the version of its API is not part of it.

    A tuple, because ids are hashed millions of times and a tuple does it without a call.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """For people: `Kind/namespace/name`, without the group."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part)

    @property
    def full(self) -> str:
        """For programs: `Kind.group/namespace/name`; core group and cluster scope leave their part empty."""
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind}/{self.namespace}/{self.name}"


def elsewhere(id: ObjectId, cluster: str) -> ObjectId:
    """The id of an object that a Kustomization applies to another cluster.

    Its kind says so, since nothing that a kind means in this cluster holds for it: a Namespace there takes nothing
    along here, and a Deployment of Flux there is another Flux. An id that is of no other cluster stays as it is.
    """
    return id._replace(kind=f"{cluster}:{id.kind}") if cluster and ":" not in id.kind else id


def is_flux_object(id: ObjectId) -> bool:
    """Whether the object is of a kind that Flux reconciles."""
    return id.group.endswith("toolkit.fluxcd.io") or id.group == OPERATOR_GROUP


def where_it_lives(id: ObjectId) -> ObjectId:
    """The id by which the cluster that has the object knows it."""
    return id._replace(kind=id.kind.rpartition(":")[2])


def parse_id(text: str) -> ObjectId:
    """The id printed as `full`; raises ValueError for any other shape."""
    kind, namespace, name = text.split("/", 2)
    kind, _, group = kind.partition(".")
    return ObjectId(group, kind, namespace, name)


def parse_entry(text: str) -> ObjectId:
    """The id of an inventory's entry; raises ValueError for any other shape.

    `fluxcd/cli-utils:pkg/object/objmetadata.go#ParseObjMetadata`: namespace, name, group and kind between `_`, and
    `__` for the colon that names of roles may have.
    """
    namespace, rest = text.split("_", 1)
    name, group, kind = rest.rsplit("_", 2)
    return ObjectId(group, kind, namespace, name.replace("__", ":"))


def names(ids: Iterable[ObjectId]) -> str:
    """The ids in order, for a sentence; the group is added where two ids would read the same."""
    ordered = sorted(ids)
    texts = [str(id) for id in ordered]
    return ", ".join(id.full if texts.count(text) > 1 else text for id, text in zip(ordered, texts, strict=True))


def first_names(ids: Iterable[ObjectId], limit: int) -> str:
    """The first ids in order, for a sentence, and how many more there are."""
    return leading_names(sorted(ids), limit)


def leading_names(ids: Sequence[ObjectId], limit: int) -> str:
    """The first ids as they come, for a sentence, and how many more there are."""
    return f"{names(ids[:limit])}{and_more(len(ids) - limit)}"


def and_more(left: int) -> str:
    """The end of a sentence that names only the first of many; empty where none is left."""
    return f" and {left} more" if left > 0 else ""


@dataclass(frozen=True, slots=True)
class Object:
    """One Kubernetes object as rendered; `data` is its whole content and is never changed."""

    id: ObjectId
    data: Mapping[str, Any]

    @property
    def api_version(self) -> str:
        """`group/version` as written."""
        return str(self.data.get("apiVersion", ""))

    @property
    def spec(self) -> Mapping[str, Any]:
        """`.spec`, empty where the kind has none."""
        return mapping(self.data.get("spec"))

    @property
    def labels(self) -> Mapping[str, Any]:
        """`.metadata.labels`, never None."""
        return mapping(mapping(self.data.get("metadata")).get("labels"))

    @property
    def annotations(self) -> Mapping[str, Any]:
        """`.metadata.annotations`, never None."""
        return mapping(mapping(self.data.get("metadata")).get("annotations"))


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one: manifests are untrusted and often half empty."""
    # Nearly all are plain, and asked for millions of times: whether any other value is a mapping takes longer to say.
    return value if type(value) is dict or isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    """`value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def mappings(value: Any) -> tuple[Mapping[str, Any], ...]:
    """The mappings of a list; what else it holds is left out."""
    return tuple(element for element in listed(value) if isinstance(element, Mapping))


def texts(value: Any) -> tuple[str, ...]:
    """The elements of a list as texts."""
    return tuple(map(str, listed(value)))


def text_at(fields: Mapping[str, Any], key: str, usual: str = "") -> str:
    """A field as text; `usual` where it is absent, null or empty."""
    return str(fields.get(key) or usual)


def group_of(fields: Mapping[str, Any]) -> str:
    """The group of an `apiVersion`; that of the core is empty, as one is that is not written."""
    group, _, version = text_at(fields, "apiVersion").rpartition("/")
    return group if version else ""


def id_of(data: Mapping[str, Any]) -> ObjectId:
    """The identity written in a manifest; missing parts are empty."""
    metadata = mapping(data.get("metadata"))
    return ObjectId(group_of(data), text_at(data, "kind"), text_at(metadata, "namespace"), text_at(metadata, "name"))


def object_of(data: Mapping[str, Any]) -> Object:
    """The object a manifest describes."""
    return Object(id_of(data), data)


def ids_of(objects: Iterable[Object]) -> frozenset[ObjectId]:
    """The identities of objects."""
    return frozenset(object.id for object in objects)


def by_id(objects: Iterable[Object]) -> dict[ObjectId, Object]:
    """Objects by their identity; the last counts where several have the same."""
    return {object.id: object for object in objects}


def has_mark(object: Object, key: str, value: str) -> bool:
    """Whether a label or annotation `key` says `value`; Flux ignores case (`fluxcd/pkg:ssa/utils/meta.go@v0.76.1`)."""
    wanted = value.lower()
    return any(str(marks.get(key, "")).lower() == wanted for marks in (object.labels, object.annotations))

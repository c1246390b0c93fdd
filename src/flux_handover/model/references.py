"""Who names whom among live objects, and which of these names lead to nothing.

Only what Flux itself follows counts. A namespace that is left out is the holder's own, except where the
API says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from flux_handover.documents import Document
from flux_handover.findings import Location
from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.model.settings_texts import documents_with
from flux_handover.objects import (
    HELM_GROUP,
    KUSTOMIZE_GROUP,
    NOTIFICATION_GROUP,
    SOURCE_GROUP,
    Object,
    ObjectId,
    group_of,
    id_of,
    ids_of,
    listed,
    mapping,
    text_at,
)
from flux_handover.tree import Tree

IMAGE_GROUP = "image.toolkit.fluxcd.io"
ANY = "*"

FieldPath = tuple[str | int, ...]

_GROUP_OF_KIND = {
    "Kustomization": KUSTOMIZE_GROUP,
    "HelmRelease": HELM_GROUP,
    "ImagePolicy": IMAGE_GROUP,
    "ImageRepository": IMAGE_GROUP,
    "ImageUpdateAutomation": IMAGE_GROUP,
    "Provider": NOTIFICATION_GROUP,
}
_MAKERS = frozenset({"ExternalSecret", "ClusterExternalSecret", "SealedSecret", "PushSecret", "InfisicalSecret"})
_SECRET_FIELDS = ("secretRef", "certSecretRef", "proxySecretRef")


class Relation(Enum):
    """Why an object names another."""

    SOURCE = "source"
    DEPENDENCY = "depends on"
    VARIABLES = "variables"
    DECRYPTION = "decryption"
    CHART = "chart"
    VALUES = "values"
    NOTIFICATION = "notifies of"
    PROVIDER = "notifies through"
    IMAGES = "images"
    CREDENTIALS = "credentials"


class Need(Enum):
    """Whether the holder works without what it names."""

    REQUIRED = "required"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Reference:
    """One name in one live object; a target called `*` is every object of that kind and namespace."""

    holder: ObjectId
    relation: Relation
    target: ObjectId
    where: Location
    need: Need = Need.REQUIRED

    def names(self, id: ObjectId) -> bool:
        """Whether this reference means the object."""
        kind = (self.target.group, self.target.kind, self.target.namespace) == (id.group, id.kind, id.namespace)
        return kind and self.target.name in (ANY, id.name)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A reference to nothing that Flux or bootstrap applies; `why` says what may still bring it."""

    reference: Reference
    why: str


@dataclass(frozen=True, slots=True)
class _Named:
    relation: Relation
    target: ObjectId
    path: FieldPath
    need: Need = Need.REQUIRED


def references(cluster: Cluster, tree: Tree) -> tuple[Reference, ...]:
    """Every reference between live objects, with the line that makes it."""
    places = _Places(cluster, tree)
    found = [
        Reference(object.id, named.relation, named.target, places.of(build, object, named.path), named.need)
        for build, object in _objects(cluster)
        for named in _named(object)
    ]
    return tuple(dict.fromkeys(found))


def naming(references: Iterable[Reference], ids: Iterable[ObjectId]) -> tuple[Reference, ...]:
    """The references that mean one of the objects."""
    wanted = tuple(ids)
    return tuple(reference for reference in references if any(reference.names(id) for id in wanted))


def unresolved(cluster: Cluster, tree: Tree) -> tuple[Unresolved, ...]:
    """References whose target is not live; optional ones and those to every object are none."""
    there = ids_of(object for _, object in _objects(cluster)) | {*cluster.sources, *_made(cluster)}
    unread = sum(build.status is not BuildStatus.OK for build in cluster)
    missing = (r for r in _required(cluster, tree) if r.target not in there)
    return tuple(Unresolved(r, _why(r, unread)) for r in missing)


def _required(cluster: Cluster, tree: Tree) -> Iterator[Reference]:
    return (r for r in references(cluster, tree) if r.need is Need.REQUIRED and r.target.name != ANY)


def _why(reference: Reference, unread: int) -> str:
    outside = reference.target.kind in ("Secret", "ConfigMap")
    by_hand = "a bootstrap step or a person must create it" if outside else "nothing that is live renders it"
    return f"{by_hand}; {unread} Kustomizations could not be read" if unread else by_hand


def _made(cluster: Cluster) -> Iterator[ObjectId]:
    """Secrets that a controller makes of another live object."""
    for _, object in _objects(cluster):
        if object.id.kind in _MAKERS:
            target = mapping(object.spec.get("target")).get("name")
            template = mapping(mapping(object.spec.get("template")).get("metadata")).get("name")
            yield ObjectId("", "Secret", object.id.namespace, str(target or template or object.id.name))


def _objects(cluster: Cluster) -> Iterator[tuple[Build | None, Object]]:
    """Live objects; a root that no Kustomization renders is live too."""
    root = cluster.builds[cluster.root]
    if root.parent is None:
        yield root, root.ks.object
    yield from cluster.objects()
    yield from ((None, object) for object in cluster.bootstrap)


def _named(object: Object) -> Iterator[_Named]:
    reader = _READERS.get(object.id.group)
    return reader(object) if reader else iter(())


def _of_kustomization(object: Object) -> Iterator[_Named]:
    if object.id.kind == "Kustomization":
        yield from _one(object, Relation.SOURCE, ("spec", "sourceRef"), SOURCE_GROUP)
        yield from _each(object, Relation.DEPENDENCY, ("spec", "dependsOn"), KUSTOMIZE_GROUP, "Kustomization")
        yield from _each(object, Relation.VARIABLES, ("spec", "postBuild", "substituteFrom"), "", "")
        yield from _one(object, Relation.DECRYPTION, ("spec", "decryption", "secretRef"), "", "Secret")
        yield from _one(object, Relation.CREDENTIALS, ("spec", "kubeConfig", "secretRef"), "", "Secret")


def _of_release(object: Object) -> Iterator[_Named]:
    if object.id.kind == "HelmRelease":
        yield from _one(object, Relation.CHART, ("spec", "chart", "spec", "sourceRef"), SOURCE_GROUP)
        yield from _one(object, Relation.CHART, ("spec", "chartRef"), SOURCE_GROUP)
        yield from _each(object, Relation.DEPENDENCY, ("spec", "dependsOn"), HELM_GROUP, "HelmRelease")
        yield from _each(object, Relation.VALUES, ("spec", "valuesFrom"), "", "")
        yield from _one(object, Relation.CREDENTIALS, ("spec", "kubeConfig", "secretRef"), "", "Secret")


def _of_notification(object: Object) -> Iterator[_Named]:
    yield from _each(object, Relation.NOTIFICATION, ("spec", "resources"), None, "")
    yield from _each(object, Relation.NOTIFICATION, ("spec", "eventSources"), None, "")
    yield from _one(object, Relation.PROVIDER, ("spec", "providerRef"), NOTIFICATION_GROUP, "Provider")
    yield from _credentials(object)


def _of_images(object: Object) -> Iterator[_Named]:
    yield from _one(object, Relation.SOURCE, ("spec", "sourceRef"), SOURCE_GROUP)
    yield from _one(object, Relation.IMAGES, ("spec", "imageRepositoryRef"), IMAGE_GROUP, "ImageRepository")
    yield from _credentials(object)


def _of_source(object: Object) -> Iterator[_Named]:
    yield from _credentials(object)
    yield from _one(object, Relation.SOURCE, ("spec", "sourceRef"), SOURCE_GROUP)


def _credentials(object: Object) -> Iterator[_Named]:
    for field in _SECRET_FIELDS:
        yield from _one(object, Relation.CREDENTIALS, ("spec", field), "", "Secret")


_READERS: Mapping[str, Callable[[Object], Iterator[_Named]]] = {
    KUSTOMIZE_GROUP: _of_kustomization,
    HELM_GROUP: _of_release,
    NOTIFICATION_GROUP: _of_notification,
    IMAGE_GROUP: _of_images,
    SOURCE_GROUP: _of_source,
}


def _one(object: Object, relation: Relation, path: FieldPath, group: str | None, kind: str = "") -> Iterator[_Named]:
    entry = _at(object.data, path)
    if isinstance(entry, Mapping) and entry.get("name"):
        yield _Named(relation, _target(object, entry, group, kind), path)


def _each(object: Object, relation: Relation, path: FieldPath, group: str | None, kind: str) -> Iterator[_Named]:
    for index, entry in enumerate(listed(_at(object.data, path))):
        if isinstance(entry, Mapping) and entry.get("name"):
            need = Need.OPTIONAL if entry.get("optional") is True else Need.REQUIRED
            yield _Named(relation, _target(object, entry, group, kind), (*path, index), need)


def _target(object: Object, entry: Mapping[str, Any], group: str | None, kind: str) -> ObjectId:
    """The object that an entry names; without a group it follows from the API version, else from the kind."""
    named = text_at(entry, "kind", kind)
    known = group_of(entry) or _GROUP_OF_KIND.get(named, SOURCE_GROUP)
    namespace = text_at(entry, "namespace", object.id.namespace)
    return ObjectId(known if group is None else group, named, namespace, str(entry["name"]))


def _at(content: Any, path: FieldPath) -> Any:
    for part in path:
        content = mapping(content).get(str(part))
    return content


class _Places:
    """The documents that declare live objects; each file is read once."""

    def __init__(self, cluster: Cluster, tree: Tree) -> None:
        self._documents: dict[tuple[str, str], list[Document]] = {}
        reads = sorted({path for build in cluster for path in build.reads})
        for document in documents_with(tree, reads, b".fluxcd.io/"):
            id = id_of(document.mapping)
            self._documents.setdefault((id.kind, id.name), []).append(document)

    def of(self, build: Build | None, object: Object, path: FieldPath) -> Location:
        """The line of a field where its object is declared; the Kustomization's place where none is found."""
        found = self._documents.get((object.id.kind, object.id.name), [])
        reads = build.reads if build else frozenset()
        nearest = sorted(found, key=lambda d: (d.path not in reads, id_of(d.mapping) != object.id, d.path))
        if nearest:
            return Location(nearest[0].path, nearest[0].line_of(*path))
        return (build.where if build else None) or Location("")

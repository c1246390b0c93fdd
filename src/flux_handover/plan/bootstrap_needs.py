"""What a bare cluster needs before Flux can work, and how far it gets with what bootstrap gives it.

The root, its source, their secrets and variables must come from a step; everything else may also
come from a Kustomization that can already reconcile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flux_handover.model.flux import Source, source_of
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import SOURCE_GROUP, Object, ObjectId, mapping

_MADE_SECRETS = {"ExternalSecret": "external-secrets.io", "SealedSecret": "bitnami.com"}


@dataclass(frozen=True, slots=True)
class Need:
    """One object that must be there, and what for."""

    id: ObjectId
    why: str


@dataclass(frozen=True, slots=True)
class Stuck:
    """A Kustomization that a rebuilt cluster would never reconcile, and what it lacks."""

    ks: ObjectId
    missing: tuple[Need, ...]


def root_needs(cluster: Cluster) -> tuple[Need, ...]:
    """What no Kustomization can bring, because it is needed to reconcile the first one."""
    root = cluster.builds[cluster.root]
    return (*needs_of(root, cluster), Need(root.id, "it brings everything else"))


def needs_of(build: Build, cluster: Cluster) -> tuple[Need, ...]:
    """What one Kustomization needs to reconcile: key, variables, source and the source's secret."""
    return tuple({need.id: need for need in _needs_of(build, cluster)}.values())


def _needs_of(build: Build, cluster: Cluster) -> Iterator[Need]:
    ks = build.ks
    if ks.decryption_secret is not None:
        yield Need(ks.decryption_secret, f"{ks.id} decrypts with it")
    for variables in ks.required_variables:
        yield Need(variables, f"{ks.id} takes variables from it")
    origin = _source(ks.source, cluster)
    if origin is not None and origin.secret is not None:
        yield Need(origin.secret, f"{origin.id} is fetched with it")
    yield Need(ks.source, f"{ks.id} is built from it")


def _source(id: ObjectId, cluster: Cluster) -> Source | None:
    known = cluster.sources.get(id)
    found = cluster.find(id) if known is None and id.group == SOURCE_GROUP else None
    return known or (source_of(found) if found else None)


def stuck(cluster: Cluster, created: Iterable[ObjectId]) -> tuple[Stuck, ...]:
    """The Kustomizations that never reconcile when bootstrap creates these objects and nothing else."""
    available = set(created)
    waiting = dict(cluster.builds)
    while ready := [build for build in waiting.values() if not _missing(build, cluster, available)]:
        for build in ready:
            del waiting[build.id]
            available |= set(_brought(build))
    return tuple(Stuck(build.id, _missing(build, cluster, available)) for build in waiting.values())


def _missing(build: Build, cluster: Cluster, available: set[ObjectId]) -> tuple[Need, ...]:
    needs = (*needs_of(build, cluster), Need(build.id, "it must exist"))
    return tuple(need for need in needs if need.id not in available)


def _brought(build: Build) -> Iterator[ObjectId]:
    for object in build.present:
        yield object.id
        yield from _made_secret(object)


def _made_secret(object: Object) -> Iterator[ObjectId]:
    """The Secret that another controller makes of an object: external-secrets, sealed-secrets."""
    group = _MADE_SECRETS.get(object.id.kind)
    if group is not None and object.id.group == group:
        target = mapping(object.spec.get("target")).get("name")
        yield ObjectId("", "Secret", object.id.namespace, str(target or object.id.name))

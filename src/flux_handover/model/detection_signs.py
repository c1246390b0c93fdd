"""What a way of installing Flux looks like where it is found, before one is chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from flux_handover.findings import Location
from flux_handover.model.building import Builder
from flux_handover.model.flux import HelmRelease
from flux_handover.model.installation import FluxPatch, Method, Setting
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import Object, ObjectId
from flux_handover.tree import Tree


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a detector may look at."""

    cluster: Cluster
    tree: Tree
    builder: Builder

    @property
    def live_reads(self) -> frozenset[str]:
        """Files that some live Kustomization reads."""
        return frozenset(path for build in self.cluster for path in build.reads)


@dataclass(frozen=True, slots=True)
class Sign:
    """One installation of Flux, seen in one place; everything that is not known is left empty."""

    method: Method
    where: Location | None
    version: str = ""
    namespace: str = "flux-system"
    components: tuple[str, ...] = ()
    owner: ObjectId | None = None
    source: ObjectId | None = None
    files: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    patches: tuple[FluxPatch, ...] = ()
    plain: tuple[Object, ...] = ()
    live: tuple[Object, ...] = ()
    renamed: tuple[tuple[ObjectId, ObjectId], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """A Helm release of a chart, whoever installs it: a HelmRelease, a helmfile, Terraform."""

    chart: str
    version: str
    name: str
    namespace: str
    values: Mapping[str, object]
    owner: ObjectId | None
    where: Location
    by: str
    lines: Mapping[tuple[str | int, ...], Location] = field(default_factory=dict)


def live_objects(cluster: Cluster) -> Iterator[tuple[Build | None, Object]]:
    """Everything live: rendered objects with their build, then those that only bootstrap applies."""
    yield from cluster.objects()
    yield from ((None, object) for object in cluster.bootstrap)


def common_depth(one: str, other: str) -> int:
    """How many leading directories two paths share."""
    pairs = zip(one.split("/"), other.split("/"), strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(one.count("/"), other.count("/")) + 1)


__all__ = ["Evidence", "HelmRelease", "Release", "Sign", "common_depth", "live_objects"]

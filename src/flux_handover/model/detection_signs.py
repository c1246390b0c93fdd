"""What a way of installing Flux looks like where it is found, before one is chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flux_handover.findings import Location
from flux_handover.model.building import Builder
from flux_handover.model.installation import FluxPatch, Method, Setting
from flux_handover.model.rendering import Build, Cluster
from flux_handover.model.settings_texts import matches
from flux_handover.objects import KUSTOMIZE_GROUP, Object, ObjectId
from flux_handover.tree import Tree, clean_path, common_depth

_GROUP = KUSTOMIZE_GROUP.encode()
_PATH = re.compile(r"""^[ ]+path:[ ]*["']?([^\s"'#]+)["']?[ ]*(?:#.*)?$""", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a detector may look at."""

    cluster: Cluster
    tree: Tree
    builder: Builder
    live_reads: frozenset[str]
    rivals: frozenset[str]


def evidence_of(cluster: Cluster, tree: Tree, builder: Builder) -> Evidence:
    """The evidence, with the files that live Kustomizations read and the roots of other clusters."""
    reads = frozenset(path for build in cluster for path in build.reads)
    return Evidence(cluster, tree, builder, reads, rival_roots(tree, cluster.name))


@dataclass(frozen=True, slots=True)
class Sign:
    """One installation of Flux, seen in one place; everything that is not known is left empty.

    `beside` is the method beside which alone it counts: what speaks of no cluster by name.
    """

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
    beside: Method | None = None

    @property
    def is_bare(self) -> bool:
        """Whether it is a remote base that a person applies, and its settings are still to be read."""
        return self.method is Method.REMOTE_BASE and self.owner is None


def live_objects(cluster: Cluster) -> Iterator[tuple[Build | None, Object]]:
    """Everything live: rendered objects with their build, then those that only bootstrap applies."""
    yield from cluster.objects()
    yield from ((None, object) for object in cluster.bootstrap)


def belongs(evidence: Evidence, file: str) -> bool:
    """Whether a file that no Kustomization reads lies nearer to this cluster than to any other root."""
    own = common_depth(file, evidence.cluster.name)
    return all(common_depth(file, other) <= own for other in evidence.rivals)


def rival_roots(tree: Tree, own: str) -> frozenset[str]:
    """Paths of Kustomizations whose own file lies below them, but for this cluster's."""
    found = ((where.file, clean_path(match[1])) for where, match in matches(tree, tree, _PATH, _GROUP))
    roots = {path for file, path in found if path and file.startswith(f"{path}/")}
    return frozenset(path for path in roots if not f"{path}/".startswith(f"{own}/"))

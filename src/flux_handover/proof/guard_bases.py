"""Whence the inventory of a Kustomization that does not build at the base is known (contract K8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from flux_handover.model.building import inputs_digest
from flux_handover.model.rendering import Build, BuildStatus
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import ObjectId
from flux_handover.tree import Tree


@dataclass(frozen=True, slots=True)
class Base:
    """The revision whose build gives the inventory, empty where none is known.

    `assumed` says that it is not simply what the base builds.
    """

    revision: str
    assumed: bool

    @property
    def is_unknown(self) -> bool:
        """Whether nothing tells what the Kustomization applied last."""
        return not self.revision


Ancestors = Iterable[tuple[str, Callable[[], Tree]]]
"""First-parent ancestors of the base, nearest first; a tree is read only where it is looked at."""

Bases = Mapping[str, Mapping[ObjectId, Base]]


def known_at(
    base: Snapshot, ancestors: Ancestors, read: Callable[[Tree, str, Snapshot | None], Snapshot]
) -> tuple[tuple[Snapshot, ...], Bases]:
    """The base with what frozen Kustomizations keep, after the revisions that gave it, and whence each inventory is."""
    wanted = set(_frozen(base))
    found: list[Snapshot] = []
    seen = base
    for name, tree_of in ancestors if wanted else ():
        tree = tree_of()
        if _differs(seen, tree, wanted):
            seen = read(tree, name, None)
            built = {one for one in wanted if _builds(seen, one)}
            found.extend((seen,) if built else ())
            wanted -= built
        if not wanted:
            break
    if not found:
        return (base,), _bases(base, ())
    lead: list[Snapshot] = []
    for snapshot in (*reversed(found), base):
        lead.append(read(snapshot.tree, snapshot.revision, lead[-1] if lead else None))
    return tuple(lead), _bases(lead[-1], found)


def _frozen(snapshot: Snapshot) -> Iterator[tuple[str, ObjectId]]:
    for cluster in snapshot.clusters:
        for build in cluster:
            if build.status is BuildStatus.FAILED:
                yield cluster.name, build.id


def _builds(snapshot: Snapshot, one: tuple[str, ObjectId]) -> bool:
    name, id = one
    cluster = next((cluster for cluster in snapshot.clusters if cluster.name == name), None)
    build = cluster.builds.get(id) if cluster else None
    return build is not None and build.status is BuildStatus.OK


def _differs(seen: Snapshot, tree: Tree, wanted: Iterable[tuple[str, ObjectId]]) -> bool:
    """Whether anything that a frozen Kustomization, or one above it, depends on is different in the tree."""
    reads = frozenset(path for name, id in wanted for path in _reads(seen, name, id))
    return not reads or inputs_digest(seen.tree, reads) != inputs_digest(tree, reads)


def _reads(snapshot: Snapshot, name: str, id: ObjectId) -> Iterator[str]:
    cluster = next((cluster for cluster in snapshot.clusters if cluster.name == name), None)
    build = cluster.builds.get(id) if cluster else None
    above: set[ObjectId] = set()
    while cluster is not None and build is not None and build.id not in above:
        above.add(build.id)
        yield from build.reads
        yield f"{build.ks.path}/kustomization.yaml"
        if build.id == id and build.ks.path:
            yield f"{build.ks.path}/"
        build = cluster.builds.get(build.parent) if build.parent else None


def _bases(base: Snapshot, found: Iterable[Snapshot]) -> Bases:
    earlier = tuple(found)
    return {
        cluster.name: {build.id: _base(base, build, _nearest(earlier, (cluster.name, build.id))) for build in cluster}
        for cluster in base.clusters
    }


def _nearest(found: Iterable[Snapshot], one: tuple[str, ObjectId]) -> str:
    """The nearest of the revisions, which come nearest first, where a Kustomization builds."""
    return next((snapshot.revision for snapshot in found if _builds(snapshot, one)), "")


def _base(base: Snapshot, build: Build, earlier: str) -> Base:
    match build.status:
        case BuildStatus.OK:
            return Base(base.revision, assumed=False)
        case BuildStatus.FAILED:
            return Base(earlier, assumed=True)
        case BuildStatus.UNKNOWN:
            return Base("", assumed=True)

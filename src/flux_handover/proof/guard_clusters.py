"""Clusters from one revision to the next: a live root goes on, whatever the files say of it now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from flux_handover.findings import Finding
from flux_handover.model.building import Builder, Network
from flux_handover.model.declared import declarations
from flux_handover.model.earlier import Earlier
from flux_handover.model.render import Repository, render_cluster
from flux_handover.model.rendering import Cluster
from flux_handover.model.roots import Root
from flux_handover.model.snapshot import Snapshot
from flux_handover.proof.hazards.build import failures
from flux_handover.proof.hazards.registry import View, finding_of, findings_of
from flux_handover.proof.staging import root_source
from flux_handover.tree import Tree

CONTINUED = "continued from the revision before"


def views(snapshot: Snapshot) -> Iterator[View]:
    """Each cluster of a snapshot with its files and its Flux."""
    for cluster in snapshot.clusters:
        yield View(snapshot.tree, cluster, snapshot.installations[cluster.name])


def with_hazards(snapshot: Snapshot) -> Snapshot:
    """The snapshot with every hazard that is there already, beside what reading it showed, and what does not build."""
    seen = {(one.hazard, one.cluster, one.where) for one in snapshot.findings}
    found = (one for view in views(snapshot) for one in (*_unbuilt(view), *findings_of(view)))
    fresh = tuple(one for one in found if (one.hazard, one.cluster, one.where) not in seen)
    return replace(snapshot, findings=(*snapshot.findings, *fresh))


def _unbuilt(view: View) -> Iterator[Finding]:
    return (finding_of(code, sign, view.cluster.name) for code, sign in failures(view))


def continued(before: Snapshot, after: Snapshot, live: frozenset[str], builder: Builder) -> Snapshot:
    """The later snapshot with every `live` cluster: where its root is no longer found, what the old one does.

    The live root keeps its spec until something changes it. Where its path is gone it builds nothing and
    prunes nothing. A cluster that only appeared in the series, and goes again, was never seen alive. A root that is
    suspended does nothing more: where another one renders it so, the cluster is that one's.
    """
    after = replace(after, clusters=tuple(_apart(before, after)))
    found = {(cluster.name, cluster.root) for cluster in after.clusters}
    gone = (c for c in before.clusters if (c.name, c.root) not in found and c.name in live)
    missing = [cluster for cluster in gone if not any(_is_taken_over(cluster, other) for other in after.clusters)]
    going_on = tuple(_followed(cluster, after.tree, builder) for cluster in missing)
    clusters = tuple(sorted((*_beside(after, going_on), *going_on), key=lambda cluster: cluster.name))
    installations = {**before.installations, **after.installations}
    kept = {cluster.name: installations[cluster.name] for cluster in clusters}
    return replace(after, clusters=clusters, installations=kept)


def _is_taken_over(cluster: Cluster, other: Cluster) -> bool:
    """Whether the suspended root of a cluster is rendered, suspended, by a root that took its place."""
    resting = other.builds.get(cluster.root)
    is_suspended = cluster.builds[cluster.root].ks.suspend
    return cluster.name == other.name and is_suspended and resting is not None and resting.ks.suspend


def _beside(after: Snapshot, going_on: Iterable[Cluster]) -> Iterator[Cluster]:
    """Clusters that are no second reading of one that goes on: by its name, or by its root's new path."""
    names = {cluster.name for cluster in going_on}
    moved = {(cluster.root, _path(cluster)) for cluster in going_on}
    yield from (c for c in after.clusters if c.name not in names and (c.root, _path(c)) not in moved)


def _path(cluster: Cluster) -> str:
    return cluster.builds[cluster.root].ks.path


def _apart(before: Snapshot, after: Snapshot) -> Iterator[Cluster]:
    """Clusters that were there, and new ones but for a file that a live root reads: that is no cluster of its own."""
    known = {(cluster.name, cluster.root) for cluster in before.clusters}
    live = [cluster for cluster in after.clusters if (cluster.name, cluster.root) in known]
    reads = frozenset().union(*(build.reads for cluster in live for build in cluster))
    for cluster in after.clusters:
        where = cluster.builds[cluster.root].where
        if cluster in live or where is None or where.file not in reads:
            yield cluster


def _followed(cluster: Cluster, tree: Tree, builder: Builder) -> Cluster:
    ks, source = cluster.builds[cluster.root].ks, root_source(cluster)
    repository = Repository(tree, declarations(tree), builder, Network.DENIED)
    root = Root(ks, source, CONTINUED, cluster.builds[cluster.root].where)
    return replace(render_cluster(root, repository, Earlier(lambda: cluster)), name=cluster.name, origin=CONTINUED)

"""From the files of a revision to a Snapshot: roots found, clusters rendered, Flux recognised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from flux_handover.findings import Finding, Location, Severity
from flux_handover.model.building import Builder, Network
from flux_handover.model.declared import Declarations, declarations
from flux_handover.model.earlier import Earlier
from flux_handover.model.flux import kustomization_of
from flux_handover.model.installation import Installation
from flux_handover.model.render import Repository, render_cluster
from flux_handover.model.rendering import Cluster
from flux_handover.model.roots import BOOTSTRAP, SELF, SYNC, TERRAFORM, Root, candidate_roots, chosen_root
from flux_handover.model.snapshot import Snapshot
from flux_handover.model.strictness import Substitution, leaves_undefined, substitution_of
from flux_handover.model.synced import effective_root
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.tree import Tree

Detector = Callable[[Cluster, Tree, Builder], Installation]
Reporter = Callable[[str], None]
Previous = Callable[[], Snapshot | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a revision is to be read: the root a person named, whether the network may be used, and who is told."""

    root: str | None = None
    network: Network = Network.DENIED
    report: Reporter = lambda _: None


def take_snapshot(
    tree: Tree,
    revision: str,
    builder: Builder,
    detect: Detector,
    reading: Reading,
    previous: Snapshot | None = None,
) -> Snapshot:
    """Everything that a revision says.

    `previous` is the snapshot before it in a series: it brings what a cluster keeps where a
    parent does not build any more.
    """
    return take_snapshot_after(tree, revision, builder, detect, reading, lambda: previous)


def take_snapshot_after(
    tree: Tree, revision: str, builder: Builder, detect: Detector, reading: Reading, previous: Previous
) -> Snapshot:
    """The same; the snapshot before it is asked for only where this revision does not say itself what there is."""
    declared = declarations(tree)
    repository = Repository(tree, declared, builder, reading.network)
    reading.report("rendering every Kustomization")
    found = tuple(_clusters(repository, reading, previous))
    reading.report("recognising how Flux is installed")
    installations = {cluster.name: detect(cluster, tree, builder) for _, cluster in found}
    clusters = tuple(_strictly(*one, installations[one[1].name], repository, previous) for one in found)
    return Snapshot(
        revision=revision,
        tree=tree,
        clusters=clusters,
        installations=installations,
        findings=(*_unreadable(declared), *_damaged(clusters)),
        candidates=() if clusters else tuple(_candidates(declared)),
    )


def _strictly(
    root: Root, cluster: Cluster, installation: Installation, repository: Repository, previous: Previous
) -> Cluster:
    """The cluster as its own version of Flux substitutes, which only the cluster itself could tell."""
    substitution = substitution_of(installation)
    if substitution is Substitution.LENIENT or not leaves_undefined(cluster):
        return cluster
    return _renderer(replace(repository, substitution=substitution), previous)(root)


def _clusters(repository: Repository, reading: Reading, previous: Previous) -> Iterator[tuple[Root, Cluster]]:
    """The confirmed roots and their clusters; a candidate that a root above it renders is no root, and is not tried."""
    rendered = _renderer(repository, previous)
    confirmed: list[tuple[Root, Cluster]] = []
    for root in sorted(_candidate_roots(repository, reading), key=lambda root: root.name.count("/")):
        if not any(_renders(cluster, root) or _declares(known, root) for known, cluster in confirmed):
            cluster = rendered(root)
            if root.origin != SELF or _applies_itself(root, cluster):
                confirmed.append((root, cluster))
    independent = [(root, c) for root, c in confirmed if not any(_renders(other, root) for _, other in confirmed)]
    yield from sorted(_one_per_path(independent), key=lambda pair: pair[0].name)


def _renderer(repository: Repository, previous: Previous) -> Callable[[Root], Cluster]:
    """Renders each declaration once: it may be a candidate for two reasons."""
    known: dict[tuple[ObjectId, Location | None, str], Cluster] = {}

    def rendered(root: Root) -> Cluster:
        declaration = (root.ks.id, root.where, root.name)
        if declaration not in known:
            known[declaration] = render_cluster(root, repository, Earlier(partial(_same, root, previous)))
        return replace(known[declaration], origin=root.origin)

    return rendered


def _same(root: Root, previous: Previous) -> Cluster | None:
    """The cluster of a root, in the snapshot before."""
    before = previous()
    clusters = before.clusters if before else ()
    return next((cluster for cluster in clusters if (cluster.name, cluster.root) == (root.name, root.ks.id)), None)


def _candidate_roots(repository: Repository, reading: Reading) -> tuple[Root, ...]:
    if reading.root is not None:
        return (chosen_root(repository.declared, reading.root),)
    candidates = candidate_roots(repository.declared, repository.tree)
    return tuple(effective_root(root, repository.builder) for root in candidates)


def _applies_itself(root: Root, cluster: Cluster) -> bool:
    own = cluster.builds[root.ks.id]
    return any(object.id == root.ks.id for object in own.raw) or (own.failure is not None and _names_own_file(root))


def _names_own_file(root: Root) -> bool:
    """A root that does not build today is a root all the same, if its own file lies in its path."""
    return root.where is not None and root.where.file.startswith(f"{root.ks.path}/")


def _declares(known: Root, root: Root) -> bool:
    """Whether a root that applies itself is what a bootstrap command or Terraform made for this path."""
    return known.origin == SELF and root.origin in (BOOTSTRAP, TERRAFORM) and (known.name == root.name)


def _renders(cluster: Cluster, root: Root) -> bool:
    """Whether the cluster of another root renders this one from the same file."""
    build = cluster.builds.get(root.ks.id)
    return build is not None and build.id != cluster.root and build.where == root.where


def _one_per_path(roots: Iterable[tuple[Root, Cluster]]) -> Iterator[tuple[Root, Cluster]]:
    """The strongest root of each path: what a FluxInstance syncs is what the cluster really runs."""
    chosen: dict[str, tuple[Root, Cluster]] = {}
    for root, cluster in sorted(roots, key=lambda pair: pair[0].origin != SYNC):
        chosen.setdefault(root.name, (root, cluster))
    yield from chosen.values()


def _unreadable(declared: Declarations) -> Iterator[Finding]:
    for problem in declared.problems:
        where = Location(problem.file, problem.line)
        yield Finding("G8", Severity.WARNING, "S2", problem.message, where, problem.hint)


def _damaged(clusters: Iterable[Cluster]) -> Iterator[Finding]:
    for path in sorted({path for cluster in clusters for build in cluster for path in build.damaged}):
        message = "the sops stanza is not valid YAML; Flux could not read this file as it stands"
        yield Finding("G8", Severity.WARNING, "S2", message, Location(path), "restore the file, or encrypt it again")


def _candidates(declared: Declarations) -> Iterator[str]:
    paths = {kustomization_of(d.object).path for d in declared.of(KUSTOMIZE_GROUP, "Kustomization")}
    yield from sorted(path or "." for path in paths)

"""From arguments to a Snapshot: the repository and the engine opened, one revision read, clusters chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flux_handover.adapters.cache import CachedBuilder, cached_engine
from flux_handover.adapters.git import Repository
from flux_handover.cli.progress import Progress, note
from flux_handover.errors import UnreadableRepository, UnsupportedInstallation, UsageError
from flux_handover.model.building import Builder, Network
from flux_handover.model.installation import Installation
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.model.rendering import Cluster
from flux_handover.model.snapshot import Snapshot
from flux_handover.tree import Tree, clean_path


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the arguments ask to be read; an empty root is found, an empty cluster is every one."""

    path: Path
    revision: str
    cluster: str = ""
    root: str = ""
    allow_network: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """What every reading verb works with, open for as long as its `with` block."""

    repository: Repository
    engine: CachedBuilder
    progress: Progress


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """The repository that holds a path, whole, and the engine."""
    with Progress() as progress, Repository.open(path) as repository, cached_engine() as engine:
        if repository.is_shallow:
            raise UnreadableRepository(
                "the clone is shallow, so what it holds may not be what Flux has applied",
                where=str(path),
                hint="fetch the rest with `git fetch --unshallow`; in a CI checkout, say fetch-depth: 0",
            )
        yield Opened(repository, engine, progress)


def detect(cluster: Cluster, tree: Tree, builder: Builder) -> Installation:
    """How Flux is installed in a cluster; what knows it is loaded while the engine builds the cluster's first part."""
    from flux_handover.model import detection

    return detection.detect(cluster, tree, builder)


def snapshot_of(tools: Opened, wanted: Wanted) -> Snapshot:
    """The revision, read, with the clusters that are wanted."""
    repository = tools.repository
    tools.progress(f"reading {wanted.revision}")
    if wanted.revision == "HEAD" and repository.is_dirty():
        note("the work tree has changes that are not committed; only what is committed is read")
    revision = repository.resolve(wanted.revision)
    read = tree_reader(tools, wanted, revision)
    return selected(with_flux(read(repository.read_tree(revision), None)), wanted.cluster)


def tree_reader(tools: Opened, wanted: Wanted, revision: str) -> Callable[[Tree, Snapshot | None], Snapshot]:
    """Reads trees as the revision is read; the snapshot before a tree says what the cluster keeps."""
    network = Network.ALLOWED if wanted.allow_network else Network.DENIED
    reading = Reading(wanted.root or None, network, tools.progress)
    return lambda tree, previous: take_snapshot(tree, revision, tools.engine, detect, reading, previous)


def with_flux(snapshot: Snapshot) -> Snapshot:
    """The snapshot; raises where there is no trace of Flux in it."""
    if snapshot.clusters or snapshot.candidates:
        return snapshot
    raise UnsupportedInstallation(
        "no Flux was found: no Kustomization of Flux, no source and no bootstrap names one",
        where=snapshot.revision[:12],
        hint="name the directory that the root Kustomization applies with --root",
    )


def selected(snapshot: Snapshot, cluster: str) -> Snapshot:
    """The snapshot with the one cluster that is named, or as it is where none is."""
    if not cluster:
        return snapshot
    name = named(cluster, (one.name for one in snapshot.clusters))
    return replace(
        snapshot,
        clusters=(snapshot.cluster(name),),
        installations={name: snapshot.installations[name]} if name in snapshot.installations else {},
        findings=tuple(finding for finding in snapshot.findings if finding.cluster in ("", name)),
    )


def named(cluster: str, all_names: Iterable[str]) -> str:
    """The cluster that a name or an unambiguous last part of it means (contract K2)."""
    known = sorted(all_names)
    wanted = clean_path(cluster)
    found = [name for name in known if name == wanted] or [name for name in known if f"/{name}".endswith(f"/{wanted}")]
    match found:
        case [name]:
            return name
        case []:
            there = f"there are {', '.join(known)}" if known else "none was found; name its root with --root"
            raise UsageError(f"there is no cluster {cluster!r}", hint=there)
        case _:
            raise UsageError(f"{cluster!r} means more than one cluster", hint=f"say one of {', '.join(found)}")

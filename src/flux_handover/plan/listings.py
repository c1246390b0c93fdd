"""Which kustomization.yaml lists which file, as far as live builds read them.

Only files that a live Kustomization reads count: a directory that nothing applies says nothing
about where new files go.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flux_handover.documents import Document, read_documents
from flux_handover.model.rendering import Build, Cluster
from flux_handover.model.settings_texts import bytes_of
from flux_handover.objects import ObjectId, id_of, listed
from flux_handover.tree import Tree, clean_path

KUSTOMIZATION_FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""Names that kustomize reads as its own (`sigs.k8s.io/kustomize/api:konfig/general.go@v0.21.1`)."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One kustomization.yaml that a live Kustomization reads; `entries` are (field, entry, path it names)."""

    path: str
    parent: ObjectId
    entries: tuple[tuple[str, str, str], ...]

    @property
    def directory(self) -> str:
        """Where it lies."""
        return posixpath.dirname(self.path)

    @property
    def files(self) -> frozenset[str]:
        """The paths it names."""
        return frozenset(path for _, _, path in self.entries)


def live_listings(cluster: Cluster, tree: Tree) -> tuple[Listing, ...]:
    """Every kustomization.yaml that some live Kustomization reads from this repository, by path."""
    found: dict[str, Listing] = {}
    for build in local_builds(cluster):
        for path in filter(is_listing, build.reads):
            if path in tree:
                found.setdefault(path, Listing(path, build.id, tuple(_entries(path, tree))))
    return tuple(found[path] for path in sorted(found))


def local_builds(cluster: Cluster) -> tuple[Build, ...]:
    """Builds whose artifact is this repository: paths that others read lie in another tree."""
    root = cluster.builds[cluster.root].ks.source
    url = cluster.sources[root].url if root in cluster.sources else ""
    here = {id for id, source in cluster.sources.items() if source.url == url} | {root}
    return tuple(build for build in cluster if build.ks.source in here)


def read_files(cluster: Cluster, tree: Tree) -> tuple[str, ...]:
    """Files of this repository that live Kustomizations read, sorted."""
    read = {path for build in local_builds(cluster) for path in build.reads}
    return tuple(sorted(path for path in read if path in tree and tree.files[path].content is not None))


def is_listing(path: str) -> bool:
    """Whether kustomize takes the file for its own."""
    return posixpath.basename(path) in KUSTOMIZATION_FILES


def listing_of(directory: str, tree: Tree) -> str | None:
    """The kustomization.yaml of a directory, if it has one."""
    candidates = (posixpath.join(clean_path(directory), name) for name in KUSTOMIZATION_FILES)
    return next((path for path in candidates if path in tree), None)


def generated_paths(cluster: Cluster, tree: Tree) -> frozenset[str]:
    """Paths of live Kustomizations without a kustomization.yaml: Flux builds every YAML file below (G1)."""
    return frozenset(build.ks.path for build in local_builds(cluster) if _is_generated(build, tree))


def is_below(path: str, directory: str) -> bool:
    """Whether a file or directory lies in `directory` or is it; the top contains everything."""
    return not directory or path == directory or path.startswith(f"{directory}/")


def documents_of(tree: Tree, path: str) -> tuple[Document, ...]:
    """The YAML documents of a file that could be read; none where the file is absent."""
    return _documents(path, bytes_of(tree, path))


def documents_in(tree: Tree, paths: Iterable[str]) -> Iterator[Document]:
    """The documents of several files, in order."""
    for path in paths:
        yield from documents_of(tree, path)


@lru_cache(maxsize=4096)
def _documents(path: str, content: bytes) -> tuple[Document, ...]:
    return read_documents(path, content).documents


def document_of(tree: Tree, path: str, id: ObjectId) -> Document | None:
    """The document of a file that describes an object, or the only one of its kind and name."""
    if id.name.encode() not in bytes_of(tree, path):
        return None
    named = [d for d in documents_of(tree, path) if _describes(d.mapping, id)]
    exact = [d for d in named if id_of(d.mapping).namespace == id.namespace]
    return next(iter(exact), named[0] if len(named) == 1 else None)


def listed_entries(tree: Tree, path: str) -> tuple[Any, ...]:
    """The entries of `resources` in a kustomization.yaml."""
    return tuple(entry for document in documents_of(tree, path) for entry in listed(document.mapping.get("resources")))


def _describes(content: Mapping[str, Any], id: ObjectId) -> bool:
    described = id_of(content)
    return (described.group, described.kind, described.name) == (id.group, id.kind, id.name)


def _is_generated(build: Build, tree: Tree) -> bool:
    here = any(path in tree and is_below(path, build.ks.path) for path in build.reads)
    return here and listing_of(build.ks.path, tree) is None


def _entries(path: str, tree: Tree) -> Iterator[tuple[str, str, str]]:
    for document in documents_of(tree, path):
        for field in ("resources", "bases", "components"):
            for entry in local_entries(listed(document.mapping.get(field))):
                yield field, entry, clean_path(posixpath.join(posixpath.dirname(path), entry))


def local_entries(entries: Iterable[object]) -> Iterator[str]:
    """Entries that are paths, not addresses."""
    for entry in entries:
        if isinstance(entry, str) and "://" not in entry:
            yield entry

"""Where objects are declared: looked for only when there is something to say of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flux_handover.documents import Document, read_documents
from flux_handover.findings import Location
from flux_handover.model.rendering import Build
from flux_handover.objects import ObjectId, id_of
from flux_handover.proof.hazards.registry import View
from flux_handover.tree import Tree

SUFFIXES = (".yaml", ".yml")


def place_of(view: View, id: ObjectId) -> Location | None:
    """The file and line that declare an object, by the files that its Kustomization reads."""
    own = view.cluster.builds.get(id)
    if own is not None and own.where is not None:
        return own.where
    build = view.cluster.applying(id)
    return place_in(view, build, id) if build else None


def place_in(view: View, build: Build, id: ObjectId) -> Location | None:
    """The place of an object among the files that a Kustomization reads."""
    found = sorted(
        (
            document
            for document in documents_holding(view.tree, build.reads, id.name, id.kind)
            if _is_same(document, id)
        ),
        key=lambda document: (id_of(document.mapping).namespace != id.namespace, document.path, document.line),
    )
    return Location(found[0].path, found[0].line) if found else build.where


def documents_holding(tree: Tree, paths: Iterable[str], *words: str) -> Iterator[Document]:
    """The documents of files whose bytes hold some words; a path that ends in a slash is everything below it."""
    wanted = [word.encode() for word in words]
    for path in files_among(tree, paths):
        content = tree.files[path].content
        if content is not None and all(word in content for word in wanted):
            yield from read_documents(path, content).documents


def files_among(tree: Tree, paths: Iterable[str]) -> Iterator[str]:
    """The YAML files among paths that a build read, in order."""
    every = {path for read in paths for path in ((read,) if not read.endswith("/") else tree.below(read))}
    yield from sorted(path for path in every if path in tree and path.endswith(SUFFIXES))


def _is_same(document: Document, id: ObjectId) -> bool:
    declared = id_of(document.mapping)
    return (declared.group, declared.kind, declared.name) == (id.group, id.kind, id.name)

"""Objects that leave Git: their documents, the entries that list them, and patches that changed nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flux_handover.errors import UnsupportedInstallation
from flux_handover.findings import Location
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import ObjectId, id_of, ids_of, listed, mapping
from flux_handover.plan.listings import Listing, document_of, documents_of, live_listings, read_files
from flux_handover.plan.manners import embedded_text
from flux_handover.plan.operations import Operation, RemoveDocument, RemoveField, RemoveFile, UnlistResource
from flux_handover.plan.selectors import Pairs, selected
from flux_handover.plan.sharing import untaken
from flux_handover.tree import Tree


def removed_documents(
    removed: Iterable[tuple[ObjectId, str]],
    cluster: Cluster,
    tree: Tree,
    why: str,
    shared: frozenset[str] = frozenset(),
) -> Iterator[Operation]:
    """Whole files where everything in them goes, else single documents; an empty file name is looked for.

    Files that other clusters share stay, and leave this one's lists.
    """
    found = _by_file(removed, cluster, tree)
    going = {id: file for file, ids in found.items() for id in ids if file in shared}
    yield from _without_shared(going, shared, cluster, tree)
    for file, ids in sorted(found.items()):
        if file in shared:
            continue
        if len(documents_of(tree, file)) == len(ids):
            yield RemoveFile(file, tuple(ids), why)
            yield from _unlisted(file, cluster, tree)
        else:
            for id in ids:
                document = document_of(tree, file, id)
                yield RemoveDocument(id, Location(file, document.line if document else 0), why)


def _without_shared(
    going: Mapping[ObjectId, str], shared: frozenset[str], cluster: Cluster, tree: Tree
) -> Iterator[Operation]:
    """The entries by which the cluster takes the files of these objects, and patches that only they needed."""
    leaving = frozenset(going)
    for operation in untaken(leaving, going.values(), shared, cluster, tree):
        yield operation
        listing = next(one for one in live_listings(cluster, tree) if one.path == operation.path)
        yield from useless_patches(listing, cluster.builds[listing.parent], leaving, tree)


def _by_file(removed: Iterable[tuple[ObjectId, str]], cluster: Cluster, tree: Tree) -> dict[str, list[ObjectId]]:
    by_file: dict[str, list[ObjectId]] = {}
    for id, file in removed:
        by_file.setdefault(file or file_with(id, cluster, tree), []).append(id)
    return by_file


def file_with(id: ObjectId, cluster: Cluster, tree: Tree) -> str:
    """The file that describes an object; raises UnsupportedInstallation where none does."""
    found = described_in(id, cluster, tree)
    if found is None:
        raise UnsupportedInstallation(f"{id} is not written in this repository", hint="remove it where it is written")
    return found


def described_in(id: ObjectId, cluster: Cluster, tree: Tree) -> str | None:
    """The file that describes an object, among those that Flux reads."""
    return next((path for path in read_files(cluster, tree) if document_of(tree, path, id) is not None), None)


def _unlisted(file: str, cluster: Cluster, tree: Tree) -> Iterator[Operation]:
    for listing in live_listings(cluster, tree):
        for field, entry, path in listing.entries:
            if path == file:
                yield UnlistResource(listing.path, field, entry, f"{file} is gone")


def useless_patches(listing: Listing, owner: Build, leaving: frozenset[ObjectId], tree: Tree) -> Iterator[Operation]:
    """Patches that hit only what leaves; one without target would fail the build."""
    for document in documents_of(tree, listing.path):
        for place in _useless(listed(document.mapping.get("patches")), owner, leaving):
            yield RemoveField(listing.path, document.index, place, "it changed only objects that are gone")


def _useless(patches: list[Any], owner: Build, leaving: frozenset[ObjectId]) -> Iterator[tuple[str | int, ...]]:
    """Where they stand, the last first; the whole list where none of it is left."""
    numbers = [number for number, patch in enumerate(patches) if _hits_only(mapping(patch), owner, leaving)]
    if patches and len(numbers) == len(patches):
        yield ("patches",)
    else:
        yield from (("patches", number) for number in reversed(numbers))


def _hits_only(entry: Mapping[str, Any], owner: Build, leaving: frozenset[ObjectId]) -> bool:
    hit = ids_of(selected(_target_of(entry), owner.objects))
    return bool(hit) and hit <= leaving


def _target_of(entry: Mapping[str, Any]) -> Pairs:
    """The target of a patch, or the object that it names."""
    target = tuple((str(key), str(value)) for key, value in mapping(entry.get("target")).items())
    named = id_of(mapping(embedded_text(str(entry.get("patch", "")))))
    return target or ((("kind", named.kind), ("name", named.name)) if named.name else ())

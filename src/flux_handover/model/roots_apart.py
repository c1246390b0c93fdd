"""Kustomizations that lie in a set of their own, made to be applied by hand.

`kubectl apply -k DIRECTORY` is typed once and written nowhere. The directory shows it all the same: its
kustomization.yaml lists Kustomizations together with the source they apply, and nothing else in the repository
reads it, neither a Kustomization nor another list.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from flux_handover.findings import Location
from flux_handover.model.declared import Declarations, Declared
from flux_handover.model.flux import SOURCE_KINDS, FluxKustomization, Source, kustomization_of, source_of
from flux_handover.model.settings_stack import KustomizationFile, kustomization_files
from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, Object, mapping, object_of, text_at
from flux_handover.tree import Tree


def set_apart(declared: Declarations, tree: Tree) -> Iterator[tuple[FluxKustomization, Source, Location]]:
    """Kustomizations that a list applies with their source, where nothing reconciles or includes that list."""
    kustomizations = tuple(declared.of(KUSTOMIZE_GROUP, "Kustomization"))
    sources = tuple(declared.of(SOURCE_GROUP, *SOURCE_KINDS))
    places = {_directory(one) for one in kustomizations} & {_directory(one) for one in sources}
    free = [place for place in places if not _is_reconciled(place, kustomizations)]
    lists = kustomization_files(tree, tree) if free else {}
    for place in sorted(place for place in free if place in lists and not _is_included(place, lists)):
        yield from _applied_with_source(lists[place], kustomizations, sources)


def _applied_with_source(
    file: KustomizationFile, kustomizations: Sequence[Declared], sources: Sequence[Declared]
) -> Iterator[tuple[FluxKustomization, Source, Location]]:
    listed = frozenset(file.local("resources"))
    applied = [source_of(_placed(one, file)) for one in sources if one.where.file in listed]
    for one in kustomizations:
        ks = kustomization_of(_placed(one, file))
        source = next((source for source in applied if source.id == ks.source), None)
        if one.where.file in listed and source is not None:
            yield ks, source, one.where


def _placed(one: Declared, file: KustomizationFile) -> Object:
    """The object in the namespace that the list gives it."""
    namespace = text_at(file.content, "namespace") or one.object.id.namespace
    metadata = {**mapping(one.document.mapping.get("metadata")), "namespace": namespace}
    return object_of({**one.document.mapping, "metadata": metadata})


def _directory(one: Declared) -> str:
    return posixpath.dirname(one.where.file)


def _is_reconciled(directory: str, kustomizations: Sequence[Declared]) -> bool:
    """Whether the path of a Kustomization holds this directory."""
    paths = (kustomization_of(one.object).path for one in kustomizations)
    return any(path == "" or f"{directory}/".startswith(f"{path}/") for path in paths)


def _is_included(directory: str, lists: Mapping[str, KustomizationFile]) -> bool:
    """Whether another list reads this directory, or a file in it."""
    fields = ("resources", "bases", "components")
    others = (path for other, file in lists.items() if other != directory for path in file.local(*fields))
    return any(path == directory or path.startswith(f"{directory}/") for path in others)

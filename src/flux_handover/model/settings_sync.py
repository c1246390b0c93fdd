"""Settings of the root and its source that a FluxInstance's `sync` would not keep.

The operator writes both objects from a template with few fields; everything else must come back
as a patch, or is lost when it takes them over (semantics 3.6).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flux_handover.documents import Document
from flux_handover.findings import Location
from flux_handover.model.effective import Fact, facts
from flux_handover.model.installation import Setting, SettingKind
from flux_handover.model.rendering import Cluster
from flux_handover.model.settings_origin import document_at
from flux_handover.model.settings_texts import documents_with
from flux_handover.objects import Object, id_of, listed, mapping
from flux_handover.tree import Tree

_KUSTOMIZATION = re.compile(r"spec\.(interval|path|sourceRef\..*|force|prune)")
_SOURCE = re.compile(r"spec\.(interval|url|ref\..*|secretRef\.name|provider)")
_MARKS = re.compile(r"(labels|annotations)\.(app\.kubernetes\.io/.*|kustomize\.toolkit\.fluxcd\.io/(name|namespace))")


def sync_settings(cluster: Cluster, tree: Tree) -> tuple[Setting, ...]:
    """Fields of the root Kustomization and of its source that `sync` has no field for."""
    build = cluster.builds[cluster.root]
    source = cluster.sources.get(build.ks.source)
    found = [*_beyond(build.ks.object, build.where, tree, _KUSTOMIZATION)]
    if source is not None:
        found += _beyond(source.object, _source_place(cluster, tree), tree, _SOURCE)
    return tuple(found)


def _beyond(object: Object, where: Location | None, tree: Tree, known: re.Pattern[str]) -> Iterator[Setting]:
    document = document_at(tree, where)
    for fact in facts(object):
        if _is_beyond(fact, known):
            key = fact.about.key
            yield Setting(object.id, SettingKind.SYNC, key, fact.written, _line(document, key, where))


def _is_beyond(fact: Fact, known: re.Pattern[str]) -> bool:
    """Whether a field is set to something that the operator's template does not write."""
    key = fact.about.key
    if key == "spec.prune" or fact.written == "false":
        return key == "spec.prune" and fact.written == "false"
    return "." in key and not known.fullmatch(key) and not _MARKS.fullmatch(key)


def _line(document: Document | None, key: str, where: Location | None) -> Location:
    if document is None or where is None:
        return where or Location("")
    if not key.startswith("spec."):
        return Location(where.file, document.line_of("metadata", *key.split(".", 1)))
    return Location(where.file, document.line_of(*_path(document.mapping, key)))


def _path(content: Any, key: str) -> Iterator[str | int]:
    """A fact's key as the path of keys and indexes that leads to its value."""
    for part in key.split("."):
        field, _, name = part.rstrip("]").partition("[")
        yield field
        content = mapping(content).get(field)
        if name:
            entries = listed(content)
            index = next((i for i, entry in enumerate(entries) if mapping(entry).get("name") == name), 0)
            yield index
            content = entries[index] if entries else None


def _source_place(cluster: Cluster, tree: Tree) -> Location | None:
    """Where the root's source is declared: a document of that kind and name among what the root reads."""
    build = cluster.builds[cluster.root]
    source = build.ks.source
    nearby = (build.where.file,) if build.where else ()
    for document in documents_with(tree, (*nearby, *sorted(build.reads)), source.name.encode()):
        id = id_of(document.mapping)
        if (id.kind, id.name) == (source.kind, source.name):
            return Location(document.path, document.line)
    return None

"""Files beside what Flux applies that decide how a cluster is made or watched: helmfiles, scripts, workflows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.documents import Document, read_documents
from flux_handover.findings import Location
from flux_handover.model.references_text import sort_of
from flux_handover.objects import mapping
from flux_handover.tree import Tree

LIMIT = 256 * 1024
SUFFIXES = (".yaml", ".yml")
_LIST = re.compile(rb"(?m)^releases:")


@dataclass(frozen=True, slots=True)
class Listed:
    """One release of a helmfile, with the file and line that hold it."""

    name: str
    content: Mapping[str, Any]
    where: Location


def helmfile_releases(tree: Tree) -> Iterator[Listed]:
    """The releases of every helmfile: YAML with a list of releases that have a chart."""
    for path in tree:
        content = tree.files[path].content
        if content is not None and len(content) <= LIMIT and path.endswith(SUFFIXES) and _LIST.search(content):
            for document in read_documents(path, content).documents:
                yield from _listed(document)


def _listed(document: Document) -> Iterator[Listed]:
    releases = document.mapping.get("releases")
    for index, one in enumerate(releases if isinstance(releases, list) else ()):
        if mapping(one).get("chart") and mapping(one).get("name"):
            line = document.line_of("releases", index)
            yield Listed(str(one["name"]), mapping(one), Location(document.path, line))


def lines_of(tree: Tree, *sorts: str) -> Iterator[tuple[Location, str]]:
    """The lines of files of these sorts: workflow, task runner, script, ..."""
    for path in tree:
        content = tree.files[path].content
        if content is not None and len(content) <= LIMIT and sort_of(path) in sorts and b"\0" not in content[:4096]:
            for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
                yield Location(path, number), line


def is_mentioned(tree: Tree, name: str, outside: frozenset[str]) -> bool:
    """Whether a file that Flux does not read has the name in it."""
    wanted = name.encode()
    return any(wanted in (file.content or b"") for path, file in tree.files.items() if path not in outside)

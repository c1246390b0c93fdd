"""A bootstrap template that computes where a HelmRelease lies: new ones must lie there too (K1).

A Helmfile can take a release's values from the file that Flux reads, by
`readFile (printf "…/%s/%s/…" .Release.Namespace .Release.Name)` in a template. Only templates
that some release names count.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flux_handover.documents import read_documents
from flux_handover.findings import Location
from flux_handover.objects import mapping
from flux_handover.tree import Tree, clean_path

_READ = re.compile(r'readFile\s+\(\s*printf\s+"([^"]+)"((?:\s+\.Release\.(?:Namespace|Name))+)\s*\)')
_PART = re.compile(r"\.Release\.(Namespace|Name)")
_LOOKS_LIKE = re.compile(rb"^releases:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Dictated:
    """A path with `%s` for each of `parts` (`Namespace`, `Name`), and the place that computes it."""

    pattern: str
    parts: tuple[str, ...]
    where: Location

    def path_for(self, namespace: str, name: str) -> str:
        """The file that the template reads for a release."""
        values = iter(namespace if part == "Namespace" else name for part in self.parts)
        return clean_path(re.sub("%s", lambda _: next(values, ""), self.pattern))


def dictated(tree: Tree) -> Dictated | None:
    """The path that bootstrap templates compute; None where no template does."""
    found = (rule for template in sorted(_templates(tree)) if (rule := dictated_by(template, tree)))
    return next(found, None)


def dictated_by(template: str, tree: Tree) -> Dictated | None:
    """The path that one template computes; None where it computes none that can be followed."""
    text = tree.read(template).decode(errors="replace")
    match = _READ.search(text)
    if match is None or match[1].count("%s") != len(_PART.findall(match[2])):
        return None
    line = text.count("\n", 0, match.start()) + 1
    pattern = posixpath.join(posixpath.dirname(template), match[1])
    return Dictated(posixpath.normpath(pattern), tuple(_PART.findall(match[2])), Location(template, line))


def _templates(tree: Tree) -> set[str]:
    """Files that a Helmfile names as values of a release and that are templates."""
    return {
        template
        for path in tree
        if path.endswith((".yaml", ".yml", ".gotmpl")) and _is_helmfile(tree, path)
        for template in _values(path, tree)
        if template in tree and tree.files[template].content is not None
    }


def _is_helmfile(tree: Tree, path: str) -> bool:
    content = tree.files[path].content
    return content is not None and _LOOKS_LIKE.search(content) is not None


def _values(path: str, tree: Tree) -> Iterator[str]:
    for document in read_documents(path, tree.read(path)).documents:
        releases = document.mapping.get("releases")
        for release in releases if isinstance(releases, list) else ():
            yield from (_beside(path, value) for value in _files(mapping(release)))


def _files(release: Any) -> Iterator[str]:
    values = release.get("values")
    yield from (value for value in (values if isinstance(values, list) else ()) if isinstance(value, str))


def _beside(path: str, value: str) -> str:
    return clean_path(posixpath.join(posixpath.dirname(path), value))

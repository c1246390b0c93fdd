"""The habits of the YAML files near a directory, so that new files look like the old ones.

Nearest files count first: the directory itself, then each one above it, until enough were seen.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType

from flux_handover.documents import Document, read_documents
from flux_handover.emit import Style, kind_and_group
from flux_handover.layout import list_indents
from flux_handover.objects import listed
from flux_handover.spans import root_of
from flux_handover.tree import Tree, clean_path

ENOUGH_FILES = 40
LARGEST_SAMPLE = 64 * 1024

_SCHEMA = re.compile(r"^# *yaml-language-server: *\$schema=\S+", re.MULTILINE)
_START = re.compile(r"\A\ufeff?(?:[ \t]*#[^\n]*\n|\s*\n)*---(?:\s|\Z)")
_LISTED = ("resources", "components")


@dataclass(frozen=True, slots=True)
class _Sample:
    """One YAML file near the directory, with its documents."""

    path: str
    text: str
    documents: tuple[Document, ...]


def learn_style(tree: Tree, near: str) -> Style:
    """How the files nearest to a directory are written; where they say nothing, the usual way."""
    samples = list(_samples(tree, clean_path(near)))
    usual = Style()
    if not samples:
        return usual
    return Style(
        document_start=_majority((bool(_START.match(sample.text)) for sample in samples), usual.document_start),
        indented_lists=_majority(_list_indents(samples), usual.indented_lists),
        dot_slash=_majority(_dots(samples), usual.dot_slash),
        sorted_resources=_majority(_sortings(samples), usual.sorted_resources),
        extension=Counter(_extension(sample.path) for sample in samples).most_common(1)[0][0],
        schemas=MappingProxyType(_most_common(_schemas(samples))),
        file_names=MappingProxyType(_most_common(_file_names(samples))),
    )


def _samples(tree: Tree, directory: str) -> Iterator[_Sample]:
    paths = islice(_paths(tree, directory), ENOUGH_FILES)
    return filter(None, (_sample(tree, path) for path in paths))


def _paths(tree: Tree, directory: str) -> Iterator[str]:
    """The YAML files of the tree, nearest first."""
    seen: set[str] = set()
    while True:
        fresh = (path for path in tree.below(directory) if path not in seen)
        yield from filter(_extension, fresh)
        seen.update(tree.below(directory))
        if not directory:
            return
        directory = posixpath.dirname(directory)


def _sample(tree: Tree, path: str) -> _Sample | None:
    content = tree.files[path].plain
    if content is None or len(content) > LARGEST_SAMPLE:
        return None
    found = read_documents(path, content)
    if found.problems or not found.documents:
        return None
    return _Sample(path, content.decode("utf-8"), found.documents)


def _extension(path: str) -> str:
    extension = posixpath.splitext(path)[1].removeprefix(".")
    return extension if extension in ("yaml", "yml") else ""


def _majority(votes: Iterable[bool], usual: bool) -> bool:
    counts = Counter(votes)
    return usual if counts[True] == counts[False] else counts[True] > counts[False]


def _list_indents(samples: Iterable[_Sample]) -> Iterator[bool]:
    for sample in samples:
        for document in sample.documents:
            yield from list_indents(document.source, root_of(document.source))


def _listed_paths(samples: Iterable[_Sample]) -> Iterator[list[str]]:
    for sample in samples:
        for document in sample.documents:
            for key in _LISTED:
                yield list(filter(_is_local, listed(document.mapping.get(key))))


def _is_local(path: object) -> bool:
    return isinstance(path, str) and "://" not in path


def _dots(samples: Iterable[_Sample]) -> Iterator[bool]:
    for paths in _listed_paths(samples):
        yield from (path.startswith("./") for path in paths if not path.startswith("../"))


def _sortings(samples: Iterable[_Sample]) -> Iterator[bool]:
    for paths in _listed_paths(samples):
        if len(paths) > 2:
            bare = [path.removeprefix("./") for path in paths]
            yield bare == sorted(bare)


def _schemas(samples: Iterable[_Sample]) -> Iterator[tuple[str, str]]:
    for sample in samples:
        for document in sample.documents:
            comment = _SCHEMA.search(document.source)
            yield kind_and_group(document.content), comment.group() if comment else ""


def _file_names(samples: Iterable[_Sample]) -> Iterator[tuple[str, str]]:
    for sample in samples:
        for kind in {kind_and_group(document.content) for document in sample.documents}:
            yield kind, posixpath.basename(sample.path)


def _most_common(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    counts: dict[str, Counter[str]] = {}
    for kind, value in pairs:
        counts.setdefault(kind, Counter())[value] += 1
    winners = {kind: counter.most_common(1)[0][0] for kind, counter in sorted(counts.items())}
    return {kind: value for kind, value in winners.items() if kind and value}

"""Files of a tree as bytes, documents and lines: only those that hold the words looked for are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from flux_handover.documents import Document, read_documents
from flux_handover.findings import Location
from flux_handover.tree import Tree

YAML = (".yaml", ".yml", ".gotmpl")
TEXT_LIMIT = 256 * 1024


def bytes_of(tree: Tree, path: str) -> bytes:
    """The bytes of a file; none where it is absent or was not read."""
    file = tree.files.get(path)
    return (file.content or b"") if file is not None else b""


def decoded(tree: Tree, path: str) -> str:
    """The text of a file, with a sign for every byte that is none; empty where it is absent or was not read."""
    return bytes_of(tree, path).decode(errors="replace")


def files_with(tree: Tree, paths: Iterable[str], *words: bytes) -> Iterator[tuple[str, bytes]]:
    """The files among paths that contain every word, in order."""
    for path in paths:
        content = bytes_of(tree, path)
        if content and all(word in content for word in words):
            yield path, content


def documents_with(tree: Tree, paths: Iterable[str], *words: bytes) -> Iterator[Document]:
    """The documents of the YAML files among paths that contain every word."""
    named = (path for path in paths if path.endswith(YAML))
    for path, content in files_with(tree, named, *words):
        yield from read_documents(path, content).documents


def matches(
    tree: Tree, paths: Iterable[str], pattern: re.Pattern[str], *words: bytes
) -> Iterator[tuple[Location, re.Match[str]]]:
    """Every match of a pattern in text files of moderate size, with its line."""
    for path, content in files_with(tree, paths, *words):
        text = content.decode(errors="replace") if len(content) <= TEXT_LIMIT else ""
        for match in pattern.finditer(text):
            yield Location(path, text.count("\n", 0, match.start()) + 1), match

"""The YAML documents of a file, read as kustomize reads them, with the line of every field.

Repositories are untrusted: whatever a file holds, the answer is documents and problems, never
an exception, a crash of the C parser or a wait. Each document is parsed alone, so that one that
cannot be read does not hide the others; kustomize splits a file the same way
(`sigs.k8s.io/kustomize/kyaml:kio/byteio_reader.go@v0.21.1`, splitDocuments), but refuses the
whole file where one document is bad, so a caller that builds must look at `problems` too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from flux_handover.content import Refused, content_of
from flux_handover.layout import next_line
from flux_handover.spans import Node, find_nearest, root_of

MAX_BYTES = 4 * 1024 * 1024

_SPLIT = re.compile(r"^(---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)
_PREAMBLE = re.compile(r"(?:[ \t]*(?:#[^\n]*|\r)?(?:\n|\Z)|%[^\n]*(?:\n|\Z))*\Z")
_TEMPLATE = re.compile(r"\{\{|\{%")


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """Why a document, or a whole file, could not be read."""

    file: str
    line: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document; `index` counts the documents of its file that are not empty.

    `content` is never to be changed: aliases make parts of it the same value. Neither it nor the
    source is printed, since a document may be a Secret.
    """

    path: str
    index: int
    line: int
    content: Any = field(repr=False)
    source: str = field(repr=False, compare=False)
    first_line: int = field(default=1, repr=False)
    lines_advance: int = field(default=1, repr=False)

    @property
    def mapping(self) -> Mapping[str, Any]:
        """The content if it is a mapping, else an empty one."""
        return self.content if isinstance(self.content, dict) else {}

    def line_of(self, *path: str | int) -> int:
        """The line of a field or list element, or of the nearest part of the path that exists."""
        return self._line_at(find_nearest(_root(self.source), path).start)

    def embedded(self, *path: str | int) -> Documents:
        """The YAML inside a string, such as a patch; its lines are lines of this file.

        In a literal block (`|`) each line is exact; in other styles all are the line of the string.
        """
        text = value_at(self.content, path)
        if not isinstance(text, str):
            return Documents((), ())
        node = find_nearest(_root(self.source), path).value
        if node.style == "|":
            return _read(self.path, text, self._line_at(node.start) + self.lines_advance, self.lines_advance)
        return _read(self.path, text, self._line_at(node.start), 0)

    def _line_at(self, index: int) -> int:
        return self.first_line + self.lines_advance * self.source.count("\n", 0, index)


@dataclass(frozen=True, slots=True)
class Documents:
    """What could be read of a file, and what could not."""

    documents: tuple[Document, ...]
    problems: tuple[YamlProblem, ...]


@lru_cache(maxsize=4096)
def read_documents(path: str, content: bytes) -> Documents:
    """All YAML documents of a file that are not empty, in order, with what prevented reading others.

    Remembered: most files are asked for by several readers, and are the same in the next revision.
    """
    if len(content) > MAX_BYTES:
        message = f"the file has {len(content)} bytes, more than the {MAX_BYTES} that are read"
        return Documents((), (YamlProblem(path, 1, message, "split it, or keep it out of the Flux directories"),))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Documents((), (YamlProblem(path, line, "the file is not UTF-8", "save it as UTF-8"),))
    return _read(path, text, 1, 1)


def value_at(content: Any, path: tuple[str | int, ...]) -> Any:
    """The value under a path of keys and list indexes, or None where the path ends early."""
    for part in path:
        if not _has(content, part):
            return None
        content = content[part]
    return content


def split_documents(text: str) -> Iterator[tuple[int, str]]:
    """The text of each document with its offset; joined they are the whole text.

    `---` begins a document and `...` ends one; neither can stand at the start of a line inside a
    scalar. Comments and directives before `---` belong to the document that it begins.
    """
    start = 0
    for mark in _SPLIT.finditer(text):
        boundary = mark.start()
        if mark.group() == "...":
            boundary = next_line(text, mark.end())
        elif _PREAMBLE.match(text, start, boundary):
            continue
        yield start, text[start:boundary]
        start = boundary
    if start < len(text):
        yield start, text[start:]


def _has(content: Any, part: str | int) -> bool:
    if isinstance(content, list):
        return isinstance(part, int) and -len(content) <= part < len(content)
    return isinstance(content, dict) and part in content


def _read(path: str, text: str, first_line: int, lines_advance: int) -> Documents:
    documents: list[Document] = []
    problems: list[YamlProblem] = []
    index, line, seen = 0, first_line, 0
    for offset, source in split_documents(text):
        line += lines_advance * text.count("\n", seen, offset)
        seen = offset
        try:
            start, content = content_of(source)
        except Refused as refused:
            problems.extend(_problems(path, source, line, lines_advance, refused))
            index += 1
            continue
        if content is None:
            continue
        begin = line + lines_advance * source.count("\n", 0, start)
        documents.append(Document(path, index, begin, content, source, line, lines_advance))
        index += 1
    return Documents(tuple(documents), tuple(problems))


def _problems(path: str, source: str, line: int, lines_advance: int, refused: Refused) -> Iterator[YamlProblem]:
    hint = refused.hint
    if not hint and _TEMPLATE.search(source):
        hint = "this looks like a template; render it, or keep it out of the Flux directories"
    for offset, message in refused.places:
        yield YamlProblem(path, line + lines_advance * source.count("\n", 0, offset), message, hint)


@lru_cache(maxsize=128)
def _root(source: str) -> Node:
    return root_of(source)

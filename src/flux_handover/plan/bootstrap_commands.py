"""Commands that runners, scripts and runbooks hold, with the files of the repository that each one names.

Nothing is executed and no template is rendered: a variable that is written in the repository is put
in, any other stands for one unknown part of a path. A path that is named so is found by what it ends in.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from flux_handover.findings import Location
from flux_handover.model.references_text import MAX_BYTES, sort_of
from flux_handover.model.settings_texts import bytes_of
from flux_handover.objects import mapping
from flux_handover.plan.listings import documents_of
from flux_handover.tree import FileKind, Tree, clean_path

UNKNOWN = "\x00"
"""Stands for what a variable may be that is not written in the repository."""

_TOOLS = re.compile(rb"kubectl|helmfile|flux bootstrap|flux install|helm (?:upgrade|install)|kubernetes\.core\.k8s")
_RUNS = re.compile(r"\b(?:kubectl|helmfile|flux|helm)\b")
_SORTS = ("task runner", "script", "documentation")
_ROOTS = {"ROOT_DIR", "justfile_dir()", "justfile_directory()", "CURDIR", "PWD", "REPO_ROOT", "GIT_ROOT"}
_HOLE = re.compile(r"\{\{-?\s*\.?([\w()]+)\s*-?\}\}|\{\{[^{}]*\}\}|\$\{(\w+)[^{}]*\}|\$\((\w+)\)|\$\([^()]*\)|\$(\w+)")
_ASSIGNED = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*(?::=|\?=|=)\s*(.+?)\s*$", re.MULTILINE)
_JUST_TEXT = re.compile(r"(justfile_dir(?:ectory)?\(\))?\s*[+/]?\s*['\"]([^'\"]*)['\"]")
_LISTED = re.compile(r"\bls\s+(\S+)")
_WORD = re.compile(r"[^\s'\"=|;<>()`,]+")
_AFTER_FLAG = re.compile(r"(?:\s-[kf]|--kustomize|--file(?:name)?|\bfind)[=\s]+[\"']?([\w-]+)(?=[\"'\s]|\Z)")
_FENCE = re.compile(r"^\s*```")
_LIMIT = 5


@dataclass(frozen=True, slots=True)
class Command:
    """One command, its continued lines joined; `paths` are the files and directories that it names.

    `chosen` says which part of a path a variable decides, where one command serves several clusters.
    """

    where: Location
    last: int
    text: str
    paths: tuple[str, ...]
    chosen: tuple[tuple[str, int], ...] = ()

    def within(self, root: str) -> Command:
        """The command without paths that are another cluster's: a variable decides otherwise there."""
        foreign = {path for path, part in self.chosen if _leaves(path, root, part)}
        return replace(self, paths=tuple(path for path in self.paths if path not in foreign))


def _leaves(path: str, root: str, part: int) -> bool:
    parts, wanted = path.split("/"), root.split("/")
    return len(wanted) > part and parts[:part] == wanted[:part] and parts[part] != wanted[part]


def commands(tree: Tree, live: frozenset[str] = frozenset()) -> tuple[Command, ...]:
    """Every command that works on a cluster, outside of the files that Flux reads, in order."""
    runners = tuple(path for path in tree if path not in live and _is_runner(path, tree))
    everywhere = _variables_of(tree, _variable_files(tree))
    places = _Places(tree)
    return tuple(command for path in runners for command in _commands(path, tree, everywhere, places))


def text_of(tree: Tree, path: str) -> str:
    """The text of a file; empty where it is absent or no text."""
    file = tree.files.get(path)
    content = file.content if file is not None and file.kind is FileKind.FILE else None
    if content is None or len(content) > MAX_BYTES or b"\0" in content:
        return ""
    return content.decode(errors="replace")


def _is_runner(path: str, tree: Tree) -> bool:
    if not _TOOLS.search(bytes_of(tree, path)):
        return False
    match sort_of(path):
        case "documentation":
            return not any(part.startswith(".") for part in path.split("/"))
        case "other":
            return path.endswith((".yaml", ".yml"))
        case sort:
            return sort in _SORTS


def _variable_files(tree: Tree) -> tuple[str, ...]:
    return tuple(path for path in tree if sort_of(path) == "task runner")


def _commands(path: str, tree: Tree, everywhere: Mapping[str, str], places: _Places) -> Iterator[Command]:
    text = text_of(tree, path)
    variables = {**everywhere, **_variables(path, tree)}
    here = _directories(path, text, variables)
    for first, last, line in _logical_lines(path, text):
        if _RUNS.search(line):
            loop = _loop(text, first, variables)
            known = {**variables, "ITEM": loop} if loop else variables
            found = places.named(line, known, here)
            chosen = tuple((path, part) for path, part in found.items() if part >= 0)
            yield Command(Location(path, first), last, line.strip(), tuple(found), chosen)


def _logical_lines(path: str, text: str) -> Iterator[tuple[int, int, str]]:
    """Lines with their continuations joined, as (first line, last line, text)."""
    first, gathered = 0, ""
    for number, line in _code_lines(path, text):
        first = first or number
        gathered = f"{gathered} {line.strip()}" if gathered else line
        if line.endswith("\\"):
            gathered = gathered.removesuffix("\\")
        else:
            yield first, number, gathered
            first, gathered = 0, ""


def _code_lines(path: str, text: str) -> Iterator[tuple[int, str]]:
    """Lines that are no comment, with their numbers; of a document only its code."""
    numbered = enumerate(text.splitlines(), start=1)
    code = _code_of_document(numbered) if sort_of(path) == "documentation" else numbered
    return ((number, line) for number, line in code if not line.lstrip().startswith(("#", "//")))


def _code_of_document(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines between fences, and those that are indented."""
    fenced = False
    for number, line in lines:
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield number, line


def _variables_of(tree: Tree, paths: tuple[str, ...]) -> dict[str, str]:
    """Names that all runners give the same value to."""
    found: dict[str, set[str]] = {}
    for path in paths:
        for name, value in _variables(path, tree).items():
            found.setdefault(name, set()).add(value)
    return {name: values.pop() for name, values in found.items() if len(values) == 1}


def _variables(path: str, tree: Tree) -> Mapping[str, str]:
    """What a file gives names to: the variables of a Taskfile, or the assignments of any other runner."""
    if path.endswith((".yaml", ".yml")) and (documents := documents_of(tree, path)):
        return dict(chain.from_iterable(_task_variables(document.mapping) for document in documents))
    return {match[1]: _plain(match[2]) for match in _ASSIGNED.finditer(text_of(tree, path))}


def _task_variables(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Of the file first, so that a task's own do not hide them where both exist."""
    for task in mapping(content.get("tasks")).values():
        yield from _task_variables(mapping(task))
    for field in ("env", "vars"):
        for name, value in mapping(content.get(field)).items():
            stated = _stated(value)
            if stated is not None:
                yield name, stated


def _stated(value: Any) -> str | None:
    """The text of a variable, or the pattern of files that its command lists."""
    if isinstance(value, str):
        return value
    listed = _LISTED.search(str(mapping(value).get("sh")))
    return listed[1] if listed else None


def _plain(value: str) -> str:
    just = _JUST_TEXT.fullmatch(value)
    if just is not None:
        return ("{{ROOT_DIR}}" if just[1] else "") + just[2]
    return value.strip("'\"")


def _loop(text: str, line: int, variables: Mapping[str, str]) -> str:
    """What `{{.ITEM}}` stands for in a Taskfile's loop, where it is a pattern of files."""
    around = "\n".join(text.splitlines()[max(0, line - 3) : line])
    match = re.search(r"for:\s*\{\s*var:\s*(\w+)", around)
    return variables.get(match[1], "") if match else ""


def _directories(path: str, text: str, variables: Mapping[str, str]) -> tuple[str, ...]:
    """Where relative paths of a runner may begin: the top, its own directory, and its `dir:`."""
    stated = [filled(match[1].strip("'\""), variables) for match in re.finditer(r"^\s*dir:\s*(\S+)$", text, re.M)]
    plain = [directory.lstrip("/") for directory in stated if UNKNOWN not in directory]
    return ("", posixpath.dirname(path), *plain)


def filled(text: str, variables: Mapping[str, str], depth: int = 0) -> str:
    """The text with known variables put in, and `UNKNOWN` for each other one; the top is empty."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2] or match[3] or match[4] or ""
        if name in _ROOTS:
            return ""
        known = variables.get(name)
        if known is None or depth >= _LIMIT or f".{name}" in known:
            return UNKNOWN
        return filled(known, variables, depth + 1)

    return _HOLE.sub(value, text)


class _Places:
    """The files and directories of a tree, to be found by a path with holes."""

    def __init__(self, tree: Tree) -> None:
        files = tuple(tree)
        self.known = frozenset(files) | {parent for file in files for parent in _parents(file)}
        self.seen: dict[str, tuple[str, ...]] = {}

    def named(self, line: str, variables: Mapping[str, str], here: tuple[str, ...]) -> dict[str, int]:
        """The paths that the words of a command name, each with the part that a variable decides, or -1."""
        text = filled(line, variables)
        plain = [f"{word}/" for word in _AFTER_FLAG.findall(text)]
        words = map(_normal, filter(_may_be_path, [*_WORD.findall(text), *plain]))
        return {path: _open_part(word) for word in words for path in self._matching(word, here)}

    def _matching(self, word: str, here: tuple[str, ...]) -> tuple[str, ...]:
        if UNKNOWN in word or "*" in word:
            return self._fitting(word)
        joined = (clean_path(posixpath.join(directory, word.lstrip("/"))) for directory in here)
        return tuple(dict.fromkeys(path for path in joined if path in self.known))

    def _fitting(self, word: str) -> tuple[str, ...]:
        if word not in self.seen:
            pattern = _pattern(word)
            self.seen[word] = tuple(sorted(path for path in self.known if pattern.fullmatch(path))) if pattern else ()
        return self.seen[word]


def _normal(word: str) -> str:
    """The word without `x/..`; what lies above an unknown directory is as unknown."""
    if word.startswith(f"{UNKNOWN}/"):
        return f"{UNKNOWN}/" + re.sub(r"\A(?:\.\./)+", "", posixpath.normpath(word[2:]))
    return word


def _open_part(word: str) -> int:
    parts = clean_path(word).split("/") if not word.startswith(UNKNOWN) else []
    return next((number for number, part in enumerate(parts) if UNKNOWN in part), -1)


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _may_be_path(word: str) -> bool:
    return "://" not in word and ("/" in word or "." in word.strip("."))


def _pattern(word: str) -> re.Pattern[str] | None:
    """A path whose first part may be any directory, and whose other holes are one part each."""
    if len(re.sub(r"[\x00*/.]", "", word)) < 3:
        return None
    if word.startswith(UNKNOWN):
        return re.compile("(?:.+/)?" + _with_holes(word.removeprefix(UNKNOWN).strip("/")))
    return re.compile(_with_holes(posixpath.normpath(word.strip("/"))))


def _with_holes(path: str) -> str:
    return re.escape(path).replace(re.escape(UNKNOWN), "[^/]*").replace(r"\*", "[^/]*")

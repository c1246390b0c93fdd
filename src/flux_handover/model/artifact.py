"""The files a Kustomization can see: a source's artifact, not the Git tree (rules.md R6).

source-controller leaves out links, submodules and whatever `.sourceignore` files and
`spec.ignore` exclude. The last pattern that matches decides, each file on its own, so
`/*` followed by `!/apps` keeps everything below `apps`
(`fluxcd/source-controller:internal/controller/gitrepository_controller.go@v1.9.6`,
`fluxcd/pkg:sourceignore/sourceignore.go`, `go-git/go-git:plumbing/format/gitignore/pattern.go@v5`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType

from flux_handover.tree import FileKind, Tree

IGNORE_FILE = ".sourceignore"
VCS_PATTERNS = (".git/", ".gitignore", ".gitmodules", ".gitattributes")
DEFAULT_PATTERNS = (
    *("*.jpg", "*.jpeg", "*.gif", "*.png", "*.wmv", "*.flv", "*.tar.gz", "*.zip"),
    *(".github/", ".circleci/", ".travis.yml", ".gitlab-ci.yml", "appveyor.yml", ".drone.yml"),
    *("cloudbuild.yaml", "codeship-services.yml", "codeship-steps.yml"),
    *("**/.goreleaser.yml", "**/.sops.yaml", "**/.flux.yaml"),
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One ignore line: the directory it is scoped to, its parts, and what a match means."""

    domain: tuple[str, ...]
    parts: tuple[str, ...]
    includes: bool
    only_directories: bool
    anchored: bool

    def matches(self, path: tuple[str, ...]) -> bool:
        """Whether this line speaks of the file `path`, directly or through a directory above it."""
        if len(path) <= len(self.domain) or path[: len(self.domain)] != self.domain:
            return False
        rest = path[len(self.domain) :]
        return self._matches_glob(rest) if self.anchored else self._matches_name(rest)

    def _matches_name(self, path: tuple[str, ...]) -> bool:
        hits = [i for i, name in enumerate(path) if _wildcard(self.parts[0]).fullmatch(name)]
        return bool(hits) and not (self.only_directories and hits[0] == len(path) - 1)

    def _matches_glob(self, path: tuple[str, ...]) -> bool:
        rest, matched, traverse = path, False, False
        for position, part in enumerate(self.parts):
            if part == "":
                traverse = False
            elif part == "**":
                if position == len(self.parts) - 1:
                    break
                traverse = True
            elif "**" in part or not rest:
                return False
            else:
                consumed = _consume(part, rest, traverse)
                if consumed is None:
                    return False
                rest, traverse = rest[consumed:], False
                matched = bool(rest) or position == len(self.parts) - 1
        return matched and not (self.only_directories and not rest)


def _consume(part: str, path: tuple[str, ...], traverse: bool) -> int | None:
    """How many path components `part` takes up; with `**` before it, it may stand at any depth."""
    reach = path if traverse else path[:1]
    return next((i + 1 for i, name in enumerate(reach) if _wildcard(part).fullmatch(name)), None)


@lru_cache(maxsize=4096)
def _wildcard(part: str) -> re.Pattern[str]:
    """Go's `filepath.Match` as a regular expression; no `/` can occur in a component."""
    out, position = "", 0
    while position < len(part):
        char = part[position]
        end = part.find("]", position + 1) if char == "[" else -1
        if end > 0:
            out += part[position : end + 1]
            position = end
        elif char == "\\" and position + 1 < len(part):
            position += 1
            out += re.escape(part[position])
        else:
            out += {"*": ".*", "?": "."}.get(char, re.escape(char))
        position += 1
    return re.compile(out, re.DOTALL)


def parse_patterns(lines: Iterable[str], domain: Sequence[str] = ()) -> tuple[Pattern, ...]:
    """The patterns of an ignore file; comments and blank lines are no patterns."""
    kept = (line.rstrip("\r\n") for line in lines)
    return tuple(_parse(line, tuple(domain)) for line in kept if line.strip() and not line.startswith("#"))


def _parse(line: str, domain: tuple[str, ...]) -> Pattern:
    includes, body = line.startswith("!"), line.removeprefix("!")
    body = body if body.endswith("\\ ") else body.rstrip(" ")
    only_directories, body = body.endswith("/"), body.removesuffix("/")
    return Pattern(domain, tuple(body.split("/")), includes, only_directories, "/" in body)


def artifact(tree: Tree, ignore: str = "", *, keeps_links: bool = False) -> Tree:
    """The part of `tree` that a Git source with this `spec.ignore` packs.

    `keeps_links` is for sources whose artifact another program packed.
    """
    ignores = _ignorer(_all_patterns(tree, ignore))
    kinds = (FileKind.FILE, FileKind.LINK) if keeps_links else (FileKind.FILE,)
    kept = {path: file for path, file in tree.files.items() if file.kind in kinds and not ignores(path)}
    return Tree(MappingProxyType(kept))


def is_ignored(path: tuple[str, ...], patterns: Sequence[Pattern]) -> bool:
    """Whether the last pattern that matches excludes the file."""
    return _decided(path, reversed(patterns))


def _decided(path: tuple[str, ...], last_first: Iterable[Pattern]) -> bool:
    found = next((pattern for pattern in last_first if pattern.matches(path)), None)
    return found is not None and not found.includes


@lru_cache(maxsize=32)
def _ignorer(patterns: tuple[Pattern, ...]) -> Callable[[str], bool]:
    """`is_ignored` for many files: patterns that are one name are looked up by the names in a path."""
    general = [i for i, pattern in enumerate(patterns) if pattern.anchored]
    named = [i for i, pattern in enumerate(patterns) if not pattern.anchored]

    @cache
    def of_name(name: str) -> tuple[int, ...]:
        return tuple(i for i in named if _wildcard(patterns[i].parts[0]).fullmatch(name))

    @cache
    def ignores(path: str) -> bool:
        parts = tuple(path.split("/"))
        candidates = {*general, *(i for name in parts for i in of_name(name))}
        return _decided(parts, (patterns[i] for i in sorted(candidates, reverse=True)))

    return ignores


def _all_patterns(tree: Tree, ignore: str) -> tuple[Pattern, ...]:
    files = sorted((p for p in tree.files if p.rpartition("/")[2] == IGNORE_FILE), key=lambda p: p.count("/"))
    nested = (pattern for path in files for pattern in _file_patterns(tree, path))
    return (
        *parse_patterns(VCS_PATTERNS),
        *parse_patterns(DEFAULT_PATTERNS),
        *nested,
        *parse_patterns(ignore.splitlines()),
    )


def _file_patterns(tree: Tree, path: str) -> tuple[Pattern, ...]:
    content = tree.files[path].content or b""
    domain = tuple(path.split("/")[:-1])
    return parse_patterns(content.decode(errors="replace").splitlines(), domain)

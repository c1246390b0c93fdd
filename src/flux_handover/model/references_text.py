"""Files that Flux does not apply and that name what goes away: workflows, task files, scripts, docs, templates.

They are text to us: a name or a path is looked for as a whole word. What is found is for a person
to read, so each mention says how sure it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from flux_handover.model.settings_stack import FILE_NAMES
from flux_handover.objects import ObjectId
from flux_handover.tree import File, Tree

MAX_BYTES = 512 * 1024
MAX_TEXT = 200

_SECRET = re.compile(r"(?i)(token|password|passwd|secret|api_?key|private_?key)[\"']?\s*[:=]\s*[\"']?[^\s\"'${]{6,}")
_WORDS = {
    "Kustomization": "kustomizations?|ks",
    "HelmRelease": "helmreleases?|hr",
    "OCIRepository": r"ocirepositor(?:y|ies)|source oci",
    "GitRepository": r"gitrepositor(?:y|ies)|source git",
    "HelmRepository": r"helmrepositor(?:y|ies)|source helm",
    "Bucket": "buckets?|source bucket",
}
_SORTS = (
    (
        "workflow",
        re.compile(r"(^|/)\.(github|gitea|forgejo|woodpecker|circleci)/|(^|/)\.gitlab-ci\.ya?ml$|Jenkinsfile$"),
    ),
    ("update bot", re.compile(r"(^|/)\.?renovate[^/]*(\.json5?|/)|(^|/)dependabot\.ya?ml$")),
    (
        "task runner",
        re.compile(
            r"(?i)(^|/)(\.?taskfiles?(/|\.ya?ml$)|taskfile[^/]*$|\.?justfile$|[^/]*\.just$|makefile$|[^/]*\.mk$)"
        ),
    ),
    ("helmfile", re.compile(r"(^|/)helmfile[^/]*(\.ya?ml(\.gotmpl)?$|/)")),
    ("template", re.compile(r"\.(j2|jinja2?|tmpl|gotmpl|tpl)$")),
    ("script", re.compile(r"\.(sh|bash|zsh|fish|py|ps1|nu|nix)$")),
    ("documentation", re.compile(r"(?i)\.(md|mdx|rst|adoc|txt)$")),
    ("infrastructure", re.compile(r"\.(tf|tofu|bicep|hcl)$")),
)


class Confidence(Enum):
    """How sure it is that a line means what goes away."""

    CERTAIN = "certain"
    PROBABLE = "probable"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Mention:
    """One line that names something; `what` is the name or path, `sort` the kind of file it is in.

    `text` is the line, or empty where it may hold a secret.
    """

    file: str
    line: int
    text: str
    what: str
    sort: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class _Search:
    what: str
    needle: str
    pattern: re.Pattern[str]
    confidence: Confidence


def mentions(
    tree: Tree, ids: Iterable[ObjectId], paths: Iterable[str], words: Iterable[str] = (), live: Iterable[str] = ()
) -> tuple[Mention, ...]:
    """Lines outside of the `live` files that name one of the objects, paths or words; the surest for each line."""
    left_out = frozenset((*live, *paths))
    searches = tuple(_searches(tuple(ids), tuple(paths), tuple(words)))
    found: list[Mention] = []
    for path in tree:
        file = tree.files[path]
        if path not in left_out and _is_text(file):
            found += _in_file(path, (file.content or b"").decode(errors="replace"), searches)
    return tuple(sorted(found, key=lambda m: (m.file, m.line, m.what)))


def sort_of(path: str) -> str:
    """What kind of file a path is, for a person; `other` where nothing says so."""
    return next((name for name, pattern in _SORTS if pattern.search(path)), "other")


def _is_text(file: File) -> bool:
    content = file.plain
    return content is not None and len(content) <= MAX_BYTES and b"\0" not in content[:4096]


def _shown(line: str) -> str:
    """The line for a message; nothing of one that may hold a secret."""
    return "" if _SECRET.search(line) else line.strip()[:MAX_TEXT]


def _in_file(path: str, text: str, searches: tuple[_Search, ...]) -> Iterator[Mention]:
    wanted = [search for search in searches if search.needle in text]
    for number, line in enumerate(text.splitlines() if wanted else (), start=1):
        for search in _hits(line, wanted):
            yield Mention(path, number, _shown(line), search.what, sort_of(path), search.confidence)


def _hits(line: str, wanted: list[_Search]) -> tuple[_Search, ...]:
    """The searches that a line satisfies; of those for the same thing the first, which is the surest."""
    found = [search for search in wanted if search.needle in line and search.pattern.search(line)]
    return tuple({search.what: search for search in reversed(found)}.values())


def _searches(ids: tuple[ObjectId, ...], paths: tuple[str, ...], words: tuple[str, ...]) -> Iterator[_Search]:
    for word in words:
        yield _Search(word, word, _whole(word), Confidence.CERTAIN)
    for path in paths:
        yield from _for_file(path)
    for id in ids:
        yield from _for_object(id)


def _for_file(path: str) -> Iterator[_Search]:
    """By its path; kubectl and Flux name the directory where they mean its kustomization.yaml."""
    yield from _for_path(path, path)
    directory, _, name = path.rpartition("/")
    if name in FILE_NAMES and directory:
        yield from _for_path(path, directory)


def _for_object(id: ObjectId) -> Iterator[_Search]:
    """A name after its kind is certain; alone it is probable where it is hardly a word of the language."""
    kind = _WORDS.get(id.kind, re.escape(id.kind))
    separator = r"(?:[\s/=:\"']|--?\w+[ =]\S+)+"
    after_kind = re.compile(rf"(?i)\b(?:{kind}){separator}{re.escape(id.name)}(?![\w.-])")
    yield _Search(str(id), id.name, after_kind, Confidence.CERTAIN)
    if "-" in id.name and len(id.name) >= 8 and id.name != id.namespace:
        yield _Search(str(id), id.name, _whole(id.name), Confidence.PROBABLE)
    else:
        named = re.compile(rf"\bname:\s*[\"']?{re.escape(id.name)}[\"']?\s*(?:#.*)?$")
        yield _Search(str(id), id.name, named, Confidence.POSSIBLE)


def _for_path(what: str, path: str) -> Iterator[_Search]:
    """A whole path is certain; its end behind a variable or another directory is probable."""
    whole = re.compile(rf"(?<![\w.-])(?<![\w.-]/)(?:\./)?{re.escape(path)}(?![\w.-])")
    yield _Search(what, path, whole, Confidence.CERTAIN)
    parts = path.split("/")
    for length in range(len(parts) - 1, 1, -1):
        tail = "/".join(parts[-length:])
        pattern = re.compile(rf"(?:\}}|\)|\$\w+|\.\.|[\"'])/?{re.escape(tail)}(?![\w.-])")
        yield _Search(what, tail, pattern, Confidence.PROBABLE)


def _whole(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(word)}(?![\w-])")

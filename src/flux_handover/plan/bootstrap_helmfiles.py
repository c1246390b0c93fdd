"""Helmfiles by content: their releases, and whether each one can be rendered from the files that are there."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any

from flux_handover.findings import Location
from flux_handover.model.settings_texts import bytes_of, decoded
from flux_handover.objects import listed, mapping, mappings, text_at, texts
from flux_handover.plan.dictated import Dictated
from flux_handover.plan.listings import documents_of
from flux_handover.tree import Tree, clean_path

_EXTENSIONS = (".yaml", ".yml", ".yaml.gotmpl", ".yml.gotmpl")
_RELEASES = re.compile(rb"^releases:", re.MULTILINE)
_VARIABLE = re.compile(r"\$\{[A-Za-z_]")
_HOLE = re.compile(r"\{\{|\$\{|\$\(")
_READS = re.compile(
    r'readFile\s+\(\s*printf\s+"(?P<nested>[^"]+)"(?P<inside>(?:\s+\.Release\.(?:Namespace|Name))+)\s*\)'
    r'|printf\s+"(?P<piped>[^"]+)"(?P<through>(?:\s+\.Release\.(?:Namespace|Name))+)\s*\|\s*readFile'
    r'|readFile\s+"(?P<plain>[^"]+)"'
)
_PART = re.compile(r"\.Release\.(Namespace|Name)")
_FLAG = re.compile(r"^--?(?:filename|f|kustomize|k)(?:=|$)")
_LOCAL = re.compile(r"(?!-\Z)(?!.*://).+", re.DOTALL)
"""A path: neither standard input nor an address."""


@dataclass(frozen=True, slots=True)
class HelmfileRelease:
    """One release of a Helmfile; `sets` are values given beside the files, by their paths.

    `position` is (document, index in its `releases`).
    """

    name: str
    namespace: str
    chart: str
    version: str
    values: tuple[str, ...]
    hooks: tuple[Mapping[str, Any], ...]
    needs: tuple[str, ...]
    sets: tuple[str, ...]
    where: Location
    position: tuple[int, int]

    @property
    def chart_name(self) -> str:
        """The last part of the chart's address."""
        return self.chart.rstrip("/").rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Helmfile:
    """One Helmfile that could be read as YAML."""

    path: str
    releases: tuple[HelmfileRelease, ...]
    defaults: Mapping[str, Any]

    @property
    def only_extracts(self) -> bool:
        """Whether it renders for something else than installing, as one that filters out CRDs does."""
        return "postRenderer" in self.defaults


def helmfiles(tree: Tree) -> tuple[Helmfile, ...]:
    """Every Helmfile of a tree, by path."""
    return tuple(_helmfile(path, tree) for path in tree if _is_helmfile(path, tree))


def all_releases(tree: Tree) -> Iterator[HelmfileRelease]:
    """The releases of every Helmfile."""
    for helmfile in helmfiles(tree):
        yield from helmfile.releases


def installed_releases(tree: Tree) -> Iterator[HelmfileRelease]:
    """The releases of every Helmfile that installs them."""
    for helmfile in helmfiles(tree):
        if not helmfile.only_extracts:
            yield from helmfile.releases


def _is_helmfile(path: str, tree: Tree) -> bool:
    if not path.endswith(_EXTENSIONS) or not _RELEASES.search(bytes_of(tree, path)):
        return False
    return any("chart" in release for _, _, release in _written(path, tree))


def _written(path: str, tree: Tree) -> Iterator[tuple[int, int, Mapping[str, Any]]]:
    for document in documents_of(tree, path):
        for index, release in enumerate(listed(document.mapping.get("releases"))):
            yield document.index, index, mapping(release)


def _helmfile(path: str, tree: Tree) -> Helmfile:
    defaults: dict[str, Any] = {}
    for document in documents_of(tree, path):
        defaults.update(mapping(document.mapping.get("helmDefaults")))
    releases = tuple(_release(path, tree, *written) for written in _written(path, tree))
    return Helmfile(path, releases, defaults)


def _release(path: str, tree: Tree, document: int, index: int, content: Mapping[str, Any]) -> HelmfileRelease:
    found = next(d for d in documents_of(tree, path) if d.index == document)
    return HelmfileRelease(
        name=text_at(content, "name"),
        namespace=text_at(content, "namespace", "default"),
        chart=text_at(content, "chart"),
        version=text_at(content, "version"),
        values=tuple(value for value in listed(content.get("values")) if isinstance(value, str)),
        hooks=mappings(content.get("hooks")),
        needs=texts(content.get("needs")),
        sets=tuple(str(one.get("name")) for key in ("set", "setTemplate") for one in mappings(content.get(key))),
        where=Location(path, found.line_of("releases", index)),
        position=(document, index),
    )


def defects(release: HelmfileRelease, tree: Tree) -> Iterator[tuple[str, str]]:
    """What keeps a release from being rendered or its hooks from running: (hazard, sentence) (B1, B2)."""
    for value in release.values:
        yield from _value_defects(release, beside(release.where.file, value), value, tree)
    for path in chain.from_iterable(map(_hook_paths, release.hooks)):
        target = beside(release.where.file, path)
        if not _HOLE.search(path) and target not in tree and not tree.is_directory(target):
            yield "B1", f"a hook of release {release.name} applies {target}, which does not exist"


def beside(path: str, value: str) -> str:
    """The path that a Helmfile means by a relative one."""
    return clean_path(posixpath.join(posixpath.dirname(path), value))


def _value_defects(release: HelmfileRelease, path: str, value: str, tree: Tree) -> Iterator[tuple[str, str]]:
    if _HOLE.search(value):
        return
    if path not in tree:
        yield "B1", f"the values of release {release.name} are in {path}, which does not exist"
        return
    rule = read_by(path, tree)
    if rule is not None:
        yield from _template_defects(release, rule, tree)


def read_by(template: str, tree: Tree) -> Dictated | None:
    """The file that a template reads for a release; None where it reads none that can be followed."""
    text = decoded(tree, template)
    match = _READS.search(text)
    if match is None:
        return None
    pattern = match["nested"] or match["piped"] or match["plain"]
    parts = tuple(_PART.findall(match["inside"] or match["through"] or ""))
    path = posixpath.normpath(posixpath.join(posixpath.dirname(template), pattern))
    line = text.count("\n", 0, match.start()) + 1
    return Dictated(path, parts, Location(template, line)) if path.count("%s") == len(parts) else None


def _template_defects(release: HelmfileRelease, rule: Dictated, tree: Tree) -> Iterator[tuple[str, str]]:
    path = rule.path_for(release.namespace, release.name)
    values = [mapping(mapping(d.mapping.get("spec")).get("values")) for d in documents_of(tree, path)]
    if not any(values):
        state = "has no spec.values" if path in tree else "does not exist"
        yield "B1", f"{rule.where} takes the values of release {release.name} from {path}, which {state}"
    elif any(map(_has_variable, values)):
        yield "B2", f"{path} hands a variable to Helm, where nothing puts it in"


def _has_variable(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_variable, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_has_variable, value))
    return isinstance(value, str) and bool(_VARIABLE.search(value.replace("$${", "")))


def has_variable(values: Mapping[str, Any]) -> bool:
    """Whether a value holds `${VAR}`, which only Flux would put in (B2)."""
    return _has_variable(values)


def _hook_paths(hook: Mapping[str, Any]) -> Iterator[str]:
    """What the arguments of a hook have kubectl read from the repository."""
    for word, following in pairwise((*texts(hook.get("args")), "")):
        flag = _FLAG.match(word)
        if flag is not None:
            path = word[flag.end() :] or following
            if _LOCAL.fullmatch(path):
                yield path

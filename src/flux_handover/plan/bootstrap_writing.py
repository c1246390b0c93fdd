"""The Helmfile of Flux's own releases: where it goes, and its text in the repository's manner (R22)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.conventions import learn_style
from flux_handover.emit import Style, dump
from flux_handover.plan.bootstrap_commands import text_of
from flux_handover.plan.bootstrap_helmfiles import Helmfile, all_releases, beside, helmfiles, read_by
from flux_handover.plan.embedded import SET, hook
from flux_handover.plan.listings import is_below
from flux_handover.plan.target import InstanceForm, Release, Target
from flux_handover.tree import Tree, clean_path, common_depth

SCHEMA = "# yaml-language-server: $schema=https://json.schemastore.org/helmfile"
INSTANCE_CRD = "fluxinstances.fluxcd.controlplane.io"

_NUMBERED = re.compile(r"(\d+)([-_.].*)")
_SCHEMA_LINE = re.compile(r"^# *yaml-language-server: *\$schema=\S+", re.MULTILINE)
_KEPT_DEFAULTS = ("cleanupOnFail", "timeout", "wait", "waitForJobs")
_HEADER = """\
# Flux's own releases, apart from all others: on a bare cluster they are synced alone, after what
# they need is there. On a running cluster Flux updates them from Git; do not sync this file there.
"""


@dataclass(frozen=True, slots=True)
class Home:
    """The new Helmfile, the template that gives its values, and the Helmfile whose manner it follows."""

    path: str
    template: str
    model: Helmfile | None

    @property
    def directory(self) -> str:
        """Where it lies."""
        return posixpath.dirname(self.path)


@dataclass(frozen=True, slots=True)
class Nearness:
    """What tells the files of one cluster from those of another: its root, and where bootstrap installs it.

    `read` are the files that Flux reads for it, `generated` the directories of which it builds every YAML file.
    """

    root: str
    install: str
    read: frozenset[str] = frozenset()
    generated: frozenset[str] = frozenset()

    def is_foreign(self, path: str) -> bool:
        """Whether a path lies beside this cluster's root and install manifest, but with another cluster."""
        mine = tuple(filter(None, (self.root, self.install)))
        nearest = max((common_depth(path, part) for part in mine), default=0)
        if path in self.read or nearest == 0:
            return False
        return nearest < max(common_depth(self.root, self.install), 1)


def home_of(target: Target, releases: Mapping[str, str], near: Nearness, tree: Tree) -> Home:
    """A numbered file beside numbered ones, else a Helmfile beside the old install manifest or by itself.

    `releases` are the files with the values by release.
    """
    known = [helmfile for helmfile in helmfiles(tree) if not near.is_foreign(helmfile.path)]
    numbered = [helmfile for helmfile in known if _number(helmfile.path) is not None]
    if numbered:
        model: Helmfile | None = next((h for h in reversed(numbered) if not h.only_extracts), numbered[-1])
        path = _next_path(numbered, tree)
    else:
        model = next(iter(known), None)
        path = _own_path(model, near, tree)
    return Home(path, _template(path, target, releases, tree), model)


def _number(path: str) -> str | None:
    match = _NUMBERED.fullmatch(posixpath.basename(path))
    return match[1] if match else None


def _next_path(numbered: list[Helmfile], tree: Tree) -> str:
    last = max(numbered, key=lambda helmfile: int(_number(helmfile.path) or 0))
    width, number = len(_number(last.path) or ""), int(_number(last.path) or 0) + 1
    directory, extension = posixpath.dirname(last.path), posixpath.splitext(last.path)[1]
    match = _NUMBERED.fullmatch(posixpath.basename(last.path))
    separator = match[2][0] if match else "-"
    start = posixpath.join(directory, f"{number:0{width}}{separator}")
    return _free(tree, f"{start}flux{extension}", f"{start}flux-operator{extension}")


def _free(tree: Tree, *paths: str) -> str:
    """The first of the paths that no file has, else the last."""
    return next((path for path in paths if path not in tree), paths[-1])


def _own_path(model: Helmfile | None, near: Nearness, tree: Tree) -> str:
    """Named as Renovate and helmfile look for it, and in a directory of its own where the name is taken.

    Below a directory of which Flux builds every YAML file, it has the extension of a template (G1).
    """
    own = posixpath.join("bootstrap", posixpath.basename(near.root), "helmfile.yaml")
    usual = model.path if model else clean_path(own)
    first, extension = near.install or posixpath.dirname(usual), posixpath.splitext(usual)[1]
    if any(is_below(first, directory) for directory in near.generated):
        extension = ".yaml.gotmpl"
    name = f"helmfile{extension}"
    return _free(
        tree,
        posixpath.join(first, name),
        posixpath.join(first, "flux", name),
        posixpath.join(first, "flux-operator", name),
    )


def _template(path: str, target: Target, releases: Mapping[str, str], tree: Tree) -> str:
    """The repository's own values template where it reads exactly these files, else one of ours."""
    for release in all_releases(tree):
        for value in release.values:
            template = beside(release.where.file, value)
            if _fits(template, target, releases, tree):
                return template
    directory = posixpath.dirname(path)
    if tree.is_directory(f"{directory}/templates"):
        directory = posixpath.join(directory, "templates")
    return _free(
        tree, posixpath.join(directory, "values.yaml.gotmpl"), posixpath.join(directory, "flux-values.yaml.gotmpl")
    )


def _fits(template: str, target: Target, releases: Mapping[str, str], tree: Tree) -> bool:
    rule = read_by(template, tree)
    if rule is None or "spec.values" not in text_of(tree, template):
        return False
    return all(rule.path_for(target.namespace, name) == path for name, path in releases.items())


def template_text(template: str, releases: Mapping[str, str]) -> str:
    """A template that takes the values of a release from the file that Flux reads."""
    paths = {name: posixpath.relpath(path, posixpath.dirname(template) or ".") for name, path in releases.items()}
    common = {path.replace(name, "%s") for name, path in paths.items() if path.count(name) == 1}
    if len(common) == 1 and len(paths) > 1:
        return f'{{{{ (printf "{common.pop()}" .Release.Name | readFile | fromYaml).spec.values | toYaml }}}}\n'
    lines = [
        f'{{{{ {"if" if n == 0 else "else if"} eq .Release.Name "{name}" }}}}'
        f'{{{{ (readFile "{path}" | fromYaml).spec.values | toYaml }}}}'
        for n, (name, path) in enumerate(paths.items())
    ]
    return "".join(lines) + "{{ end }}\n"


def helmfile_text(home: Home, target: Target, versions: Mapping[str, str], embedded: frozenset[str], tree: Tree) -> str:
    """The Helmfile: operator before instance, values from the files that Flux reads, one version everywhere.

    `embedded` are the releases whose values ask for the manifests in the operator's image.
    """
    style = learn_style(tree, home.directory)
    releases = [_release(release, home, target, versions) for release in _wanted(target)]
    releases = [_embedding(release, target) if release["name"] in embedded else release for release in releases]
    body = dump({"helmDefaults": _defaults(home.model)}, Style(document_start=False)).rstrip("\n")
    listed = dump({"releases": releases}, Style(document_start=False, indented_lists=style.indented_lists))
    head = "---\n" if style.document_start else ""
    return f"{head}{_schema(home, tree)}\n\n{_HEADER}\n{body}\n\n{_spaced(listed)}"


def _wanted(target: Target) -> tuple[Release, ...]:
    is_release = target.form is InstanceForm.HELMRELEASE
    return (target.operator, target.instance) if is_release else (target.operator,)


def _schema(home: Home, tree: Tree) -> str:
    match = _SCHEMA_LINE.search(text_of(tree, home.model.path)) if home.model else None
    return match.group() if match else SCHEMA


def _defaults(model: Helmfile | None) -> dict[str, Any]:
    """The neighbour's patience, without what it does to other releases; always waiting for the operator."""
    learnt = {key: model.defaults[key] for key in _KEPT_DEFAULTS if key in model.defaults} if model else {}
    return {**(learnt or {"cleanupOnFail": True, "wait": True, "waitForJobs": True}), "wait": True}


def _release(release: Release, home: Home, target: Target, versions: Mapping[str, str]) -> dict[str, Any]:
    written: dict[str, Any] = {
        "name": release.name,
        "namespace": release.namespace,
        "chart": release.chart,
        "version": versions[release.name],
        "values": [_relative(home.template, home.directory)],
    }
    if release == target.instance:
        written["needs"] = [f"{target.operator.namespace}/{target.operator.name}"]
    if home.model and any(other.hooks for other in home.model.releases):
        written["hooks"] = [_hook(release, target)]
    return written


def _embedding(release: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """The release with a value that the chart can write, and a hook that takes it away again (R15)."""
    head = {key: release[key] for key in release if key not in ("needs", "hooks")}
    tail = {"needs": release["needs"]} if "needs" in release else {}
    hooks = [hook(target.namespace), *release.get("hooks", ())]
    return {**head, "setTemplate": [dict(SET)], **tail, "hooks": hooks}


def _relative(path: str, directory: str) -> str:
    text = posixpath.relpath(path, directory or ".")
    return text if text.startswith("..") else f"./{text}"


def _hook(release: Release, target: Target) -> dict[str, Any]:
    """Wait as the repository's other releases do: for the kind, then for Flux itself."""
    if release == target.operator:
        args = ["wait", "--for=condition=Established", f"crd/{INSTANCE_CRD}", "--timeout=2m"]
    else:
        args = [
            "wait",
            f"--namespace={target.namespace}",
            "--for=condition=Ready",
            f"fluxinstance/{target.instance_id.name}",
            "--timeout=10m",
        ]
    return {"events": ["postsync"], "command": "kubectl", "args": args, "showlogs": True}


def _spaced(text: str) -> str:
    """A blank line between releases, as Helmfiles are usually written."""
    lines = text.splitlines()
    first = next(line for line in lines if line.lstrip().startswith("- name:"))
    starts = [n for n, line in enumerate(lines) if line.startswith(first[: first.index("name:")] + "name:")]
    return "\n".join(_with_blank_lines(lines, starts[1:])) + "\n"


def _with_blank_lines(lines: list[str], starts: list[int]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number in starts:
            yield ""
        yield line

"""Phase `bootstrap`: a bare cluster gets Flux from its operator, by the tool that the repository has (R21, R22).

Only added to: the old install manifest stays until `retire`, and every step that worked before works
after. What is there already is recognised by content, so that a second plan has nothing to do.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.documents import value_at
from flux_handover.emit import Style
from flux_handover.findings import Finding, Severity
from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Cluster
from flux_handover.objects import ObjectId
from flux_handover.plan import present
from flux_handover.plan.bootstrap_commands import commands, text_of
from flux_handover.plan.bootstrap_helmfiles import (
    HelmfileRelease,
    all_releases,
    beside,
    defects,
    installed_releases,
    read_by,
)
from flux_handover.plan.bootstrap_runbook import runbook
from flux_handover.plan.bootstrap_runner import Ground, followed, ported
from flux_handover.plan.bootstrap_steps import BootstrapStep, Installs, installs_flux, steps_of
from flux_handover.plan.bootstrap_writing import Home, Nearness, helmfile_text, home_of, template_text
from flux_handover.plan.decisions import decisions
from flux_handover.plan.edits import edited
from flux_handover.plan.embedded import SET, VALUE, hook, is_embedded
from flux_handover.plan.listings import document_of, documents_of, generated_paths, is_listing, read_files
from flux_handover.plan.operations import AddFile, AppendElement, Operation, ReplaceText, SetField
from flux_handover.plan.phases import PhaseDraft
from flux_handover.plan.target import InstanceForm, Target
from flux_handover.plan.terraforming import terraform_steps
from flux_handover.tree import Tree, common_depth

_ANSWERS = 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """The releases that bootstrap must install: the file with the values of each, and its version.

    `embedded` are those whose values ask for the manifests in the operator's image.
    """

    files: Mapping[str, str]
    versions: Mapping[str, str]
    embedded: frozenset[str]


def bootstrap(cluster: Cluster, installation: Installation, target: Target, style: Style, tree: Tree) -> PhaseDraft:
    """What is missing until a bare cluster can be built by the operator, and what hinders it."""
    wanted = _wanted(cluster, target, tree)
    generated = generated_paths(cluster, tree)
    read = frozenset(read_files(cluster, tree))
    near = Nearness(cluster.name, install_directory(cluster, installation, tree), read, generated)
    operations = list(_installed(wanted, target, near, tree))
    after = edited(tree, operations)
    helmfile = next((release.where.file for release in _flux_releases(after, wanted, target)), "")
    ground = Ground(cluster, target, helmfile, near, wanted.files)
    operations += ported(ground, bootstrap_steps(cluster, after), after)
    after = edited(tree, operations)
    reasons = decisions(cluster, installation, target)[:_ANSWERS]
    operations += runbook(ground, bootstrap_steps(cluster, after), reasons, after)
    return PhaseDraft(tuple(operations), tuple(_notes(cluster, after)), findings=tuple(_findings(after, cluster)))


def _installed(wanted: Wanted, target: Target, near: Nearness, tree: Tree) -> Iterator[Operation]:
    """Flux's releases in one Helmfile at one version, and nowhere else."""
    found = _flux_releases(tree, wanted, target)
    if _is_whole(found, wanted, tree):
        yield from _at_version(found, wanted)
        yield from _embedding(found, wanted, target, tree)
        return
    home = home_of(target, wanted.files, near, tree)
    yield from _helmfile(home, wanted, target, tree)
    yield from _taken_out(found, tree)
    yield from followed(home, {release.where.file for release in found}, tree)


def _is_whole(found: list[HelmfileRelease], wanted: Wanted, tree: Tree) -> bool:
    """Whether one file has every release once, takes their values from Git, and renders as a whole."""
    files = {release.where.file for release in found}
    values = Counter((release.name, _reads(release, tree)) for release in found)
    return (
        len(files) == 1
        and values == Counter(wanted.files.items())
        and not any(list(defects(release, tree)) for release in all_releases(tree) if release.where.file in files)
    )


def _at_version(found: list[HelmfileRelease], wanted: Wanted) -> Iterator[Operation]:
    for release in found:
        version = wanted.versions[release.name]
        if release.version.removeprefix("v") != version:
            document, index = release.position
            why = "one version for bootstrap and for the release in Git"
            yield SetField(release.where.file, document, ("releases", index, "version"), version, why)


def _embedding(found: list[HelmfileRelease], wanted: Wanted, target: Target, tree: Tree) -> Iterator[Operation]:
    """A release that a person wrote takes the chart's null as well, which a bare cluster refuses (R15)."""
    for release in found:
        if release.name in wanted.embedded and VALUE not in release.sets:
            document, index = release.position
            path, place = release.where.file, ("releases", index)
            why = "the chart writes an empty artifact as null, which a bare cluster refuses"
            yield _listed(path, document, (*place, "setTemplate"), dict(SET), why, tree)
            yield _listed(path, document, (*place, "hooks"), hook(target.namespace), why, tree)


def _listed(
    path: str, document: int, field: tuple[str | int, ...], element: Mapping[str, Any], why: str, tree: Tree
) -> Operation:
    """One more element of a list, which may not be there yet."""
    written = next(one for one in documents_of(tree, path) if one.index == document)
    if value_at(written.mapping, field) is None:
        return SetField(path, document, field, [element], why)
    return AppendElement(path, document, field, element, why)


def install_directory(cluster: Cluster, installation: Installation, tree: Tree) -> str:
    """The directory that bootstrap applies today to install Flux; empty where there is none."""
    stepped = {path for step in flux_steps(cluster, tree) for path in step.command.paths}
    found = tuple(_install_directories(cluster, tree))
    mine = [directory for directory in found if directory in stepped] or found
    return max(mine, key=lambda directory: common_depth(directory, cluster.name), default="")


def _install_directories(cluster: Cluster, tree: Tree) -> Iterator[str]:
    """Directories that kustomize makes Flux of, and that no live Kustomization reads."""
    read = frozenset(read_files(cluster, tree))
    for path in tree:
        if path not in read and is_listing(path) and installs_flux(path, tree):
            yield posixpath.dirname(path)


def bootstrap_steps(cluster: Cluster, tree: Tree) -> tuple[BootstrapStep, ...]:
    """Every step by which people or scripts put something into a bare cluster, as far as it is this one's."""
    live = frozenset(read_files(cluster, tree))
    written = steps_of(tree, (command.within(cluster.name) for command in commands(tree, live)))
    return (*written, *terraform_steps(cluster, tree))


def flux_steps(cluster: Cluster, tree: Tree) -> Iterator[BootstrapStep]:
    """The steps that install Flux in the old way."""
    return (step for step in bootstrap_steps(cluster, tree) if Installs.FLUX in step.installs)


def _wanted(cluster: Cluster, target: Target, tree: Tree) -> Wanted:
    operator = present.operator_release(cluster)
    instance = present.instance(cluster)
    files = {target.operator.name: _file(target.operator.id, target.layout.operator.release, cluster, tree)}
    versions = {target.operator.name: target.operator.version, target.instance.name: target.instance.version}
    if operator is not None:
        versions[target.operator.name] = present.chart_version(operator.object, cluster) or target.operator.version
    if target.form is InstanceForm.HELMRELEASE:
        files[target.instance.name] = _file(target.instance.id, target.layout.instance.release, cluster, tree)
        if instance is not None and instance.release is not None:
            versions[target.instance.name] = (
                present.chart_version(instance.found.object, cluster) or target.instance.version
            )
    values = {target.instance.name: target.instance.values}
    if instance is not None and instance.release is not None:
        values = {target.instance.name: instance.release.values}
    return Wanted(files, versions, frozenset(name for name in files if is_embedded(values.get(name, {}))))


def _file(id: ObjectId, expected: str, cluster: Cluster, tree: Tree) -> str:
    """The file of a HelmRelease: where the layout puts it, or where a person did."""
    if expected in tree:
        return expected
    return next((path for path in read_files(cluster, tree) if document_of(tree, path, id) is not None), expected)


def _flux_releases(tree: Tree, wanted: Wanted, target: Target) -> list[HelmfileRelease]:
    """Releases of the operator's charts in Helmfiles, unless they take the values of another cluster."""
    return [
        release
        for release in installed_releases(tree)
        if release.chart_name in (target.operator.name, target.instance.name)
        and _reads(release, tree) in (None, wanted.files.get(release.name))
    ]


def _reads(release: HelmfileRelease, tree: Tree) -> str | None:
    for value in release.values:
        rule = read_by(beside(release.where.file, value), tree)
        if rule is not None:
            return rule.path_for(release.namespace, release.name)
    return None


def _helmfile(home: Home, wanted: Wanted, target: Target, tree: Tree) -> Iterator[Operation]:
    if home.template not in tree:
        text = template_text(home.template, wanted.files)
        yield AddFile(home.template, text, (), "bootstrap takes the values from the files that Flux reads")
    text = helmfile_text(home, target, wanted.versions, wanted.embedded, tree)
    yield AddFile(home.path, text, (), "a bare cluster gets the operator, and Flux from it")


def _taken_out(found: list[HelmfileRelease], tree: Tree) -> Iterator[Operation]:
    """Releases that stood elsewhere: each chart is installed by exactly one file, at one version (R13)."""
    for release in sorted(found, key=lambda release: (release.where.file, release.position), reverse=True):
        why = f"release {release.name} has a Helmfile of its own, at the version that Flux runs"
        yield ReplaceText(release.where.file, _block(release, text_of(tree, release.where.file)), "", why)


def _block(release: HelmfileRelease, text: str) -> str:
    """The lines of a release with the blank ones before it, up to what is indented no deeper."""
    lines = text.splitlines()
    first = release.where.line - 1
    depth = len(lines[first]) - len(lines[first].lstrip())
    deeper = (n for n in range(first + 1, len(lines)) if lines[n].strip() and _depth(lines[n]) <= depth)
    last = next(deeper, len(lines))
    while not lines[last - 1].strip():
        last -= 1
    while not lines[first - 1].strip():
        first -= 1
    return "\n".join(lines[first:last])


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _notes(cluster: Cluster, tree: Tree) -> Iterator[str]:
    for step in flux_steps(cluster, tree):
        yield f"{step.where} still installs Flux in the old way; change it by hand"


def _findings(tree: Tree, cluster: Cluster) -> Iterator[Finding]:
    """Defects that other releases had before: a bare cluster stops at them, the handover does not (R22)."""
    for release in installed_releases(tree):
        for hazard, sentence in defects(release, tree):
            yield Finding(
                hazard=hazard,
                severity=Severity.WARNING,
                grade="S2" if hazard == "B1" else "S0",
                message=sentence,
                where=release.where,
                hint="repair it before a cluster is built from nothing; Flux's own releases do not need it",
                cluster=cluster.name,
            )

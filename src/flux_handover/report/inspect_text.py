"""`inspect` for people: how Flux is installed, what must survive, and the tree of Kustomizations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from flux_handover.model.installation import Installation, Setting
from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import ObjectId
from flux_handover.report.findings_text import findings_page
from flux_handover.report.page import (
    Screen,
    columns,
    command,
    counted,
    heading,
    indented,
    quiet,
    rendered,
    shortened,
    state,
    text,
)


def inspect_text(snapshot: Snapshot, screen: Screen) -> str:
    """The whole page."""
    return rendered(screen, _page(snapshot, screen))


def _page(snapshot: Snapshot, screen: Screen) -> Iterator[RenderableType]:
    for cluster in snapshot.clusters:
        installation = snapshot.installations.get(cluster.name)
        if installation:
            yield from _installation(installation, cluster, screen)
        yield from _kustomizations(cluster, screen)
    yield from _candidates(snapshot)
    yield from findings_page(snapshot.findings)
    if snapshot.clusters:
        yield text("next: ").append_text(command("flux-handover plan"))


def _installation(installation: Installation, cluster: Cluster, screen: Screen) -> Iterator[RenderableType]:
    yield heading(f"Flux {installation.version or 'of unknown version'} in {cluster.name or '.'}")
    yield indented(columns(_facts(installation, cluster)))
    yield text("")
    if installation.settings:
        yield heading(f"{counted(len(installation.settings), 'setting')} to carry over")
        yield from _settings(installation.settings, screen)


def _facts(installation: Installation, cluster: Cluster) -> Iterator[tuple[Text, Text]]:
    owner = str(installation.owner or "a person or a script, not by Flux")
    yield quiet("installed by"), text(f"{owner} ({installation.method.value})")
    yield quiet("components"), text(", ".join(installation.components) or "unknown")
    yield quiet("root"), text(_root(cluster))
    yield quiet("files"), text("\n".join(installation.files) or "none")
    for note in installation.notes:
        yield quiet("note"), text(note)


def _root(cluster: Cluster) -> str:
    root = cluster.builds.get(cluster.root)
    return f"{cluster.root}, path {root.ks.path or '.'}, from {root.ks.source}" if root else cluster.origin


def _settings(settings: Iterable[Setting], screen: Screen) -> Iterator[RenderableType]:
    """A table for each file, in the order of its lines; equal values of several targets share a row."""
    for file, of_file in groupby(sorted(settings, key=_place), key=lambda setting: setting.where.file):
        yield indented(quiet(file))
        rows = groupby(of_file, key=lambda setting: (setting.where.line, setting.kind, setting.key, setting.value))
        yield indented(columns(_setting(list(row), screen) for _, row in rows), by=4)
        yield text("")


def _place(setting: Setting) -> tuple[object, ...]:
    return (setting.where, setting.kind.value, setting.key, setting.value, setting.target)


def _setting(same: list[Setting], screen: Screen) -> tuple[Text, ...]:
    one = same[0]
    value = one.value if screen.is_full else shortened(one.value, 48)
    return (
        quiet(str(one.where.line)),
        text(one.kind.value),
        text(one.key, "bold"),
        text(value),
        text(together([setting.target.name for setting in same])),
    )


def together(names: Sequence[str]) -> str:
    """Names with a common ending, said once: `helm-, source-controller`."""
    ends = {name.rpartition("-")[2] for name in names}
    if len(names) < 2 or len(ends) > 1 or not all("-" in name for name in names):
        return ", ".join(names)
    return ", ".join([f"{name.rpartition('-')[0]}-" for name in names[:-1]] + [names[-1]])


def _kustomizations(cluster: Cluster, screen: Screen) -> Iterator[RenderableType]:
    builds = list(cluster)
    total = sum(len(build.objects) for build in builds)
    yield heading(f"{counted(len(builds), 'Kustomization')}, {counted(total, 'object')}")
    top = cluster.builds.get(cluster.root)
    if top:
        yield indented(_branch(cluster, top, screen))
    yield text("")


def _branch(cluster: Cluster, build: Build, screen: Screen, tree: Tree | None = None) -> Tree:
    label = _label(build, screen)
    branch = tree.add(label) if tree else Tree(label, guide_style="dim")
    for child in _children(cluster, build.id):
        _branch(cluster, child, screen, branch)
    return branch


def _children(cluster: Cluster, parent: ObjectId) -> list[Build]:
    return sorted((b for b in cluster if b.parent == parent and b.id != parent), key=lambda build: build.id)


def _label(build: Build, screen: Screen) -> Text:
    label = text(build.id.name, "bold")
    label.append_text(quiet(f"  {build.ks.path or '.'}  "))
    label.append_text(_result(build))
    if not build.ks.prune:
        label.append_text(text("  does not prune"))
    if build.ks.suspend:
        label.append_text(text("  suspended"))
    if screen.is_full:
        label.append_text(quiet(f"  {build.where or ''}  {build.ks.source}"))
    return label


def _result(build: Build) -> Text:
    if build.status is BuildStatus.OK:
        return text(counted(len(build.objects), "object"))
    return state(build.status.value).append_text(text(f": {build.failure.message}" if build.failure else ""))


def _candidates(snapshot: Snapshot) -> Iterator[RenderableType]:
    if snapshot.clusters or not snapshot.candidates:
        return
    yield heading("No root is certain; these may be one")
    yield indented(*(command(f"flux-handover inspect --root {path}") for path in snapshot.candidates))
    yield text("")

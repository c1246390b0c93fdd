"""`inspect` for people: how Flux is installed, what must survive, and the tree of Kustomizations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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
            yield from _installation(installation, cluster)
        yield from _kustomizations(cluster, screen)
    yield from _candidates(snapshot)
    yield from findings_page(snapshot.findings)
    yield text("next: ").append_text(command("flux-handover plan"))


def _installation(installation: Installation, cluster: Cluster) -> Iterator[RenderableType]:
    yield heading(f"Flux {installation.version or 'of unknown version'} in {cluster.name or '.'}")
    yield indented(columns(_facts(installation, cluster)))
    yield text("")
    if installation.settings:
        yield heading(f"{counted(len(installation.settings), 'setting')} to carry over")
        yield indented(columns(_settings(installation.settings)))
        yield text("")


def _facts(installation: Installation, cluster: Cluster) -> Iterator[tuple[Text, Text]]:
    owner = str(installation.owner) if installation.owner else "a person or a script, not by Flux"
    root = cluster.builds.get(cluster.root)
    yield quiet("installed by"), text(f"{owner} ({installation.method.value})")
    yield quiet("components"), text(", ".join(installation.components) or "unknown")
    yield (
        quiet("root"),
        text(f"{cluster.root}, path {root.ks.path or '.'}, from {root.ks.source}" if root else cluster.origin),
    )
    yield quiet("files"), text("\n".join(installation.files) or "none")
    for note in installation.notes:
        yield quiet("note"), text(note)


def _settings(settings: Iterable[Setting]) -> Iterator[tuple[Text, ...]]:
    """One row for equal values of several targets, in the order of the files."""
    rows: dict[tuple[object, ...], list[str]] = {}
    for one in sorted(settings, key=lambda setting: (setting.where, setting.kind.value, setting.key)):
        rows.setdefault((one.where, one.kind.value, one.key, one.value), []).append(one.target.name)
    for (where, kind, key, value), targets in rows.items():
        yield (
            quiet(str(kind)),
            text(str(key), "bold"),
            text(str(value)),
            text(", ".join(sorted(targets))),
            quiet(str(where)),
        )


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
    match build.status:
        case BuildStatus.OK:
            label.append_text(text(counted(len(build.objects), "object")))
        case BuildStatus.FAILED | BuildStatus.UNKNOWN:
            label.append_text(state(build.status.value))
            label.append_text(text(f": {build.failure.message}" if build.failure else ""))
    if not build.ks.prune:
        label.append_text(text("  does not prune"))
    if build.ks.suspend:
        label.append_text(text("  suspended"))
    if screen.is_full:
        label.append_text(quiet(f"  {build.where or ''}  {build.ks.source}"))
    return label


def _candidates(snapshot: Snapshot) -> Iterator[RenderableType]:
    if snapshot.clusters or not snapshot.candidates:
        return
    yield heading("No root is certain; these may be one")
    yield indented(*(command(f"flux-handover inspect --root {path}") for path in snapshot.candidates))
    yield text("")

"""What the repository's own steps do for Flux on a bare cluster, as deeds that can be done here (rules.md R22).

Read from the steps, never executed as they stand: a line of a runner is a text of the repository. Only what Flux
needs is done; everything else that a person would run is listed as left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flux_handover.findings import Location
from flux_handover.model.rendering import Cluster
from flux_handover.objects import ObjectId
from flux_handover.plan.bootstrap import bootstrap_steps
from flux_handover.plan.bootstrap_commands import text_of
from flux_handover.plan.bootstrap_helmfiles import Helmfile, helmfiles
from flux_handover.plan.bootstrap_needs import root_needs
from flux_handover.plan.bootstrap_steps import BootstrapStep, Installs, objects_at
from flux_handover.plan.placement import INSTANCE, OPERATOR
from flux_handover.tree import Tree

NEW_WAY = frozenset({Installs.OPERATOR, Installs.INSTANCE})


@dataclass(frozen=True, slots=True)
class CreateObject:
    """A Namespace, or a Secret or ConfigMap that only people have: made with throw-away content."""

    where: Location
    id: ObjectId


@dataclass(frozen=True, slots=True)
class ApplyPath:
    """A file or directory of the repository, applied."""

    where: Location
    path: str


@dataclass(frozen=True, slots=True)
class SyncHelmfile:
    """The releases of Flux in a Helmfile, synced."""

    where: Location
    path: str
    releases: tuple[str, ...]


Deed = CreateObject | ApplyPath | SyncHelmfile


@dataclass(frozen=True, slots=True)
class Deeds:
    """What is done, in order, and the steps that are left to people."""

    done: tuple[Deed, ...]
    left: tuple[Location, ...]


def deeds_of(cluster: Cluster, tree: Tree) -> Deeds:
    """The deeds of a revision's steps: those of one runner in its order, after what only other files bring."""
    steps = bootstrap_steps(cluster, tree)
    runner = runner_of(cluster, steps)
    own = tuple(step for step in steps if step.where.file == runner)
    created = {id for step in own for id in step.creates}
    others = (step for step in steps if step.where.file != runner and not step.installs and step.creates - created)
    done: list[Deed] = []
    followed: set[Location] = set()
    for step in (*others, *own):
        found = tuple(_deeds(step, cluster, tree))
        done += [deed for deed in found if deed not in done]
        followed |= {step.where} if found else set()
    return Deeds(tuple(done), tuple(step.where for step in steps if step.where not in followed))


def runner_of(cluster: Cluster, steps: tuple[BootstrapStep, ...]) -> str:
    """The file that installs the operator, and of several the one that brings most of what Flux needs."""
    needed = {need.id for need in root_needs(cluster)}
    brought: dict[str, set[ObjectId]] = {}
    for step in steps:
        brought.setdefault(step.where.file, set()).update(step.creates & needed)
    runners = (step.where.file for step in steps if Installs.OPERATOR in step.installs)
    return max(runners, key=lambda file: len(brought[file]), default="")


def _deeds(step: BootstrapStep, cluster: Cluster, tree: Tree) -> Iterator[Deed]:
    if step.installs & NEW_WAY:
        yield from _installs(step, cluster, tree)
    elif not step.installs:
        yield from _brings(step, cluster, tree)


def _installs(step: BootstrapStep, cluster: Cluster, tree: Tree) -> Iterator[Deed]:
    synced = [file for file in helmfiles(tree) if file.path in step.command.paths and _flux(file)]
    for file in synced:
        yield SyncHelmfile(step.where, file.path, _flux(file))
    if not synced:
        yield from (ApplyPath(step.where, path) for path in step.command.paths if _found(path, cluster, tree))


def _flux(file: Helmfile) -> tuple[str, ...]:
    return tuple(release.name for release in file.releases if release.chart_name in (OPERATOR, INSTANCE))


def _found(path: str, cluster: Cluster, tree: Tree) -> frozenset[ObjectId]:
    return frozenset(objects_at(path, tree, cluster.root.namespace))


def _brings(step: BootstrapStep, cluster: Cluster, tree: Tree) -> Iterator[Deed]:
    """What of a step Flux needs: by the files it names, else by name."""
    namespace = ObjectId("", "Namespace", "", cluster.root.namespace)
    needed = {need.id for need in root_needs(cluster)} | {namespace}
    by_hand = set(step.creates) & needed
    for path in step.command.paths:
        brought = _found(path, cluster, tree)
        if brought & needed and not is_template(path, tree):
            by_hand -= brought
            yield ApplyPath(step.where, path)
    yield from (CreateObject(step.where, id) for id in sorted(by_hand))


def is_template(path: str, tree: Tree) -> bool:
    """Whether a program other than kubectl must fill in the file first."""
    return path.endswith(".j2") or "{{" in text_of(tree, path)

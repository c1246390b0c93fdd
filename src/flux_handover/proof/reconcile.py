"""Moves: what one actor does next, and what it deletes by it.

Each controller has a module of its own that yields its moves; here is what they share: how
Kubernetes deletes, and the stages of an apply.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from flux_handover.objects import ObjectId
from flux_handover.proof.world import (
    Actor,
    Apply,
    Desired,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Live,
    World,
    is_definition,
    is_namespace,
)


class How(StrEnum):
    """The ways an object is deleted; the text follows "deletes X" in a trace."""

    PRUNE = "which left the build"
    FINALIZER = "with its owner"
    NAMESPACE = "with its Namespace"
    DEFINITION = "with its CustomResourceDefinition"
    HELM = "which left the chart"
    UNINSTALL = "by helm uninstall"
    OPERATOR = "which the FluxInstance no longer renders"
    FLUX_UNINSTALL = "by uninstalling Flux"
    USER = "by hand"


_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
DIRECT = frozenset({How.PRUNE, How.HELM, How.OPERATOR, How.USER})


@dataclass(frozen=True, slots=True)
class Deletion:
    """One live copy that goes: by which owner (or Namespace, CRD), and how."""

    id: ObjectId
    by: ObjectId | None
    how: How

    @property
    def cascade(self) -> bool:
        """Whether it went along with another object."""
        return self.how not in DIRECT


Deletions = tuple[Deletion, ...]


@dataclass(frozen=True, slots=True)
class Move:
    """One actor's next step: what a trace says of it, the world after it, and what it deleted.

    `undecided` says why the outcome is not known.
    """

    actor: Actor
    events: tuple[str, ...]
    world: World
    deletions: Deletions = ()
    subject: ObjectId | None = None
    undecided: str = ""
    failed: bool = False


FINALIZED = (KustomizationSpec, HelmReleaseSpec, FluxInstanceSpec)
FIRST = ("CustomResourceDefinition", "Namespace")


def stage_of(id: ObjectId, *, classes: bool) -> Apply:
    """The stage an object is applied in (`fluxcd/pkg:ssa/manager_apply.go#ApplyAllStaged@v0.76.1`)."""
    if id.kind in FIRST or (classes and id.kind == "ClusterRole"):
        return Apply.DEFINITIONS
    return Apply.CLASSES if classes and id.kind.endswith("Class") else Apply.REST


def deleted(world: World, ids: Iterable[ObjectId], by: ObjectId | None, how: How) -> tuple[World, Deletions]:
    """The world after a delete request for each id, and everything that goes along with them."""
    gone: list[Deletion] = []
    waiting = [Deletion(id, by, how) for id in ids]
    while waiting:
        deletion = waiting.pop(0)
        live = world.live.get(deletion.id)
        if live is None or live.deleting:
            continue
        gone.append(deletion)
        along = _taken_along(world, deletion.id)
        if along or _has_finalizer(world, deletion.id, live):
            world = replace(world, live=world.live.put(deletion.id, replace(live, deleting=True)))
        else:
            world = removed(world, deletion.id)
        waiting.extend(along)
    return reaped(world) if gone else world, tuple(gone)


def _taken_along(world: World, id: ObjectId) -> list[Deletion]:
    if is_namespace(id):
        inside = (other for other in world.live if other.namespace == id.name)
        return [Deletion(other, id, How.NAMESPACE) for other in sorted(inside)]
    if is_definition(id):
        instances = (other for other, live in world.live.items() if live.definition == id)
        return [Deletion(other, id, How.DEFINITION) for other in sorted(instances)]
    return []


def _has_finalizer(world: World, id: ObjectId, live: Live) -> bool:
    """An owner has its finalizer from its first reconcile on."""
    return isinstance(live.spec, FINALIZED) and id in world.records


def removed(world: World, id: ObjectId) -> World:
    """The world without an object, its status and what only it had."""
    return replace(
        world,
        live=world.live.drop(id),
        records=world.records.drop(id),
        artifacts=world.artifacts.drop(id),
        runs=world.runs.drop(id),
    )


def reaped(world: World) -> World:
    """The world without Namespaces and CRDs that were waiting for their content and are empty now."""
    for id, live in tuple(world.live.items()):
        if live.deleting and (is_namespace(id) or is_definition(id)) and not _taken_along(world, id):
            world = replace(world, live=world.live.drop(id))
    return world


def refusal(world: World, desired: Desired) -> str:
    """Why the API server refuses an object's dry-run, or the empty string."""
    if desired.definition is not None:
        definition = world.live.get(desired.definition)
        if definition is None or definition.deleting:
            return f"no matches for kind {desired.id.kind}"
    namespace = world.live.get(ObjectId("", "Namespace", "", desired.id.namespace)) if desired.id.namespace else None
    if namespace is not None and namespace.deleting and desired.id not in world.live:
        return f"Namespace {desired.id.namespace} is terminating"
    return ""


def brief(revision: str) -> str:
    """A revision as a trace names it: of a commit the first digits, anything else as it is."""
    return revision[:12] if _COMMIT.fullmatch(revision) else revision


def told(deletions: Deletions) -> tuple[str, ...]:
    """The events of a trace that say what was deleted."""
    return tuple(f"deletes {deletion.id}, {_because(deletion)}" for deletion in deletions)


def _because(deletion: Deletion) -> str:
    match deletion.how:
        case How.PRUNE:
            return f"which left the build of {deletion.by}"
        case How.FINALIZER | How.NAMESPACE | How.DEFINITION:
            return f"along with {deletion.by}"
        case _:
            return deletion.how.value

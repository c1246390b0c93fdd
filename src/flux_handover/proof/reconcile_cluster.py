"""Everybody else: source-controller, the user, and what starts and stops the controllers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import assert_never

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile import How, Move, brief, deleted, refusal, told
from flux_handover.proof.table import Table
from flux_handover.proof.world import (
    Actor,
    Desired,
    Environment,
    HelmReleaseSpec,
    KustomizationSpec,
    Live,
    Mark,
    Marks,
    Run,
    SourceSpec,
    World,
    is_hosted,
    is_up,
)


@dataclass(frozen=True, slots=True)
class Push:
    """Revisions that become the heads of their origins, at once."""

    heads: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Annotate:
    """Marks put on a live object; a later apply keeps them, unless the field manager is one that it folds."""

    id: ObjectId
    marks: Marks
    writer: str = "flux"


@dataclass(frozen=True, slots=True)
class Unmark:
    """Marks taken off a live object, whoever set them."""

    id: ObjectId
    marks: Marks


@dataclass(frozen=True, slots=True)
class UnmarkAll:
    """The same for several objects by one command; in which order it takes them does not matter."""

    ids: frozenset[ObjectId]
    marks: Marks


@dataclass(frozen=True, slots=True)
class Resume:
    """`spec.suspend` taken off a live owner, whoever set it."""

    id: ObjectId


@dataclass(frozen=True, slots=True)
class Remove:
    """`kubectl delete` of an object."""

    id: ObjectId


@dataclass(frozen=True, slots=True)
class Install:
    """Objects applied by hand, by Helm or a bootstrap tool: what is live stays owned by whom it was."""

    objects: tuple[Desired, ...]


FOLDED = ("kustomize-controller", "kubectl", "before-first-apply")
"""Whose fields kustomize-controller takes for its own, and drops (`fluxcd/pkg:ssa/patch.go@v0.76.1`)."""

Action = Push | Annotate | Unmark | UnmarkAll | Resume | Remove | Install


@dataclass(frozen=True, slots=True)
class UserStep:
    """One thing a person does, and what they wait to see before it.

    `seen` may look at the objects `about` only; where a reduced world lacks one, the wait is left out.
    """

    action: Action
    about: frozenset[ObjectId] = frozenset()
    seen: Callable[[World], bool] | None = None


Program = tuple[UserStep, ...]


def source_moves(world: World) -> Iterator[Move]:
    """source-controller fetches; a failure leaves the artifact as it was."""
    if not is_up(world, Actor.SOURCE):
        return
    for id, live in world.live.items():
        if isinstance(live.spec, SourceSpec) and _can_fetch(world, live, live.spec):
            head = world.heads[live.spec.origin]
            fetched = replace(world, artifacts=world.artifacts.put(id, head))
            yield Move(Actor.SOURCE, (f"fetches revision {brief(head)} for {id}",), fetched, subject=id)


def _can_fetch(world: World, live: Live, spec: SourceSpec) -> bool:
    stopped = spec.suspend or live.deleting or Mark.SUSPENDED in live.opt_outs
    return not stopped and spec.origin in world.heads and (spec.secret is None or spec.secret in world.live)


def lifecycle_moves(world: World, environment: Environment) -> Iterator[Move]:
    """A pod stops some time after its Deployment went, starts when all it needs is there, and may crash.

    A crash matters only in the middle of something: between two reconciles it is a delay.
    """
    for actor in environment.controllers:
        if is_up(world, actor) != is_hosted(world, environment, actor):
            yield _switched(world, actor)
    if world.crashes and world.runs:
        crashed = replace(world, runs=Table())
        yield Move(Actor.KUSTOMIZE, ("crashes in the middle of a reconcile",), crashed)
    if world.crashes and world.taken:
        crashed = replace(world, taken=frozenset())
        yield Move(Actor.OPERATOR, ("crashes in the middle of a reconcile",), crashed)


def _switched(world: World, actor: Actor) -> Move:
    if actor in world.stopped:
        started = replace(world, stopped=world.stopped - {actor})
        return Move(Actor.KUBERNETES, (f"starts {actor.value}",), started)
    runs: Table[ObjectId, Run] = Table() if actor is Actor.KUSTOMIZE else world.runs
    taken: frozenset[ObjectId] = frozenset() if actor is Actor.OPERATOR else world.taken
    stopped = replace(world, stopped=world.stopped | {actor}, runs=runs, taken=taken)
    return Move(Actor.KUBERNETES, (f"stops {actor.value}, which lacks its Deployment or permissions",), stopped)


def user_moves(world: World, program: Program) -> Iterator[Move]:
    """The user's next step, once what it waits for is seen."""
    if world.step < len(program):
        step = program[world.step]
        if step.seen is None or step.seen(world):
            yield acted(replace(world, step=world.step + 1), step.action)


def acted(world: World, action: Action) -> Move:
    """The world after a user's action."""
    match action:
        case Push(heads):
            return _pushed(world, heads)
        case Remove(id):
            world, gone = deleted(world, (id,), None, How.USER)
            return Move(Actor.USER, told(gone) or (f"finds no {id} to delete",), world, gone, subject=id)
        case Annotate(id=id) | Unmark(id=id):
            return _marked(world, action, id, action.marks)
        case UnmarkAll(ids, marks):
            return _unmarked(world, ids, marks)
        case Resume(id):
            return _resumed(world, id)
        case Install(objects):
            return _installed(world, objects)
        case _:
            assert_never(action)


def _pushed(world: World, heads: tuple[tuple[str, str], ...]) -> Move:
    fresh = [(origin, revision) for origin, revision in heads if world.heads.get(origin) != revision]
    event = "pushes " + (", ".join(f"revision {brief(at)} to {origin}" for origin, at in fresh) or "nothing new")
    return Move(Actor.USER, (event,), replace(world, heads=world.heads.put_all(dict(heads))))


def _marked(world: World, action: Annotate | Unmark, id: ObjectId, marks: Marks) -> Move:
    live = world.live.get(id)
    texts = ", ".join(sorted(mark.value for mark in marks))
    verb = "sets" if isinstance(action, Annotate) else "removes"
    if live is not None:
        changed = _annotated(live, action) if isinstance(action, Annotate) else _without(live, marks)
        world = replace(world, live=world.live.put(id, changed))
    return Move(Actor.USER, (f"{verb} {texts} on {id}",), world, subject=id)


def _annotated(live: Live, action: Annotate) -> Live:
    """kustomize-controller takes over what kubectl wrote, and drops it (`fluxcd/pkg:ssa/patch.go@v0.76.1`)."""
    if action.writer.startswith(FOLDED):
        return replace(live, marks=live.marks | action.marks)
    return replace(live, pinned=live.pinned | action.marks)


def _without(live: Live, marks: Marks) -> Live:
    return replace(live, pinned=live.pinned - marks, marks=live.marks - marks)


def _unmarked(world: World, ids: frozenset[ObjectId], marks: Marks) -> Move:
    texts = ", ".join(sorted(mark.value for mark in marks))
    changes = {id: _without(world.live[id], marks) for id in sorted(ids) if id in world.live}
    event = f"removes {texts} on {len(changes)} objects"
    return Move(Actor.USER, (event,), replace(world, live=world.live.put_all(changes)))


def _resumed(world: World, id: ObjectId) -> Move:
    live = world.live.get(id)
    if live is not None:
        world = replace(world, live=world.live.put(id, resumed(live)))
    return Move(Actor.USER, (f"lets {id} go on",), world, subject=id)


def resumed(live: Live) -> Live:
    """An owner as it is live once nothing suspends it."""
    spec = live.spec
    if isinstance(spec, KustomizationSpec | HelmReleaseSpec):
        live = replace(live, spec=replace(spec, suspend=False))
    return _without(live, frozenset({Mark.SUSPENDED}))


def _installed(world: World, objects: tuple[Desired, ...]) -> Move:
    ids = ", ".join(str(desired.id) for desired in objects)
    for desired in objects:
        if reason := refusal(world, desired):
            return Move(Actor.USER, (f"cannot apply {desired.id}: {reason}",), world, failed=True)
        old = world.live.get(desired.id, Live())
        new = replace(old, pinned=old.pinned | desired.marks, digest=desired.digest)
        new = replace(new, spec=desired.spec, definition=desired.definition)
        world = replace(world, live=world.live.put(desired.id, new))
    return Move(Actor.USER, (f"applies {ids} by hand",), world)

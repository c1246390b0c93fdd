"""What must hold in every order: P2 to P9 of the transition model; P1, no loss, is read off the deletions.

P4, equal content, is not decided here: an exploration knows which objects are applied, not what is in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from flux_handover.objects import ObjectId, names
from flux_handover.proof.exploration import Violation
from flux_handover.proof.reconcile import Move
from flux_handover.proof.reconcile_kustomization import SKIPS, waits_for
from flux_handover.proof.recovery import beyond_repair, gone_for_good
from flux_handover.proof.stored import manifest_of
from flux_handover.proof.table import Table
from flux_handover.proof.world import (
    Actor,
    Built,
    ControllerSpec,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Live,
    Record,
    SourceSpec,
    World,
    is_hosted,
    is_suspended,
    is_up,
)

FINALIZERS: tuple[tuple[type, Actor], ...] = (
    (KustomizationSpec, Actor.KUSTOMIZE),
    (HelmReleaseSpec, Actor.HELM),
    (FluxInstanceSpec, Actor.OPERATOR),
)


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties, relative to the world that an exploration starts from."""

    first: World
    environment: Environment
    conflicts: dict[Table[ObjectId, Record], frozenset[ObjectId]] = field(default_factory=dict)

    def of_state(self, world: World) -> Iterator[Violation]:
        """P3, P5, P7 and P8."""
        yield from self._settings(world)
        yield from self._owners(world)
        yield from self._armed(world)
        yield from self._versions(world)

    def of_rest(self, world: World) -> Iterator[Violation]:
        """P2, P6 and P9: every controller runs, every owner that was ready is ready again, or a push repairs it."""
        yield from self._repairs(world)
        for actor in self.environment.controllers:
            if not is_hosted(world, self.environment, actor):
                deployment = self.environment.controllers[actor].deployment
                yield Violation("P2", (deployment,), f"{actor.value} is gone for good")
        for id, live in world.live.items():
            if _lost_key(world, live) and not _lost_key(self.first, live):
                yield Violation("P2", (id,), f"{id} can never fetch again: its Secret is gone")
            reason = stuck(world, id, live)
            if reason and reason != stuck(self.first, id, self.first.live.get(id)):
                yield Violation("P9", (id,), f"{id} is never ready: {reason}")

    def _repairs(self, world: World) -> Iterator[Violation]:
        known = {id for id, _ in gone_for_good(self.first, self.environment)}
        for id, actor in gone_for_good(world, self.environment):
            if id not in known:
                yield Violation("P6", (id,), f"no push is applied any more: {actor.value} is gone")
        before = beyond_repair(self.first, self.environment, self.first)
        for id, why in beyond_repair(world, self.environment, self.first).items():
            if id not in before:
                yield Violation("P6", (id,), f"no push repairs it: {why}")

    def of_move(self, world: World, move: Move) -> Iterator[Violation]:
        """P5 and P9: nobody else writes what the operator owns, no apply meets a kind that is yet to come."""
        if move.actor is Actor.USER:
            changed = [id for id, live in move.world.live.items() if live.operator and world.live.get(id) != live]
            written = tuple(sorted(id for id in changed if move.world.live[id].pinned == world.live[id].pinned))
            if written:
                yield Violation("P5", written, f"{names(written)} written by hand while the operator owns them")
        if move.failed and move.subject is not None:
            missing = undefined(world, self.environment, move.subject)
            if missing:
                yield Violation("P9", missing, f"{names(missing)} applied by {move.subject} before the kind is known")

    def _settings(self, world: World) -> Iterator[Violation]:
        for id, live in world.live.items():
            old = self.first.live.get(id)
            if old is None or old is live or not live.operator or old.operator:
                continue
            if isinstance(old.spec, KustomizationSpec) and isinstance(live.spec, KustomizationSpec):
                lost = old.spec.guards - live.spec.guards
                if lost:
                    yield Violation(
                        "P3", (id,), f"{id} loses {', '.join(sorted(lost))} when the operator takes it over"
                    )

    def _owners(self, world: World) -> Iterator[Violation]:
        yield from _second_roots(world, self.first)
        for id in self._shared(world) - self._shared(self.first):
            live = world.live.get(id)
            if live is not None and not live.opt_outs & SKIPS:
                yield Violation("P5", (id,), f"{id} is applied by two owners")

    def _shared(self, world: World) -> frozenset[ObjectId]:
        """The same for all states with the same inventories, and there are few of those."""
        if world.records not in self.conflicts:
            self.conflicts[world.records] = _shared(world)
        return self.conflicts[world.records]

    def _armed(self, world: World) -> Iterator[Violation]:
        if not world.stopped:
            return
        for id, live in world.live.items():
            if live.deleting:
                for spec, actor in FINALIZERS:
                    if isinstance(live.spec, spec) and not is_up(world, actor):
                        yield Violation("P7", (id,), f"{id} waits to be finalized by {actor.value}, which is gone")

    def _versions(self, world: World) -> Iterator[Violation]:
        for id, live in world.live.items():
            old = self.first.live.get(id)
            if old is None or old is live:
                continue
            if isinstance(old.spec, ControllerSpec) and isinstance(live.spec, ControllerSpec):
                before, after = old.spec.version[:2], live.spec.version[:2]
                if after < before or after > (before[0], before[1] + 1):
                    yield Violation("P8", (id,), f"{id} goes from Flux {_text(before)} to {_text(after)}")


def _lost_key(world: World, live: Live) -> bool:
    return isinstance(live.spec, SourceSpec) and live.spec.secret is not None and live.spec.secret not in world.live


def _second_roots(world: World, first: World) -> Iterator[Violation]:
    """A root that the operator made beside one that still reconciles: both apply the same directory."""
    active = {id: live for id in world.records if (live := world.live.get(id)) is not None and _reconciles(live)}
    made = [id for id, live in active.items() if live.operator is not None and id not in first.live]
    for id, other in ((id, other) for id in made for other in active if other != id):
        one, two = active[id].spec, active[other].spec
        same = isinstance(one, KustomizationSpec) and isinstance(two, KustomizationSpec) and one.path == two.path
        both = world.records[id].inventory & world.records[other].inventory if same else frozenset()
        if both:
            yield Violation("P5", tuple(sorted(both)), f"{id} applies what {other} applies, which is not suspended")


def _reconciles(live: Live) -> bool:
    return isinstance(live.spec, KustomizationSpec) and not live.deleting and not is_suspended(live)


def _text(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _shared(world: World) -> frozenset[ObjectId]:
    """Objects that two owners, both up to date with their artifact, hold in their inventories."""
    held: Counter[ObjectId] = Counter()
    for id, record in world.records.items():
        live = world.live.get(id)
        if live is None or live.deleting or is_suspended(live):
            continue
        if isinstance(live.spec, KustomizationSpec) and record.applied == world.artifacts.get(live.spec.source):
            held.update(record.inventory)
        elif isinstance(live.spec, HelmReleaseSpec):
            manifest = manifest_of(world, live.spec.release)
            held.update(manifest.objects if manifest else ())
        elif isinstance(live.spec, FluxInstanceSpec):
            held.update(record.inventory)
    return frozenset(id for id, owners in held.items() if owners > 1)


def stuck(world: World, id: ObjectId, live: Live | None) -> str:
    """Why an owner at rest is not ready, or the empty string."""
    if live is None or live.deleting or is_suspended(live):
        return ""
    record = world.records.get(id)
    if isinstance(live.spec, KustomizationSpec) and (waiting := waits_for(world, id)):
        return waiting
    return record.reason or "" if record is not None and not record.ready else ""


def undefined(world: World, environment: Environment, id: ObjectId) -> tuple[ObjectId, ...]:
    """Objects that an owner renders although the CRD of their kind is not there and nothing in the build brings it."""
    live = world.live.get(id)
    if live is None or not isinstance(live.spec, KustomizationSpec) or live.spec.source not in world.artifacts:
        return ()
    build = environment.renders.kustomization(id, live.spec, world.artifacts[live.spec.source])
    if not isinstance(build, Built):
        return ()
    wanting = (o for o in build.objects if o.definition is not None and o.definition not in build.ids)
    return tuple(o.id for o in wanting if o.definition not in world.live)

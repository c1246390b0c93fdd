"""helm-controller: install, upgrade, uninstall, and what a failed action leads to.

Helm deletes by the manifest it stored, without looking at who owns the live object
(`helm.sh/helm:pkg/action/uninstall.go#deleteRelease@v4.2.4`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import assert_never

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile import Deletions, How, Move, deleted, reaped, refusal, removed, told
from flux_handover.proof.reconcile_kustomization import is_healthy
from flux_handover.proof.stored import key_of, manifest_of
from flux_handover.proof.world import (
    Actor,
    ApplyFailed,
    Build,
    BuildFailed,
    Built,
    Desired,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    Live,
    Manifest,
    Mark,
    Record,
    Release,
    Remedy,
    Unknown,
    World,
    is_suspended,
    is_up,
)

PENDING = "its action has not ended"
TAKEN_ALONG_UNKNOWN = "what the release {release} takes along is unknown, its chart was not rendered"


def helm_moves(world: World, environment: Environment) -> Iterator[Move]:
    """Every next step of helm-controller."""
    if not is_up(world, Actor.HELM):
        return
    for id, live in world.live.items():
        if isinstance(live.spec, HelmReleaseSpec):
            yield from release_moves(world, environment, id, live.spec)


def release_moves(world: World, environment: Environment, id: ObjectId, spec: HelmReleaseSpec) -> Iterator[Move]:
    """The next steps on one HelmRelease."""
    live = world.live[id]
    record = world.records.get(id, Record())
    if live.deleting:
        yield finalized(world, id)
    elif is_suspended(live) or _waits_for(world, spec):
        return
    elif isinstance(record.spec, HelmReleaseSpec) and record.spec.release != spec.release:
        yield retargeted(world, id, record.spec.release)
    elif record.spec == spec and record.reason == PENDING:
        yield _ended(world, id, spec, "")
        yield remedied(world, id, spec)
    elif record.spec != spec or not record.ready or manifest_of(world, spec.release) is None:
        yield upgraded(world, id, spec, environment.renders.release(id, spec))


def _waits_for(world: World, spec: HelmReleaseSpec) -> str:
    needed = (*((spec.source,) if spec.source else ()), *spec.values)
    for id in needed:
        if id not in world.live:
            return f"{id} does not exist"
    for id in spec.depends_on:
        if not is_healthy(world, id):
            return f"{id} is not ready"
    return ""


def _may_be_cut(record: Record | None, spec: HelmReleaseSpec, objects: tuple[Desired, ...]) -> bool:
    """The action that installs Flux rolls helm-controller and is cut; of others a failure is taken to be retried."""
    rolls = any(isinstance(desired.spec, FluxInstanceSpec) for desired in objects)
    return rolls and remedy_of(record, spec) is Remedy.UNINSTALL


def remedy_of(record: Record | None, spec: HelmReleaseSpec) -> Remedy:
    """What follows if the next action fails: an install where nothing was applied yet, else an upgrade, if at all."""
    if record is None or not isinstance(record.spec, HelmReleaseSpec):
        return spec.remedy
    return spec.upgrade_remedy if record.spec != spec else Remedy.RETRY


def upgraded(world: World, id: ObjectId, spec: HelmReleaseSpec, build: Build) -> Move:
    """An install or upgrade: objects are taken over whoever has them, and those that left the chart deleted."""
    old = manifest_of(world, spec.release) or Manifest()
    match build:
        case Built(objects):
            return _released(world, id, spec, old, objects)
        case BuildFailed(reason) | ApplyFailed(_, _, reason):
            return _ended(world, id, spec, reason)
        case Unknown():
            manifest = Manifest(old.objects, old.kept, known=False)
            world = replace(world, releases=world.releases.put(key_of(spec.release), manifest))
            return _ended(world, id, spec, "")
        case _:
            assert_never(build)


def _released(world: World, id: ObjectId, spec: HelmReleaseSpec, old: Manifest, objects: tuple[Desired, ...]) -> Move:
    for desired in objects:
        if reason := refusal(world, desired):
            return _ended(world, id, spec, f"{desired.id}: {reason}")
    new = Manifest(
        frozenset(desired.id for desired in objects),
        frozenset(desired.id for desired in objects if Mark.HELM_KEEP in desired.marks),
    )
    changes = {desired.id: _written(world.live.get(desired.id), desired) for desired in objects}
    dropped = [other for other in sorted(old.objects - new.objects) if not _kept(world, other)]
    releases = world.releases.put(key_of(spec.release), new)
    world = replace(world, live=world.live.put_all(changes), releases=releases)
    world, gone = deleted(world, dropped, id, How.HELM)
    if _may_be_cut(world.records.get(id), spec, objects):
        return _ended(world, id, spec, PENDING, gone)
    waiting = [desired.id for desired in objects if spec.waits and not is_healthy(world, desired.id)]
    return _ended(world, id, spec, f"{waiting[0]} is not ready" if waiting else "", gone)


def _kept(world: World, id: ObjectId) -> bool:
    """An upgrade looks at the live object's policy, an uninstall at the stored one."""
    live = world.live.get(id)
    return live is not None and Mark.HELM_KEEP in live.opt_outs


def _written(old: Live | None, desired: Desired) -> Live:
    """helm-controller's field manager is folded by none of the others: its marks are pinned."""
    new = Live(pinned=desired.marks, digest=desired.digest, spec=desired.spec, definition=desired.definition)
    if old is None:
        return new
    pinned = desired.marks | old.pinned if old.operator else desired.marks
    return replace(new, owner=old.owner, operator=old.operator, marks=old.marks, pinned=pinned, deleting=old.deleting)


def _ended(world: World, id: ObjectId, spec: HelmReleaseSpec, reason: str, gone: Deletions = ()) -> Move:
    record = replace(world.records.get(id, Record()), spec=spec, ready=not reason, reason=reason)
    if id in world.live:
        world = replace(world, records=world.records.put(id, record))
    note = f", not ready: {reason}" if reason else ""
    return Move(Actor.HELM, (f"installs or upgrades {id}{note}", *told(gone)), world, gone, subject=id)


def remedied(world: World, id: ObjectId, spec: HelmReleaseSpec) -> Move:
    """A failed action is uninstalled (`fluxcd/helm-controller:internal/reconcile/atomic_release.go@v1.6.3`)."""
    world, gone, undecided = uninstalled(world, id, spec.release)
    world = replace(world, records=world.records.put(id, Record(ready=False, reason="its action failed")))
    event = f"is rolled in the middle of its action on {id}, counts it as failed and uninstalls the release"
    return Move(Actor.HELM, (event, *told(gone)), world, gone, subject=id, undecided=undecided)


def retargeted(world: World, id: ObjectId, old: Release) -> Move:
    """A changed release name, namespace, storage or chart name: uninstall first, install afterwards."""
    world, gone, undecided = uninstalled(world, id, old)
    world = replace(world, records=world.records.put(id, Record(ready=False, reason="its release target changed")))
    event = f"uninstalls release {old.storage}/{old.name} because the target of {id} changed"
    return Move(Actor.HELM, (event, *told(gone)), world, gone, subject=id, undecided=undecided)


def finalized(world: World, id: ObjectId) -> Move:
    """A deleted HelmRelease uninstalls its release, unless it is suspended or was never installed."""
    live, record = world.live[id], world.records.get(id)
    gone: Deletions = ()
    if not is_suspended(live) and record is not None and isinstance(record.spec, HelmReleaseSpec):
        world, gone, _ = uninstalled(world, id, record.spec.release)
    return Move(Actor.HELM, (f"finalizes {id}", *told(gone)), reaped(removed(world, id)), gone, subject=id)


def uninstalled(world: World, by: ObjectId, release: Release) -> tuple[World, Deletions, str]:
    """The world without a release: everything in its stored manifest that is not kept there."""
    manifest = manifest_of(world, release)
    if manifest is None:
        return world, (), ""
    world = replace(world, releases=world.releases.drop(key_of(release)))
    world, gone = deleted(world, sorted(manifest.objects - manifest.kept), by, How.UNINSTALL)
    name = f"{release.storage}/{release.name}"
    return world, gone, "" if manifest.known else TAKEN_ALONG_UNKNOWN.format(release=name)

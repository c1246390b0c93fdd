"""A world in the model and on real controllers: where each revision may end, and where it did end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from sandbox.worlds import World

from flux_handover.adapters.recorder import Recorder
from flux_handover.adapters.sandbox.session import Sandbox
from flux_handover.adapters.sandbox.world.git import BareRepository
from flux_handover.errors import ClusterError
from flux_handover.model.building import Builder, Network
from flux_handover.model.detection import detect
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId, mapping
from flux_handover.proof.exploration import Reachable, explore
from flux_handover.proof.gates import Gates
from flux_handover.proof.reconcile_cluster import UserStep
from flux_handover.proof.settle import settled
from flux_handover.proof.stages import Revision, stage_of
from flux_handover.proof.staging import Staged, staged
from flux_handover.proof.world import World as Model

LIMIT = 60_000
QUIET, PATIENCE = 4.0, 45.0
SOURCE = "main"


@dataclass(frozen=True, slots=True)
class Ending:
    """What is there once nobody has anything left to do, and which Kustomizations fail.

    One that waits for another is not ready either, but does not fail by itself: the model leaves it as it was.
    """

    alive: frozenset[ObjectId]
    unready: frozenset[ObjectId]


@dataclass(frozen=True, slots=True)
class Judged:
    """What the model allows for one revision."""

    reach: Reachable
    endings: Mapping[Ending, frozenset[Model]]

    @property
    def deletions(self) -> frozenset[ObjectId]:
        """Everything that some order deletes."""
        return frozenset(self.reach.deletions)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the controllers did with one revision."""

    ending: Ending
    deleted: frozenset[ObjectId]


def modelled(world: World, builder: Builder, gates: Gates) -> tuple[Staged, Model]:
    """The series in the model, and the world at rest at its first revision."""
    stages, before = [], None
    snapshot: Snapshot | None = None
    for number, tree in enumerate(world.trees, 1):
        snapshot = take_snapshot(tree, str(number), builder, detect, Reading(None, Network.DENIED), snapshot)
        (cluster,) = snapshot.clusters
        revision = Revision(str(number), tree, cluster)
        stages.append(stage_of(revision, before, builder))
        before = revision
    series = staged(stages, gates)
    return series, settled(replace(series.world, crashes=0), series.environment).world


def judged(starts: Iterable[Model], series: Staged, number: int, ids: frozenset[ObjectId]) -> Judged:
    """Everything that a push can lead to from any of the worlds that it may meet."""
    fresh = [replace(start, step=0, crashes=0) for start in starts]
    reach = explore(fresh, series.environment, (UserStep(series.pushes[number]),), limit=LIMIT)
    endings: dict[Ending, set[Model]] = {}
    for end in reach.settled:
        endings.setdefault(ending_of(end, ids), set()).add(end)
    return Judged(reach, {ending: frozenset(ends) for ending, ends in endings.items()})


def ending_of(end: Model, ids: frozenset[ObjectId]) -> Ending:
    """The ending that a world of the model is."""
    alive = frozenset(id for id in end.live if id in ids)
    records = ((id, end.records[id]) for id in alive if id.kind == "Kustomization" and id in end.records)
    return Ending(alive, frozenset(id for id, record in records if not record.ready))


def ids_of(series: Staged, start: Model) -> frozenset[ObjectId]:
    """Every object that the series speaks of."""
    found = set(start.live)
    for number in range(len(series.pushes)):
        reach = explore((replace(start, step=0),), series.environment, (UserStep(series.pushes[number]),), limit=LIMIT)
        found |= {id for end in reach.settled for id in end.live}
    return frozenset(found)


class Player:
    """Plays worlds on one sandbox, one after the other."""

    def __init__(self, sandbox: Sandbox, recorder: Recorder) -> None:
        self._cluster, self._recorder, self._world = sandbox.cluster, recorder, sandbox.world

    def begin(self, world: World) -> BareRepository:
        """Applies a world's namespace, source and root by hand, at its first revision."""
        bare = self._world.repository(world.url)
        sha = bare.commit(world.trees[0], "main", "1")
        self._cluster.apply(named("v1", "Namespace", world.namespace), field_manager="kubectl")
        source = {"interval": "1h", "url": world.url, "ref": {"branch": "main"}}
        self._apply(world, f"{SOURCE_GROUP}/v1", "GitRepository", SOURCE, source)
        reference = {"kind": "GitRepository", "name": SOURCE}
        spec = {"interval": "1h", "path": "./flux", "prune": True, "retryInterval": "5s", "sourceRef": reference}
        self._apply(world, f"{KUSTOMIZE_GROUP}/v1", "Kustomization", "root", spec)
        self._settle(world, sha, time.monotonic())
        return bare

    def push(self, world: World, bare: BareRepository, number: int, ids: frozenset[ObjectId], allowed: Judged) -> Seen:
        """Pushes a revision; what came of it once nothing changes any more and the ending is allowed, or time is up."""
        before = len(self._recorder.settled())
        sha = bare.commit(world.trees[number], "main", str(number + 1))
        self._request(world, SOURCE_GROUP, "GitRepository", sha)
        start = time.monotonic()
        while True:
            self._settle(world, sha, start)
            # What would happen at the next interval belongs to the ending.
            self._request(world, KUSTOMIZE_GROUP, "Kustomization", f"{time.time()}")
            self._settle(world, sha, start)
            ending = self._ending(ids)
            if ending in allowed.endings or time.monotonic() - start > PATIENCE:
                break
        changes = self._recorder.settled()[before:]
        gone = {change.id for change in changes if change.happened.value == "deleted"}
        return Seen(self._ending(ids), frozenset(gone & ids))

    def _request(self, world: World, group: str, kind: str, stamp: str) -> None:
        """Asks for a reconcile of all that is there; what goes meanwhile is asked in vain."""
        change = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": stamp}}}
        for manifest in self._cluster.list(group, kind, namespace=world.namespace):
            if "deletionTimestamp" not in mapping(manifest.get("metadata")):
                with suppress(ClusterError):
                    id = ObjectId(group, kind, world.namespace, str(manifest["metadata"]["name"]))
                    self._cluster.patch(id, change, field_manager="flux")

    def _apply(self, world: World, version: str, kind: str, name: str, spec: Mapping[str, Any]) -> None:
        manifest = {**named(version, kind, name, world.namespace), "spec": spec}
        self._cluster.apply(manifest, field_manager="kubectl")

    def _settle(self, world: World, sha: str, start: float) -> None:
        """Waits until every Kustomization has tried the commit and nothing has changed for a while, or time is up."""
        last, seen = time.monotonic(), len(self._recorder.changes)
        while time.monotonic() - start < PATIENCE:
            time.sleep(0.3)
            if len(self._recorder.changes) != seen or not all(self._has_tried(world, sha)):
                last, seen = time.monotonic(), len(self._recorder.changes)
            if time.monotonic() - last > QUIET:
                return

    def _has_tried(self, world: World, sha: str) -> Iterator[bool]:
        for manifest in self._cluster.list(SOURCE_GROUP, "GitRepository", namespace=world.namespace):
            yield sha in str(mapping(mapping(manifest.get("status")).get("artifact")).get("revision"))
        for manifest in self._cluster.list(KUSTOMIZE_GROUP, "Kustomization", namespace=world.namespace):
            status = mapping(manifest.get("status"))
            waits = any(c.get("reason") in WAITING for c in status.get("conditions") or ())
            suspended = bool(mapping(manifest.get("spec")).get("suspend"))
            yield suspended or waits or sha in str(status.get("lastAttemptedRevision"))

    def _ending(self, ids: frozenset[ObjectId]) -> Ending:
        found = {id: self._cluster.get(id) for id in ids}
        alive = {id: manifest for id, manifest in found.items() if manifest is not None}
        ks = {id: manifest for id, manifest in alive.items() if id.kind == "Kustomization"}
        return Ending(frozenset(alive), frozenset(id for id, manifest in ks.items() if has_failed(manifest)))


WAITING = ("DependencyNotReady", "ArtifactFailed", "BuildFailed")


def has_failed(manifest: Mapping[str, Any]) -> bool:
    """Whether it is not ready, for a reason of its own."""
    conditions = mapping(manifest.get("status")).get("conditions") or ()
    ready: Mapping[str, Any] = next((one for one in conditions if one.get("type") == "Ready"), {})
    return ready.get("status") != "True" and ready.get("reason") != "DependencyNotReady"


def named(version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    """The head of a manifest."""
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place}}

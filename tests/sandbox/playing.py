"""Plays small worlds on a real control plane, several at once, and says what came of each revision.

Nothing here waits for a fixed time. All Kustomizations of a world are asked to reconcile, and asked again once
each has done so, until a whole round changes nothing: that is when the model too calls a world at rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sandbox.judging import Ending, Ids, Outcome
from sandbox.worlds import World, belongs

from flux_handover.adapters.recorder import Happened, Recorder
from flux_handover.adapters.sandbox.session import Sandbox
from flux_handover.adapters.sandbox.world.git import BareRepository
from flux_handover.errors import ClusterError
from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId, id_of, mapping

PATIENCE = 240.0
PAUSE = 0.2
QUIET_ROUNDS = 1
NOBODY = Ids()
SOURCE = "main"
REQUEST = "reconcile.fluxcd.io/requestedAt"
SOURCES, KUSTOMIZATIONS = (SOURCE_GROUP, "GitRepository"), (KUSTOMIZE_GROUP, "Kustomization")
Manifest = Mapping[str, Any]
Telling = Callable[[Outcome], Outcome]


class Restless(Exception):
    """Time is up, and controllers still had something to do."""


@dataclass(frozen=True, slots=True)
class Scenery:
    """The objects of a world at one moment."""

    manifests: Mapping[ObjectId, Manifest]

    @property
    def ending(self) -> Ending:
        """What the model would call it."""
        terminating = frozenset(id for id, manifest in self.manifests.items() if is_terminating(manifest))
        failing = frozenset(id for id, m in self.manifests.items() if id.kind == "Kustomization" and has_failed(m))
        return Ending(frozenset(self.manifests), terminating, failing - terminating)

    @property
    def uids(self) -> Mapping[ObjectId, str]:
        """The uid of each object."""
        return {id: str(manifest["metadata"]["uid"]) for id, manifest in self.manifests.items()}

    @property
    def print(self) -> Mapping[ObjectId, object]:
        """What a round of reconciles must leave as it is: labels may change for ever between two owners."""
        return {id: print_of(manifest) for id, manifest in self.manifests.items()}

    def only(self, ids: Container[ObjectId]) -> Scenery:
        """Some of its objects."""
        return Scenery({id: manifest for id, manifest in self.manifests.items() if id in ids})

    def without(self, ids: Container[ObjectId]) -> Scenery:
        """All of its objects but these."""
        return Scenery({id: manifest for id, manifest in self.manifests.items() if id not in ids})

    def of(self, group: str, kind: str) -> Iterator[tuple[ObjectId, Manifest]]:
        """Its objects of one kind."""
        return ((id, m) for id, m in self.manifests.items() if (id.group, id.kind) == (group, kind))


class Play:
    """One world on a sandbox."""

    def __init__(self, world: World, sandbox: Sandbox, recorder: Recorder, universe: Ids) -> None:
        self._world, self._cluster, self._recorder = world, sandbox.cluster, recorder
        self._bare: BareRepository = sandbox.world.repository(world.url)
        self._kinds = sorted({(id.group, id.kind) for id in universe} | {SOURCES, KUSTOMIZATIONS})
        self._namespaces = sorted({id.namespace for id in universe if id.namespace} | {world.namespace})
        self._global = frozenset((id.group, id.kind) for id in universe if not id.namespace)
        self._own = frozenset() if any(id.name == world.namespace for id in universe) else {world.namespace}
        self._mark = 0

    def begin(self, start: Ending) -> None:
        """Applies a world's namespace, source and root by hand, and waits until all is as the model begins."""
        sha = self._bare.commit(self._world.trees[0], "main", "1")
        self._cluster.apply(named("v1", "Namespace", self._world.namespace), field_manager="kubectl")
        source = {"interval": "1h", "url": self._world.url, "ref": {"branch": "main"}}
        self._apply(f"{SOURCE_GROUP}/v1", "GitRepository", SOURCE, source)
        reference = {"kind": "GitRepository", "name": SOURCE}
        spec = {"interval": "1h", "path": "./flux", "prune": True, "sourceRef": reference}
        self._apply(f"{KUSTOMIZE_GROUP}/v1", "Kustomization", "root", spec)
        found = self._settled(sha, lambda outcome: outcome.ending == start)
        if found.ending != start:
            raise Restless(f"it does not begin as the model does: {differences(found.ending, start)}")

    def push(self, number: int) -> str:
        """Makes a revision, counted from 1 after the first, the head; its commit."""
        self._mark = len(self._recorder.changes)
        sha = self._bare.commit(self._world.trees[number], "main", str(number + 1))
        self._request(self._scenery([SOURCES]), sha)
        return sha

    def outcome(self, sha: str, allowed: Iterable[Outcome], told: Telling = lambda seen: seen) -> Outcome:
        """What came of a push once a whole round changes nothing; what the model allows, if that is ever seen.

        `told` puts what is seen in the names that `allowed` has.
        """
        expected = frozenset(allowed)
        return told(self._settled(sha, lambda outcome: told(outcome) in expected))

    def calm(self, sha: str, held: Ids) -> None:
        """Waits until a round of all but the held changes nothing of what is not theirs."""
        self._settled(sha, lambda outcome: True, held)

    def once(self, sha: str, held: Ids) -> None:
        """Waits until all but the held have reconciled with what the sources offer at a commit."""
        self._await_artifacts(sha, time.monotonic() + PATIENCE)
        self.round(held)

    def reconcile(self, ks: ObjectId) -> None:
        """One Kustomization reconciles, and nobody else."""
        self.request(ks)
        self._await_handled(Ids({ks}), time.monotonic() + PATIENCE)

    def request(self, ks: ObjectId) -> None:
        """Asks one Kustomization for a reconcile."""
        self._request(self._scenery([KUSTOMIZATIONS]).only({ks}), f"{time.time()}")

    def touch(self, ks: ObjectId) -> None:
        """Edits by hand what a Kustomization applied, so that its next reconcile has something to write."""
        for id, manifest in self._scenery([("", "ConfigMap")]).manifests.items():
            labels = manifest["metadata"].get("labels") or {}
            if labels.get(f"{KUSTOMIZE_GROUP}/name") == ks.name:
                self._cluster.patch(id, {"data": {"text": "edited by hand"}}, field_manager="flux")

    def scenery(self) -> Scenery:
        """All that the world has now, whether the model knows of it or not."""
        return self._scenery(self._kinds)

    def _scenery(self, kinds: Iterable[tuple[str, str]]) -> Scenery:
        found: dict[ObjectId, Manifest] = {}
        for group, kind in kinds:
            for namespace in [""] if (group, kind) in self._global else self._namespaces:
                found |= {id_of(m): m for m in self._cluster.list(group, kind, namespace=namespace)}
        return Scenery({id: manifest for id, manifest in found.items() if self._is_own(id)})

    def round(self, held: Ids) -> None:
        """Every Kustomization reconciles once more, for each may have something to do that nobody told it."""
        asked = self._scenery([KUSTOMIZATIONS]).without(held)
        self._request(asked, f"{time.time()}")
        self._await_handled(asked.manifests.keys(), time.monotonic() + PATIENCE)

    def _await_handled(self, asked: Iterable[ObjectId], end: float) -> None:
        ids = set(asked)
        while any(is_asked(m) for m in self._scenery([KUSTOMIZATIONS]).only(ids).manifests.values()):
            self._pause(end)

    def _settled(self, sha: str, is_expected: Callable[[Outcome], bool], held: Ids = NOBODY) -> Outcome:
        end = time.monotonic() + PATIENCE
        self._await_artifacts(sha, end)
        before, quiet = self.scenery().without(held), 0
        while True:
            self.round(held)
            after = self._caught_up(end).without(held)
            quiet = quiet + 1 if after.print == before.print and not is_busy(after) else 0
            before, outcome = after, Outcome(after.ending, self._deleted())
            if quiet >= QUIET_ROUNDS and (is_expected(outcome) or time.monotonic() > end):
                return outcome
            if time.monotonic() > end + PATIENCE:
                raise Restless(f"{self._world.name} does not come to rest")

    def _await_artifacts(self, sha: str, end: float) -> None:
        while not all(has_artifact(manifest, sha) for manifest in self._scenery([SOURCES]).manifests.values()):
            self._pause(end)

    def _caught_up(self, end: float) -> Scenery:
        """What is there, once the recorder has seen as much."""
        while True:
            scenery, recorded = self.scenery(), self._recorder.current()
            if scenery.uids == {id: uid for id, uid in recorded.items() if self._is_own(id)}:
                return scenery
            self._pause(end)

    def _deleted(self) -> Ids:
        changes = self._recorder.changes[self._mark :]
        return frozenset(c.id for c in changes if c.happened is Happened.DELETED and self._is_own(c.id))

    def _is_own(self, id: ObjectId) -> bool:
        is_known = (id.group, id.kind) in self._kinds
        return is_known and belongs(id, self._world.namespace) and id.name not in self._own

    def _request(self, asked: Scenery, stamp: str) -> None:
        """Asks for a reconcile; what goes meanwhile is asked in vain."""
        change = {"metadata": {"annotations": {REQUEST: stamp}}}
        for id, manifest in asked.manifests.items():
            if not is_terminating(manifest):
                with suppress(ClusterError):
                    self._cluster.patch(id, change, field_manager="flux")

    def _apply(self, version: str, kind: str, name: str, spec: Manifest) -> None:
        manifest = {**named(version, kind, name, self._world.namespace), "spec": spec}
        self._cluster.apply(manifest, field_manager="kubectl")

    def _pause(self, end: float) -> None:
        if time.monotonic() > end + PATIENCE:
            raise Restless(f"{self._world.name}: the controllers do not answer")
        time.sleep(PAUSE)


def ready(manifest: Manifest) -> Manifest:
    """The Ready condition of an object."""
    conditions = mapping(manifest.get("status")).get("conditions") or ()
    return next((one for one in conditions if one.get("type") == "Ready"), {})


def has_failed(manifest: Manifest) -> bool:
    """Whether a Kustomization is not ready, for a reason of its own."""
    condition = ready(manifest)
    return condition.get("status") != "True" and not is_waiting(condition)


def is_waiting(condition: Manifest) -> bool:
    """Whether a Kustomization waits for another one, or for its source."""
    message = str(condition.get("message"))
    lacks_source = condition.get("reason") == "ArtifactFailed" and "path not found" not in message
    return lacks_source or condition.get("reason") == "DependencyNotReady"


def is_terminating(manifest: Manifest) -> bool:
    """Whether its deletion was asked for."""
    return "deletionTimestamp" in manifest["metadata"]


def is_suspended(manifest: Manifest) -> bool:
    """Whether its controller passes it over."""
    return bool(mapping(manifest.get("spec")).get("suspend"))


def is_asked(manifest: Manifest) -> bool:
    """Whether a Kustomization was asked to reconcile, and has not done so."""
    if is_terminating(manifest) or is_suspended(manifest):
        return False
    asked = (manifest["metadata"].get("annotations") or {}).get(REQUEST)
    return asked is not None and mapping(manifest.get("status")).get("lastHandledReconcileAt") != asked


def has_artifact(manifest: Manifest, sha: str) -> bool:
    """Whether a source offers a commit, or cannot."""
    stuck = is_terminating(manifest) or is_suspended(manifest) or ready(manifest).get("status") == "False"
    return stuck or sha in revision_of(manifest)


def is_busy(scenery: Scenery) -> bool:
    """Whether some Kustomization is in the middle of a reconcile, or has not tried what its source offers."""
    offered = {id.name: revision_of(manifest) for id, manifest in scenery.of(*SOURCES)}
    return any(has_work(manifest, offered) for _, manifest in scenery.of(*KUSTOMIZATIONS))


def has_work(manifest: Manifest, offered: Mapping[str, str]) -> bool:
    """Whether a Kustomization still has something to do, by what the sources of its world offer."""
    if is_terminating(manifest) or is_suspended(manifest):
        return False
    condition = ready(manifest)
    if condition.get("status") not in ("True", "False"):
        return True
    revision = offered.get(manifest["spec"]["sourceRef"]["name"])
    tried = mapping(manifest.get("status")).get("lastAttemptedRevision") == revision
    return not (tried or is_waiting(condition) or condition.get("reason") == "ArtifactFailed")


def revision_of(source: Manifest) -> str:
    """The revision of the artifact that a source offers."""
    return str(mapping(mapping(source.get("status")).get("artifact")).get("revision"))


def print_of(manifest: Manifest) -> object:
    """What of an object tells whether it is still the same, as far as an ending goes."""
    metadata, status, condition = manifest["metadata"], mapping(manifest.get("status")), ready(manifest)
    entries = mapping(status.get("inventory")).get("entries") or ()
    inventory = sorted(str(entry["id"]) for entry in entries)
    state = condition.get("status"), condition.get("reason"), status.get("lastAppliedRevision"), inventory
    return metadata["uid"], metadata.get("generation"), is_terminating(manifest), state


def differences(seen: Ending, allowed: Ending) -> str:
    """What two endings do not share, for a person."""
    parts = {
        "not there": allowed.alive - seen.alive,
        "there": seen.alive - allowed.alive,
        "terminating": seen.terminating ^ allowed.terminating,
        "failing": seen.failing - allowed.failing,
        "not failing": allowed.failing - seen.failing,
    }
    return "; ".join(f"{what}: {', '.join(map(str, sorted(ids)))}" for what, ids in parts.items() if ids) or "nothing"


def named(version: str, kind: str, name: str, namespace: str = "") -> dict[str, Any]:
    """The head of a manifest."""
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **place}}

"""Whether a cluster has come to rest: every controller has done what the last push asked of it.

Rest is not silence. A Kustomization whose source shows an older revision is not at rest however quiet the
cluster is; one that can never be ready never rests, so waiting has an end, and what was missing is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from flux_handover.act.gates import View, is_observed, is_true, said
from flux_handover.adapters.cluster import Cluster, Manifest
from flux_handover.adapters.recorder import Recorder
from flux_handover.errors import ClusterError
from flux_handover.objects import HELM_GROUP, KUSTOMIZE_GROUP, OPERATOR_GROUP, SOURCE_GROUP, ObjectId, id_of, mapping

QUIET_SECONDS, LOOK_SECONDS, POKE_SECONDS = 4.0, 1.0, 20.0
DEPENDS, PROGRESSES = "DependencyNotReady", "Progressing"
REQUESTED = "reconcile.fluxcd.io/requestedAt"
MANAGER = "flux-handover"
SOURCES = ("GitRepository", "OCIRepository", "Bucket", "HelmRepository")
WAITED = (
    *((SOURCE_GROUP, kind) for kind in SOURCES),
    (KUSTOMIZE_GROUP, "Kustomization"),
    (HELM_GROUP, "HelmRelease"),
    (OPERATOR_GROUP, "FluxInstance"),
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the cluster should come to: the commit, where it is fetched from, and which controllers must live."""

    sha: str
    sources: frozenset[ObjectId]
    controllers: frozenset[ObjectId]


@dataclass(frozen=True, slots=True)
class Rest:
    """How waiting ended: after how long, and what had not come to rest by then."""

    seconds: float
    missing: Mapping[ObjectId, str]
    is_gone: bool = False


def unrested(cluster: View, expected: Expected) -> Mapping[ObjectId, str]:
    """What has not done its work yet, and what it says."""
    return dict(_unrested(cluster, expected))


def _unrested(cluster: View, expected: Expected) -> Iterator[tuple[ObjectId, str]]:
    for group, kind in WAITED:
        for manifest in cluster.list(group, kind):
            if reason := _waits(manifest, expected):
                yield id_of(manifest), reason
    yield from _unavailable(cluster, expected.controllers)


def _unavailable(cluster: View, controllers: Iterable[ObjectId]) -> Iterator[tuple[ObjectId, str]]:
    for id in sorted(controllers):
        found = cluster.get(id)
        if found is None:
            yield id, "it is gone"
        elif not is_available(found):
            yield id, "it is not available"


def _waits(manifest: Manifest, expected: Expected) -> str:
    metadata, spec, status = (mapping(manifest.get(key)) for key in ("metadata", "spec", "status"))
    if "deletionTimestamp" in metadata:
        return "it is being deleted"
    if spec.get("suspend") or is_static(manifest):
        return ""
    # A FluxInstance says for which generation a condition is, and nowhere else.
    if not is_true(manifest, "Ready") or ("observedGeneration" in status and not is_observed(manifest)):
        return said(manifest, "Ready")
    id = id_of(manifest)
    if id in expected.sources:
        there = mapping(status.get("artifact")).get("revision")
        return "" if expected.sha in str(there) else f"its artifact is {there}"
    if id.kind == "Kustomization" and _source(manifest) in expected.sources:
        applied = str(status.get("lastAppliedRevision"))
        return "" if expected.sha in applied else f"it has applied {applied}"
    return ""


def is_static(manifest: Manifest) -> bool:
    """Whether it is a HelmRepository of type oci, which has no status."""
    return manifest.get("kind") == "HelmRepository" and mapping(manifest.get("spec")).get("type") == "oci"


def is_available(deployment: Manifest) -> bool:
    """Whether a Deployment runs as it is written now."""
    status, wanted = mapping(deployment.get("status")), mapping(deployment.get("spec")).get("replicas", 1)
    counts = (status.get("updatedReplicas", 0), status.get("availableReplicas", 0), status.get("replicas", 0))
    return is_observed(deployment) and all(count == wanted for count in counts)


def _source(manifest: Manifest) -> ObjectId:
    reference = mapping(mapping(manifest.get("spec")).get("sourceRef"))
    namespace = str(reference.get("namespace") or id_of(manifest).namespace)
    return ObjectId(SOURCE_GROUP, str(reference.get("kind", "")), namespace, str(reference.get("name", "")))


def requested(cluster: Cluster, ids: Iterable[ObjectId], stamp: str) -> None:
    """Asks controllers to reconcile, as `flux reconcile` does; what is gone meanwhile is no error."""
    change = {"metadata": {"annotations": {REQUESTED: stamp}}}
    for id in ids:
        if cluster.get(id) is not None:
            cluster.patch(id, change, field_manager=MANAGER)


def freed(cluster: View, missing: Mapping[ObjectId, str]) -> Iterator[ObjectId]:
    """What still waits for another object that is at rest by now, and would look again only after its delay."""
    for id, reason in missing.items():
        if reason.startswith(DEPENDS):
            found = cluster.get(id) or {}
            if not any(dependency in missing for dependency in _dependencies(id, found)):
                yield id


def stalled(missing: Mapping[ObjectId, str]) -> Iterator[ObjectId]:
    """What may be asked to look again; one that is at work would only do all of it a second time."""
    return (id for id, reason in missing.items() if id.group != "apps" and not reason.startswith(PROGRESSES))


def _dependencies(id: ObjectId, manifest: Manifest) -> Iterator[ObjectId]:
    for entry in mapping(manifest.get("spec")).get("dependsOn") or ():
        yield ObjectId(id.group, id.kind, str(entry.get("namespace") or id.namespace), str(entry.get("name")))


def wait_for_rest(
    cluster: Cluster, recorder: Recorder, expected: Expected, *, seconds: float, told: Callable[[str], None]
) -> Rest:
    """Waits until everything is done and nothing has changed for a while, or until there is no hope or time left."""
    start = time.monotonic()
    last_change, last_poke, seen = start, start, len(recorder.changes)
    asked: frozenset[ObjectId] = frozenset()
    while True:
        time.sleep(LOOK_SECONDS)
        now, missing = time.monotonic(), _looked(cluster, expected)
        if len(recorder.changes) != seen:
            seen, last_change = len(recorder.changes), now
        gone = _without_hope(missing, expected)
        is_over = not missing or gone
        if (is_over and now - last_change > QUIET_SECONDS) or now - start > seconds:
            return Rest(now - start, missing, gone)
        told(f"waiting for {len(missing)} objects, {next(iter(missing), 'quiet')}")
        waiting = frozenset(freed(cluster, missing))
        requested(cluster, waiting - asked, f"{time.time()}")
        asked = waiting
        if missing and now - last_poke > POKE_SECONDS and now - last_change > QUIET_SECONDS:
            requested(cluster, stalled(missing), f"{time.time()}")
            last_poke = now


def _looked(cluster: View, expected: Expected) -> Mapping[ObjectId, str]:
    try:
        return unrested(cluster, expected)
    except ClusterError as error:
        # A kind may vanish between discovery and listing.
        return {ObjectId("", "Cluster", "", ""): str(error)}


def _without_hope(missing: Mapping[ObjectId, str], expected: Expected) -> bool:
    """Whether a controller without which nothing comes back is gone."""
    return any(missing.get(id) == "it is gone" for id in expected.controllers)

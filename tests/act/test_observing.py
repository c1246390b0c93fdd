"""Whether a cluster has come to rest, and what it is still to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from flux_handover.act.observing import Expected, freed, is_available, stalled, unrested
from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId, id_of

SHA = "aa11"
FLEET = ObjectId(SOURCE_GROUP, "GitRepository", "flux-system", "fleet")
ORCHARD = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "orchard")
BARN = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "barn")
KUSTOMIZE = ObjectId("apps", "Deployment", "flux-system", "kustomize-controller")
EXPECTED = Expected(SHA, frozenset({FLEET}), frozenset({KUSTOMIZE}))


class Shown:
    """A cluster that holds these objects and nothing else."""

    def __init__(self, *manifests: Mapping[str, Any]) -> None:
        self._manifests = {id_of(manifest): manifest for manifest in manifests}

    def get(self, id: ObjectId) -> Mapping[str, Any] | None:
        return self._manifests.get(id)

    def list(self, group: str, kind: str) -> Sequence[Mapping[str, Any]]:
        return [one for id, one in self._manifests.items() if (id.group, id.kind) == (group, kind)]


def ready(status: str = "True", reason: str = "Succeeded", message: str = "done") -> Mapping[str, Any]:
    return {"type": "Ready", "status": status, "reason": reason, "message": message}


def shown(id: ObjectId, spec: Mapping[str, Any], status: Mapping[str, Any], **metadata: Any) -> Mapping[str, Any]:
    named = {"name": id.name, "namespace": id.namespace, "generation": 1, **metadata}
    return {
        "apiVersion": f"{id.group}/v1",
        "kind": id.kind,
        "metadata": named,
        "spec": spec,
        "status": {"observedGeneration": 1, "conditions": [ready()], **status},
    }


def source(sha: str = SHA) -> Mapping[str, Any]:
    return shown(FLEET, {}, {"artifact": {"revision": f"main@sha1:{sha}"}})


def ks(id: ObjectId = ORCHARD, applied: str = SHA, *, after: str = "", **status: Any) -> Mapping[str, Any]:
    spec = {"sourceRef": {"kind": "GitRepository", "name": "fleet"}, "dependsOn": [{"name": after}] if after else []}
    return shown(id, spec, {"lastAppliedRevision": f"main@sha1:{applied}", **status})


def deployment(available: int = 1, seen: int = 1) -> Mapping[str, Any]:
    status = {"updatedReplicas": 1, "availableReplicas": available, "replicas": 1, "observedGeneration": seen}
    return shown(KUSTOMIZE, {"replicas": 1}, status)


def test_at_rest_is_what_has_applied_the_push() -> None:
    assert unrested(Shown(source(), ks(), deployment()), EXPECTED) == {}


@pytest.mark.parametrize(
    ("manifests", "id", "reason"),
    [
        ((source("bb22"), ks(), deployment()), FLEET, "its artifact is main@sha1:bb22"),
        ((source(), ks(applied="bb22"), deployment()), ORCHARD, "it has applied main@sha1:bb22"),
        (
            (source(), ks(conditions=[ready("False", "BuildFailed", "no file")]), deployment()),
            ORCHARD,
            "BuildFailed no file",
        ),
        ((source(), ks(observedGeneration=0), deployment()), ORCHARD, "Succeeded done"),
        ((source(), ks()), KUSTOMIZE, "it is gone"),
        ((source(), ks(), deployment(available=0)), KUSTOMIZE, "it is not available"),
        ((source(), ks(), deployment(seen=0)), KUSTOMIZE, "it is not available"),
    ],
    ids=["old artifact", "old revision", "failed", "not seen yet", "gone", "not up", "not rolled"],
)
def test_what_is_not_at_rest_says_why(manifests: Sequence[Mapping[str, Any]], id: ObjectId, reason: str) -> None:
    assert unrested(Shown(*manifests), EXPECTED) == {id: reason}


def test_what_is_being_deleted_is_not_at_rest_and_what_is_suspended_is() -> None:
    ending = shown(ORCHARD, {}, {}, deletionTimestamp="2026-01-01T00:00:00Z")
    suspended = shown(BARN, {"suspend": True}, {"conditions": [ready("False")]})

    assert unrested(Shown(source(), ending, suspended, deployment()), EXPECTED) == {ORCHARD: "it is being deleted"}


def test_another_source_need_not_show_the_push() -> None:
    other = ObjectId(SOURCE_GROUP, "OCIRepository", "flux-system", "charts")

    seen = Shown(source(), shown(other, {}, {"artifact": {"revision": "1.0.0@sha256:cc"}}), deployment())

    assert unrested(seen, EXPECTED) == {}


def test_what_waited_for_something_that_is_ready_now_is_asked_to_look_again() -> None:
    cluster = Shown(ks(BARN), ks(ORCHARD, after="barn"))
    waits = "DependencyNotReady dependency 'flux-system/barn' is not ready"

    assert list(freed(cluster, {ORCHARD: waits})) == [ORCHARD]
    assert list(freed(cluster, {ORCHARD: waits, BARN: "it has applied main@sha1:bb22"})) == []
    assert list(freed(cluster, {ORCHARD: "BuildFailed no file"})) == []


@pytest.mark.parametrize(
    ("id", "reason", "asked"),
    [
        (ORCHARD, "BuildFailed no file", True),
        (ORCHARD, "it has applied main@sha1:bb22", True),
        (ORCHARD, "Progressing Reconciliation in progress", False),
        (KUSTOMIZE, "it is not available", False),
    ],
)
def test_what_is_at_work_is_not_asked_again(id: ObjectId, reason: str, asked: bool) -> None:
    assert list(stalled({id: reason})) == ([id] if asked else [])


@pytest.mark.parametrize(("available", "expected"), [(1, True), (0, False)])
def test_a_deployment_is_available_when_all_its_replicas_are(available: int, expected: bool) -> None:
    assert is_available(deployment(available)) is expected

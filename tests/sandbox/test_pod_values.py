from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flux_handover.adapters.sandbox.pods.pod import FIRST_PAUSE, LONGEST_PAUSE, STEADY, Pod, Stage
from flux_handover.adapters.sandbox.pods.status import Health, Report, is_finished, runs_to_completion, status_patch
from flux_handover.adapters.sandbox.pods.wiring import WIRINGS, launch

Manifest = Mapping[str, Any]


def manifest(*, metadata: Manifest | None = None, spec: Manifest | None = None, args: tuple[str, ...] = ()) -> Manifest:
    container = {"name": "manager", "image": "ghcr.io/fluxcd/kustomize-controller:v1.9.4", "args": list(args)}
    return {
        "metadata": {"name": "kc-1", "namespace": "flux-system", "uid": "u1", **(metadata or {})},
        "spec": {"containers": [container], **(spec or {})},
    }


def started(name: str, *arguments: str) -> tuple[str, ...]:
    ports = itertools.count(20_000)
    program, folder = Path("/bin") / name, Path("/pod")
    return launch(name, program, arguments, folder, lambda: next(ports), lambda port: port + 5_000).arguments


def test_the_pods_own_arguments_stay() -> None:
    assert started("kustomize-controller", "--concurrent=8", "--log-level=info")[:2] == (
        "--concurrent=8",
        "--log-level=info",
    )


def test_addresses_come_after_the_pods_own_so_that_they_count() -> None:
    arguments = started("source-controller", "--storage-adv-addr=source.flux-system.svc", "--storage-path=/data")

    assert arguments[-3:] == (
        "--storage-addr=127.0.0.1:20002",
        "--storage-adv-addr=127.0.0.1:25002",
        "--storage-path=/pod/storage",
    )


def test_events_go_nowhere_but_notification_controller_still_listens() -> None:
    assert not any("events" in argument for argument in started("helm-controller", "--events-addr=http://n/"))
    assert any(argument.startswith("--events-addr=127.0.0.1:") for argument in started("notification-controller"))


def test_every_address_has_a_port_of_its_own() -> None:
    ports = [argument.rpartition(":")[2] for argument in started("notification-controller") if "127.0.0.1:" in argument]

    assert len(ports) == 4
    assert len(set(ports)) == 4


def test_the_operator_finds_its_manifests_beside_itself() -> None:
    assert "--storage-path=/bin/data" in started("flux-operator")


def test_only_the_operator_must_be_told_its_mode() -> None:
    assert [name for name, wiring in WIRINGS.items() if wiring.environment] == ["flux-operator"]


@pytest.mark.parametrize(
    ("metadata", "spec", "expected"),
    [
        ({"ownerReferences": [{"kind": "Job"}]}, {}, True),
        ({"ownerReferences": [{"kind": "ReplicaSet"}]}, {"restartPolicy": "Always"}, False),
        ({}, {"restartPolicy": "Never"}, True),
        ({}, {}, False),
    ],
)
def test_a_task_ends_and_a_service_does_not(metadata: Manifest, spec: Manifest, expected: bool) -> None:
    assert runs_to_completion(manifest(metadata=metadata, spec=spec)) is expected


@pytest.mark.parametrize(("phase", "expected"), [("Succeeded", True), ("Failed", True), ("Running", False)])
def test_an_ended_pod_is_finished(phase: str, expected: bool) -> None:
    assert is_finished({"status": {"phase": phase}}) is expected


@pytest.mark.parametrize(
    ("health", "phase", "ready", "state"),
    [
        (Health.READY, "Running", "True", "running"),
        (Health.STARTING, "Running", "False", "running"),
        (Health.WAITING, "Running", "False", "waiting"),
        (Health.MISCONFIGURED, "Running", "False", "waiting"),
        (Health.DONE, "Succeeded", "False", "terminated"),
    ],
)
def test_a_status_says_how_the_pod_fares(health: Health, phase: str, ready: str, state: str) -> None:
    status = status_patch(manifest(), Report(health, restarts=2), 0.0)["status"]

    assert status["phase"] == phase
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == ready
    assert list(status["containerStatuses"][0]["state"]) == [state]
    assert status["containerStatuses"][0]["restartCount"] == 2


def test_a_pod_keeps_the_time_at_which_it_began() -> None:
    pod = {**manifest(), "status": {"startTime": "2026-01-01T00:00:00Z"}}

    assert status_patch(pod, Report(Health.READY), 99.0)["status"]["startTime"] == "2026-01-01T00:00:00Z"


def test_init_containers_have_done_their_work() -> None:
    pod = manifest(spec={"initContainers": [{"name": "setup", "image": "x"}]})

    statuses = status_patch(pod, Report(Health.READY), 0.0)["status"]["initContainerStatuses"]
    assert [list(status["state"]) for status in statuses] == [["terminated"]]


def test_crashes_in_a_row_wait_longer_each_time() -> None:
    pod, pauses = Pod(manifest()), []

    for _ in range(8):
        pod.began = 100.0
        pod.crashed(100.0)
        pauses.append(pod.not_before - 100.0)

    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == LONGEST_PAUSE


def test_a_steady_run_forgives_earlier_crashes() -> None:
    pod = Pod(manifest(), pause=LONGEST_PAUSE, began=100.0)

    pod.crashed(100.0 + STEADY + 1)

    assert pod.not_before == 100.0 + STEADY + 1 + FIRST_PAUSE


def test_a_pod_is_bound_once_it_has_a_node_and_ends_once_it_is_deleted() -> None:
    pod = Pod(manifest())
    stages = [pod.stage]

    pod.update(manifest(spec={"nodeName": "n"}))
    stages.append(pod.stage)
    pod.update(manifest(metadata={"deletionTimestamp": "now"}, spec={"nodeName": "n"}))
    stages.append(pod.stage)

    assert stages == [Stage.UNBOUND, Stage.BOUND, Stage.ENDING]


def test_a_deletion_sets_the_grace_and_else_the_pod_does() -> None:
    assert Pod(manifest(metadata={"deletionGracePeriodSeconds": 0})).grace == 0
    assert Pod(manifest(spec={"terminationGracePeriodSeconds": 10})).grace == 10
    assert Pod(manifest()).grace == 30


def test_shards_of_a_controller_share_no_lease() -> None:
    plain, shard = Pod(manifest()), Pod(manifest(args=("--watch-label-selector=sharding.fluxcd.io/key=one",)))

    assert plain.lease == Pod(manifest(args=("--concurrent=8",))).lease
    assert plain.lease != shard.lease

"""The status that a kubelet would report for a pod, as a merge patch."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from flux_handover.objects import listed, mapping

Manifest = Mapping[str, Any]


class Health(Enum):
    """How a pod fares."""

    STARTING = "Running"
    READY = "Ready"
    WAITING = "CrashLoopBackOff"
    MISCONFIGURED = "CreateContainerConfigError"
    DONE = "Completed"


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a pod's containers."""

    health: Health
    restarts: int = 0
    message: str = ""


def runs_to_completion(pod: Manifest) -> bool:
    """Whether the pod is a task that ends: of a Job, or one that is not restarted."""
    owners = mapping(pod.get("metadata")).get("ownerReferences") or ()
    if any(owner.get("kind") == "Job" for owner in owners):
        return True
    return mapping(pod.get("spec")).get("restartPolicy") in ("Never", "OnFailure")


def is_finished(pod: Manifest) -> bool:
    """Whether nothing more can happen to the pod but its deletion."""
    return mapping(pod.get("status")).get("phase") in ("Succeeded", "Failed")


def status_patch(pod: Manifest, report: Report, now: float) -> Manifest:
    """The merge patch of a pod's status subresource."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    spec = mapping(pod.get("spec"))
    status = {
        "phase": "Succeeded" if report.health is Health.DONE else "Running",
        "podIP": "127.0.0.1",
        "podIPs": [{"ip": "127.0.0.1"}],
        "hostIP": "127.0.0.1",
        "startTime": mapping(pod.get("status")).get("startTime") or stamp,
        "conditions": conditions(report, stamp),
        "containerStatuses": [container(c, report, stamp) for c in listed(spec.get("containers"))],
        "initContainerStatuses": [container(c, Report(Health.DONE), stamp) for c in listed(spec.get("initContainers"))],
    }
    return {"status": status}


def conditions(report: Report, stamp: str) -> list[Manifest]:
    """The four conditions that controllers read."""
    ready = "True" if report.health is Health.READY else "False"
    states = {"PodScheduled": "True", "Initialized": "True", "ContainersReady": ready, "Ready": ready}
    return [{"type": name, "status": status, "lastTransitionTime": stamp} for name, status in states.items()]


def container(spec: Manifest, report: Report, stamp: str) -> Manifest:
    """The status of one container."""
    return {
        "name": spec["name"],
        "image": spec.get("image", ""),
        "imageID": "",
        "ready": report.health is Health.READY,
        "started": report.health in (Health.READY, Health.STARTING),
        "restartCount": report.restarts,
        "state": state(report, stamp),
    }


def state(report: Report, stamp: str) -> Manifest:
    """What a container does right now."""
    match report.health:
        case Health.READY | Health.STARTING:
            return {"running": {"startedAt": stamp}}
        case Health.DONE:
            return {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": stamp, "finishedAt": stamp}}
        case Health.WAITING | Health.MISCONFIGURED:
            return {"waiting": {"reason": report.health.value, "message": report.message}}

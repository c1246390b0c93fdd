"""Starting the program of a pod: its environment, its token, its folder, its ports."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flux_handover.adapters.cluster import Kind
from flux_handover.adapters.sandbox.control.plane import ControlPlane
from flux_handover.adapters.sandbox.control.ports import free_port
from flux_handover.adapters.sandbox.control.processes import Process
from flux_handover.adapters.sandbox.pods.containers import arguments_of, environment_of
from flux_handover.adapters.sandbox.pods.election import OFF, ON, Election, wrapper
from flux_handover.adapters.sandbox.pods.pod import Pod
from flux_handover.adapters.sandbox.pods.service import Services
from flux_handover.adapters.sandbox.pods.wiring import WIRINGS, launch
from flux_handover.objects import mapping

ACCOUNT = Kind("", "v1", "ServiceAccount", "serviceaccounts", True, frozenset())
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class Started:
    """A pod's process, the arguments of its program, and the address that answers once it is ready."""

    process: Process
    arguments: tuple[str, ...]
    ready_at: str


class Starter:
    """Starts the programs it knows for the pods of a control plane."""

    def __init__(
        self,
        plane: ControlPlane,
        programs: Mapping[str, Path],
        environment: Mapping[str, str],
        added: Mapping[str, tuple[str, ...]],
        settled: Election,
    ) -> None:
        self._plane = plane
        self._added = added
        self.settled = settled
        self._programs = programs
        self._environment = environment
        self._services = Services()

    def close(self) -> None:
        """Ends the addresses that stayed."""
        self._services.close()

    def knows(self, pod: Pod) -> bool:
        """Whether there is a program for the pod's image."""
        return pod.program in self._programs and pod.program in WIRINGS

    def start(self, pod: Pod) -> Started:
        """The pod's program, started.

        Raises MissingReference or ClusterError where its configuration or account is missing.
        """
        declared = environment_of(pod.manifest, self._plane.cluster.get)
        folder = emptied(self._plane.folder / "pods" / str(pod.metadata["uid"]))
        token = self._token(pod)
        self._plane.kubeconfig_for(token, folder / "kubeconfig")
        declared_arguments = arguments_of(pod.manifest, declared)
        namespace, program = str(pod.metadata["namespace"]), self._programs[pod.program]
        service = partial(self._services.address, namespace, pod.program)
        start = launch(pod.program, program, declared_arguments, folder, free_port, service)
        own = {"KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder), "TMPDIR": str(folder / "tmp")}
        environment = {**declared, **WIRINGS[pod.program].environment, **self._environment, **own}
        added = self._added.get(pod.program, ())
        before, after = around(self.settled, namespace)
        arguments = (*start.arguments, *added, *after)
        log = f"{pod.program}.{pod.metadata['name']}"
        process = self._plane.run(log, (*before, str(start.program), *arguments), environment=environment)
        return Started(process, arguments, start.ready)

    def _token(self, pod: Pod) -> str:
        """A token of the pod's service account that is worth nothing once the pod is gone."""
        spec = mapping(pod.manifest.get("spec"))
        path = ACCOUNT.path(str(pod.metadata["namespace"]), str(spec.get("serviceAccountName") or "default"))
        bound = {"apiVersion": "v1", "kind": "Pod", "name": pod.metadata["name"], "uid": pod.metadata["uid"]}
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 86400, "boundObjectRef": bound},
        }
        answer = self._plane.cluster.send("POST", f"{path}/token", request)
        return str(mapping(answer.get("status")).get("token", ""))


def around(settled: Election, namespace: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What to put before and after a program's command for its election."""
    match settled:
        case Election.BY_LEASE:
            return wrapper(namespace), ON
        case Election.BY_ORDER:
            return (), OFF


def emptied(folder: Path) -> Path:
    """The pod's own folder, with what its empty volumes are; it outlives a crash, not the pod."""
    for volume in ("tmp", "storage"):
        (folder / volume).mkdir(parents=True, exist_ok=True)
    return folder


def answers(address: str) -> bool:
    """Whether an address on loopback answers with success."""
    try:
        with DIRECT.open(address, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False

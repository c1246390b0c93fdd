"""The pod runner: one thread that knows every pod, and does for each what a node would do.

A pod whose image we have a program for runs that program, with the pod's own arguments,
environment and the token of its own service account, bound to the pod. So changed arguments restart
a controller, and a Deployment, ServiceAccount, role or Namespace that goes really stops it. All other
pods are only said to run.
"""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

from flux_handover.adapters.cluster import Kind
from flux_handover.adapters.sandbox.control.plane import ControlPlane
from flux_handover.adapters.sandbox.control.processes import Process
from flux_handover.adapters.sandbox.pods.containers import MissingReference
from flux_handover.adapters.sandbox.pods.election import Election, election_here
from flux_handover.adapters.sandbox.pods.pod import POD, Happening, Pod, PodEvent, Stage
from flux_handover.adapters.sandbox.pods.starting import Starter, answers
from flux_handover.adapters.sandbox.pods.status import Health, Report, is_finished, runs_to_completion, status_patch
from flux_handover.adapters.sandbox.pods.volumes import bind_claims
from flux_handover.errors import ClusterError, SandboxError

NODE = "sandbox"
LABELS = {"kubernetes.io/os": "linux", "kubernetes.io/hostname": NODE}
TICK, CLAIMS_SECONDS = 0.3, 2.0
NOTHING: Mapping[str, str] = MappingProxyType({})
NO_ARGUMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class PodRunner:
    """Runs the pods of a control plane while it is entered.

    `programs` are those it can run, by the last part of their image's name; `environment` is added
    to every one of them, `added` are arguments to add to some.
    """

    def __init__(
        self,
        plane: ControlPlane,
        programs: Mapping[str, Path],
        environment: Mapping[str, str] = NOTHING,
        added: Mapping[str, tuple[str, ...]] = NO_ARGUMENTS,
        *,
        settled: Election | None = None,
    ) -> None:
        self._plane, self._cluster = plane, plane.cluster
        self._starter = Starter(plane, programs, environment, added, settled or election_here())
        self._pods: dict[str, Pod] = {}
        self._events: list[PodEvent] = []
        self._work: queue.Queue[Callable[[], None]] = queue.Queue()
        self._over = threading.Event()
        self._complaints: set[str] = set()

    def __enter__(self) -> PodRunner:
        self._add_node()
        self._plane.processes.when_one_ends(lambda process: self._work.put(lambda: None))
        work = (self._run, self._follow, self._bind_claims)
        self._threads = tuple(threading.Thread(target=run, daemon=True) for run in work)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        # The thread that follows pods waits for the API server, and ends with it.
        for thread in (self._threads[0], self._threads[2]):
            thread.join(10)
        self._starter.close()

    @property
    def events(self) -> tuple[PodEvent, ...]:
        """Every start, stop and crash until now, in order."""
        return tuple(self._events)

    def running(self, program: str) -> tuple[Process, ...]:
        """The processes of a program that run now."""
        processes = (pod.process for pod in tuple(self._pods.values()) if pod.program == program)
        return tuple(process for process in processes if process is not None and process.is_running)

    def kill(self, program: str) -> None:
        """Ends a program as a crash would; it is started again after a pause."""
        self._signal(program, signal.SIGKILL)

    def pause(self, program: str) -> None:
        """Freezes a program, so that others act first."""
        self._signal(program, signal.SIGSTOP)

    def resume(self, program: str) -> None:
        """Lets a frozen program go on."""
        self._signal(program, signal.SIGCONT)

    def _signal(self, program: str, number: signal.Signals) -> None:
        for process in self.running(program):
            self._plane.processes.signal(process, number)

    def _add_node(self) -> None:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE, "labels": LABELS}}
        self._cluster.apply(node, field_manager=NODE)
        ready = {"type": "Ready", "status": "True", "reason": "Sandbox", "message": "pods are played"}
        room = {"cpu": "64", "memory": "256Gi", "pods": "10000"}
        status = {"conditions": [ready], "capacity": room, "allocatable": room}
        path = Kind("", "v1", "Node", "nodes", False, frozenset()).path(name=NODE)
        self._cluster.send("PATCH", f"{path}/status", {"status": status}, content="application/merge-patch+json")

    def _follow(self) -> None:
        """Turns what happens to pods into work, for as long as the API server answers."""
        while not self._over.is_set():
            try:
                pods, version = self._cluster.listing(POD)
                self._work.put(lambda pods=pods: self._replace(pods))  # type: ignore[misc]
                for happening, manifest in self._cluster.watch(POD, version, seconds=240):
                    if happening == "ERROR":
                        break
                    self._work.put(lambda h=happening, m=manifest: self._note(h, m))  # type: ignore[misc]
            except ClusterError as error:
                self._complain(error)
                self._over.wait(1)

    def _bind_claims(self) -> None:
        while not self._over.wait(CLAIMS_SECONDS):
            try:
                bind_claims(self._cluster)
            except ClusterError as error:
                self._complain(error)

    def _replace(self, manifests: tuple[Mapping[str, Any], ...]) -> None:
        there = {str(manifest["metadata"]["uid"]) for manifest in manifests}
        for uid in set(self._pods) - there:
            self._forget(uid)
        for manifest in manifests:
            self._note("MODIFIED", manifest)

    def _note(self, happening: str, manifest: Mapping[str, Any]) -> None:
        uid = str(manifest.get("metadata", {}).get("uid", ""))
        if happening == "DELETED":
            self._forget(uid)
        elif happening in ("ADDED", "MODIFIED"):
            self._pods.setdefault(uid, Pod(manifest)).update(manifest)

    def _forget(self, uid: str) -> None:
        pod = self._pods.pop(uid, None)
        if pod is not None and pod.process is not None:
            self._plane.processes.signal(pod.process, signal.SIGKILL)
            self._record(pod, Happening.STOPPED)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._work.get(timeout=TICK)()
                while not self._work.empty():
                    self._work.get_nowait()()
            except queue.Empty:
                pass
            for pod in tuple(self._pods.values()):
                self._turn(pod)

    def _turn(self, pod: Pod) -> None:
        try:
            match pod.stage:
                case Stage.UNBOUND:
                    self._bind(pod)
                case Stage.BOUND if not is_finished(pod.manifest):
                    self._care(pod)
                case Stage.ENDING:
                    self._end(pod)
        except (ClusterError, SandboxError) as error:
            # The next turn tries again: a pod that vanished meanwhile is gone from the list by then.
            self._complain(error)

    def _bind(self, pod: Pod) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": pod.metadata["name"]}, "target": target}
        pod.stage = Stage.BOUND
        self._cluster.send("POST", f"{pod.path}/binding", binding)

    def _care(self, pod: Pod) -> None:
        if runs_to_completion(pod.manifest):
            self._report(pod, Report(Health.DONE))
        elif not self._starter.knows(pod) or (pod.process is None and self._must_wait(pod)):
            self._report(pod, Report(Health.READY))
        elif pod.process is None:
            self._start(pod)
        elif pod.process.ended.is_set():
            self._crash(pod)
        elif pod.report is not None and pod.report.health is Health.STARTING and answers(pod.ready_at):
            self._report(pod, Report(Health.READY, pod.report.restarts))

    def _must_wait(self, pod: Pod) -> bool:
        """Whether another pod is active where only one may be, and the programs cannot settle it."""
        others = (other for other in self._pods.values() if other is not pod and other.lease == pod.lease)
        is_ours = self._starter.settled is Election.BY_ORDER
        return is_ours and any(other.process is not None for other in others)

    def _start(self, pod: Pod) -> None:
        now = time.time()
        if now < pod.not_before:
            return
        restarts = pod.report.restarts if pod.report else 0
        try:
            started = self._starter.start(pod)
        except (MissingReference, ClusterError) as error:
            pod.crashed(now)
            self._report(pod, Report(Health.MISCONFIGURED, restarts, str(error)))
            return
        pod.process, pod.arguments, pod.ready_at = started.process, started.arguments, started.ready_at
        pod.began = now
        self._record(pod, Happening.STARTED)
        self._report(pod, Report(Health.STARTING, restarts))

    def _crash(self, pod: Pod) -> None:
        restarts = pod.report.restarts + 1 if pod.report else 1
        self._record(pod, Happening.CRASHED)
        pod.crashed(time.time())
        self._report(pod, Report(Health.WAITING, restarts, "the program ended"))

    def _end(self, pod: Pod) -> None:
        if pod.process is not None and not pod.process.ended.is_set():
            self._ask_to_end(pod, pod.process, time.time())
            return
        if pod.process is not None:
            self._record(pod, Happening.STOPPED)
            pod.process = None
        pod.stage = Stage.REMOVED
        self._cluster.send("DELETE", pod.path, {"gracePeriodSeconds": 0})

    def _ask_to_end(self, pod: Pod, process: Process, now: float) -> None:
        if not pod.kill_at:
            pod.kill_at = now + pod.grace
            self._plane.processes.signal(process, signal.SIGTERM)
        elif now > pod.kill_at:
            self._plane.processes.signal(process, signal.SIGKILL)

    def _report(self, pod: Pod, report: Report) -> None:
        if pod.report == report:
            return
        patch = status_patch(pod.manifest, report, time.time())
        self._cluster.send("PATCH", f"{pod.path}/status", patch, content="application/merge-patch+json")
        pod.report = report

    def _record(self, pod: Pod, happening: Happening) -> None:
        arguments = pod.arguments if happening is Happening.STARTED else ()
        exit = pod.process.exit if pod.process else None
        self._events.append(PodEvent(time.time(), happening, pod.program, pod.name, arguments, exit))

    def _complain(self, error: Exception) -> None:
        text = str(error).replace("\n", " ")
        if text not in self._complaints and not self._over.is_set():
            self._complaints.add(text)
            with (self._plane.logs / "pod-runner.log").open("a") as log:
                log.write(f"{time.time():.1f} {text}\n")

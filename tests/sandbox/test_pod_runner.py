"""The pod runner on a real control plane, with programs that are shell scripts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from flux_handover.adapters.sandbox.control.plane import ControlPlane
from flux_handover.adapters.sandbox.pods import election
from flux_handover.adapters.sandbox.pods.election import Election
from flux_handover.adapters.sandbox.pods.pod import Happening
from flux_handover.adapters.sandbox.pods.runner import PodRunner
from flux_handover.adapters.sandbox.pods.volumes import bound
from flux_handover.objects import ObjectId, mapping

Eventually = Callable[..., None]
Manifest = Mapping[str, Any]
# Says what it was given, and answers as a controller's health endpoint would.
PROGRAM = """
env > "$HOME/environment"
cat /var/run/secrets/kubernetes.io/serviceaccount/namespace > "$HOME/namespace" 2>/dev/null
for word in "$@"; do case "$word" in
  --health-addr=*) port="${word##*:}" ;;
  --fail) exit 7 ;;
esac; done
exec %s -c '
import http.server, sys
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Health).serve_forever()
' "$port"
"""


def test_a_bound_claim_has_the_size_it_asked_for() -> None:
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}

    assert bound(claim)["status"] == {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
    }


def deployment(name: str, image: str, *arguments: str, **pod: Any) -> Manifest:
    labels = {"app": name}
    container = {"name": "main", "image": image, "args": list(arguments)}
    environment = [{"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{**container, "env": environment}], **pod}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("programs") / "helm-controller"
    path.write_text("#!/bin/sh\n" + PROGRAM % sys.executable)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="class")
def runner(plane: ControlPlane, program: Path) -> Iterator[PodRunner]:
    with PodRunner(plane, {"helm-controller": program}, {"HTTPS_PROXY": "http://127.0.0.1:1"}) as running:
        yield running


def available(plane: ControlPlane, name: str) -> int:
    found = plane.cluster.get(ObjectId("apps", "Deployment", "default", name)) or {}
    return int(mapping(found.get("status")).get("availableReplicas", 0))


@pytest.mark.sandbox
class TestLive:
    """In this order: later tests use what earlier ones started."""

    def test_unknown_images_are_said_to_run(
        self, plane: ControlPlane, runner: PodRunner, eventually: Eventually
    ) -> None:
        plane.cluster.apply(deployment("web", "nginx:1.27"), field_manager="test")

        eventually(lambda: available(plane, "web") == 1, seconds=30)
        assert runner.events == ()

    def test_a_known_image_runs_its_program_for_the_pod(
        self, plane: ControlPlane, runner: PodRunner, eventually: Eventually
    ) -> None:
        image = "ghcr.io/fluxcd/helm-controller:v1.6.3"
        plane.cluster.apply(deployment("helm", image, "--ns=$(WHO)"), field_manager="test")

        eventually(lambda: available(plane, "helm") == 1, seconds=30, what="it is ready")
        assert runner.events[-1].happening is Happening.STARTED
        assert runner.events[-1].arguments[0] == "--ns=default"

    def test_the_program_has_the_pods_environment_and_token(self, plane: ControlPlane, runner: PodRunner) -> None:
        folder = next((plane.folder / "pods").iterdir())

        environment = dict(line.split("=", 1) for line in (folder / "environment").read_text().splitlines())

        assert environment["WHO"] == "default"
        assert environment["HTTPS_PROXY"] == "http://127.0.0.1:1"
        assert environment["KUBECONFIG"] == str(folder / "kubeconfig")
        assert plane.kubeconfig.read_text() != (folder / "kubeconfig").read_text()

    @pytest.mark.skipif(not election.is_possible(), reason="no mount namespaces on this system")
    def test_the_program_finds_its_namespace_where_a_container_would(
        self, plane: ControlPlane, runner: PodRunner
    ) -> None:
        folder = next((plane.folder / "pods").iterdir())

        assert (folder / "namespace").read_text() == "default"
        assert not Path(election.SEEN_AT).exists()

    def test_changed_arguments_mean_a_new_process(
        self, plane: ControlPlane, runner: PodRunner, eventually: Eventually
    ) -> None:
        before = runner.running("helm-controller")[0]

        image = "ghcr.io/fluxcd/helm-controller:v1.6.3"
        plane.cluster.apply(deployment("helm", image, "--ns=other"), field_manager="test")

        eventually(lambda: before.ended.is_set(), seconds=30, what="the old one ended")
        eventually(lambda: len(runner.running("helm-controller")) == 1, seconds=30)
        assert runner.running("helm-controller")[0].pid != before.pid

    def test_a_program_that_fails_is_started_again_and_never_ready(
        self, plane: ControlPlane, runner: PodRunner, eventually: Eventually
    ) -> None:
        plane.cluster.delete(ObjectId("apps", "Deployment", "default", "helm"))
        eventually(lambda: not runner.running("helm-controller"), seconds=30)
        plane.cluster.apply(deployment("broken", "fluxcd/helm-controller", "--fail"), field_manager="test")

        def crashes() -> list[int | None]:
            return [event.exit for event in runner.events if event.happening is Happening.CRASHED]

        eventually(lambda: len(crashes()) >= 2, seconds=30, what="it crashed twice")
        assert set(crashes()) == {7}
        assert available(plane, "broken") == 0
        plane.cluster.delete(ObjectId("apps", "Deployment", "default", "broken"))

    def test_a_missing_reference_keeps_the_program_from_starting(
        self, plane: ControlPlane, runner: PodRunner, eventually: Eventually
    ) -> None:
        manifest = deployment("waiting", "fluxcd/helm-controller")
        source = {"secretKeyRef": {"name": "absent", "key": "token"}}
        manifest["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "T", "valueFrom": source}]
        plane.cluster.apply(manifest, field_manager="test")

        def reasons() -> list[str]:
            pods = plane.cluster.list("", "Pod", namespace="default")
            statuses = [s for pod in pods for s in mapping(pod.get("status")).get("containerStatuses") or ()]
            return [s["state"]["waiting"]["reason"] for s in statuses if "waiting" in s["state"]]

        eventually(lambda: "CreateContainerConfigError" in reasons(), seconds=30)
        plane.cluster.delete(ObjectId("apps", "Deployment", "default", "waiting"))

    def test_a_job_is_done_at_once(self, plane: ControlPlane, runner: PodRunner, eventually: Eventually) -> None:
        spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}}}
        metadata = {"name": "once", "namespace": "default"}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
        plane.cluster.apply(job, field_manager="test")

        def succeeded() -> bool:
            found = plane.cluster.get(ObjectId("batch", "Job", "default", "once")) or {}
            return mapping(found.get("status")).get("succeeded") == 1

        eventually(succeeded, seconds=30)

    def test_a_claim_is_bound(self, plane: ControlPlane, runner: PodRunner, eventually: Eventually) -> None:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        metadata = {"name": "data", "namespace": "default"}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
        plane.cluster.apply(claim, field_manager="test")

        def phase() -> object:
            found = plane.cluster.get(ObjectId("", "PersistentVolumeClaim", "default", "data")) or {}
            return mapping(found.get("status")).get("phase")

        eventually(lambda: phase() == "Bound", seconds=30)

    def test_a_daemon_finds_the_node(self, plane: ControlPlane, runner: PodRunner, eventually: Eventually) -> None:
        selector = {"nodeSelector": {"kubernetes.io/os": "linux"}}
        manifest = deployment("agent", "example.org/agent", **selector)
        spec = {name: value for name, value in manifest["spec"].items() if name != "replicas"}
        plane.cluster.apply({**manifest, "kind": "DaemonSet", "spec": spec}, field_manager="test")

        def ready() -> bool:
            found = plane.cluster.get(ObjectId("apps", "DaemonSet", "default", "agent")) or {}
            return mapping(found.get("status")).get("numberReady") == 1

        eventually(ready, seconds=30)


@pytest.mark.sandbox
def test_without_leases_the_new_program_waits_for_the_old_one_to_end(
    plane: ControlPlane, program: Path, eventually: Eventually
) -> None:
    image = "fluxcd/helm-controller"
    with PodRunner(plane, {"helm-controller": program}, settled=Election.BY_ORDER) as runner:
        plane.cluster.apply(deployment("ordered", image, "--one"), field_manager="test")
        eventually(lambda: runner.running("helm-controller"), seconds=30)
        eventually(lambda: available(plane, "ordered") == 1, seconds=30)

        plane.cluster.apply(deployment("ordered", image, "--two"), field_manager="test")
        eventually(lambda: any("--two" in event.arguments for event in runner.events), seconds=30)

        happened = [event.happening for event in runner.events if event.pod.startswith("default/ordered")]
        assert happened == [Happening.STARTED, Happening.STOPPED, Happening.STARTED]
        assert "--enable-leader-election=false" in runner.events[-1].arguments
        plane.cluster.delete(ObjectId("apps", "Deployment", "default", "ordered"))
        eventually(lambda: not runner.running("helm-controller"), seconds=30)

"""The cluster adapter and the recorder, against a real API server and against servers that refuse."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flux_handover.adapters.cluster import NOISE, Kind, KubeCluster, discovered
from flux_handover.adapters.recorder import Happened, Recorder, seen
from flux_handover.adapters.sandbox.control.plane import ControlPlane
from flux_handover.adapters.sandbox.standins.stubs import StubKind, stub_crd
from flux_handover.adapters.sandbox.world.http import Request, Response, plain_server
from flux_handover.errors import ClusterError
from flux_handover.objects import ObjectId, object_of

Eventually = Callable[..., None]
WIDGETS = StubKind("example.org", "Widget", ("v1alpha1", "v1"), namespaced=True)
CRD = ObjectId("apiextensions.k8s.io", "CustomResourceDefinition", "", "widgets.example.org")


def config_map(name: str, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def config_map_id(name: str) -> ObjectId:
    return ObjectId("", "ConfigMap", "default", name)


def kubeconfig(folder: Path, server: str) -> Path:
    """A kubeconfig for a server that needs no credentials."""
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "users": [{"name": "x", "user": {}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[KubeCluster]:
    """A cluster whose server refuses everything, as an API server words it."""

    def answer(request: Request) -> Response:
        cause = {"field": "spec.password", "message": 'Invalid value: "open sesame"'}
        status = {"reason": "Invalid", "message": 'Invalid value: "open sesame"', "details": {"causes": [cause]}}
        return Response(422, json.dumps(status).encode(), {"Content-Type": "application/json"})

    with plain_server(answer) as port:
        cluster = KubeCluster(kubeconfig(tmp_path, f"http://127.0.0.1:{port}"))
        yield cluster
        cluster.close()


def test_a_refusal_names_fields_and_no_values(refusing: KubeCluster) -> None:
    with pytest.raises(ClusterError) as caught:
        refusing.send("PATCH", "/api/v1/namespaces/default/secrets/login", {"a": 1})

    assert caught.value.message == "the API server refused PATCH: Invalid"
    assert caught.value.hint == "spec.password"
    assert "sesame" not in str(caught.value)


def test_a_server_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    cluster = KubeCluster(kubeconfig(tmp_path, "http://127.0.0.1:1"))

    assert not cluster.is_ready()
    with pytest.raises(ClusterError, match="no answer"):
        cluster.kinds()
    cluster.close()


@pytest.mark.parametrize(("busy", "found"), [(0, True), (3, True), (11, False)])
def test_a_busy_server_is_asked_again_for_a_while(busy: int, found: bool, tmp_path: Path) -> None:
    """An API server that takes up a changed CRD says 429 and has done nothing."""
    left = [busy]

    def answer(request: Request) -> Response:
        left[0] -= 1
        if left[0] >= 0:
            words = {"reason": "TooManyRequests", "message": "storage is (re)initializing"}
            return Response(429, json.dumps(words).encode(), {"Content-Type": "application/json", "Retry-After": "0"})
        return Response(200, json.dumps(config_map("nest")).encode(), {"Content-Type": "application/json"})

    with plain_server(answer) as port:
        cluster = KubeCluster(kubeconfig(tmp_path, f"http://127.0.0.1:{port}"))
        if found:
            assert cluster.send("GET", "/api/v1/namespaces/default/configmaps/nest") == config_map("nest")
        else:
            with pytest.raises(ClusterError, match="TooManyRequests"):
                cluster.send("GET", "/api/v1/namespaces/default/configmaps/nest")
        cluster.close()


@pytest.mark.parametrize("text", ["", "{", "a: [", "current-context: absent\ncontexts: []\n"])
def test_a_kubeconfig_that_cannot_be_used_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)

    with pytest.raises(ClusterError):
        KubeCluster(tmp_path / "kubeconfig")


def test_a_kubeconfig_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ClusterError):
        KubeCluster(tmp_path / "absent")


def test_an_old_server_is_told_from_one_that_knows_discovery() -> None:
    with pytest.raises(ClusterError, match="does not know aggregated discovery"):
        list(discovered({"kind": "APIVersions"}))


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "expected"),
    [
        (Kind("", "v1", "Pod", "pods", True, frozenset()), "a", "b", "/api/v1/namespaces/a/pods/b"),
        (Kind("", "v1", "Pod", "pods", True, frozenset()), "", "", "/api/v1/pods"),
        (Kind("", "v1", "Node", "nodes", False, frozenset()), "ignored", "n", "/api/v1/nodes/n"),
        (
            Kind("apps", "v1", "Deployment", "deployments", True, frozenset()),
            "a",
            "",
            "/apis/apps/v1/namespaces/a/deployments",
        ),
    ],
)
def test_every_object_has_a_path(kind: Kind, namespace: str, name: str, expected: str) -> None:
    assert kind.path(namespace, name) == expected


@pytest.mark.parametrize(
    ("before", "after", "is_same"),
    [
        (
            {"uid": "1", "generation": 1, "resourceVersion": "5"},
            {"uid": "1", "generation": 1, "resourceVersion": "6"},
            True,
        ),
        ({"uid": "1", "generation": 1}, {"uid": "1", "generation": 2}, False),
        ({"uid": "1", "resourceVersion": "5"}, {"uid": "1", "resourceVersion": "6"}, False),
        ({"uid": "1", "generation": 1}, {"uid": "1", "generation": 1, "labels": {"a": "b"}}, False),
        ({"uid": "1", "generation": 1}, {"uid": "2", "generation": 1}, False),
    ],
)
def test_a_status_is_no_change_and_all_else_is(before: dict[str, Any], after: dict[str, Any], is_same: bool) -> None:
    assert (seen({"metadata": before}) == seen({"metadata": after})) is is_same


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
def test_a_recorder_that_cannot_begin_leaves_no_thread_and_no_connection(tmp_path: Path) -> None:
    cluster = KubeCluster(kubeconfig(tmp_path, "http://127.0.0.1:1"))
    files, threads = open_files(), threading.active_count()

    with pytest.raises(ClusterError, match="no answer"), Recorder(cluster):
        pass

    assert (open_files(), threading.active_count()) == (files, threads)
    cluster.close()


@pytest.mark.sandbox
class TestLive:
    """Against the sandbox's own API server."""

    def test_an_applied_object_is_there_until_it_is_deleted(self, plane: ControlPlane) -> None:
        applied = plane.cluster.apply(config_map("a", key="1"), field_manager="test")
        found = plane.cluster.get(config_map_id("a"))

        plane.cluster.delete(config_map_id("a"))

        assert found == applied
        assert plane.cluster.get(config_map_id("a")) is None
        plane.cluster.delete(config_map_id("a"))

    def test_an_apply_takes_fields_over(self, plane: ControlPlane) -> None:
        plane.cluster.apply(config_map("b", key="1"), field_manager="one")
        plane.cluster.apply(config_map("b", key="2"), field_manager="two")

        assert (plane.cluster.get(config_map_id("b")) or {})["data"] == {"key": "2"}

    def test_a_patch_changes_what_it_names(self, plane: ControlPlane) -> None:
        plane.cluster.apply(config_map("c", one="1", two="2"), field_manager="test")

        plane.cluster.patch(config_map_id("c"), {"data": {"one": None}}, field_manager="test")

        assert [
            entry["data"]
            for entry in plane.cluster.list("", "ConfigMap", namespace="default")
            if entry["metadata"]["name"] == "c"
        ] == [{"two": "2"}]

    def test_a_kind_that_is_not_served_has_no_objects(self, plane: ControlPlane) -> None:
        nothing = ObjectId("none.example.org", "Nothing", "default", "x")

        assert plane.cluster.get(nothing) is None
        assert plane.cluster.list(nothing.group, nothing.kind) == ()
        plane.cluster.delete(nothing)
        with pytest.raises(ClusterError, match="does not serve the kind"):
            plane.cluster.apply({"apiVersion": "none.example.org/v1", "kind": "Nothing"}, field_manager="test")
        with pytest.raises(ClusterError, match="does not serve the kind"):
            plane.cluster.patch(nothing, {}, field_manager="test")

    def test_what_is_not_there_cannot_be_patched(self, plane: ControlPlane) -> None:
        with pytest.raises(ClusterError, match="NotFound"):
            plane.cluster.patch(config_map_id("absent"), {"data": {}}, field_manager="test")

    def test_a_snapshot_holds_everything_but_noise(self, plane: ControlPlane) -> None:
        plane.cluster.apply(config_map("d"), field_manager="test")

        snapshot = plane.cluster.snapshot()

        assert config_map_id("d") in snapshot
        assert ObjectId("", "Namespace", "", "default") in snapshot
        assert not {(id.group, id.kind) for id in snapshot} & NOISE
        assert all(object_of(manifest).id == id for id, manifest in snapshot.items())

    def test_any_version_of_a_new_kind_can_be_applied(self, plane: ControlPlane, eventually: Eventually) -> None:
        plane.cluster.apply(stub_crd(WIDGETS), field_manager="test")
        metadata = {"name": "w", "namespace": "default"}

        for version in WIDGETS.versions:
            manifest = {
                "apiVersion": f"example.org/{version}",
                "kind": "Widget",
                "metadata": metadata,
                "spec": {"any": [1]},
            }
            plane.cluster.apply(manifest, field_manager="test")

        widgets = plane.cluster.list("example.org", "Widget")
        assert [(widget["kind"], widget["spec"]) for widget in widgets] == [("Widget", {"any": [1]})]
        plane.cluster.delete(CRD)
        eventually(lambda: plane.cluster.get(CRD) is None, seconds=20)

    def test_the_recorder_tells_what_happened_in_order(self, plane: ControlPlane) -> None:
        plane.cluster.apply(config_map("kept"), field_manager="test")
        plane.cluster.apply(config_map("gone"), field_manager="test")
        with Recorder(plane.cluster) as recorder:
            plane.cluster.apply(config_map("new"), field_manager="test")
            plane.cluster.apply(config_map("kept", more="1"), field_manager="test")
            plane.cluster.delete(config_map_id("gone"))
            plane.cluster.delete(config_map_id("new"))
            plane.cluster.apply(config_map("new"), field_manager="test")
            changes = recorder.settled()

        told = [(change.happened, change.id.name) for change in changes if change.id.kind == "ConfigMap"]
        assert [what for what, name in told if name == "gone"] == [Happened.DELETED]
        assert [what for what, name in told if name == "kept"] == [Happened.CHANGED]
        assert [what for what, name in told if name == "new"][-1] in (Happened.RECREATED, Happened.CREATED)
        assert (
            recorder.current()[config_map_id("new")]
            == (plane.cluster.get(config_map_id("new")) or {})["metadata"]["uid"]
        )

    def test_the_recorder_sees_an_object_come_again(self, plane: ControlPlane, eventually: Eventually) -> None:
        plane.cluster.apply(config_map("again"), field_manager="test")
        with Recorder(plane.cluster) as recorder:
            plane.cluster.delete(config_map_id("again"))
            eventually(lambda: any(c.happened is Happened.DELETED for c in recorder.changes), seconds=20)
            plane.cluster.apply(config_map("again"), field_manager="test")
            changes = recorder.settled()

        told = [change.happened for change in changes if change.id == config_map_id("again")]
        assert told == [Happened.DELETED, Happened.RECREATED]

    def test_the_recorder_sees_kinds_that_come_later(self, plane: ControlPlane, eventually: Eventually) -> None:
        with Recorder(plane.cluster) as recorder:
            plane.cluster.apply(stub_crd(WIDGETS), field_manager="test")
            metadata = {"name": "late", "namespace": "default"}
            manifest = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": metadata}
            plane.cluster.apply(manifest, field_manager="test")
            late = ObjectId("example.org", "Widget", "default", "late")
            eventually(lambda: late in recorder.current(), seconds=20)
            plane.cluster.delete(CRD)
            eventually(lambda: plane.cluster.get(CRD) is None, seconds=30)
            changes = recorder.settled()

        told = [change.happened for change in changes if change.id == late]
        assert (told[0], told[-1]) == (Happened.CREATED, Happened.DELETED)

    @pytest.mark.skipif(sys.platform != "linux", reason="open files are counted in /proc")
    def test_the_recorder_keeps_one_connection_a_kind_and_leaves_none(
        self, plane: ControlPlane, eventually: Eventually
    ) -> None:
        kinds = len(plane.cluster.kinds())
        files, threads = open_files(), threading.active_count()
        with Recorder(plane.cluster) as recorder:
            for _ in range(3):
                plane.cluster.apply(stub_crd(WIDGETS), field_manager="test")
                eventually(lambda: CRD in recorder.current(), seconds=20)
                plane.cluster.delete(CRD)
                eventually(lambda: plane.cluster.get(CRD) is None, seconds=30)
            for _ in range(10):
                recorder.settled()
            # One for each watch, and one for each listing that settling asks for at once.
            assert open_files() - files < 2 * kinds

        # The cluster's own client may have opened a connection, or closed one, meanwhile.
        eventually(lambda: open_files() <= files + 1 and threading.active_count() <= threads, seconds=20)

"""What real controllers fetch online is recorded, and answered again where the network is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from builders import repo

from flux_handover.adapters.oci import FLUX_CONFIG, FLUX_LAYER, HELM_CONFIG, HELM_LAYER, Layer, packed
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.control.certificates import Authority
from flux_handover.adapters.sandbox.releases.artifacts import CHART_PATH, add_flux_manifests, is_published
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.adapters.sandbox.world.git import BareRepository, GitHosts
from flux_handover.adapters.sandbox.world.http import Request, Response
from flux_handover.adapters.sandbox.world.proxy import proxying
from flux_handover.adapters.sandbox.world.registry import Registry
from flux_handover.adapters.sandbox.world.world import Network
from flux_handover.catalogue.manifests import install_manifests
from flux_handover.objects import SOURCE_GROUP, ObjectId, mapping

pytestmark = pytest.mark.sandbox
Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "source-controller")
SOURCES: Mapping[str, Mapping[str, Any]] = {
    "HelmRepository": {"url": "http://charts.example.org"},
    "GitRepository": {"url": "http://git.example.org/ada/home", "ref": {"branch": "main"}},
    "OCIRepository": {"url": "oci://ghcr.io/ada/manifests", "ref": {"tag": "v1"}},
}
CHART = f"{CHART_PATH}/flux-operator"


class Internet:
    """Hosts that are not of the sandbox: charts, Git, and a registry that wants a token; and what they were asked."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[Request] = []
        self._git, self._registry = GitHosts(), Registry()
        bare = BareRepository(folder / "home.git")
        bare.commit(repo("apps/a.yaml", "kind: A\n"), "main", "one")
        self._git.serve("git.example.org", "ada/home", bare.folder)
        layer = Layer(FLUX_LAYER, packed({"a.yaml": b"kind: A\n"}))
        self._registry.store("ghcr.io", "ada/manifests", "v1", (layer,), Layer(FLUX_CONFIG, b"{}"))
        chart = Layer(HELM_LAYER, packed({"flux-operator/Chart.yaml": b"name: flux-operator\n"}))
        self._registry.store("ghcr.io", CHART, "1.2.3", (chart,), Layer(HELM_CONFIG, b"{}"))

    def reaches(self, host: str) -> bool:
        return True

    def answer(self, request: Request) -> Response:
        self.asked.append(request)
        if request.url == "http://charts.example.org/index.yaml":
            return Response(200, b"apiVersion: v1\nentries: {}\n", {"Content-Type": "text/yaml"})
        if request.path == "/token":
            return Response(200, b'{"token": "abc"}', {"Content-Type": "application/json"})
        if request.path.startswith("/v2") and request.headers.get("authorization") != "Bearer abc":
            return Response(401, b"", {"WWW-Authenticate": 'Bearer realm="https://ghcr.io/token",service="ghcr.io"'})
        return self._git.answer(request) or self._registry.answer(request)


@pytest.fixture
def internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    """The machine reaches the world through a proxy that looks into it, as in many offices."""
    internet = Internet(tmp_path)
    with proxying(internet, Authority(tmp_path / "office", "office")) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield internet


@contextmanager
def fetching(programs: Mapping[str, Program], network: Network, recording: Path) -> Iterator[Sandbox]:
    with running_sandbox(programs, network=network, recording=recording) as sandbox:
        # The sandbox itself is one of the hosts of this registry.
        add_flux_manifests(sandbox.world.registry, "v2.9.4")
        for manifest in install_manifests("v2.9.4", ("source-controller",), "flux-system"):
            sandbox.cluster.apply(manifest, field_manager="flux")
        for kind, spec in SOURCES.items():
            metadata = {"name": "x", "namespace": "flux-system"}
            manifest = {"apiVersion": f"{SOURCE_GROUP}/v1", "kind": kind, "metadata": metadata}
            sandbox.cluster.apply({**manifest, "spec": {"interval": "1h", **spec}}, field_manager="test")
        yield sandbox


def revisions(sandbox: Sandbox) -> Mapping[str, str]:
    """What was fetched of each source, as far as it was."""
    found = {kind: sandbox.cluster.get(ObjectId(SOURCE_GROUP, kind, "flux-system", "x")) or {} for kind in SOURCES}
    artifacts = {kind: mapping(mapping(one.get("status")).get("artifact")) for kind, one in found.items()}
    return {kind: str(one["revision"]) for kind, one in artifacts.items() if one}


def test_what_was_fetched_online_is_fetched_offline(
    obtain: Obtain, internet: Internet, tmp_path: Path, eventually: Eventually
) -> None:
    programs, recording = obtain(*PROGRAMS), tmp_path / "recording"
    with fetching(programs, Network.ONLINE, recording) as sandbox:
        eventually(lambda: len(revisions(sandbox)) == len(SOURCES), seconds=90, what="all is fetched online")
        online = revisions(sandbox)
        assert is_published(sandbox.world.environment, "flux-operator", "1.2.3")
        assert not is_published(sandbox.world.environment, "flux-operator", "9.9.9")
    asked = len(internet.asked)

    with fetching(programs, Network.OFFLINE, recording) as sandbox:
        eventually(lambda: len(revisions(sandbox)) == len(SOURCES), seconds=90, what="all is fetched offline")

        assert revisions(sandbox) == online
        assert sandbox.lifter.lifted == {}
        assert is_published(sandbox.world.environment, "flux-operator", "1.2.3")
    assert len(internet.asked) == asked > 0

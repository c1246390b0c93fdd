"""Flux 2.9.4 on a real control plane, with a small repository: what it does is what it would do anywhere."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest
from builders import repo

from flux_handover.adapters.recorder import Happened, Recorder
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.pods.pod import Happening
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.adapters.sandbox.standins.lifting import ELSEWHERE
from flux_handover.adapters.sandbox.world.git import BareRepository
from flux_handover.catalogue.manifests import install_manifests
from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId, mapping
from flux_handover.tree import Tree

pytestmark = pytest.mark.sandbox
Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]
PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "source-controller",
    "kustomize-controller",
    "helm-controller",
    "gitssh",
    "sops",
    "age-keygen",
)
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller")
URL = "https://git.example.org/ada/home"
CIPHER = "ENC[AES256_GCM,data:Zm9v,iv:YmFy,tag:YmF6,type:str]"

ROOT = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 1h
  path: ./apps
  prune: true
  wait: true
  timeout: 2m
  sourceRef: {kind: GitRepository, name: home}
  decryption: {provider: sops, secretRef: {name: sops-age}}
  postBuild: {substituteFrom: [{kind: Secret, name: settings}]}
---
apiVersion: v1
kind: Secret
metadata: {name: settings, namespace: flux-system}
stringData: {DOMAIN: home.example.org}
"""
LOGIN = f"""
apiVersion: v1
kind: Secret
metadata: {{name: login, namespace: default}}
stringData: {{password: "{CIPHER}"}}
sops:
  mac: x
  encrypted_regex: ^stringData$
"""
WEB = """
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: default}
data: {url: "https://web.${DOMAIN}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: notes, namespace: default}
data: {text: plain}
"""
CHART = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: default}
spec: {interval: 1h, url: https://charts.example.org}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: grafana, namespace: default}
spec:
  interval: 1h
  chart: {spec: {chart: grafana, version: 1.2.3, sourceRef: {kind: HelmRepository, name: charts}}}
"""
AWAY = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: away, namespace: flux-system}
spec:
  interval: 1h
  path: ./apps
  prune: true
  sourceRef: {kind: GitRepository, name: home}
  kubeConfig: {secretRef: {name: other-cluster}}
"""
HOME = repo(
    "cluster/apps.yaml",
    ROOT,
    "cluster/away.yaml",
    AWAY,
    "apps/login.sops.yaml",
    LOGIN,
    "apps/web.yaml",
    WEB,
    "apps/chart.yaml",
    CHART,
)


def ks(name: str) -> ObjectId:
    return ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", name)


class Home:
    """A sandbox with Flux and one repository, as its user would see them."""

    def __init__(self, sandbox: Sandbox, eventually: Eventually) -> None:
        self.sandbox, self.cluster, self._eventually = sandbox, sandbox.cluster, eventually
        self.bare: BareRepository = sandbox.world.repository(URL)
        self.key = sandbox.age_key()
        self.disguise = sandbox.disguise(self.key, MappingProxyType({"password": "open sesame"}))

    def install(self) -> None:
        for manifest in install_manifests("v2.9.4", CONTROLLERS, "flux-system"):
            self.cluster.apply(manifest, field_manager="flux")
        self.cluster.apply(self.key.secret("sops-age", "flux-system"), field_manager="bootstrap")
        for name in CONTROLLERS:
            self._eventually(lambda name=name: self.is_available(name), seconds=90, what=f"{name} is available")

    def is_available(self, name: str) -> bool:
        found = self.cluster.get(ObjectId("apps", "Deployment", "flux-system", name)) or {}
        return mapping(found.get("status")).get("availableReplicas") == 1

    def bootstrap(self) -> None:
        """Applies the source and the root, as a person would by hand."""
        metadata = {"name": "home", "namespace": "flux-system"}
        source = {"interval": "1h", "url": URL, "ref": {"branch": "main"}}
        root = {
            "interval": "1h",
            "path": "./cluster",
            "prune": True,
            "wait": True,
            "timeout": "2m",
            "sourceRef": {"kind": "GitRepository", "name": "home"},
        }
        self.apply(f"{SOURCE_GROUP}/v1", "GitRepository", metadata, source)
        self.apply(f"{KUSTOMIZE_GROUP}/v1", "Kustomization", {**metadata, "name": "cluster"}, root)

    def apply(self, version: str, kind: str, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
        manifest = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
        self.cluster.apply(manifest, field_manager="bootstrap")

    def push(self, tree: Tree) -> str:
        sha = self.bare.commit(self.disguise.apply(tree).tree, "main", "change")
        change = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": sha}}}
        source = ObjectId(SOURCE_GROUP, "GitRepository", "flux-system", "home")
        if self.cluster.get(source) is not None:
            self.cluster.patch(source, change, field_manager="bootstrap")
        return sha

    def wait(self, name: str, sha: str) -> None:
        def is_applied() -> bool:
            status = mapping((self.cluster.get(ks(name)) or {}).get("status"))
            return sha in str(status.get("lastAppliedRevision"))

        self._eventually(is_applied, seconds=90, what=f"{name} applied {sha}")

    def content(self, kind: str, name: str) -> Mapping[str, Any]:
        return mapping((self.cluster.get(ObjectId("", kind, "default", name)) or {}).get("data"))


@pytest.fixture(scope="module")
def home(obtain: Obtain, eventually: Eventually) -> Iterator[Home]:
    with running_sandbox(obtain(*PROGRAMS)) as sandbox:
        home = Home(sandbox, eventually)
        home.install()
        sha = home.push(HOME)
        home.bootstrap()
        home.wait("apps", sha)
        home.wait("cluster", sha)
        yield home


def test_a_secret_is_really_decrypted(home: Home) -> None:
    password = home.content("Secret", "login")["password"]

    assert base64.b64decode(password).decode() == "open sesame"


def test_variables_are_substituted(home: Home) -> None:
    assert home.content("ConfigMap", "web") == {"url": "https://web.home.example.org"}


def test_the_inventory_holds_what_was_applied(home: Home) -> None:
    entries = (home.cluster.get(ks("apps")) or {})["status"]["inventory"]["entries"]

    assert {entry["id"] for entry in entries} == {
        "default_login__Secret",
        "default_web__ConfigMap",
        "default_notes__ConfigMap",
        "default_charts_source.toolkit.fluxcd.io_HelmRepository",
        "default_grafana_helm.toolkit.fluxcd.io_HelmRelease",
    }


def test_a_release_without_its_chart_holds_nobody_up_and_is_listed(home: Home) -> None:
    lifted = {str(id): reason for id, reason in home.sandbox.lifter.lifted.items() if id != ks("away")}

    assert set(lifted) == {"HelmRepository/default/charts", "HelmRelease/default/grafana"}
    assert "https://charts.example.org" in lifted["HelmRelease/default/grafana"]
    assert "charts.example.org" in home.sandbox.world.missed


def test_what_goes_to_another_cluster_holds_nobody_up_and_is_listed(home: Home) -> None:
    away = home.cluster.get(ks("away")) or {}

    assert home.sandbox.lifter.lifted[ks("away")] == ELSEWHERE
    assert "inventory" not in mapping(away.get("status"))


def test_a_commit_prunes_exactly_what_left(home: Home) -> None:
    with Recorder(home.cluster) as recorder:
        sha = home.push(HOME.with_file("apps/web.yaml", WEB.split("---")[0].encode()))
        home.wait("apps", sha)
        home.wait("cluster", sha)
        changes = recorder.settled()

    gone = {str(change.id) for change in changes if change.happened is Happened.DELETED}
    new = {str(change.id) for change in changes if change.happened in (Happened.CREATED, Happened.RECREATED)}
    assert gone == {"ConfigMap/default/notes"}
    assert new == set()


def test_changed_arguments_restart_a_controller(home: Home, eventually: Eventually) -> None:
    name = "helm-controller"
    before = home.sandbox.runner.running(name)[0]
    path = f"/apis/apps/v1/namespaces/flux-system/deployments/{name}"
    change = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--concurrent=9"}]

    home.cluster.send("PATCH", path, change, content="application/json-patch+json")

    eventually(lambda: before.ended.is_set(), seconds=60, what="the old one ended")
    started = [event for event in home.sandbox.runner.events if event.happening is Happening.STARTED]
    assert started[-1].program == name
    assert "--concurrent=9" in started[-1].arguments
    eventually(lambda: home.is_available(name), seconds=60)


def test_a_killed_controller_comes_back_in_the_same_pod(home: Home, eventually: Eventually) -> None:
    runner, name = home.sandbox.runner, "source-controller"
    before = runner.running(name)[0]

    runner.kill(name)

    eventually(lambda: [p for p in runner.running(name) if p is not before], seconds=60, what="it runs again")
    happened = [(event.happening, event.pod) for event in runner.events if event.program == name][-2:]
    assert [happening for happening, _ in happened] == [Happening.CRASHED, Happening.STARTED]
    assert happened[0][1] == happened[1][1]
    eventually(lambda: home.is_available(name), seconds=60)


def test_a_paused_controller_does_nothing_until_it_goes_on(home: Home, eventually: Eventually) -> None:
    sha = home.push(HOME)
    home.wait("apps", sha)
    home.sandbox.runner.pause("kustomize-controller")
    next_sha = home.push(HOME.without("apps/login.sops.yaml"))

    def artifact() -> str:
        source = home.cluster.get(ObjectId(SOURCE_GROUP, "GitRepository", "flux-system", "home")) or {}
        return str(mapping(mapping(source.get("status")).get("artifact")).get("revision"))

    eventually(lambda: next_sha in artifact(), seconds=60, what="the artifact is there")
    assert home.content("Secret", "login")

    home.sandbox.runner.resume("kustomize-controller")
    home.wait("apps", next_sha)
    eventually(lambda: not home.content("Secret", "login"), seconds=30, what="the secret is pruned")


def test_a_deleted_account_makes_its_controller_powerless(home: Home, eventually: Eventually) -> None:
    account = ObjectId("", "ServiceAccount", "flux-system", "helm-controller")
    before = home.sandbox.runner.running("helm-controller")[0]

    home.cluster.delete(account)

    # Its token is worth nothing any more: it loses its lease, ends, and cannot be started again.
    eventually(lambda: before.ended.is_set(), seconds=60, what="it ended")
    assert home.sandbox.runner.running("helm-controller") == ()


def test_a_deleted_deployment_stops_its_controller(home: Home, eventually: Eventually) -> None:
    runner = home.sandbox.runner

    home.cluster.delete(ObjectId("apps", "Deployment", "flux-system", "kustomize-controller"))

    eventually(lambda: not runner.running("kustomize-controller"), seconds=60, what="it stopped")
    last = [event for event in runner.events if event.program == "kustomize-controller"][-1]
    assert (last.happening, last.exit) == (Happening.STOPPED, 0)


def test_a_deleted_namespace_stops_everything_in_it(home: Home, eventually: Eventually) -> None:
    home.cluster.delete(ObjectId("", "Namespace", "", "flux-system"))

    running = home.sandbox.runner.running
    eventually(lambda: not any(running(name) for name in CONTROLLERS), seconds=90, what="all stopped")

"""The model against a real operator: what becomes of a sync, and of what it applies, when a FluxInstance changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from builders import repo
from proof.worlds import INSTANCE, Fleet, controller, git, instance, kustomization, plain
from proof.worlds import config as config_id
from proof.worlds import ks as ks_id
from proof.worlds import source as source_id

from flux_handover.adapters.recorder import Happened, Recorder
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.releases.artifacts import CHART_PATH, CHARTS, HOST, add_chart
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.catalogue.manifests import install_manifests
from flux_handover.objects import HELM_GROUP, KUSTOMIZE_GROUP, OPERATOR_GROUP, SOURCE_GROUP, ObjectId, mapping
from flux_handover.proof.exploration import Reachable, explore
from flux_handover.proof.reconcile_cluster import Annotate, Install, Remove, UserStep
from flux_handover.proof.world import KustomizationSpec, Mark

pytestmark = [pytest.mark.sandbox, pytest.mark.full]
Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]
Manifest = Mapping[str, Any]
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", *CONTROLLERS, "flux-operator")
FLUX, OPERATOR = "v2.9.4", "0.58.1"
URL, NS = "https://git.example.org/worlds/synced", "flux-system"
PAUSE = "fluxcd.controlplane.io/reconcile"
PROMISED = frozenset({"ConfigMap", "Kustomization", "GitRepository", "FluxInstance"})
APPS = f"""
apiVersion: {KUSTOMIZE_GROUP}/v1
kind: Kustomization
metadata: {{name: apps, namespace: {NS}}}
spec: {{interval: 1h, path: ./apps, prune: true, sourceRef: {{kind: GitRepository, name: NAME}}}}
"""
A = f"""
apiVersion: v1
kind: ConfigMap
metadata: {{name: a, namespace: {NS}}}
data: {{text: a}}
"""


class Home:
    """A cluster with Flux and the operator, and a repository to synchronise."""

    def __init__(self, sandbox: Sandbox, recorder: Recorder, eventually: Eventually) -> None:
        self.sandbox, self.cluster, self._recorder, self._eventually = sandbox, sandbox.cluster, recorder, eventually
        self._bare = sandbox.world.repository(URL)
        self._mark = 0

    def commit(self, name: str) -> None:
        """The repository, for a source of this name."""
        self._bare.commit(repo("flux/apps.yaml", APPS.replace("NAME", name), "apps/a.yaml", A), "main", name)

    def instance(self, *, name: str = "", synced: bool = True, note: str = "enabled") -> None:
        """Applies the FluxInstance, and waits until the operator has done with it."""
        sync = {"kind": "GitRepository", "url": URL, "ref": "refs/heads/main", "path": "flux"}
        spec: dict[str, Any] = {
            "distribution": {"version": FLUX[1:], "registry": "ghcr.io/fluxcd"},
            "cluster": {"networkPolicy": False},
            "wait": False,
            **({"sync": {**sync, **({"name": name} if name else {})}} if synced else {}),
        }
        metadata = {"name": "flux", "namespace": NS, "annotations": {PAUSE: note}}
        manifest = {"apiVersion": f"{OPERATOR_GROUP}/v1", "kind": "FluxInstance", "metadata": metadata, "spec": spec}
        self._mark = len(self._recorder.changes)
        self.cluster.apply(manifest, field_manager="kubectl")
        self.wait(self._is_done, "the operator has applied the instance")

    def _is_done(self) -> bool:
        manifest = self.cluster.get(INSTANCE) or {}
        ready = condition(manifest)
        is_current = ready.get("observedGeneration") == mapping(manifest.get("metadata")).get("generation")
        return ready.get("status") == "True" and is_current

    def applied(self, source: str) -> bool:
        """Whether what the sync brings is there, and applied from the source of this name."""
        apps = self.cluster.get(ks_id("apps")) or {}
        is_from = mapping(mapping(apps.get("spec")).get("sourceRef")).get("name") == source
        return is_from and condition(apps).get("status") == "True" and self.has(config_id("a", NS))

    def has(self, id: ObjectId) -> bool:
        """Whether an object exists."""
        return self.cluster.get(id) is not None

    def wait(self, question: Callable[[], bool], what: str) -> None:
        """Waits for something."""
        self._eventually(question, seconds=300, what=what)

    def deleted(self) -> frozenset[ObjectId]:
        """What was deleted since the instance was changed, of the kinds that the model speaks of here."""
        changes = self._recorder.settled()[self._mark :]
        gone = (change.id for change in changes if change.happened is Happened.DELETED)
        return frozenset(id for id in gone if id.namespace == NS and id.kind in PROMISED)


def condition(manifest: Manifest) -> Manifest:
    conditions = mapping(manifest.get("status")).get("conditions") or ()
    return next((one for one in conditions if one["type"] == "Ready"), {})


@pytest.fixture(scope="module")
def home(obtain: Obtain, eventually: Eventually) -> Iterator[Home]:
    programs = obtain(*PROGRAMS)
    with running_sandbox(programs) as sandbox:
        add_chart(sandbox.world.registry, CHARTS[0], OPERATOR, programs["flux-operator"].path.parent / "crds")
        for manifest in install_manifests(FLUX, CONTROLLERS, NS):
            sandbox.cluster.apply(manifest, field_manager="flux")
        install_operator(sandbox)
        release = ObjectId(HELM_GROUP, "HelmRelease", NS, CHARTS[0])
        eventually(lambda: condition(sandbox.cluster.get(release) or {}).get("status") == "True", seconds=300)
        with Recorder(sandbox.cluster) as recorder:
            yield Home(sandbox, recorder, eventually)


def install_operator(sandbox: Sandbox) -> None:
    name = CHARTS[0]
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"}
    url = f"oci://{HOST}/{CHART_PATH}/{name}"
    source = {"interval": "1h", "url": url, "ref": {"tag": OPERATOR}, "layerSelector": layer}
    release = {"interval": "1h", "chartRef": {"kind": "OCIRepository", "name": name}}
    for version, kind, spec in (
        (f"{SOURCE_GROUP}/v1", "OCIRepository", source),
        (f"{HELM_GROUP}/v2", "HelmRelease", {**release, "values": {"web": {"enabled": False}}}),
    ):
        manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NS}, "spec": spec}
        sandbox.cluster.apply(manifest, field_manager="bootstrap")


def syncs(*names: str) -> Fleet:
    """What a FluxInstance brings with a sync of each name, or without one."""
    running = controller(version=(2, 9, 4))
    fleet = Fleet(flux=FLUX, operator=OPERATOR).hosting().chart("none", running).at("root", "1", ())
    for name in names:
        pair = git(name), kustomization(name, KustomizationSpec(source_id(name), path=f"flux-{name}"))
        fleet.chart(name, running, *pair)
        fleet.at(f"flux-{name}", "1", (kustomization("apps", KustomizationSpec(source_id(name))),))
    return fleet.at("apps", "1", (plain(config_id("a", NS)),))


def reached(before: str, *steps: UserStep, names: tuple[str, ...] = ("main",)) -> Reachable:
    """All that the steps can lead to from where an instance has settled."""
    fleet = syncs(*names)
    definition = plain(instance().definition or INSTANCE)
    world = replace(fleet.rest(definition, instance(before)).world, crashes=0)
    return explore((world,), fleet.environment, steps)


def became(rest: str) -> UserStep:
    return UserStep(Install((instance(rest),)))


def possible(reach: Reachable) -> frozenset[ObjectId]:
    assert reach.complete
    assert not reach.undecided
    return frozenset(reach.deletions)


def test_a_sync_that_is_removed_takes_everything_along(home: Home) -> None:
    home.commit("main")
    home.instance(name="main")
    home.wait(lambda: home.applied("main"), "the sync has applied everything")

    home.instance(synced=False)
    home.wait(lambda: not home.has(ks_id("apps")) and not home.has(config_id("a", NS)), "everything went")

    assert home.deleted() == possible(reached("main", became("none")))


def test_a_sync_that_gets_a_name_is_another_one(home: Home) -> None:
    home.commit(NS)
    home.instance()
    home.wait(lambda: home.applied(NS), "the sync has applied everything")
    reach = reached(NS, became("named"), names=(NS, "named"))

    home.commit("named")
    home.instance(name="named")
    home.wait(lambda: home.applied("named"), "the new sync has applied everything")

    assert home.deleted() <= possible(reach)
    assert {ks_id(NS), source_id(NS)} <= home.deleted()


def test_a_paused_instance_may_be_deleted(home: Home) -> None:
    home.instance(name="named", note="disabled")
    marks = frozenset({Mark.OPERATOR_RECONCILE_DISABLED})
    steps = (UserStep(Annotate(INSTANCE, marks)), UserStep(Remove(INSTANCE)))

    home.cluster.delete(INSTANCE)
    home.wait(lambda: not home.has(INSTANCE), "the instance is gone")

    assert home.deleted() == possible(reached("main", *steps)) == {INSTANCE}
    assert home.has(config_id("a", NS))


def test_an_instance_that_is_deleted_uninstalls_flux_and_leaves_what_it_applied(home: Home) -> None:
    home.instance(name="named")
    reach = reached("named", UserStep(Remove(INSTANCE)), names=("named",))

    home.cluster.delete(INSTANCE)
    home.wait(lambda: not home.has(INSTANCE), "the instance is gone")

    assert config_id("a", NS) not in possible(reach)
    assert home.has(config_id("a", NS))
    assert {ks_id("named"), source_id("named"), INSTANCE} <= home.deleted()

"""The operator and its instance, released by Flux itself from the sandbox's own charts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from proof.worlds import (
    INSTANCE_CRD,
    KUSTOMIZATION_CRD,
    KUSTOMIZE_CONTROLLER,
    Fleet,
    controller,
    helm,
    instance,
    namespace,
    plain,
)

from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.pods.pod import Happening
from flux_handover.adapters.sandbox.releases.artifacts import (
    CHART_PATH,
    CHARTS,
    HOST,
    add_chart,
    add_flux_manifests,
    add_operator_manifests,
)
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.catalogue.manifests import install_manifests
from flux_handover.objects import HELM_GROUP, OPERATOR_GROUP, SOURCE_GROUP, ObjectId, mapping
from flux_handover.plan.embedded import POST_RENDERERS
from flux_handover.proof.exploration import explore
from flux_handover.proof.reconcile_cluster import Remove, UserStep

pytestmark = pytest.mark.sandbox
Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]
Manifest = Mapping[str, Any]
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", *CONTROLLERS, "flux-operator")
INSTANCE = ObjectId(OPERATOR_GROUP, "FluxInstance", "flux-system", "flux")
VERSION = "0.58.1"


@pytest.fixture(scope="module")
def sandbox(obtain: Obtain) -> Iterator[Sandbox]:
    programs = obtain(*PROGRAMS)
    with running_sandbox(programs) as running:
        program = programs["flux-operator"].path
        for name in CHARTS:
            add_chart(running.world.registry, name, VERSION, program.parent / "crds" if name == CHARTS[0] else None)
        add_operator_manifests(running.world.registry, program)
        for manifest in install_manifests("v2.9.4", CONTROLLERS, "flux-system"):
            running.cluster.apply(manifest, field_manager="flux")
        yield running


def release(sandbox: Sandbox, name: str, values: Manifest, **spec: Any) -> None:
    """Applies a chart's source and release, as a repository would hold them."""
    metadata = {"name": name, "namespace": "flux-system"}
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"}
    source = {
        "interval": "1h",
        "url": f"oci://{HOST}/{CHART_PATH}/{name}",
        "ref": {"tag": VERSION},
        "layerSelector": layer,
    }
    release = {"interval": "1h", "chartRef": {"kind": "OCIRepository", "name": name}, "values": values, **spec}
    for version, kind, content in (
        (f"{SOURCE_GROUP}/v1", "OCIRepository", source),
        (f"{HELM_GROUP}/v2", "HelmRelease", release),
    ):
        manifest = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": content}
        sandbox.cluster.apply(manifest, field_manager="bootstrap")


def condition(sandbox: Sandbox, id: ObjectId) -> Manifest:
    status = mapping((sandbox.cluster.get(id) or {}).get("status"))
    return next((entry for entry in status.get("conditions") or () if entry["type"] == "Ready"), {})


def helm_release(name: str) -> ObjectId:
    return ObjectId(HELM_GROUP, "HelmRelease", "flux-system", name)


def test_the_operator_is_released_from_our_chart(sandbox: Sandbox, eventually: Eventually) -> None:
    release(sandbox, "flux-operator", {"web": {"enabled": False}})

    eventually(lambda: condition(sandbox, helm_release("flux-operator")).get("status") == "True", seconds=90)
    assert sandbox.runner.running("flux-operator")
    assert (
        sandbox.cluster.get(ObjectId("networking.k8s.io", "NetworkPolicy", "flux-system", "flux-operator-web")) is None
    )
    crd = ObjectId("apiextensions.k8s.io", "CustomResourceDefinition", "", f"fluxinstances.{OPERATOR_GROUP}")
    assert (sandbox.cluster.get(crd) or {})["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_a_value_that_our_chart_cannot_honour_fails_the_release(sandbox: Sandbox, eventually: Eventually) -> None:
    release(sandbox, "flux-instance", {"healthcheck": {"enabled": True}}, suspend=False)

    def message() -> str:
        return str(condition(sandbox, helm_release("flux-instance")).get("message"))

    eventually(lambda: "does not know how to honour healthcheck" in message(), seconds=60)


def test_an_empty_artifact_is_null_and_refused(sandbox: Sandbox, eventually: Eventually) -> None:
    release(sandbox, "flux-instance", instance_values())

    def message() -> str:
        return str(condition(sandbox, helm_release("flux-instance")).get("message"))

    eventually(lambda: "spec.distribution.artifact" in message(), seconds=60)
    assert sandbox.cluster.get(INSTANCE) is None


def instance_values() -> Manifest:
    distribution = {"version": "2.9.4", "artifact": ""}
    return {"instance": {"distribution": distribution, "cluster": {"networkPolicy": False}}}


def test_an_instance_adopts_the_running_flux_in_place(sandbox: Sandbox, eventually: Eventually) -> None:
    id = ObjectId("apps", "Deployment", "flux-system", "source-controller")
    before = (sandbox.cluster.get(id) or {})["metadata"]["uid"]
    started = len(sandbox.runner.events)

    release(
        sandbox,
        "flux-instance",
        instance_values(),
        postRenderers=list(POST_RENDERERS),
        install={"disableWait": True},
        upgrade={"disableWait": True},
    )
    eventually(lambda: condition(sandbox, INSTANCE).get("status") == "True", seconds=120, what="the instance is ready")

    after = (sandbox.cluster.get(id) or {})["metadata"]
    assert after["uid"] == before
    assert after["labels"]["app.kubernetes.io/managed-by"] == "flux-operator"
    assert after["annotations"]["kustomize.toolkit.fluxcd.io/prune"] == "Disabled"
    restarted = {e.program for e in sandbox.runner.events[started:] if e.happening is Happening.STARTED}
    assert set(CONTROLLERS) <= restarted
    assert not [event for event in sandbox.runner.events if event.happening is Happening.CRASHED]


def test_manifests_of_flux_are_stored_under_their_version(sandbox: Sandbox) -> None:
    digest = add_flux_manifests(sandbox.world.registry, "v2.9.4")

    assert digest.startswith("sha256:")
    assert sandbox.world.registry.tags(HOST, "fluxcd/flux-manifests") == ("v2.9.4",)
    assert sandbox.world.has("oci://ghcr.io/fluxcd/flux-manifests")


def possible(*steps: UserStep) -> frozenset[ObjectId]:
    """What the model says can be deleted where a release brings the instance, and the instance these components."""
    components = (controller(version=(2, 9, 4)), plain(namespace("flux-system")), plain(KUSTOMIZATION_CRD))
    fleet = Fleet(flux="v2.9.4", operator=VERSION).hosting().chart("components", *components).at("root", "1", ())
    fleet.chart("flux-instance", instance())
    start = fleet.rest(helm("flux-instance"), plain(INSTANCE_CRD)).world
    reach = explore((replace(start, crashes=0),), fleet.environment, steps)
    assert reach.complete
    return frozenset(reach.deletions)


def test_uninstalling_the_release_of_the_instance_uninstalls_flux(sandbox: Sandbox, eventually: Eventually) -> None:
    known = {helm_release("flux-instance"), INSTANCE, KUSTOMIZE_CONTROLLER, KUSTOMIZATION_CRD, namespace("flux-system")}
    expected = possible(UserStep(Remove(helm_release("flux-instance"))))

    there = {id for id in known if sandbox.cluster.get(id) is not None}
    sandbox.cluster.delete(helm_release("flux-instance"))
    eventually(
        lambda: all(is_gone(sandbox, id) for id in expected), seconds=120, what="all is gone that the model says"
    )

    assert there == known
    assert {id for id in known if is_gone(sandbox, id)} == expected
    assert namespace("flux-system") not in expected
    assert sandbox.runner.running("flux-operator")


def is_gone(sandbox: Sandbox, id: ObjectId) -> bool:
    """Whether an object was deleted, or will be."""
    found = sandbox.cluster.get(id)
    return found is None or "deletionTimestamp" in mapping(found.get("metadata"))

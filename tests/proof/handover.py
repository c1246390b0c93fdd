"""A cluster like those that move to the operator: components from their own Kustomization, many applications."""

from __future__ import annotations

from dataclasses import replace

from proof.worlds import (
    INSTANCE_CRD,
    KUSTOMIZE_CONTROLLER,
    NS,
    Fleet,
    config,
    controller,
    definition,
    deployment,
    git,
    helm,
    instance,
    ks,
    kustomization,
    namespace,
    plain,
    secret,
    source,
)

from flux_handover.objects import ObjectId
from flux_handover.proof.world import (
    Actor,
    Controller,
    ControllerSpec,
    Desired,
    HelmReleaseSpec,
    KustomizationSpec,
    Mark,
    Release,
    Variables,
    World,
)

MANIFESTS = source("manifests")
SETTINGS = Variables(secret("settings"))
SOURCE_CONTROLLER = deployment("source-controller")
HELM_CONTROLLER = deployment("helm-controller")
HOSTS = {
    Actor.SOURCE: SOURCE_CONTROLLER,
    Actor.KUSTOMIZE: KUSTOMIZE_CONTROLLER,
    Actor.HELM: HELM_CONTROLLER,
}
OPERATOR = deployment("flux-operator")
FLUX = KustomizationSpec(MANIFESTS, path="flux", wait=True)
QUIET = replace(FLUX, prune=False)
REVISIONS = ("protect", "operator", "instance", "retire")


def components() -> tuple[Desired, ...]:
    """What the old installation and a FluxInstance both render."""
    deployments = [
        controller() if id == KUSTOMIZE_CONTROLLER else Desired(id, spec=ControllerSpec(actor, (2, 6, 4)))
        for actor, id in HOSTS.items()
    ]
    accounts = [plain(ObjectId("", "ServiceAccount", NS, id.name)) for id in HOSTS.values()]
    kinds = [plain(definition(f"kind{n}.toolkit.fluxcd.io")) for n in range(12)]
    return (plain(namespace(NS)), *deployments, *accounts, *kinds)


def application(n: int) -> Desired:
    after = (ks("app0"),) if n % 3 == 1 else ()
    return kustomization(f"app{n}", KustomizationSpec(source(), depends_on=after, variables=(SETTINGS,)))


def handover(applications: int, objects: int, operator: str = "0.58.1") -> tuple[Fleet, World]:
    """The cluster at rest, and the fleet whose revisions are the phases of the move."""
    fleet = Fleet(operator=operator, origins=("fleet", "manifests", "charts"))
    for actor, id in HOSTS.items():
        fleet.controllers[actor] = Controller(
            id, frozenset({namespace(NS), ObjectId("", "ServiceAccount", NS, id.name)})
        )
    base = (kustomization("apps"), plain(SETTINGS.id))
    oci = git("manifests", "manifests")
    apps = [application(n) for n in range(applications)]
    fleet.at("root", "1", (*base, oci, kustomization("flux", FLUX)))
    fleet.at("root", "protect", (*base, oci, kustomization("flux", QUIET)))
    fleet.at("root", "retire", base)
    fleet.at("flux", "1", components()).at("apps", "1", apps)
    operator_ks = kustomization("operator", KustomizationSpec(source(), wait=True))
    instance_ks = kustomization("instance", KustomizationSpec(source(), depends_on=(ks("operator"),), wait=True))
    fleet.at("apps", "operator", [*apps, operator_ks])
    fleet.at("apps", "instance", [*apps, operator_ks, instance_ks])
    fleet.at("operator", "operator", [helm("flux-operator"), git("charts", "charts")])
    fleet.at("instance", "instance", [helm("flux-instance", _instance_release())])
    fleet.chart("flux-operator", plain(INSTANCE_CRD, Mark.HELM_KEEP), plain(OPERATOR))
    fleet.chart("flux-instance", instance()).chart("components", *components())
    for n in range(applications):
        fleet.at(f"app{n}", "1", [plain(config(f"object{m}", f"app{n}")) for m in range(objects)])
    fleet.revisions = ["1", *REVISIONS]
    return fleet, fleet.start(oci)


def _instance_release() -> HelmReleaseSpec:
    return HelmReleaseSpec(Release("flux-instance", NS, NS, "flux-instance"), rest="flux-instance")

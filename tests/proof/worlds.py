"""Small clusters for tests: say what each path renders at each revision, and start from where revision 1 settles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from flux_handover.objects import HELM_GROUP, KUSTOMIZE_GROUP, OPERATOR_GROUP, SOURCE_GROUP, ObjectId
from flux_handover.proof.gates import gates_of
from flux_handover.proof.reconcile_cluster import Push, UserStep
from flux_handover.proof.settle import Settled, bootstrapped
from flux_handover.proof.world import (
    Actor,
    Build,
    Built,
    Controller,
    ControllerSpec,
    Desired,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Mark,
    Release,
    SourceSpec,
    Unknown,
    World,
)

NS = "flux-system"


def config(name: str, namespace: str = "shop") -> ObjectId:
    return ObjectId("", "ConfigMap", namespace, name)


def secret(name: str, namespace: str = NS) -> ObjectId:
    return ObjectId("", "Secret", namespace, name)


def namespace(name: str) -> ObjectId:
    return ObjectId("", "Namespace", "", name)


def definition(name: str) -> ObjectId:
    return ObjectId("apiextensions.k8s.io", "CustomResourceDefinition", "", name)


def deployment(name: str, namespace: str = NS) -> ObjectId:
    return ObjectId("apps", "Deployment", namespace, name)


def ks(name: str, namespace: str = NS) -> ObjectId:
    return ObjectId(KUSTOMIZE_GROUP, "Kustomization", namespace, name)


def source(name: str = "fleet") -> ObjectId:
    return ObjectId(SOURCE_GROUP, "GitRepository", NS, name)


def release(name: str) -> ObjectId:
    return ObjectId(HELM_GROUP, "HelmRelease", NS, name)


INSTANCE = ObjectId(OPERATOR_GROUP, "FluxInstance", NS, "flux")
INSTANCE_CRD = definition("fluxinstances.fluxcd.controlplane.io")
KUSTOMIZATION_CRD = definition("kustomizations.kustomize.toolkit.fluxcd.io")
KUSTOMIZE_CONTROLLER = deployment("kustomize-controller")
ORIGIN = "fleet"


def plain(id: ObjectId, *marks: Mark, digest: str = "", needs: ObjectId | None = None) -> Desired:
    return Desired(id, frozenset(marks), digest, definition=needs)


def kustomization(name: str, spec: KustomizationSpec | None = None, *marks: Mark) -> Desired:
    """A Kustomization whose path is its name, unless `spec` says otherwise."""
    spec = spec or KustomizationSpec(source())
    return Desired(ks(name), frozenset(marks), spec=spec if spec.path else replace(spec, path=name))


def git(name: str = "fleet", origin: str = ORIGIN, secret: ObjectId | None = None) -> Desired:
    return Desired(source(name), spec=SourceSpec(origin, secret))


def controller(*marks: Mark, version: tuple[int, int, int] = (2, 6, 4)) -> Desired:
    return Desired(KUSTOMIZE_CONTROLLER, frozenset(marks), spec=ControllerSpec(Actor.KUSTOMIZE, version))


def helm(name: str, spec: HelmReleaseSpec | None = None) -> Desired:
    return Desired(release(name), spec=spec or HelmReleaseSpec(Release(name, NS, NS, name), rest=name))


def instance(rest: str = "components", *marks: Mark, spec: FluxInstanceSpec | None = None) -> Desired:
    spec = spec or FluxInstanceSpec((2, 6, 4), wait=False, rest=rest)
    return Desired(INSTANCE, frozenset(marks), spec=spec, definition=INSTANCE_CRD)


@dataclass(frozen=True)
class Paths:
    """`Renders` by `spec.path` and revision; charts and instances by the `rest` of their spec."""

    builds: Mapping[tuple[str, str], Build]

    def kustomization(self, id: ObjectId, spec: KustomizationSpec, revision: str) -> Build:
        return self._at(spec.path, revision)

    def release(self, id: ObjectId, spec: HelmReleaseSpec) -> Build:
        return self._at(spec.rest, "")

    def instance(self, id: ObjectId, spec: FluxInstanceSpec) -> Build:
        return self._at(spec.rest, "")

    def _at(self, path: str, revision: str) -> Build:
        return self.builds.get((path, revision), Unknown(f"no build of {path} at {revision}"))


@dataclass
class Fleet:
    """A cluster with one root Kustomization; every path keeps its build until a revision changes it."""

    flux: str = "2.6.4"
    operator: str = "0.58.1"
    revisions: list[str] = field(default_factory=lambda: ["1"])
    origins: tuple[str, ...] = (ORIGIN,)
    builds: dict[tuple[str, str], Build] = field(default_factory=dict)
    controllers: dict[Actor, Controller] = field(default_factory=dict)

    def at(self, path: str, revision: str, build: Build | Iterable[Desired]) -> Fleet:
        """`path` renders this from `revision` on."""
        if revision and revision not in self.revisions:
            self.revisions.append(revision)
        made = Built(tuple(build)) if not hasattr(build, "__dataclass_fields__") else build
        self.builds[path, revision] = made  # type: ignore[assignment]
        return self

    def chart(self, rest: str, *objects: Desired) -> Fleet:
        """What a chart or a FluxInstance with this `rest` renders."""
        return self.at(rest, "", objects)

    def hosting(self, *needs: ObjectId) -> Fleet:
        """kustomize-controller runs inside this cluster, in the Deployment of `controller()`."""
        self.controllers[Actor.KUSTOMIZE] = Controller(KUSTOMIZE_CONTROLLER, frozenset(needs))
        return self

    @property
    def environment(self) -> Environment:
        paths = {path for path, revision in self.builds if revision}
        builds = {key: build for key, build in self.builds.items() if not key[1]}
        for path in paths:
            last: Build = Built(())
            for revision in self.revisions:
                last = self.builds.get((path, revision), last)
                builds[path, revision] = last
        return Environment(gates_of(self.flux, self.operator), Paths(builds), dict(self.controllers))

    def start(self, *live: Desired, root: KustomizationSpec | None = None, crashes: int = 0) -> World:
        """Where the cluster rests at revision 1; `live` are objects that nobody renders."""
        rest = self.rest(*live, root=root)
        assert rest.rests, [record.reason for record in rest.world.records.values()]
        return replace(rest.world, crashes=crashes)

    def rest(self, *live: Desired, root: KustomizationSpec | None = None) -> Settled:
        """What becomes of the cluster at revision 1, at rest or not."""
        seeds = (git(), kustomization("root", root), *self._bootstrapped(), *live)
        return bootstrapped(seeds, dict.fromkeys(self.origins, "1"), self.environment)

    def _bootstrapped(self) -> Iterator[Desired]:
        for actor, host in self.controllers.items():
            yield Desired(host.deployment, spec=ControllerSpec(actor, (2, 6, 4)))
            yield from (plain(id) for id in host.needs)


def push(revision: str = "2", *origins: str) -> UserStep:
    return UserStep(Push(tuple((origin, revision) for origin in origins or (ORIGIN,))))

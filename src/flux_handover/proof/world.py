"""The cluster as the judge sees it: live objects, inventories, artifacts, and who may act.

A world is a value. What a build gives is not part of it: the model asks `Renders`, by the live
spec and the artifact's revision, because a Kustomization whose parent is frozen goes on with its
old spec at the new revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Protocol

from flux_handover.objects import OPERATOR_GROUP, ObjectId
from flux_handover.proof.gates import Gates
from flux_handover.proof.table import Table


class Mark(StrEnum):
    """A label or annotation that tells a controller to leave an object alone, or SUSPENDED: `spec.suspend` set live."""

    PRUNE_DISABLED = "prune: disabled"
    RECONCILE_DISABLED = "reconcile: disabled"
    SSA_IGNORE = "ssa: Ignore"
    SSA_IF_NOT_PRESENT = "ssa: IfNotPresent"
    OPERATOR_PRUNE_DISABLED = "fluxcd.controlplane.io/prune: disabled"
    OPERATOR_RECONCILE_DISABLED = "fluxcd.controlplane.io/reconcile: disabled"
    HELM_KEEP = "helm.sh/resource-policy: keep"
    SUSPENDED = "suspend: true"


Marks = frozenset[Mark]
NONE: Marks = frozenset()


class Actor(StrEnum):
    """Who changes a world; the text is what a trace says."""

    SOURCE = "source-controller"
    KUSTOMIZE = "kustomize-controller"
    HELM = "helm-controller"
    OPERATOR = "flux-operator"
    KUBERNETES = "kubernetes"
    USER = "user"


class DeletionPolicy(StrEnum):
    """`spec.deletionPolicy` of a Kustomization; MIRROR is the default."""

    MIRROR = "MirrorPrune"
    DELETE = "Delete"
    WAIT = "WaitForTermination"
    ORPHAN = "Orphan"


class Remedy(StrEnum):
    """What a failed install or upgrade of a HelmRelease leads to."""

    RETRY = "retry"
    UNINSTALL = "uninstall"


@dataclass(frozen=True, slots=True)
class Variables:
    """A ConfigMap or Secret of `substituteFrom`."""

    id: ObjectId
    optional: bool = False


@dataclass(frozen=True, slots=True)
class KustomizationSpec:
    """What decides how a Kustomization applies and prunes; `rest` is a digest of every other field.

    `guards` names the fields whose loss changes what is applied: decryption, postBuild, patches, ...
    """

    source: ObjectId
    path: str = ""
    prune: bool = True
    suspend: bool = False
    policy: DeletionPolicy = DeletionPolicy.MIRROR
    wait: bool = False
    checks: tuple[ObjectId, ...] = ()
    depends_on: tuple[ObjectId, ...] = ()
    variables: tuple[Variables, ...] = ()
    account: ObjectId | None = None
    guards: frozenset[str] = frozenset()
    rest: str = ""


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Where a source fetches from (`origin`: URL and ref), and the Secret it needs for it."""

    origin: str
    secret: ObjectId | None = None
    suspend: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """Identity of a Helm release; a change of any part is an uninstall and an install.

    `fluxcd/helm-controller:internal/action/verify.go#ReleaseTargetChanged@v1.6.3`.
    """

    name: str
    namespace: str
    storage: str
    chart: str


@dataclass(frozen=True, slots=True)
class HelmReleaseSpec:
    """A HelmRelease; `waits`: Helm waits for custom resources too; the remedies follow a failed install and upgrade."""

    release: Release
    suspend: bool = False
    source: ObjectId | None = None
    values: tuple[ObjectId, ...] = ()
    depends_on: tuple[ObjectId, ...] = ()
    remedy: Remedy = Remedy.RETRY
    upgrade_remedy: Remedy = Remedy.RETRY
    waits: bool = False
    rest: str = ""


@dataclass(frozen=True, slots=True)
class FluxInstanceSpec:
    """A FluxInstance; `version` is the one it resolves to, as numbers; `rest` digests what else it renders from.

    `unstamped` are opt-outs that its commonMetadata overrides.
    """

    version: tuple[int, int, int]
    wait: bool = True
    unstamped: Marks = NONE
    rest: str = ""


@dataclass(frozen=True, slots=True)
class ControllerSpec:
    """A Deployment that runs one of the actors, and the Flux version it runs."""

    actor: Actor
    version: tuple[int, int, int] = (0, 0, 0)


Spec = KustomizationSpec | SourceSpec | HelmReleaseSpec | FluxInstanceSpec | ControllerSpec
Owner = KustomizationSpec | HelmReleaseSpec | FluxInstanceSpec


@dataclass(frozen=True, slots=True)
class Desired:
    """One object as rendered. `definition` is the CRD its kind needs, None where that is not in question."""

    id: ObjectId
    marks: Marks = NONE
    digest: str = ""
    spec: Spec | None = None
    definition: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class Live:
    """One object in the cluster.

    `owner` is the Kustomization of the owner labels, `operator` the FluxInstance of the operator's.
    `marks` were set by kustomize-controller or kubectl and go when a Kustomization applies the object
    without them; `pinned` were set by other field managers (flux, flux-operator, helm) and stay.
    """

    owner: ObjectId | None = None
    operator: ObjectId | None = None
    marks: Marks = NONE
    pinned: Marks = NONE
    digest: str = ""
    spec: Spec | None = None
    definition: ObjectId | None = None
    deleting: bool = False

    @property
    def opt_outs(self) -> Marks:
        """All marks the object carries, whoever set them."""
        return self.marks | self.pinned if self.pinned else self.marks


class Apply(IntEnum):
    """The stages of an apply, in order: what others need, then classes, then the rest."""

    DEFINITIONS = 1
    CLASSES = 2
    REST = 3


@dataclass(frozen=True, slots=True)
class Built:
    """A build that gives objects; `unhealthy` says that their health checks fail whatever happens."""

    objects: tuple[Desired, ...]
    unhealthy: str = ""
    ids: frozenset[ObjectId] = field(init=False, compare=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", frozenset(desired.id for desired in self.objects))


@dataclass(frozen=True, slots=True)
class BuildFailed:
    """A build that gives nothing: the Kustomization is frozen and nothing changes."""

    reason: str


@dataclass(frozen=True, slots=True)
class ApplyFailed:
    """A build whose apply fails in `stage`: earlier stages are applied, the inventory stays, nothing is pruned."""

    objects: tuple[Desired, ...]
    stage: Apply
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A build that cannot be done here: whatever depends on it is undecided.

    `inputs` is a digest of all it is made from, empty if that is not known either: with the inputs of the
    last success a reconcile changes nothing, whatever it is that is built.
    """

    reason: str
    inputs: str = ""


Build = Built | BuildFailed | ApplyFailed | Unknown


class Renders(Protocol):
    """What an owner renders: a Kustomization by its live spec and revision, the others by their live spec."""

    def kustomization(self, id: ObjectId, spec: KustomizationSpec, revision: str) -> Build:
        """The build of a Kustomization."""
        ...

    def release(self, id: ObjectId, spec: HelmReleaseSpec) -> Build:
        """The objects of a HelmRelease's chart."""
        ...

    def instance(self, id: ObjectId, spec: FluxInstanceSpec) -> Build:
        """The objects of a FluxInstance, before the operator stamps its opt-outs."""
        ...


Rendered = tuple[ObjectId, Owner, str]


@dataclass(frozen=True, slots=True)
class RenderTable:
    """`Renders` by look-up; the revision of a release or an instance is the empty string."""

    builds: Mapping[Rendered, Build]

    def kustomization(self, id: ObjectId, spec: KustomizationSpec, revision: str) -> Build:
        """The build recorded for this spec and revision, else unknown."""
        return self._build(id, spec, revision)

    def release(self, id: ObjectId, spec: HelmReleaseSpec) -> Build:
        """The chart's objects recorded for this spec, else unknown."""
        return self._build(id, spec, "")

    def instance(self, id: ObjectId, spec: FluxInstanceSpec) -> Build:
        """The objects recorded for this spec, else unknown."""
        return self._build(id, spec, "")

    def _build(self, id: ObjectId, spec: Owner, revision: str) -> Build:
        at = f" at revision {revision}" if revision else ""
        return self.builds.get((id, spec, revision)) or Unknown(f"no build of {id} with its live spec{at}")


@dataclass(frozen=True, slots=True)
class Record:
    """The status of an owner: its inventory, and the spec, revision and inputs it last applied."""

    inventory: frozenset[ObjectId] = frozenset()
    applied: str = ""
    spec: Owner | None = None
    ready: bool = True
    reason: str = ""
    inputs: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What Helm stored for a release; `kept` carry `helm.sh/resource-policy: keep` in it; unknown if never rendered."""

    objects: frozenset[ObjectId] = frozenset()
    kept: frozenset[ObjectId] = frozenset()
    known: bool = True


@dataclass(frozen=True, slots=True)
class Run:
    """A reconcile that has read the spec and the artifact and not yet ended."""

    spec: KustomizationSpec
    revision: str
    applied: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Everything the controllers decide by. `heads` are the revisions at each origin; `step` counts user steps done.

    `taken` are FluxInstances between taking an object from its old managers and applying it;
    `stopped` are the actors whose process does not run; `crashes` is 0 where no controller crashes in the middle
    of anything: how often one does is not counted, so that a crash leads back to a state that is known.
    """

    live: Table[ObjectId, Live] = field(default_factory=Table)
    records: Table[ObjectId, Record] = field(default_factory=Table)
    artifacts: Table[ObjectId, str] = field(default_factory=Table)
    heads: Table[str, str] = field(default_factory=Table)
    releases: Table[tuple[str, str], Manifest] = field(default_factory=Table)
    runs: Table[ObjectId, Run] = field(default_factory=Table)
    taken: frozenset[ObjectId] = frozenset()
    stopped: frozenset[Actor] = frozenset()
    crashes: int = 0
    step: int = 0


@dataclass(frozen=True, slots=True)
class Controller:
    """Where an actor runs: its Deployment and everything it cannot work without."""

    deployment: ObjectId
    needs: frozenset[ObjectId] = frozenset()


@dataclass(frozen=True, slots=True)
class Environment:
    """What does not change while a world is explored; an actor that is not in `controllers` always runs.

    Kustomizations in `atomic` share nothing with others, so their reconcile is one step; what is `shared` others may
    apply while one deletes it. Dependencies in `met` are ready. Whose labels `indifferent` objects have is no matter.
    """

    gates: Gates
    renders: Renders
    controllers: Mapping[Actor, Controller] = field(default_factory=dict)
    atomic: frozenset[ObjectId] = frozenset()
    met: frozenset[ObjectId] = frozenset()
    indifferent: frozenset[ObjectId] = frozenset()
    shared: frozenset[ObjectId] = frozenset()


def is_namespace(id: ObjectId) -> bool:
    """Whether the object is a Namespace."""
    return id.kind == "Namespace" and not id.group


def is_definition(id: ObjectId) -> bool:
    """Whether the object is a CustomResourceDefinition."""
    return id.kind == "CustomResourceDefinition"


def is_instance(id: ObjectId) -> bool:
    """Whether the object is a FluxInstance."""
    return id.kind == "FluxInstance" and id.group == OPERATOR_GROUP


def is_home(id: ObjectId, controllers: Mapping[Actor, Controller]) -> bool:
    """Whether a controller runs in it or cannot work without it."""
    return any(id == host.deployment or id in host.needs for host in controllers.values())


def is_suspended(live: Live) -> bool:
    """Whether a live owner is suspended, by its spec or by a user."""
    suspended = getattr(live.spec, "suspend", False)
    return suspended or Mark.SUSPENDED in live.opt_outs


def is_hosted(world: World, environment: Environment, actor: Actor) -> bool:
    """Whether everything an actor needs to run is in the cluster."""
    controller = environment.controllers.get(actor)
    if controller is None:
        return True
    return all(_present(world, id) for id in (controller.deployment, *controller.needs))


def is_up(world: World, actor: Actor) -> bool:
    """Whether an actor's process runs; one whose Deployment was deleted may still run for a while."""
    return actor not in world.stopped


def _present(world: World, id: ObjectId) -> bool:
    live = world.live.get(id)
    return live is not None and not live.deleting

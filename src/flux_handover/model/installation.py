"""How Flux is installed now: values only. The detection lies in `detection` and `settings`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flux_handover.findings import Location
from flux_handover.objects import Object, ObjectId


class Method(Enum):
    """The ways to install Flux that are told apart (design section 5)."""

    OCI_KUSTOMIZATION = "oci-kustomization"
    BOOTSTRAP = "bootstrap"
    REMOTE_BASE = "remote-base"
    HELM_CHART = "helm-chart"
    TERRAFORM = "terraform"
    OPERATOR = "operator"
    MANAGED = "managed"
    UNKNOWN = "unknown"


class SettingKind(Enum):
    """What a setting is (contract K10)."""

    ARGUMENT = "argument"
    LIMIT = "limit"
    REQUEST = "request"
    GATE = "gate"
    ENV = "env"
    VOLUME = "volume"
    SCHEDULING = "scheduling"
    IMAGE = "image"
    DELETION = "deletion"
    COMPONENT = "component"
    RULE = "rule"
    METADATA = "metadata"
    SYNC = "sync"


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that must survive, on one target; `key` as written (`--concurrent`), `value` a string."""

    target: ObjectId
    kind: SettingKind
    key: str
    value: str
    where: Location


@dataclass(frozen=True, slots=True)
class FluxPatch:
    """One patch that changes Flux itself: its text, its target as written, and where it stands."""

    patch: str
    target: tuple[tuple[str, str], ...]
    where: Location


@dataclass(frozen=True, slots=True)
class Rival:
    """An owner that applies Flux beside the one that counts, and where it is written."""

    owner: ObjectId
    where: Location | None


@dataclass(frozen=True, slots=True)
class Installation:
    """How one cluster's Flux is installed.

    `owner` is the Kustomization (or HelmRelease) that applies Flux, None where only bootstrap or
    a person does. `files` are the files that install it. `plain` are the distribution's objects
    without any change, `live` with every patch applied. `patches` in order of application.
    `renamed` are objects whose name alone was changed, which is not a setting. `shared` are the
    files that other clusters read too. `rivals` are other owners that apply Flux at the same time.
    """

    cluster: str
    method: Method
    version: str
    namespace: str
    components: tuple[str, ...]
    owner: ObjectId | None
    source: ObjectId | None
    files: tuple[str, ...]
    settings: tuple[Setting, ...]
    patches: tuple[FluxPatch, ...]
    plain: tuple[Object, ...]
    live: tuple[Object, ...]
    renamed: tuple[tuple[ObjectId, ObjectId], ...] = ()
    notes: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()
    rivals: tuple[Rival, ...] = ()

    @property
    def place(self) -> str:
        """Where it is written, for a message: its first file, else the cluster's directory."""
        return self.files[0] if self.files else self.cluster

    def find(self, id: ObjectId) -> Object | None:
        """An object of it as it is live."""
        return next((object for object in self.live if object.id == id), None)

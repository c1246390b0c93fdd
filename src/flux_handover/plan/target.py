"""What must be there at the end: the operator, the FluxInstance, and the settings it carries.

Values only; `choosing` decides them. Nothing here depends on a phase, so that every phase, and
the proof, speak of the same end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from flux_handover.findings import Location
from flux_handover.objects import HELM_GROUP, OPERATOR_GROUP, SOURCE_GROUP, ObjectId
from flux_handover.plan.layout import Layout
from flux_handover.plan.tenancy import Tenancy

INSTANCE_NAME = "flux"
"""The only name that the operator accepts since 0.21."""


class InstanceForm(Enum):
    """How the FluxInstance reaches the cluster: rendered by its chart, or as a plain manifest (R19)."""

    HELMRELEASE = "helmrelease"
    MANIFEST = "manifest"


class SyncStrategy(Enum):
    """Who applies source and root afterwards (design section 4)."""

    KEEP = "keep"
    ADOPT = "adopt"
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True)
class Options:
    """What the user decides; everything else is learnt from the repository, also a sync that is there already."""

    operator_version: str | None = None
    instance_as: InstanceForm = InstanceForm.HELMRELEASE
    place_under: str | None = None
    sync: SyncStrategy | None = None
    sync_name: str | None = None


@dataclass(frozen=True, slots=True)
class CarriedPatch:
    """One entry of `spec.kustomize.patches`, and the place of the setting that it keeps.

    `comments` are the lines above the original, without `#`; `changed` says why the text is not
    the original, and is empty where it is reused as it was.
    """

    patch: str
    target: tuple[tuple[str, str], ...]
    where: Location | None
    comments: tuple[str, ...] = ()
    changed: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """One Helm release: its chart in an OCI registry, the version and the values."""

    name: str
    namespace: str
    chart: str
    version: str
    values: Mapping[str, Any]

    @property
    def id(self) -> ObjectId:
        """The HelmRelease."""
        return ObjectId(HELM_GROUP, "HelmRelease", self.namespace, self.name)

    @property
    def source(self) -> ObjectId:
        """The OCIRepository of its chart."""
        return ObjectId(SOURCE_GROUP, "OCIRepository", self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Transfer:
    """How a new root, made by `sync`, takes everything over from an old one that has another name.

    `root` and `source` are the old ones. The patches give the new ones every field of the old: `arriving` while the
    new root must neither prune nor wait, `pruning` once it prunes, `whole` once the old one is gone.
    """

    root: ObjectId
    source: ObjectId
    sync: Mapping[str, Any]
    arriving: tuple[CarriedPatch, ...]
    pruning: tuple[CarriedPatch, ...]
    whole: tuple[CarriedPatch, ...]

    @property
    def new_root(self) -> ObjectId:
        """The Kustomization that the operator makes of the sync."""
        return self.root._replace(name=str(self.sync["name"]))

    @property
    def new_source(self) -> ObjectId:
        """The source that the operator makes of the sync."""
        return self.source._replace(name=str(self.sync["name"]))

    @property
    def renamed(self) -> Mapping[ObjectId, ObjectId]:
        """By the old name, the new one."""
        return {self.root: self.new_root, self.source: self.new_source}


@dataclass(frozen=True, slots=True)
class Target:
    """The end of a handover.

    `cluster` and `distribution` are the FluxInstance's fields of that name; `instance` is its
    chart's release, also where the form is a manifest (its values are then not used). `layout` says
    where the files of both are, or will be. `synced` is the FluxInstance's `sync`, empty where it has none; a
    `transfer` adds one after everything else.
    """

    sync: SyncStrategy
    form: InstanceForm
    namespace: str
    operator_version: str
    flux_version: str
    components: tuple[str, ...]
    distribution: Mapping[str, Any]
    cluster: Mapping[str, Any]
    patches: tuple[CarriedPatch, ...]
    operator: Release
    instance: Release
    layout: Layout
    tenancy: Tenancy = field(default_factory=Tenancy)
    common_metadata: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()
    synced: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    transfer: Transfer | None = None

    @property
    def instance_id(self) -> ObjectId:
        """The FluxInstance."""
        return ObjectId(OPERATOR_GROUP, "FluxInstance", self.namespace, INSTANCE_NAME)

    @property
    def spec(self) -> Mapping[str, Any]:
        """`FluxInstance.spec`."""
        spec: dict[str, Any] = {
            "distribution": dict(self.distribution),
            "components": list(self.components),
            "cluster": dict(self.cluster),
        }
        if self.common_metadata:
            spec["commonMetadata"] = dict(self.common_metadata)
        if self.synced:
            spec["sync"] = dict(self.synced)
        if self.patches:
            spec["kustomize"] = {"patches": [entry_of(patch) for patch in self.patches]}
        return spec


def entry_of(patch: CarriedPatch) -> dict[str, Any]:
    """The patch as an entry of a `patches` list."""
    entry: dict[str, Any] = {"patch": patch.patch}
    if patch.target:
        entry["target"] = dict(patch.target)
    return entry

"""`inspect --output json`: how Flux is installed, and what is live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from flux_handover.findings import Location
from flux_handover.model.installation import Installation, Setting
from flux_handover.model.rendering import Build, Cluster
from flux_handover.model.snapshot import Snapshot
from flux_handover.report.shapes.common import FindingShape, finding_shape

SettingKindShape = Literal[
    "argument",
    "limit",
    "request",
    "gate",
    "env",
    "volume",
    "scheduling",
    "image",
    "deletion",
    "component",
    "rule",
    "metadata",
    "sync",
]


class SettingShape(msgspec.Struct, frozen=True):
    """One value that must survive, on one target."""

    target: str
    kind: SettingKindShape
    key: str
    value: str
    file: str
    line: int


class InstallationShape(msgspec.Struct, frozen=True):
    """How one cluster's Flux is installed; `owner` is empty where only bootstrap applies it."""

    cluster: str
    method: str
    version: str
    components: tuple[str, ...]
    owner: str
    files: tuple[str, ...]
    settings: tuple[SettingShape, ...]
    notes: tuple[str, ...]


class KustomizationShape(msgspec.Struct, frozen=True):
    """One live Kustomization; `parent` renders it, and is empty for a root that bootstrap applies."""

    cluster: str
    id: str
    file: str
    line: int
    path: str
    source: str
    prune: bool
    parent: str
    build: Literal["ok", "failed", "unknown"]
    error: str
    objects: int


class InspectReport(msgspec.Struct, frozen=True):
    """What one revision says; `candidates` are paths that may be roots, where none is certain."""

    schema: Literal["flux-handover/inspect/v1"]
    revision: str
    installations: tuple[InstallationShape, ...]
    kustomizations: tuple[KustomizationShape, ...]
    findings: tuple[FindingShape, ...]
    candidates: tuple[str, ...]


def inspect_report(snapshot: Snapshot) -> InspectReport:
    """The report of one revision."""
    return InspectReport(
        "flux-handover/inspect/v1",
        snapshot.revision,
        tuple(_installation(snapshot.installations[name]) for name in sorted(snapshot.installations)),
        tuple(_kustomizations(snapshot)),
        tuple(finding_shape(finding) for finding in snapshot.findings),
        snapshot.candidates,
    )


def _installation(installation: Installation) -> InstallationShape:
    return InstallationShape(
        installation.cluster,
        installation.method.value,
        installation.version,
        installation.components,
        installation.owner.full if installation.owner else "",
        installation.files,
        tuple(_setting(setting) for setting in installation.settings),
        installation.notes,
    )


def _setting(setting: Setting) -> SettingShape:
    where = setting.where
    return SettingShape(setting.target.full, setting.kind.value, setting.key, setting.value, where.file, where.line)


def _kustomizations(snapshot: Snapshot) -> Iterator[KustomizationShape]:
    for cluster in snapshot.clusters:
        for build in sorted(cluster, key=lambda build: build.id):
            yield _kustomization(cluster, build)


def _kustomization(cluster: Cluster, build: Build) -> KustomizationShape:
    where = build.where or Location("")
    return KustomizationShape(
        cluster.name,
        build.id.full,
        where.file,
        where.line,
        build.ks.path,
        build.ks.source.full,
        build.ks.prune,
        build.parent.full if build.parent else "",
        build.status.value,
        build.failure.message if build.failure else "",
        len(build.objects),
    )

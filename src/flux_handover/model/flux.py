"""Typed views of the Flux kinds that decide what is applied and deleted.

Parsed once at the edge from a rendered manifest; everything after trusts these types.
Field meanings: `fluxcd/kustomize-controller:api/v1/kustomization_types.go@v1.9.4`,
`fluxcd/source-controller:api/v1@v1.9.6`, `fluxcd/helm-controller:api/v2/helmrelease_types.go@v1.6.3`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.objects import (
    HELM_GROUP,
    KUSTOMIZE_GROUP,
    OPERATOR_GROUP,
    SOURCE_GROUP,
    Object,
    ObjectId,
    elsewhere,
    group_of,
    mapping,
    mappings,
    text_at,
)
from flux_handover.tree import clean_path

SOURCE_KINDS = ("GitRepository", "OCIRepository", "Bucket", "ExternalArtifact")


@dataclass(frozen=True, slots=True)
class VariableSource:
    """One entry of `postBuild.substituteFrom`; the object lies in the Kustomization's own namespace."""

    id: ObjectId
    optional: bool


@dataclass(frozen=True, slots=True)
class FluxKustomization:
    """A Kustomization as the controller sees it: the live spec, not the file."""

    object: Object
    source: ObjectId
    path: str
    prune: bool
    suspend: bool
    wait: bool
    deletion_policy: str
    target_namespace: str
    service_account: str
    depends_on: tuple[ObjectId, ...]
    health_checks: tuple[ObjectId, ...]
    substitute_from: tuple[VariableSource, ...]
    substitute: Mapping[str, str]
    has_post_build: bool
    decryption_secret: ObjectId | None
    decrypts: bool
    remote: str

    @property
    def id(self) -> ObjectId:
        """The object's identity."""
        return self.object.id

    @property
    def remote_cluster(self) -> bool:
        """Whether it applies to another cluster than the one it is in."""
        return bool(self.remote)

    @property
    def namespace(self) -> str:
        """Where its local references point."""
        return self.object.id.namespace

    @property
    def required_variables(self) -> tuple[ObjectId, ...]:
        """The sources of variables without which it does not build."""
        return tuple(source.id for source in self.substitute_from if not source.optional)


@dataclass(frozen=True, slots=True)
class Source:
    """A GitRepository, OCIRepository or Bucket; `ref` is its `.spec.ref` as written."""

    object: Object
    url: str
    ref: Mapping[str, str]
    ignore: str
    suspend: bool
    secret: ObjectId | None
    includes: tuple[Mapping[str, Any], ...]
    recurse_submodules: bool

    @property
    def id(self) -> ObjectId:
        """The object's identity."""
        return self.object.id


@dataclass(frozen=True, slots=True)
class HelmRelease:
    """A HelmRelease; `chart` is the chartRef's id, or the name of the chart for `spec.chart`."""

    object: Object
    release_name: str
    release_namespace: str
    storage_namespace: str
    chart: str
    chart_ref: ObjectId | None
    chart_version: str
    suspend: bool
    values: Mapping[str, Any]
    remote: str

    @property
    def id(self) -> ObjectId:
        """The object's identity."""
        return self.object.id


def kustomizations(objects: Iterable[Object]) -> tuple[FluxKustomization, ...]:
    """The Flux Kustomizations among rendered objects."""
    return tuple(kustomization_of(o) for o in objects if is_kind(o, KUSTOMIZE_GROUP, "Kustomization"))


def is_kind(object: Object, group: str, *kinds: str) -> bool:
    """Whether the object is of one of these kinds of the group."""
    return object.id.group == group and object.id.kind in kinds


def is_source(object: Object) -> bool:
    """Whether the object can be a Kustomization's source."""
    return is_kind(object, SOURCE_GROUP, *SOURCE_KINDS)


def is_instance(object: Object) -> bool:
    """Whether the object is a FluxInstance."""
    return is_kind(object, OPERATOR_GROUP, "FluxInstance")


def kustomization_of(object: Object) -> FluxKustomization:
    """The typed view; fields that are absent take the API's defaults."""
    spec, namespace = object.spec, object.id.namespace
    remote = _remote(spec, namespace)
    post_build, decryption = mapping(spec.get("postBuild")), mapping(spec.get("decryption"))
    return FluxKustomization(
        object=object,
        source=_source_ref(mapping(spec.get("sourceRef")), namespace),
        path=clean_path(text_at(spec, "path")),
        prune=spec.get("prune") is True,
        suspend=spec.get("suspend") is True,
        wait=spec.get("wait") is True,
        deletion_policy=text_at(spec, "deletionPolicy", "MirrorPrune"),
        target_namespace=text_at(spec, "targetNamespace"),
        service_account=text_at(spec, "serviceAccountName"),
        depends_on=tuple(
            _local(entry, KUSTOMIZE_GROUP, "Kustomization", namespace) for entry in mappings(spec.get("dependsOn"))
        ),
        health_checks=tuple(elsewhere(_checked(entry), remote) for entry in mappings(spec.get("healthChecks"))),
        substitute_from=tuple(
            _variable_source(entry, namespace) for entry in mappings(post_build.get("substituteFrom"))
        ),
        substitute={str(k): _text(v) for k, v in mapping(post_build.get("substitute")).items()},
        has_post_build=spec.get("postBuild") is not None,
        decryption_secret=_secret(mapping(decryption.get("secretRef")), namespace),
        decrypts=decryption.get("provider") == "sops",
        remote=remote,
    )


def source_of(object: Object) -> Source:
    """The typed view of a source."""
    spec = object.spec
    return Source(
        object=object,
        url=text_at(spec, "url", text_at(spec, "endpoint")),
        ref={str(k): _text(v) for k, v in mapping(spec.get("ref")).items()},
        ignore=text_at(spec, "ignore"),
        suspend=spec.get("suspend") is True,
        secret=_secret(mapping(spec.get("secretRef")), object.id.namespace),
        includes=mappings(spec.get("include")),
        recurse_submodules=spec.get("recurseSubmodules") is True,
    )


def helm_release_of(object: Object) -> HelmRelease:
    """The typed view; names follow `fluxcd/helm-controller:api/v2/helmrelease_types.go#GetReleaseName@v1.6.3`."""
    spec, namespace = object.spec, object.id.namespace
    target = text_at(spec, "targetNamespace")
    default_name = f"{target}-{object.id.name}" if target else object.id.name
    chart, ref = mapping(mapping(spec.get("chart")).get("spec")), mapping(spec.get("chartRef"))
    return HelmRelease(
        object=object,
        release_name=text_at(spec, "releaseName", default_name),
        release_namespace=target or namespace,
        storage_namespace=text_at(spec, "storageNamespace", namespace),
        chart=text_at(chart, "chart", text_at(ref, "name")),
        chart_ref=_local(ref, SOURCE_GROUP, text_at(ref, "kind"), namespace) if ref else None,
        chart_version=_text(chart.get("version")) if chart.get("version") is not None else "",
        suspend=spec.get("suspend") is True,
        values=mapping(spec.get("values")),
        remote=_remote(spec, namespace),
    )


def helm_releases(objects: Iterable[Object]) -> tuple[HelmRelease, ...]:
    """The HelmReleases among rendered objects."""
    return tuple(helm_release_of(o) for o in objects if is_kind(o, HELM_GROUP, "HelmRelease"))


def _remote(spec: Mapping[str, Any], namespace: str) -> str:
    """A name for the other cluster that a `kubeConfig` leads to: whose address it is, is not known; empty for none."""
    access = mapping(spec.get("kubeConfig"))
    named = (text_at(mapping(access.get(field)), "name") for field in ("secretRef", "configMapRef"))
    name = next(filter(None, named), "unnamed").replace(".", "-")
    return f"{name}@{namespace}" if access else ""


def _source_ref(ref: Mapping[str, Any], namespace: str) -> ObjectId:
    return _local(ref, SOURCE_GROUP, text_at(ref, "kind"), namespace)


def _local(ref: Mapping[str, Any], group: str, kind: str, namespace: str) -> ObjectId:
    return ObjectId(group, kind, text_at(ref, "namespace", namespace), text_at(ref, "name"))


def _checked(entry: Mapping[str, Any]) -> ObjectId:
    return _local(entry, group_of(entry), text_at(entry, "kind"), "")


def _variable_source(entry: Mapping[str, Any], namespace: str) -> VariableSource:
    id = ObjectId("", text_at(entry, "kind"), namespace, text_at(entry, "name"))
    return VariableSource(id, entry.get("optional") is True)


def _secret(ref: Mapping[str, Any], namespace: str) -> ObjectId | None:
    return ObjectId("", "Secret", namespace, str(ref["name"])) if ref.get("name") else None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)

"""What a FluxInstance asks for, parsed once; whatever the operator would refuse is an InstanceError.

The messages are those of the operator's own `build instance`, observed by running it, so that
a user finds them where the operator would report them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover import catalogue
from flux_handover.errors import HandoverError
from flux_handover.objects import mapping, text_at


class InstanceError(HandoverError):
    """The operator would stall on this FluxInstance: it changes nothing and does not try again."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """`spec.cluster`, without the defaults of the CRD (contract K14)."""

    type: str
    domain: str
    size: str
    has_network_policy: bool
    is_multitenant: bool
    tenant_account: str
    has_workload_identity: bool
    has_tenant_identity: bool
    decryption_account: str
    kube_config_account: str


@dataclass(frozen=True, slots=True)
class Sync:
    """`spec.sync`: the source and the root Kustomization that the operator creates."""

    kind: str
    name: str
    url: str
    ref: str
    path: str
    interval: str
    pull_secret: str
    provider: str


@dataclass(frozen=True, slots=True)
class Storage:
    """`spec.storage`: the volume of source-controller."""

    storage_class: str
    size: str


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """A FluxInstance whose version is resolved to a release."""

    name: str
    namespace: str
    version: str
    registry: str
    pull_secret: str
    components: tuple[str, ...]
    cluster: Cluster
    shard_key: str
    shards: tuple[str, ...]
    storage: Storage | None
    sync: Sync | None
    patches: tuple[Mapping[str, Any], ...]
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def read_spec(instance: Mapping[str, Any], served: tuple[str, ...]) -> InstanceSpec:
    """The settings of a FluxInstance, for an operator that serves those Flux versions."""
    metadata, spec = mapping(instance.get("metadata")), mapping(instance.get("spec"))
    distribution, common = mapping(spec.get("distribution")), mapping(spec.get("commonMetadata"))
    sharding = mapping(spec.get("sharding"))
    namespace = text_at(metadata, "namespace")
    read = InstanceSpec(
        name=text_at(metadata, "name"),
        namespace=namespace,
        version=_version(text_at(distribution, "version"), served),
        registry=_required(distribution, "registry", ".spec.distribution").rstrip("/"),
        pull_secret=text_at(distribution, "imagePullSecret"),
        components=tuple(spec.get("components") or catalogue.DEFAULT_COMPONENTS),
        cluster=_cluster(spec.get("cluster")),
        shard_key=text_at(sharding, "key", "sharding.fluxcd.io/key"),
        shards=_shards(sharding),
        storage=_storage(mapping(spec.get("storage"))),
        sync=_sync(mapping(spec.get("sync")), namespace),
        patches=tuple(mapping(spec.get("kustomize")).get("patches") or ()),
        labels=mapping(common.get("labels")),
        annotations=mapping(common.get("annotations")),
    )
    _refuse_unsupported(read)
    return read


def _required(fields: Mapping[str, Any], name: str, parent: str) -> str:
    value = text_at(fields, name)
    if not value:
        raise InstanceError(f"{parent}.{name} is required")
    return value


def _version(expression: str, served: tuple[str, ...]) -> str:
    if not expression:
        raise InstanceError(".spec.distribution.version is required")
    try:
        version = catalogue.newest_match(expression, served)
    except catalogue.MalformedRange as error:
        raise InstanceError(f"semver '{expression}' parse error: {error}") from error
    if version is None:
        raise InstanceError(f"no match found for semver: {expression}", hint=f"the operator serves up to {served[-1]}")
    return version


def _cluster(written: Any) -> Cluster:
    """The operator's CLI renders network policies only where `cluster` is absent or asks for them."""
    fields = mapping(written)
    return Cluster(
        type=text_at(fields, "type", "kubernetes"),
        domain=text_at(fields, "domain", "cluster.local"),
        size=text_at(fields, "size"),
        has_network_policy=fields.get("networkPolicy") is True or written is None,
        is_multitenant=fields.get("multitenant") is True,
        tenant_account=text_at(fields, "tenantDefaultServiceAccount", "default"),
        has_workload_identity=fields.get("objectLevelWorkloadIdentity") is True,
        has_tenant_identity=fields.get("multitenantWorkloadIdentity") is True,
        decryption_account=text_at(fields, "tenantDefaultDecryptionServiceAccount", "default"),
        kube_config_account=text_at(fields, "tenantDefaultKubeConfigServiceAccount", "default"),
    )


def _shards(sharding: Mapping[str, Any]) -> tuple[str, ...]:
    if sharding.get("storage") == "persistent":
        raise InstanceError(
            "what the operator renders for sharding.storage: persistent is not known offline",
            hint="build the instance with the operator's own CLI, or use ephemeral storage for the shards",
        )
    return tuple(sharding.get("shards") or ())


def _storage(storage: Mapping[str, Any]) -> Storage | None:
    if not storage:
        return None
    return Storage(text_at(storage, "class"), text_at(storage, "size"))


def _sync(sync: Mapping[str, Any], namespace: str) -> Sync | None:
    if not sync:
        return None
    return Sync(
        kind=_required(sync, "kind", ".spec.sync"),
        name=text_at(sync, "name") or namespace,
        url=_required(sync, "url", ".spec.sync"),
        ref=_required(sync, "ref", ".spec.sync"),
        path=_required(sync, "path", ".spec.sync"),
        interval=go_duration(text_at(sync, "interval", "1m")),
        pull_secret=text_at(sync, "pullSecret"),
        provider=text_at(sync, "provider"),
    )


_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")


def go_duration(text: str) -> str:
    """A duration as Go prints it, `5m` as `5m0s` (`time.Duration.String`)."""
    total = _nanoseconds(text)
    if total < 10**9:
        return f"{total / 10**6:g}ms" if total else "0s"
    minutes, rest = divmod(total, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest / 10**9:g}s"
    if hours:
        return f"{hours}h{minutes}m{seconds}"
    return f"{minutes}m{seconds}" if minutes else seconds


def _nanoseconds(text: str) -> int:
    if not re.fullmatch(rf"(?:{_DURATION.pattern})+", text):
        raise InstanceError(f'time: invalid duration "{text}"')
    return round(sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text)))


def _refuse_unsupported(spec: InstanceSpec) -> None:
    for component in spec.components:
        if component not in catalogue.COMPONENTS:
            raise InstanceError(f"invalid component: {component}")
    if "source-watcher" in spec.components and not catalogue.is_at_least(spec.version, "v2.7.0"):
        raise InstanceError("source-watcher is only supported in Flux versions >= 2.7.0")
    if problem := _identity_problem(spec.cluster, spec.version):
        raise InstanceError(f"failed to validate workload identity configuration: {problem}")


def _identity_problem(cluster: Cluster, version: str) -> str:
    either = cluster.has_workload_identity or cluster.has_tenant_identity
    if either and not catalogue.is_at_least(version, "v2.6.0"):
        fields = ".objectLevelWorkloadIdentity and .multitenantWorkloadIdentity"
        return f"{fields} are not supported in Flux versions < 2.6.0"
    return _tenant_identity_problem(cluster, version) if cluster.has_tenant_identity else ""


def _tenant_identity_problem(cluster: Cluster, version: str) -> str:
    if not catalogue.is_at_least(version, "v2.7.0"):
        return ".multitenantWorkloadIdentity is not supported in Flux versions 2.6.x"
    if not cluster.has_workload_identity:
        return ".objectLevelWorkloadIdentity must be set to true when .multitenantWorkloadIdentity is set to true"
    return ""

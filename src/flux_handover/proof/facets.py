"""What the judge looks at of a rendered object: its opt-outs, and the spec that decides what it owns."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flux_handover.model.flux import (
    FluxKustomization,
    HelmRelease,
    Source,
    helm_release_of,
    is_instance,
    is_kind,
    is_source,
    kustomization_of,
    source_of,
)
from flux_handover.model.origin import reference_of
from flux_handover.objects import (
    HELM_GROUP,
    HELM_POLICY,
    KUSTOMIZE_GROUP,
    OPERATOR_PRUNE,
    OPERATOR_RECONCILE,
    PRUNE,
    RECONCILE,
    SSA,
    Object,
    ObjectId,
    has_mark,
    mapping,
    mappings,
    text_at,
)
from flux_handover.proof.gates import Gates
from flux_handover.proof.world import (
    Actor,
    ControllerSpec,
    DeletionPolicy,
    Desired,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Mark,
    Release,
    Remedy,
    SourceSpec,
    Spec,
    Variables,
)
from flux_handover.workloads import images_of

MARKS = {
    Mark.PRUNE_DISABLED: (PRUNE, "disabled"),
    Mark.RECONCILE_DISABLED: (RECONCILE, "disabled"),
    Mark.SSA_IGNORE: (SSA, "ignore"),
    Mark.SSA_IF_NOT_PRESENT: (SSA, "ifnotpresent"),
    Mark.OPERATOR_PRUNE_DISABLED: (OPERATOR_PRUNE, "disabled"),
    Mark.OPERATOR_RECONCILE_DISABLED: (OPERATOR_RECONCILE, "disabled"),
    Mark.HELM_KEEP: (HELM_POLICY, "keep"),
}
ACTORS = {
    "source-controller": Actor.SOURCE,
    "kustomize-controller": Actor.KUSTOMIZE,
    "helm-controller": Actor.HELM,
    "flux-operator": Actor.OPERATOR,
}
GUARDS = ("decryption", "postBuild", "patches", "serviceAccountName", "timeout", "interval", "components", "images")
_MODELLED = ("sourceRef", "path", "prune", "suspend", "deletionPolicy", "wait", "dependsOn", "healthChecks")
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Facets:
    """How objects become what the judge looks at: `definitions` by group and kind, `origins` by source."""

    definitions: Mapping[tuple[str, str], ObjectId]
    gates: Gates
    seen: dict[int, tuple[Object, Desired]] = field(default_factory=dict, compare=False, repr=False)

    def desired(self, object: Object) -> Desired:
        """The facet of one object; revisions share most objects, so each is looked at once."""
        if id(object) not in self.seen:
            self.seen[id(object)] = (object, self._desired(object))
        return self.seen[id(object)][1]

    def _desired(self, object: Object) -> Desired:
        return Desired(
            id=object.id,
            marks=marks_of(object),
            digest=digest_of(object.data),
            spec=self.spec(object),
            definition=self.definitions.get((object.id.group, object.id.kind)),
        )

    def spec(self, object: Object) -> Spec | None:
        """What the object decides, for the kinds that decide something."""
        if is_kind(object, KUSTOMIZE_GROUP, "Kustomization"):
            return kustomization_spec(kustomization_of(object))
        if is_source(object):
            return source_spec(source_of(object))
        if is_kind(object, HELM_GROUP, "HelmRelease"):
            return release_spec(helm_release_of(object), self.gates)
        if is_instance(object):
            return instance_spec(object)
        return controller_spec(object) if is_kind(object, "apps", "Deployment") else None


def marks_of(object: Object) -> frozenset[Mark]:
    """The opt-outs an object carries, as label or annotation."""
    if not object.labels and not object.annotations:
        return frozenset()
    return frozenset(mark for mark, (key, value) in MARKS.items() if has_mark(object, key, value))


def digest_of(data: Mapping[str, Any]) -> str:
    """A digest of an object's content, the same for equal content."""
    return hashlib.sha1(json.dumps(data, sort_keys=True, default=str).encode(), usedforsecurity=False).hexdigest()


def kustomization_spec(ks: FluxKustomization) -> KustomizationSpec:
    """The judge's view of a Kustomization; whatever it does not model goes into `rest`."""
    spec = ks.object.spec
    account = ObjectId("", "ServiceAccount", ks.namespace, ks.service_account) if ks.service_account else None
    return KustomizationSpec(
        source=ks.source,
        path=ks.path,
        prune=ks.prune,
        suspend=ks.suspend,
        policy=_policy(ks.deletion_policy),
        wait=ks.wait,
        checks=ks.health_checks,
        depends_on=ks.depends_on,
        variables=tuple(Variables(source.id, source.optional) for source in ks.substitute_from),
        account=account,
        guards=frozenset(field for field in GUARDS if spec.get(field)),
        rest=digest_of({key: value for key, value in spec.items() if key not in _MODELLED}),
    )


def _policy(text: str) -> DeletionPolicy:
    """An unknown policy is taken for the one that deletes."""
    known = {policy.value: policy for policy in DeletionPolicy}
    return known.get(text, DeletionPolicy.DELETE)


def source_spec(source: Source) -> SourceSpec:
    """The judge's view of a source; its origin is the address and the reference."""
    return SourceSpec(origin_of(source), source.secret, source.suspend)


def origin_of(source: Source) -> str:
    """Where a source fetches from, as one text."""
    ref = ",".join(f"{key}={value}" for key, value in sorted(reference_of(source).items()))
    return f"{source.url}@{ref}" if ref else source.url


def release_spec(release: HelmRelease, gates: Gates) -> HelmReleaseSpec:
    """The judge's view of a HelmRelease."""
    spec = release.object.spec
    chart = release.chart_ref.name if release.chart_ref else release.chart
    return HelmReleaseSpec(
        release=Release(release.release_name, release.release_namespace, release.storage_namespace, chart),
        suspend=release.suspend,
        source=release.chart_ref,
        values=tuple(_values_from(release)),
        depends_on=tuple(_dependencies(release)),
        remedy=_install_remedy(spec),
        upgrade_remedy=_upgrade_remedy(spec),
        waits=gates.helm_waits_for_custom_resources and not _waits_disabled(spec),
        rest=digest_of(spec),
    )


def _values_from(release: HelmRelease) -> Iterable[ObjectId]:
    for entry in mappings(release.object.spec.get("valuesFrom")):
        if not entry.get("optional"):
            yield ObjectId("", str(entry.get("kind")), release.id.namespace, str(entry.get("name")))


def _dependencies(release: HelmRelease) -> Iterable[ObjectId]:
    for entry in mappings(release.object.spec.get("dependsOn")):
        namespace = text_at(entry, "namespace", release.id.namespace)
        yield ObjectId(HELM_GROUP, "HelmRelease", namespace, str(entry.get("name")))


def _install_remedy(spec: Mapping[str, Any]) -> Remedy:
    """What a failed install leads to (`fluxcd/helm-controller:internal/reconcile/atomic_release.go@v1.6.3`)."""
    retries = mapping(mapping(spec.get("install")).get("remediation")).get("retries")
    return Remedy.RETRY if retries in (None, 0) else Remedy.UNINSTALL


def _upgrade_remedy(spec: Mapping[str, Any]) -> Remedy:
    """What a failed upgrade leads to: a rollback, unless the strategy says otherwise."""
    strategy = mapping(mapping(spec.get("upgrade")).get("remediation")).get("strategy")
    return Remedy.UNINSTALL if strategy == "uninstall" else Remedy.RETRY


def _waits_disabled(spec: Mapping[str, Any]) -> bool:
    return all(mapping(spec.get(action)).get("disableWait") is True for action in ("install", "upgrade"))


def instance_spec(object: Object) -> FluxInstanceSpec:
    """The judge's view of a FluxInstance; a range counts as the lowest version that it names."""
    spec = object.spec
    common = mapping(spec.get("commonMetadata"))
    overridden = {**mapping(common.get("labels")), **mapping(common.get("annotations"))}
    unstamped = frozenset(
        mark for mark, (key, value) in MARKS.items() if str(overridden.get(key, value)).lower() != value
    )
    return FluxInstanceSpec(
        version=version_of(text_at(mapping(spec.get("distribution")), "version")),
        wait=spec.get("wait") is not False,
        unstamped=unstamped,
        rest=digest_of(spec),
    )


def controller_spec(deployment: Object) -> ControllerSpec | None:
    """Which actor a Deployment runs, by its container's image; None for any other Deployment."""
    for image in images_of(deployment):
        name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
        if name in ACTORS:
            return ControllerSpec(ACTORS[name], version_of(tag))
    return None


def version_of(text: str) -> tuple[int, int, int]:
    """`v2.6.4`, `2.6` or `2.6.x` as numbers; a missing part is 0."""
    found = _VERSION.match(text)
    major, minor, patch = found.groups() if found else ("0", "0", "0")
    return int(major), int(minor), int(patch or 0)

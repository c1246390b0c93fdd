"""Objects that can never become ready here are lifted out of every wait, and listed.

A chart that nobody serves, a source behind an address that the sandbox does not reach, another cluster that a
`kubeConfig` leads to: waits on them would block every rehearsal. They are suspended, as `flux suspend` does, and
their status says Ready with a reason that no controller uses. Nothing of them is installed, and the report says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import chain, starmap
from types import MappingProxyType, TracebackType
from typing import Any

from flux_handover.adapters.cluster import Cluster, Manifest
from flux_handover.errors import ClusterError
from flux_handover.objects import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId, id_of, mapping, text_at

MANAGER = "flux-handover-sandbox"
REASON, BUILD_FAILED = "NotInSandbox", "BuildFailed"
SOURCES = ("GitRepository", "OCIRepository", "HelmRepository", "Bucket")
KINDS = (
    *((SOURCE_GROUP, kind) for kind in SOURCES),
    (SOURCE_GROUP, "HelmChart"),
    (HELM_GROUP, "HelmRelease"),
    (KUSTOMIZE_GROUP, "Kustomization"),
)
ELSEWHERE = "it applies to another cluster, which is not here"
DEPENDENTS = ("HelmChart", "HelmRelease", "Kustomization")
Served = Callable[[str], bool]


def unreachable(manifests: Iterable[Manifest], served: Served) -> Mapping[ObjectId, str]:
    """What cannot become ready, with the reason: sources first, then all that needs them."""
    objects = {id_of(manifest): manifest for manifest in manifests}
    reasons = {id: reason for id, manifest in objects.items() if (reason := unserved(id, manifest, served))}
    reasons |= {id: ELSEWHERE for id, manifest in objects.items() if mapping(manifest.get("spec")).get("kubeConfig")}
    for kind in DEPENDENTS:
        dependents = {id: manifest for id, manifest in objects.items() if id.kind == kind}
        found = {id: blocked(id, manifest, objects, reasons, served) for id, manifest in dependents.items()}
        reasons |= {id: reason for id, reason in found.items() if reason}
    return MappingProxyType({id: reason for id, reason in reasons.items() if not is_suspended(objects[id])})


def unbuilt(manifests: Iterable[Manifest], unbuildable: Mapping[ObjectId, str]) -> Mapping[ObjectId, str]:
    """Kustomizations that were known not to build here, and that failed so indeed."""
    failed = (id_of(manifest) for manifest in manifests if failed_to_build(manifest))
    return {id: unbuildable[id] for id in failed if id in unbuildable}


def failed_to_build(manifest: Manifest) -> bool:
    """Whether the controller says that it cannot build a Kustomization, or said so before we lifted it."""
    conditions = mapping(manifest.get("status")).get("conditions") or ()
    ready = ((one.get("status"), one.get("reason")) for one in conditions if one.get("type") == "Ready")
    return any(said in (("False", BUILD_FAILED), ("True", REASON)) for said in ready)


def unserved(id: ObjectId, manifest: Manifest, served: Served) -> str:
    """Why a source can fetch nothing; empty where it can, and for all that is no source."""
    if id.kind not in SOURCES or is_static(manifest):
        return ""
    url = text_at(mapping(manifest.get("spec")), "url")
    return "" if served(url) else f"{url or 'its address'} is not served in the sandbox"


def blocked(
    id: ObjectId,
    manifest: Manifest,
    objects: Mapping[ObjectId, Manifest],
    reasons: Mapping[ObjectId, str],
    served: Served,
) -> str:
    """Why the source that an object names can never give it anything; empty where it can."""
    source, chart = source_of(id, manifest)
    if source is None:
        return ""
    if source in reasons:
        return f"{source}: {reasons[source]}"
    there = objects.get(source)
    if there is not None and chart and is_static(there):
        url = f"{str(mapping(there.get('spec')).get('url', '')).rstrip('/')}/{chart}"
        return "" if served(url) else f"{url} is not served in the sandbox"
    return ""


def source_of(id: ObjectId, manifest: Manifest) -> tuple[ObjectId | None, str]:
    """The source that an object names, and the chart in it."""
    spec = mapping(manifest.get("spec"))
    chart = mapping(mapping(spec.get("chart")).get("spec")) if id.kind == "HelmRelease" else spec
    reference = mapping(spec.get("chartRef")) or mapping(chart.get("sourceRef"))
    if not reference:
        return None, ""
    namespace = text_at(reference, "namespace", id.namespace)
    source = ObjectId(SOURCE_GROUP, text_at(reference, "kind"), namespace, text_at(reference, "name"))
    return source, text_at(chart, "chart")


def is_static(manifest: Manifest) -> bool:
    """Whether it is a HelmRepository of type oci: only an address, never fetched by itself."""
    return manifest.get("kind") == "HelmRepository" and mapping(manifest.get("spec")).get("type") == "oci"


def is_suspended(manifest: Manifest) -> bool:
    """Whether someone other than the sandbox suspended it."""
    if not mapping(manifest.get("spec")).get("suspend"):
        return False
    return not any(
        entry.get("manager") == MANAGER for entry in mapping(manifest.get("metadata")).get("managedFields", ())
    )


def ready_status(manifest: Manifest, reason: str, now: float, revision: str = "") -> Manifest:
    """A status that every wait takes for ready, and that says what it is.

    Who depends on a Kustomization of the same source also waits for its revision.
    """
    generation = mapping(manifest.get("metadata")).get("generation", 1)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": REASON,
        "message": reason,
        "observedGeneration": generation,
        "lastTransitionTime": stamp,
    }
    applied = {"lastAppliedRevision": revision} if revision else {}
    return {"status": {"observedGeneration": generation, "conditions": [condition], **applied}}


def says_ready(manifest: Manifest, revision: str = "") -> bool:
    """Whether the status is ours already, for the object and its source as they are now."""
    status = mapping(manifest.get("status"))
    generation = mapping(manifest.get("metadata")).get("generation")
    reasons = [condition.get("reason") for condition in status.get("conditions") or ()]
    is_current = not revision or status.get("lastAppliedRevision") == revision
    return status.get("observedGeneration") == generation and reasons == [REASON] and is_current


def revision_of(id: ObjectId, manifest: Manifest, objects: Mapping[ObjectId, Manifest]) -> str:
    """The revision that a Kustomization would have applied; empty for anything else."""
    source, _ = source_of(id, manifest) if id.kind == "Kustomization" else (None, "")
    there = objects.get(source) if source is not None else None
    return str(mapping(mapping((there or {}).get("status")).get("artifact")).get("revision") or "")


class Lifter:
    """Lifts what cannot become ready, for as long as it is entered; `lifted` says what and why.

    `unbuildable` are Kustomizations that are known not to build here: they are lifted once they have failed.
    """

    def __init__(self, cluster: Cluster, served: Served, *, every: float = 1.5) -> None:
        self._cluster, self._served, self._every = cluster, served, every
        self._over = threading.Event()
        self._lifted: dict[ObjectId, str] = {}
        self.unbuildable: Mapping[ObjectId, str] = MappingProxyType({})

    def __enter__(self) -> Lifter:
        self._thread = threading.Thread(target=self._run, name="lifter", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)

    @property
    def lifted(self) -> Mapping[ObjectId, str]:
        """Everything that was lifted until now, with the reason."""
        return MappingProxyType(dict(self._lifted))

    def _run(self) -> None:
        while not self._over.wait(self._every):
            # An object may vanish, or a CRD may, between two requests; the next turn sees it.
            try:
                self.turn()
            except ClusterError:
                continue

    def turn(self) -> None:
        """Lifts what needs it now."""
        manifests = list(chain.from_iterable(starmap(self._cluster.list, KINDS)))
        by_id: Mapping[ObjectId, Any] = {id_of(manifest): manifest for manifest in manifests}
        reasons = {**unreachable(manifests, self._served), **unbuilt(manifests, self.unbuildable)}
        for id, reason in reasons.items():
            if id.kind != "HelmChart":
                self._lift(id, by_id[id], reason, revision_of(id, by_id[id], by_id))

    def _lift(self, id: ObjectId, manifest: Manifest, reason: str, revision: str) -> None:
        self._lifted[id] = reason
        if not mapping(manifest.get("spec")).get("suspend"):
            manifest = self._cluster.patch(id, {"spec": {"suspend": True}}, field_manager=MANAGER)
        if not says_ready(manifest, revision):
            status = ready_status(manifest, reason, time.time(), revision)
            self._cluster.patch(id, status, field_manager=MANAGER, subresource="status")

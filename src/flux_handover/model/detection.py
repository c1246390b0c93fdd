"""How Flux is installed in a cluster, decided by what is live and what it contains, never by names of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

from flux_handover.model.building import Builder
from flux_handover.model.detection_artifact import artifact_signs
from flux_handover.model.detection_bootstrap import hand_signs, managed_signs, terraform_signs, with_hand_settings
from flux_handover.model.detection_files import file_signs
from flux_handover.model.detection_releases import (
    bootstrap_chart_signs,
    bootstrap_instance_signs,
    live_chart_signs,
    live_instance_signs,
)
from flux_handover.model.detection_signs import Evidence, Sign, evidence_of
from flux_handover.model.detection_versions import component_of, of_objects
from flux_handover.model.installation import Installation, Method, Rival
from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.model.settings_sync import sync_settings
from flux_handover.objects import ObjectId, object_of
from flux_handover.tree import Tree

Detector = Callable[[Evidence], Iterator[Sign]]

_LIVE: tuple[Detector, ...] = (artifact_signs, file_signs, live_chart_signs, live_instance_signs)
"""Who applies Flux now comes first, a FluxInstance beside it later: half a handover is not one that is done."""

_OUTSIDE: tuple[Detector, ...] = (
    terraform_signs,
    bootstrap_instance_signs,
    managed_signs,
    bootstrap_chart_signs,
    hand_signs,
)

_INSTALLING = frozenset({Method.BOOTSTRAP, Method.REMOTE_BASE, Method.HELM_CHART, Method.TERRAFORM})


def detect(cluster: Cluster, tree: Tree, builder: Builder) -> Installation:
    """The installation of one cluster; where several ways are seen, the one that decides what runs."""
    evidence = evidence_of(cluster, tree, builder)
    live = _signs(evidence, _LIVE)
    outside = _counting(_signs(evidence, _OUTSIDE), live)
    main = _main(evidence, live, outside)
    others = [sign for sign in (*live, *outside) if sign is not main]
    complete = with_hand_settings(evidence, main) if main.is_bare else main
    found = _installation(evidence, _with_others(_by_terraform(complete, others), others), tuple(_elsewhere(cluster)))
    return replace(found, rivals=tuple(_rivals(main, live, cluster)))


def _rivals(main: Sign, live: Iterable[Sign], cluster: Cluster) -> Iterator[Rival]:
    """Other owners that apply Flux now: one that is suspended does nothing."""
    applying = (sign for sign in live if sign.method in (*_INSTALLING, Method.OCI_KUSTOMIZATION))
    for sign in applying:
        if sign.owner is not None and sign.owner != main.owner and not _is_suspended(sign.owner, cluster):
            yield Rival(sign.owner, sign.where)


def _is_suspended(id: ObjectId, cluster: Cluster) -> bool:
    found = cluster.find(id)
    return found is not None and found.spec.get("suspend") is True


def _counting(outside: list[Sign], live: list[Sign]) -> list[Sign]:
    """Those outside that speak of this cluster: some do so only beside a live sign."""
    seen = {None, *(sign.method for sign in live)}
    return [sign for sign in outside if sign.beside in seen]


def _signs(evidence: Evidence, detectors: Iterable[Detector]) -> list[Sign]:
    return [sign for detector in detectors for sign in detector(evidence)]


def _main(evidence: Evidence, live: list[Sign], outside: list[Sign]) -> Sign:
    """The sign that decides; where the root does not build, only Terraform's arguments speak beside it."""
    builds = evidence.cluster.builds[evidence.cluster.root].status is BuildStatus.OK
    counting = outside if builds else [sign for sign in outside if sign.method is Method.TERRAFORM]
    known = (sign for sign in (*live, *counting) if sign.method is not Method.UNKNOWN)
    found = next(known, None) or _unknown(evidence)
    return next(_half_done(found, outside), found)


def _half_done(found: Sign, outside: Iterable[Sign]) -> Iterator[Sign]:
    """What a person applied at the very version of the FluxInstance that took it over: its manifest is still there.

    An operator that went on to another version has left what bootstrapped it behind.
    """
    if found.method is Method.OPERATOR and found.version:
        yield from (
            sign
            for sign in outside
            if sign.method in (Method.REMOTE_BASE, Method.HELM_CHART) and sign.version == found.version
        )


def _by_terraform(main: Sign, others: Iterable[Sign]) -> Sign:
    """Manifests in Git that Terraform writes: what they hold, and Terraform as the method."""
    writer = next((sign for sign in others if sign.method is Method.TERRAFORM), None)
    if main.method is not Method.BOOTSTRAP or writer is None:
        return main
    written = replace(main, method=Method.TERRAFORM, notes=(*main.notes, *writer.notes))
    if main.live:
        return written
    # Manifests in Git say what the arguments made of them; without them the arguments are all there is.
    settings = (*writer.settings, *main.settings)
    return replace(written, version=writer.version, components=writer.components, settings=settings)


def _with_others(main: Sign, others: Iterable[Sign]) -> Sign:
    """The main sign, with the files of those that install the same Flux, and a note of each."""
    seen = tuple(others)
    installing = chain.from_iterable(sign.files for sign in seen if sign.method in _INSTALLING)
    notes = (*main.notes, *(note for sign in seen for note in _mentioned(sign)))
    return replace(main, files=tuple(sorted({*main.files, *installing})), notes=tuple(dict.fromkeys(notes)))


def _mentioned(sign: Sign) -> Iterator[str]:
    version = f" {sign.version}" if sign.version else ""
    if sign.method is not Method.UNKNOWN:
        yield f"also {sign.method.value}{version}" + (f" in {sign.where}" if sign.where else "")
    yield from sign.notes


def _unknown(evidence: Evidence) -> Sign:
    root = evidence.cluster.builds[evidence.cluster.root]
    reason = f": {root.failure.message}" if root.failure else ""
    note = f"nothing below {evidence.cluster.root} installs Flux{reason}"
    return Sign(Method.UNKNOWN, root.where, notes=(note,))


def _elsewhere(cluster: Cluster) -> Iterator[str]:
    """Notes of each Flux that a Kustomization of this cluster installs in another one."""
    remote = ((build, tuple(object_of(object.data) for object in build.objects)) for build in _remote(cluster))
    for build, objects in remote:
        if any(map(component_of, objects)):
            version = of_objects(objects) or "of an unknown version"
            yield f"{build.id} installs Flux {version} in another cluster, which is none of this one's"


def _remote(cluster: Cluster) -> Iterator[Build]:
    return (build for build in cluster if build.ks.remote_cluster)


def _installation(evidence: Evidence, sign: Sign, notes: tuple[str, ...]) -> Installation:
    return Installation(
        cluster=evidence.cluster.name,
        method=sign.method,
        version=sign.version,
        namespace=sign.namespace,
        components=sign.components,
        owner=sign.owner,
        source=sign.source,
        files=sign.files,
        settings=(*sign.settings, *sync_settings(evidence.cluster, evidence.tree)),
        patches=sign.patches,
        plain=sign.plain,
        live=sign.live,
        renamed=sign.renamed,
        notes=(*sign.notes, *notes),
    )

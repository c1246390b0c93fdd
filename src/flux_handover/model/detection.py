"""How Flux is installed in a cluster, decided by what is live and what it contains, never by names of files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from flux_handover.model.building import Builder
from flux_handover.model.detection_artifact import artifact_signs
from flux_handover.model.detection_signs import Evidence, Sign
from flux_handover.model.installation import Installation, Method
from flux_handover.model.rendering import Cluster
from flux_handover.model.settings_sync import sync_settings
from flux_handover.tree import Tree

_DETECTORS = (artifact_signs,)


def detect(cluster: Cluster, tree: Tree, builder: Builder) -> Installation:
    """The installation of one cluster; where several ways are seen, the one that decides what runs."""
    evidence = Evidence(cluster, tree, builder)
    signs = tuple(sign for detector in _DETECTORS for sign in detector(evidence))
    if not signs:
        return _installation(evidence, _unknown(evidence))
    main, *others = signs
    return _installation(evidence, _with_others(main, others))


def _with_others(main: Sign, others: Iterable[Sign]) -> Sign:
    """The main sign, with the files and a note of each further one."""
    seen = tuple(others)
    files = {*main.files, *(file for sign in seen for file in sign.files)}
    notes = (*main.notes, *(note for sign in seen for note in _mentioned(sign)))
    return replace(main, files=tuple(sorted(files)), notes=tuple(dict.fromkeys(notes)))


def _mentioned(sign: Sign) -> Iterator[str]:
    version = f" {sign.version}" if sign.version else ""
    yield f"also {sign.method.value}{version} in {sign.where}" if sign.where else f"also {sign.method.value}{version}"
    yield from sign.notes


def _unknown(evidence: Evidence) -> Sign:
    root = evidence.cluster.builds[evidence.cluster.root]
    reason = f": {root.failure.message}" if root.failure else ""
    note = f"nothing below {evidence.cluster.root} installs Flux{reason}"
    return Sign(Method.UNKNOWN, root.where, notes=(note,))


def _installation(evidence: Evidence, sign: Sign) -> Installation:
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
        notes=sign.notes,
    )

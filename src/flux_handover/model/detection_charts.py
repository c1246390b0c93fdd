"""Helm releases that bear on Flux, whoever installs them: a HelmRelease, a helmfile or Terraform."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.documents import Document, read_documents, value_at
from flux_handover.findings import Location
from flux_handover.model.detection_signs import Evidence, live_objects
from flux_handover.model.flux import HelmRelease, helm_release_of, is_kind
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import HELM_GROUP, Object, ObjectId, id_of, mapping
from flux_handover.tree import Tree

Path = tuple[str | int, ...]

FLUX_CHART = "flux2"
SYNC_CHART = "flux2-sync"
INSTANCE_CHART = "flux-instance"
OPERATOR_CHART = "flux-operator"
CHARTS = frozenset({FLUX_CHART, SYNC_CHART, INSTANCE_CHART, OPERATOR_CHART})

FLUX_OF_CHART: Mapping[str, str] = {
    "2.9.0": "v2.0.0",
    "2.9.1": "v2.0.0",
    "2.9.2": "v2.0.1",
    "2.10.0": "v2.1.0",
    "2.10.1": "v2.1.1",
    "2.10.2": "v2.1.1",
    "2.10.3": "v2.1.1",
    "2.10.4": "v2.1.1",
    "2.10.5": "v2.1.2",
    "2.10.6": "v2.1.2",
    "2.11.0": "v2.1.2",
    "2.11.1": "v2.1.2",
    "2.12.1": "v2.2.0",
    "2.12.2": "v2.2.2",
    "2.12.3": "v2.2.3",
    "2.12.4": "v2.2.3",
    "2.13.0": "v2.3.0",
    "2.14.0": "v2.4.0",
    "2.14.1": "v2.4.0",
    "2.15.0": "v2.5.1",
    "2.16.0": "v2.6.1",
    "2.16.1": "v2.6.2",
    "2.16.2": "v2.6.3",
    "2.16.3": "v2.6.4",
    "2.16.4": "v2.6.4",
    "2.17.1": "v2.7.2",
    "2.17.2": "v2.7.5",
    "2.18.0": "v2.8.1",
    "2.18.1": "v2.8.2",
    "2.18.2": "v2.8.3",
    "2.18.3": "v2.8.5",
}
"""`appVersion` by chart version (`fluxcd-community/helm-charts:charts/flux2/Chart.yaml`, its history).

Releases whose chart was published with two Flux versions are left out.
"""


@dataclass(frozen=True, slots=True)
class Release:
    """One Helm release: its chart by last name, its values, who installs it, and where each value is written."""

    chart: str
    version: str
    name: str
    namespace: str
    values: Mapping[str, Any]
    owner: ObjectId | None
    suspend: bool
    where: Location
    files: tuple[str, ...]
    by: str
    documents: tuple[tuple[Document, Path], ...]

    def place(self, path: Path) -> Location:
        """The line of a value: in the document that holds it, else where the release is."""
        for document, prefix in self.documents:
            if value_at(document.content, (*prefix, *path)) is not None:
                return Location(document.path, document.line_of(*prefix, *path))
        return self.where


def live_releases(evidence: Evidence) -> Iterator[Release]:
    """HelmReleases of the charts of Flux and of its operator that are live."""
    for build, object in live_objects(evidence.cluster):
        if is_kind(object, HELM_GROUP, "HelmRelease"):
            release = helm_release_of(object)
            chart = _chart(release, evidence.cluster)
            if chart in CHARTS:
                yield _live(evidence, build, release, chart)


def _chart(release: HelmRelease, cluster: Cluster) -> str:
    """The last name of the chart; of a chartRef, that of the artifact it fetches."""
    ref = release.chart_ref
    if ref is None:
        return release.chart.rpartition("/")[2]
    if ref.kind == "HelmChart":
        found = cluster.find(ref)
        return str(found.spec.get("chart") or "").rpartition("/")[2] if found else ""
    source = cluster.sources.get(ref)
    return source.url.rstrip("/").rpartition("/")[2] if source else ""


def _version(release: HelmRelease, cluster: Cluster) -> str:
    source = cluster.sources.get(release.chart_ref) if release.chart_ref else None
    return source.ref.get("tag") or source.ref.get("semver", "") if source else release.chart_version


def _live(evidence: Evidence, build: Build | None, release: HelmRelease, chart: str) -> Release:
    reads = sorted(build.reads) if build else sorted(evidence.tree)
    declared = _declaring(evidence.tree, reads, release.object)
    values = merged(_values_from(evidence, release), release.values)
    prefix: Path = ("spec", "values")
    written = ((declared, prefix),) if declared else ()
    holders = tuple((document, ()) for document in _holders(evidence.tree, reads, values))
    where = Location(declared.path, declared.line) if declared else (build.where if build else None) or Location("")
    files = {where.file, *(document.path for document, _ in holders)} - {""}
    return Release(
        chart=chart,
        version=_version(release, evidence.cluster),
        name=release.release_name,
        namespace=release.release_namespace,
        values=values,
        owner=release.id,
        suspend=release.suspend,
        where=where,
        files=tuple(sorted(files)),
        by="HelmRelease",
        documents=(*written, *holders),
    )


def _declaring(tree: Tree, reads: list[str], object: Object) -> Document | None:
    for path in reads:
        content = tree.files[path].content if path in tree else None
        if content is not None and b"HelmRelease" in content:
            for document in read_documents(path, content).documents:
                id = id_of(document.mapping)
                if (id.kind, id.name) == ("HelmRelease", object.id.name) and id.namespace in ("", object.id.namespace):
                    return document
    return None


def _values_from(evidence: Evidence, release: HelmRelease) -> Mapping[str, Any]:
    """Values of `valuesFrom` ConfigMaps that are live; those of Secrets are never read."""
    found_values: Mapping[str, Any] = {}
    entries = release.object.spec.get("valuesFrom")
    for entry in entries if isinstance(entries, list) else []:
        if mapping(entry).get("kind") != "ConfigMap":
            continue
        id = ObjectId("", "ConfigMap", release.id.namespace, str(mapping(entry).get("name") or ""))
        found = evidence.cluster.find(id)
        text = (
            mapping(found.data.get("data")).get(str(mapping(entry).get("valuesKey") or "values.yaml"))
            if found
            else None
        )
        if isinstance(text, str):
            for document in read_documents("", text.encode()).documents:
                found_values = merged(found_values, document.mapping)
    return found_values


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Mapping[str, Any]:
    """Values of Helm laid over others: mappings merge, everything else replaces."""
    deep = {
        key: merged(mapping(base[key]), mapping(over[key]))
        for key in base.keys() & over.keys()
        if _both(base, over, key)
    }
    return {**base, **over, **deep}


def _both(base: Mapping[str, Any], over: Mapping[str, Any], key: str) -> bool:
    return isinstance(base[key], Mapping) and isinstance(over[key], Mapping)


def _holders(tree: Tree, reads: list[str], values: Mapping[str, Any]) -> Iterator[Document]:
    """Files that hold the values as a document of their own, such as the input of a generator."""
    for path in reads:
        content = tree.files[path].content if path in tree else None
        is_yaml = content is not None and path.endswith((".yaml", ".yml"))
        if values and is_yaml and all(str(key).encode() in (content or b"") for key in values):
            documents = read_documents(path, content or b"").documents
            yield from (document for document in documents if values.items() <= document.mapping.items())


def helmfile_releases(evidence: Evidence) -> Iterator[Release]:
    """Releases of these charts in helmfiles, wherever they lie and whatever they are called."""
    for path in evidence.tree:
        content = evidence.tree.files[path].content
        if content is None or b"releases:" not in content or b"flux" not in content or not _is_helmfile(path):
            continue
        for document in read_documents(path, content).documents:
            entries = document.mapping.get("releases")
            for index, entry in enumerate(entries if isinstance(entries, list) else []):
                chart = str(mapping(entry).get("chart") or "").rpartition("/")[2]
                if chart in CHARTS:
                    yield _in_helmfile(evidence.tree, document, index, mapping(entry), chart)


def _is_helmfile(path: str) -> bool:
    return path.endswith((".yaml", ".yml", ".gotmpl"))


def _in_helmfile(tree: Tree, document: Document, index: int, entry: Mapping[str, Any], chart: str) -> Release:
    prefix: Path = ("releases", index)
    inline, files = _helmfile_values(tree, document, entry)
    return Release(
        chart=chart,
        version=str(entry.get("version") or ""),
        name=str(entry.get("name") or chart),
        namespace=str(entry.get("namespace") or "default"),
        values=inline,
        owner=None,
        suspend=False,
        where=Location(document.path, document.line_of(*prefix)),
        files=(document.path, *files),
        by="helmfile",
        documents=tuple(_value_documents(tree, document, prefix, entry)),
    )


def _helmfile_values(
    tree: Tree, document: Document, entry: Mapping[str, Any]
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    together: Mapping[str, Any] = {}
    files: list[str] = []
    for values in _list(entry.get("values")):
        if isinstance(values, Mapping):
            together = merged(together, values)
        elif (path := _beside(document, values)) in tree:
            files.append(path)
            for other in read_documents(path, tree.files[path].content or b"").documents:
                together = merged(together, other.mapping)
    return together, tuple(files)


def _value_documents(
    tree: Tree, document: Document, prefix: Path, entry: Mapping[str, Any]
) -> Iterator[tuple[Document, Path]]:
    for number, values in enumerate(_list(entry.get("values"))):
        if isinstance(values, Mapping):
            yield document, (*prefix, "values", number)
        elif (path := _beside(document, values)) in tree:
            yield from ((other, ()) for other in read_documents(path, tree.files[path].content or b"").documents)


def _beside(document: Document, name: Any) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(document.path), str(name)))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []

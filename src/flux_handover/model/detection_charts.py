"""Helm releases that bear on Flux, whoever installs them: a HelmRelease, a helmfile or Terraform."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from flux_handover.documents import Document, read_documents, value_at
from flux_handover.findings import Location
from flux_handover.model.detection_signs import live_objects
from flux_handover.model.flux import HelmRelease, helm_release_of, is_kind
from flux_handover.model.rendering import Build, Cluster
from flux_handover.model.settings_texts import bytes_of, documents_with
from flux_handover.objects import HELM_GROUP, Object, ObjectId, id_of, listed, mapping
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


class Site(Protocol):
    """A cluster with the files it is rendered from."""

    @property
    def cluster(self) -> Cluster:
        """What is live."""
        ...

    @property
    def tree(self) -> Tree:
        """The files."""
        ...


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


def live_releases(site: Site, charts: frozenset[str] = CHARTS) -> Iterator[Release]:
    """HelmReleases of the charts of Flux and of its operator that are live."""
    for build, object in live_objects(site.cluster):
        if is_kind(object, HELM_GROUP, "HelmRelease"):
            release = helm_release_of(object)
            chart = _chart(release, site.cluster)
            if chart in charts and not release.remote:
                yield _live(site, build, release, chart)


def _chart(release: HelmRelease, cluster: Cluster) -> str:
    """The last name of the chart; of a chartRef, that of the artifact it fetches."""
    ref = release.chart_ref
    if ref is None:
        return _last(release.chart)
    found = cluster.find(ref)
    return _last(str(found.spec.get("chart") or found.spec.get("url") or "")) if found else ""


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def _version(release: HelmRelease, cluster: Cluster) -> str:
    source = cluster.sources.get(release.chart_ref) if release.chart_ref else None
    return source.ref.get("tag") or source.ref.get("semver", "") if source else release.chart_version


def _live(site: Site, build: Build | None, release: HelmRelease, chart: str) -> Release:
    reads = sorted(build.reads if build else site.tree)
    declared = next(_declaring(site.tree, reads, release.object), None)
    values = merged(_values_from(site, release), release.values)
    holders = tuple((document, ()) for document in _holders(site.tree, reads, values))
    where = _where(declared, build)
    files = {where.file, *(document.path for document, _ in holders)} - {""}
    return Release(
        chart=chart,
        version=_version(release, site.cluster),
        name=release.release_name,
        namespace=release.release_namespace,
        values=values,
        owner=release.id,
        suspend=release.suspend,
        where=where,
        files=tuple(sorted(files)),
        by="HelmRelease",
        documents=(*(((declared, ("spec", "values")),) if declared else ()), *holders),
    )


def _where(declared: Document | None, build: Build | None) -> Location:
    if declared is not None:
        return Location(declared.path, declared.line)
    return (build.where if build else None) or Location("")


def _declaring(tree: Tree, reads: list[str], object: Object) -> Iterator[Document]:
    for document in documents_with(tree, reads, b"HelmRelease", object.id.name.encode()):
        id = id_of(document.mapping)
        if (id.kind, id.name) == ("HelmRelease", object.id.name) and id.namespace in ("", object.id.namespace):
            yield document


def _values_from(site: Site, release: HelmRelease) -> Mapping[str, Any]:
    """Values of `valuesFrom` ConfigMaps that are live; those of Secrets are never read."""
    together: Mapping[str, Any] = {}
    for entry in listed(release.object.spec.get("valuesFrom")):
        text = _value_text(site.cluster, release.id.namespace, mapping(entry))
        for document in read_documents("", text.encode()).documents:
            together = merged(together, document.mapping)
    return together


def _value_text(cluster: Cluster, namespace: str, entry: Mapping[str, Any]) -> str:
    if entry.get("kind") != "ConfigMap":
        return ""
    found = cluster.find(ObjectId("", "ConfigMap", namespace, str(entry.get("name"))))
    texts = mapping(found.data.get("data")) if found else {}
    return str(texts.get(entry.get("valuesKey", "values.yaml"), ""))


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
    if values:
        words = (str(key).encode() for key in values)
        found = documents_with(tree, reads, *words)
        yield from (document for document in found if values.items() <= document.mapping.items())


def helmfile_releases(site: Site) -> Iterator[Release]:
    """Releases of these charts in helmfiles, wherever they lie and whatever they are called."""
    for document in documents_with(site.tree, site.tree, b"releases:", b"flux"):
        for index, entry in enumerate(listed(document.mapping.get("releases"))):
            chart = _last(str(mapping(entry).get("chart") or ""))
            if chart in CHARTS:
                yield _in_helmfile(site.tree, document, index, mapping(entry), chart)


def _in_helmfile(tree: Tree, document: Document, index: int, entry: Mapping[str, Any], chart: str) -> Release:
    prefix: Path = ("releases", index)
    holders = tuple(_value_documents(tree, document, prefix, entry))
    files = sorted({holder.path for holder, _ in holders} - {document.path})
    return Release(
        chart=chart,
        version=str(entry.get("version") or ""),
        name=str(entry.get("name") or chart),
        namespace=str(entry.get("namespace") or "default"),
        values=_helmfile_values(holders),
        owner=None,
        suspend=False,
        where=Location(document.path, document.line_of(*prefix)),
        files=(document.path, *files),
        by="helmfile",
        documents=tuple(reversed(holders)),
    )


def _helmfile_values(documents: Iterable[tuple[Document, Path]]) -> Mapping[str, Any]:
    together: Mapping[str, Any] = {}
    for document, prefix in documents:
        together = merged(together, mapping(value_at(document.content, prefix)))
    return together


def _value_documents(
    tree: Tree, document: Document, prefix: Path, entry: Mapping[str, Any]
) -> Iterator[tuple[Document, Path]]:
    """Where a release's values are: inline, or in files beside the helmfile; later ones win."""
    for number, values in enumerate(listed(entry.get("values"))):
        if isinstance(values, Mapping):
            yield document, (*prefix, "values", number)
        else:
            path = _beside(document, values)
            yield from ((other, ()) for other in read_documents(path, bytes_of(tree, path)).documents)


def _beside(document: Document, name: Any) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(document.path), str(name)))

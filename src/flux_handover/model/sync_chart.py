"""The source and the root that chart `flux2-sync` makes, read from the values of its release.

Both have the release's name unless its values say otherwise (`fluxcd-community/helm-charts:
charts/flux2-sync/templates@flux2-sync-1.13.0`). Nobody writes them into Git, so the values are the only place
that says where the cluster begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.documents import Document, read_documents
from flux_handover.findings import Location
from flux_handover.model.detection_terraform import Block, terraform_blocks
from flux_handover.model.settings_texts import documents_with
from flux_handover.objects import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP, Object, id_of, listed, mapping, object_of
from flux_handover.tree import Tree, clean_path

CHART = "flux2-sync"
_HEREDOC = re.compile(r"<<[-~]?(\w+)\n(.*?)\n[ \t]*\1\b", re.DOTALL)
_INTERVAL = "5m"
"""What the chart's own values say of both."""


@dataclass(frozen=True, slots=True)
class SyncRelease:
    """A release of the chart, as far as its values are written plainly."""

    name: str
    namespace: str
    values: Mapping[str, Any]
    where: Location

    @property
    def source(self) -> Object:
        """The GitRepository that it makes."""
        written = mapping(self.values.get("gitRepository"))
        spec = _filled(mapping(written.get("spec")))
        if mapping(self.values.get("secret")).get("create") is True:
            spec["secretRef"] = {"name": self.name}
        return self._object(f"{SOURCE_GROUP}/v1", "GitRepository", str(written.get("name") or self.name), spec)

    @property
    def root(self) -> Object:
        """The Kustomization that it makes."""
        written = mapping(self.values.get("kustomization"))
        spec = _filled(mapping(written.get("spec")))
        spec["prune"] = mapping(written.get("spec")).get("prune") is not False
        spec["sourceRef"] = {"kind": "GitRepository", "name": self.source.id.name}
        return self._object(f"{KUSTOMIZE_GROUP}/v1", "Kustomization", str(written.get("name") or self.name), spec)

    def _object(self, version: str, kind: str, name: str, spec: Mapping[str, Any]) -> Object:
        metadata = {"name": name, "namespace": self.namespace}
        return object_of({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": dict(spec)})


def _filled(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the chart renders: it leaves out what is empty."""
    return {"interval": _INTERVAL, **{key: value for key, value in spec.items() if value}}


def sync_releases(tree: Tree) -> Iterator[SyncRelease]:
    """Releases of the chart by a HelmRelease, a helmfile or Terraform whose root is a directory of this repository."""
    for release in (*_written(tree), *_in_terraform(tree)):
        path = clean_path(str(release.root.spec.get("path") or ""))
        if release.source.spec.get("url") and tree.is_directory(path):
            yield release


def _written(tree: Tree) -> Iterator[SyncRelease]:
    for document in documents_with(tree, tree, CHART.encode()):
        if id_of(document.mapping)[:2] == (HELM_GROUP, "HelmRelease"):
            yield from _of_release(document)
        for index, entry in enumerate(listed(document.mapping.get("releases"))):
            if _last(mapping(entry).get("chart")) == CHART:
                yield _of_helmfile(document, index, mapping(entry))


def _of_release(document: Document) -> Iterator[SyncRelease]:
    spec, id = mapping(document.mapping.get("spec")), id_of(document.mapping)
    chart = mapping(mapping(spec.get("chart")).get("spec")).get("chart") or mapping(spec.get("chartRef")).get("name")
    if _last(chart) == CHART:
        target = str(spec.get("targetNamespace") or "")
        default = f"{target}-{id.name}" if target else id.name
        name = str(spec.get("releaseName") or default)
        where = Location(document.path, document.line)
        yield SyncRelease(name, target or id.namespace or "flux-system", mapping(spec.get("values")), where)


def _of_helmfile(document: Document, index: int, entry: Mapping[str, Any]) -> SyncRelease:
    inline = (mapping(values) for values in listed(entry.get("values")) if isinstance(values, Mapping))
    together: dict[str, Any] = {}
    for values in inline:
        together.update(values)
    where = Location(document.path, document.line_of("releases", index))
    return SyncRelease(str(entry.get("name") or CHART), str(entry.get("namespace") or "default"), together, where)


def _in_terraform(tree: Tree) -> Iterator[SyncRelease]:
    for block in terraform_blocks(tree):
        if (block.kind, block.type) == ("resource", "helm_release") and _last(block.literal("chart")) == CHART:
            namespace = str(block.literal("namespace") or "default")
            yield SyncRelease(str(block.literal("name") or CHART), namespace, _plain_values(block), block.where)


def _plain_values(block: Block) -> Mapping[str, Any]:
    """The values that a block writes out as YAML; nothing of it is evaluated."""
    together: dict[str, Any] = {}
    for match in _HEREDOC.finditer(block.text):
        if "${" not in match[2]:
            for document in read_documents(block.path, match[2].encode()).documents:
                together.update(document.mapping)
    return together


def _last(chart: object) -> str:
    return str(chart or "").rstrip("/").rpartition("/")[2]

"""Remote bases: kustomization.yaml files that take Flux from its repository or a release."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flux_handover import catalogue
from flux_handover.findings import Location
from flux_handover.model.detection_versions import exact
from flux_handover.model.settings_stack import FILE_NAMES, KustomizationFile, kustomization_file
from flux_handover.objects import listed
from flux_handover.tree import Tree

_BASE = re.compile(
    r"(?:https?://|ssh://)?(?:git@|git::https://)?github\.com[/:]fluxcd/flux2(?:\.git)?//?manifests/install"
    r"(?:/kustomization\.yaml)?(?:\?(?:.*&)?(?:ref|version)=(?P<ref>[^&\s]+))?.*"
)
_ASSET = re.compile(
    r"https://github\.com/fluxcd/flux2/releases/(?:download/(?P<ref>[^/]+)|latest/download)/install\.yaml"
)


@dataclass(frozen=True, slots=True)
class RemoteBase:
    """One reference to Flux's own manifests: the file, the entry and what version it names."""

    file: KustomizationFile
    index: int
    reference: str
    version: str
    is_export: bool

    @property
    def where(self) -> Location:
        """The line of the reference."""
        return Location(self.file.path, self.file.document.line_of("resources", self.index))


def remote_bases(tree: Tree, paths: Iterable[str]) -> Iterator[RemoteBase]:
    """The remote bases of Flux among kustomization.yaml files."""
    for path in paths:
        content = tree.files[path].content
        if posixpath.basename(path) in FILE_NAMES and content is not None and b"fluxcd/flux2" in content:
            file = kustomization_file(tree, path)
            yield from _bases(file) if file is not None else ()


def _bases(file: KustomizationFile) -> Iterator[RemoteBase]:
    for index, entry in enumerate(listed(file.content.get("resources"))):
        for pattern in (_BASE, _ASSET):
            match = pattern.fullmatch(str(entry))
            if match:
                yield RemoteBase(file, index, str(entry), exact(match["ref"] or ""), pattern is _ASSET)


def base_manifests(base: RemoteBase) -> tuple[catalogue.Manifest, ...]:
    """The objects behind a reference; none where its version is not exact or not in the catalogue."""
    if not catalogue.has(base.version):
        return ()
    if base.is_export:
        return catalogue.install_manifests(base.version, catalogue.DEFAULT_COMPONENTS)
    return catalogue.base_manifests(base.version)


def with_base(tree: Tree, base: RemoteBase) -> tuple[Tree, str]:
    """The tree with the reference replaced by a file that holds its objects, and the path of that file."""
    directory = posixpath.dirname(base.file.path)
    name = f"flux-{base.version}-{base.index}.yaml"
    content = dict(base.file.content)
    content["resources"] = [name if entry == base.reference else entry for entry in content["resources"]]
    documents = b"".join(b"---\n" + json.dumps(manifest).encode() + b"\n" for manifest in base_manifests(base))
    path = posixpath.join(directory, name)
    return tree.with_file(path, documents).with_file(base.file.path, json.dumps(content).encode()), path

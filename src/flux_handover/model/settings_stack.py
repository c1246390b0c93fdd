"""The changes that a Kustomization makes to Flux, in the order kustomize makes them, each removable.

kustomize works from the innermost file outwards, in a file field by field
(`sigs.k8s.io/kustomize:api/internal/target/kusttarget_configplugin.go@v0.21.1`), and the
Kustomization's own patches and images come after those of its top file
(`fluxcd/pkg:kustomize/kustomize_generator.go@v1.38.0`).
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.documents import Document, read_documents, split_documents
from flux_handover.model.settings_texts import files_with
from flux_handover.objects import listed, mapping
from flux_handover.tree import Tree, clean_path

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
FILE_FIELDS = (
    "patchesStrategicMerge",
    "patches",
    "labels",
    "commonLabels",
    "commonAnnotations",
    "patchesJson6902",
    "replicas",
    "images",
    "replacements",
    "transformers",
)
_NAME = re.compile(r"""^(?:  name: |.*?"name": )"?([a-z0-9.-]+\.fluxcd\.io)"?""", re.MULTILINE)

_NO_CHANGE = {"generatorOptions": {"disableNameSuffixHash": True}}

SPEC_FIELDS = ("patches", "patchesStrategicMerge", "patchesJson6902", "images", "commonMetadata")


@dataclass(frozen=True, slots=True)
class Step:
    """One change: an entry of a list (or a whole field, index None) of a kustomization.yaml or of the Kustomization."""

    file: str
    field: str
    index: int | None
    content: Any

    @property
    def in_file(self) -> bool:
        """Whether it stands in a kustomization.yaml, not in the Kustomization itself."""
        return bool(self.file)


@dataclass(frozen=True, slots=True)
class KustomizationFile:
    """A kustomization.yaml: its document and what it refers to in the tree."""

    path: str
    document: Document

    @property
    def content(self) -> Mapping[str, Any]:
        """The fields as written."""
        return self.document.mapping

    def local(self, *fields: str) -> Iterator[str]:
        """Paths in the tree that the given fields name; remote ones are left out."""
        directory = posixpath.dirname(self.path)
        for field in fields:
            entries = self.content.get(field)
            for entry in filter(_is_local, listed(entries)):
                yield clean_path(posixpath.join(directory, entry))


def _is_local(entry: object) -> bool:
    return isinstance(entry, str) and "://" not in entry and "?" not in entry


def kustomization_files(tree: Tree, paths: Iterable[str]) -> Mapping[str, KustomizationFile]:
    """The kustomization.yaml files among paths, by their directory."""
    named = sorted(path for path in paths if posixpath.basename(path) in FILE_NAMES and path in tree)
    read = ((path, kustomization_file(tree, path)) for path in named)
    return {posixpath.dirname(path): file for path, file in read if file is not None}


def kustomization_file(tree: Tree, path: str) -> KustomizationFile | None:
    """One kustomization.yaml, or None where it cannot be read."""
    content = tree.files[path].content
    documents = read_documents(path, content).documents if content is not None else ()
    return KustomizationFile(path, documents[0]) if documents and documents[0].mapping else None


def files_above(files: Mapping[str, KustomizationFile], wanted: frozenset[str]) -> tuple[KustomizationFile, ...]:
    """Files whose resources lead to one of the wanted files, innermost first, with their components."""
    found: dict[str, KustomizationFile] = {}
    seen: dict[str, bool] = {}

    def leads(directory: str) -> bool:
        if directory in seen:
            return seen[directory]
        # A file that reaches itself does not build; it must not stop the reading either.
        seen[directory] = False
        file = files[directory]
        below = [leads(path) for path in file.local("resources", "bases") if path in files]
        seen[directory] = any(below) or not wanted.isdisjoint(file.local("resources"))
        if seen[directory]:
            for component in file.local("components"):
                found.update(_component(files, component))
            found[directory] = file
        return seen[directory]

    for directory in files:
        leads(directory)
    return tuple(found.values())


def _component(files: Mapping[str, KustomizationFile], directory: str) -> dict[str, KustomizationFile]:
    if directory not in files:
        return {}
    others = [path for path in files[directory].local("components") if path != directory]
    inner = {k: v for path in others for k, v in _component(files, path).items()}
    return {**inner, directory: files[directory]}


def file_steps(files: Iterable[KustomizationFile]) -> tuple[Step, ...]:
    """The changes of kustomization.yaml files, in the order given."""
    return tuple(step for file in files for step in _steps(file.path, file.content, FILE_FIELDS))


def spec_steps(kustomization: Mapping[str, Any]) -> tuple[Step, ...]:
    """The changes of a Kustomization's own spec."""
    return tuple(_steps("", mapping(kustomization.get("spec")), SPEC_FIELDS))


def _steps(file: str, holder: Mapping[str, Any], fields: Iterable[str]) -> Iterator[Step]:
    for field in fields:
        value = holder.get(field)
        if isinstance(value, list):
            yield from (Step(file, field, index, entry) for index, entry in enumerate(value))
        elif value:
            yield Step(file, field, None, value)


def tree_with(tree: Tree, files: Iterable[KustomizationFile], steps: Iterable[Step]) -> Tree:
    """The tree where these kustomization.yaml files have only the given changes."""
    kept = tuple(steps)
    for file in files:
        content = _with_steps(file.content, FILE_FIELDS, [step for step in kept if step.file == file.path])
        # kustomize refuses a file without any field; this one changes nothing but generated names.
        filled = content if content.keys() - {"apiVersion", "kind"} else {**content, **_NO_CHANGE}
        # JSON is YAML, and this tree is only built, never shown.
        tree = tree.with_file(file.path, json.dumps(filled, default=str).encode())
    return tree


def without_documents(tree: Tree, names: frozenset[str]) -> Tree:
    """The tree without the CustomResourceDefinitions of these names, so that it builds faster.

    They are most of a distribution's text, and seldom what a patch changes.
    """
    holders = files_with(tree, tree, b"CustomResourceDefinition") if names else ()
    for path, content in holders:
        if any(name.encode() in content for name in names):
            tree = tree.with_file(path, _without_definitions(content, names))
    return tree


def _without_definitions(content: bytes, names: frozenset[str]) -> bytes:
    texts = (text for _, text in split_documents(content.decode(errors="replace")) if not _defines(text, names))
    return "".join(texts).encode()


def _defines(text: str, names: frozenset[str]) -> bool:
    if "CustomResourceDefinition" not in text:
        return False
    found = _NAME.findall(text)
    return any(name in names for name in found)


def kustomization_with(kustomization: Mapping[str, Any], steps: Iterable[Step]) -> Mapping[str, Any]:
    """The Kustomization with only the given changes in its spec."""
    own = [step for step in steps if not step.in_file]
    spec = _with_steps(mapping(kustomization.get("spec")), SPEC_FIELDS, own)
    return {**kustomization, "spec": spec}


def _with_steps(holder: Mapping[str, Any], fields: tuple[str, ...], steps: list[Step]) -> Mapping[str, Any]:
    kept = {key: value for key, value in holder.items() if key not in fields}
    for step in steps:
        if step.index is None:
            kept[step.field] = step.content
        else:
            kept.setdefault(step.field, []).append(step.content)
    return kept

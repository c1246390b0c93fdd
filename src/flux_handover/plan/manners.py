"""How Kustomizations and Helm releases are written here: fields, order, names and intervals."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from flux_handover.documents import read_documents
from flux_handover.model.rendering import Build, Cluster
from flux_handover.model.settings_texts import files_with
from flux_handover.objects import KUSTOMIZE_GROUP, Object, ObjectId, mapping, mappings
from flux_handover.plan.layout import Manners
from flux_handover.plan.listings import Listing, document_of, documents_in, documents_of, read_files
from flux_handover.plan.selectors import Requirement, requirements, selects
from flux_handover.tree import Tree

SHARED_FIELDS = ("interval", "retryInterval", "timeout", "sourceRef", "serviceAccountName")
_DEFAULT_ORDER = (
    "targetNamespace",
    "commonMetadata",
    "dependsOn",
    "path",
    "prune",
    "sourceRef",
    "wait",
    "healthChecks",
    "interval",
    "retryInterval",
    "timeout",
)
_SCHEMA = re.compile(r"^# *yaml-language-server: *\$schema=\S+", re.MULTILINE)
_RELEASE_FILE, _SOURCE_FILE = "helmrelease.yaml", "ocirepository.yaml"


def manners_of(model: Build | None, parent: Build, home: Listing, tree: Tree) -> Manners:
    """What a neighbour teaches; without one, what its parent's own fields say."""
    raw = _raw(model, tree)
    spec = mapping(raw.get("spec"))
    shared = {key: value for key, value in spec.items() if key in SHARED_FIELDS and "${" not in str(value)}
    return Manners(
        order=tuple(spec) or _DEFAULT_ORDER,
        spec=MappingProxyType({**_fallback(model or parent), **shared}),
        writes_namespace=not raw or "namespace" in mapping(raw.get("metadata")),
        targets_namespace=not raw or "targetNamespace" in spec,
        labelled=_names_itself(raw),
        dotted=_is_dotted(home, tree),
        root="./" if str(spec.get("path", "./")).startswith("./") else "",
    )


def _names_itself(raw: Mapping[str, Any]) -> bool:
    """Whether its commonMetadata labels everything with its own name."""
    labels = mapping(mapping(mapping(raw.get("spec")).get("commonMetadata")).get("labels"))
    name = mapping(raw.get("metadata")).get("name")
    return name is not None and labels.get("app.kubernetes.io/name") == name


def _raw(model: Build | None, tree: Tree) -> Mapping[str, Any]:
    if model is None or model.where is None:
        return {}
    document = document_of(tree, model.where.file, model.id)
    return document.mapping if document else {}


def _fallback(build: Build) -> Mapping[str, Any]:
    """Fields that every Kustomization needs, from one that is live."""
    spec = build.ks.object.spec
    return {"interval": spec.get("interval", "30m"), "sourceRef": dict(mapping(spec.get("sourceRef")))}


def _is_dotted(home: Listing, tree: Tree) -> bool:
    entries = [entry for _, entry, path in home.entries if path in tree or tree.is_directory(path)]
    return not entries or all(entry.startswith(("./", "../")) for entry in entries)


def opt_outs_of(parent: Build) -> Mapping[str, str]:
    """Labels that keep a Kustomization out of the variables which the parent gives to every child (V)."""
    found: dict[str, str] = {}
    for entry in mappings(parent.ks.object.spec.get("patches")):
        target = {str(k): str(v) for k, v in mapping(entry.get("target")).items()}
        if "postBuild" in str(entry.get("patch", "")) and _may_select_kustomizations(target):
            found.update(_avoiding(target.get("labelSelector", "")))
    return MappingProxyType(found)


def _may_select_kustomizations(target: Mapping[str, str]) -> bool:
    without = {key: value for key, value in target.items() if key not in ("labelSelector", "name", "namespace")}
    probe = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "", "")
    return selects(without, Object(probe, {"apiVersion": f"{KUSTOMIZE_GROUP}/v1"}))


def _avoiding(selector: str) -> Iterator[tuple[str, str]]:
    """A label that the first negated term of the selector excludes; none where a label is what selects."""
    terms = requirements(selector)
    if all(term.negated for term in terms):
        yield from ((term.key, _excluded(term)) for term in terms[:1])


def _excluded(term: Requirement) -> str:
    return term.values[0] if term.values else "true"


def release_files(cluster: Cluster, tree: Tree) -> tuple[str, str]:
    """The usual names of a file with a HelmRelease and of one with its OCIRepository."""
    charts = (path for path in _alone("OCIRepository", cluster, tree) if b"layerSelector" in tree.read(path))
    release = _shared_name(_alone("HelmRelease", cluster, tree), _RELEASE_FILE)
    source = _shared_name(charts, _SOURCE_FILE)
    return release, source if source != release else _SOURCE_FILE


def _alone(kind: str, cluster: Cluster, tree: Tree) -> Iterator[str]:
    """The files that hold one object of a kind and nothing else."""
    for path, _ in files_with(tree, read_files(cluster, tree), b"toolkit.fluxcd.io"):
        if [document.mapping.get("kind") for document in documents_of(tree, path)] == [kind]:
            yield path


def _shared_name(paths: Iterable[str], default: str) -> str:
    """A name that at least two applications share: one that is alone names its application."""
    names = Counter(map(posixpath.basename, paths))
    shared = {name: count for name, count in names.items() if count > 1 or len(names) == 1}
    return most_common(shared, default)


def most_common(counts: Mapping[str, int], default: str) -> str:
    """What occurs most, the first by name where several do; `default` where nothing does."""
    return max(sorted(counts), key=counts.__getitem__, default=default)


def interval_of(cluster: Cluster, kind: str, default: str) -> str:
    """The most common interval of a kind among live objects."""
    found = Counter(
        str(object.spec["interval"])
        for _, object in cluster.objects()
        if object.id.kind == kind and "interval" in object.spec
    )
    return most_common(found, default)


def schemas_of(cluster: Cluster, tree: Tree) -> Mapping[str, str]:
    """The comment that names the schema of a kind, by `apiVersion/kind`: one for its version before a stale one."""
    found: dict[str, Counter[str]] = {}
    naming = (path for path, _ in files_with(tree, read_files(cluster, tree), b"$schema="))
    for document in documents_in(tree, naming):
        comment = _SCHEMA.search(document.source)
        key = f"{document.mapping.get('apiVersion')}/{document.mapping.get('kind')}"
        if comment:
            found.setdefault(key, Counter())[comment.group()] += 1
    return MappingProxyType({key: _fitting(key, comments) for key, comments in sorted(found.items())})


def _fitting(key: str, comments: Counter[str]) -> str:
    version = key.split("/")[-2]
    current = [comment for comment in comments if re.search(rf"[-_/]{version}\.json", comment)]
    return max(sorted(current or comments), key=comments.__getitem__)


def embedded_text(text: str) -> Any:
    """The content of a patch's text, or None where it cannot be read."""
    documents = read_documents("patch", text.encode()).documents
    return documents[0].content if documents else None

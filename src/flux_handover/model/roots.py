"""Where each cluster begins: the Kustomizations from which everything else is reached (contract K3).

A root shows itself by applying itself, by a FluxInstance's `sync`, by the arguments of `flux bootstrap`
or Terraform, or by a bootstrap file that applies it, be it a list that nothing else reads. The first that applies
gives a cluster its root; a Kustomization that another root's tree renders is not one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flux_handover.documents import Document, read_documents, value_at
from flux_handover.findings import Location
from flux_handover.model.declared import Declarations, Declared
from flux_handover.model.flux import (
    SOURCE_KINDS,
    FluxKustomization,
    Source,
    kustomization_of,
    source_of,
)
from flux_handover.model.origin import is_flux_artifact
from flux_handover.model.roots_apart import set_apart
from flux_handover.model.sync_chart import sync_releases
from flux_handover.objects import (
    KUSTOMIZE_GROUP,
    OPERATOR_GROUP,
    SOURCE_GROUP,
    mapping,
    object_of,
)
from flux_handover.tree import Tree, clean_path, common_depth

SELF = "applies itself"
SYNC = "FluxInstance.spec.sync"
BOOTSTRAP = "flux bootstrap"
TERRAFORM = "flux_bootstrap_git"
SYNC_CHART = "chart flux2-sync"
APPLIED = "applied by bootstrap"
APART = "in a set of its own"
CHOSEN = "--root"

_BOOTSTRAP = re.compile(r"flux\s+bootstrap\b(?:[^\n]|\\\n)*?--path[=\s]+[\"']?([^\s\"'\\]+)[\"']?(?=[\s\\]|$)")
_TERRAFORM = re.compile(r'(?:resource\s+"flux_bootstrap_git"|data\s+"flux_sync")[^{]*\{(.*?)\n\}', re.DOTALL)
_TERRAFORM_PATH = re.compile(r'^\s*(?:target_)?path\s*=\s*"([^"$]+)"', re.MULTILINE)
_TEXT_LIMIT = 256 * 1024


@dataclass(frozen=True, slots=True)
class Root:
    """A Kustomization that may be a cluster's root, its source, and what says so.

    `instance` is the spec of the FluxInstance that makes both, empty for any other root.
    """

    ks: FluxKustomization
    source: Source
    origin: str
    where: Location | None
    instance: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def name(self) -> str:
        """The cluster's name: the path of its root (contract K2)."""
        return self.ks.path or "."


def candidate_roots(declared: Declarations, tree: Tree) -> tuple[Root, ...]:
    """Everything that may be a root, strongest evidence first; rendering decides which are."""
    return (
        *_self_applying(declared),
        *_synced(declared, tree),
        *_synced_by_chart(tree),
        *_synced_by_release(tree),
        *_bootstrapped(tree),
        *_applied(declared, tree),
        *_apart(declared, tree),
    )


def chosen_root(declared: Declarations, path: str) -> Root:
    """The root that a person names by its path: the declared Kustomization, else one as Flux would make it."""
    wanted = clean_path(path)
    found = (root for root in _declared_roots(declared, CHOSEN) if root.ks.path == wanted)
    return next(found, None) or synthetic_root(wanted, "flux-system", CHOSEN, None)


def synthetic_root(path: str, name: str, origin: str, where: Location | None, **source: Any) -> Root:
    """A root that is in no file: what `flux bootstrap` or the operator creates for this path."""
    kind = str(source.get("kind") or "GitRepository")
    metadata = {"name": name, "namespace": source.get("namespace") or "flux-system"}
    reference = {"kind": kind, "name": name}
    ks = {
        "apiVersion": f"{KUSTOMIZE_GROUP}/v1",
        "kind": "Kustomization",
        "metadata": metadata,
        "spec": {"interval": "10m0s", "path": f"./{path}", "prune": True, "sourceRef": reference},
    }
    spec = {"interval": "1m0s", "url": source.get("url") or "", "ref": source.get("ref") or {}}
    made = {"apiVersion": f"{SOURCE_GROUP}/v1", "kind": kind, "metadata": metadata, "spec": spec}
    return Root(kustomization_of(object_of(ks)), source_of(object_of(made)), origin, where)


def _self_applying(declared: Declarations) -> Iterator[Root]:
    """Those whose own file lies in their path, the source that most Kustomizations use first.

    Two repositories may have a root for the same path: the files of this one name its own source more often.
    """
    every = tuple(_views(declared))
    used = Counter(ks.source.name for _, ks in every)
    inside = ((one, ks) for one, ks in every if ks.path == "" or one.where.file.startswith(f"{ks.path}/"))
    yield from sorted(_roots_of(declared, inside, SELF), key=lambda root: -used[root.ks.source.name])


def _declared_roots(declared: Declarations, origin: str) -> Iterator[Root]:
    return _roots_of(declared, _views(declared), origin)


def _views(declared: Declarations) -> Iterator[tuple[Declared, FluxKustomization]]:
    return ((one, kustomization_of(one.object)) for one in declared.of(KUSTOMIZE_GROUP, "Kustomization"))


def _roots_of(
    declared: Declarations, views: Iterable[tuple[Declared, FluxKustomization]], origin: str
) -> Iterator[Root]:
    for one, ks in views:
        source = source_beside(declared, ks, one)
        if not is_flux_artifact(source):
            yield Root(ks, source, origin, one.where)


def source_beside(declared: Declarations, ks: FluxKustomization, place: Declared) -> Source:
    """The declared source of a Kustomization that lies nearest to it, else an empty one of that name."""
    alike = declared.named(SOURCE_GROUP, ks.source.kind, ks.source.name) if ks.source.kind in SOURCE_KINDS else ()
    named = [d for d in alike if d.object.id.namespace in ("", ks.source.namespace)]
    named.sort(key=lambda d: -common_depth(d.where.file, place.where.file))
    if named:
        return source_of(named[0].object)
    metadata = {"name": ks.source.name, "namespace": ks.source.namespace}
    return source_of(object_of({"apiVersion": f"{SOURCE_GROUP}/v1", "kind": ks.source.kind, "metadata": metadata}))


def _synced(declared: Declarations, tree: Tree) -> Iterator[Root]:
    for one in declared.of(OPERATOR_GROUP, "FluxInstance"):
        sync = mapping(one.object.spec.get("sync"))
        path = clean_path(str(sync.get("path") or ""))
        if sync.get("url") and tree.is_directory(path):
            yield replace(sync_root(sync, one.object.id.namespace, one.where), instance=one.object.spec)


def _synced_by_chart(tree: Tree) -> Iterator[Root]:
    """The sync of a FluxInstance that a chart renders: its values, in a HelmRelease or in a file of their own.

    Values say nothing of the namespace; where no HelmRelease does either, it is Flux's usual one. The chart has a
    `distribution` of its own, so that values need not have one.
    """
    for path in tree:
        content = tree.files[path].content
        readable = content is not None and path.endswith((".yaml", ".yml"))
        if content is None or not readable or b"instance:" not in content or b"sync:" not in content:
            continue
        for document in read_documents(path, content).documents:
            values = _instance_values(document)
            sync = mapping(values.get("sync"))
            if sync.get("url") and _INSTANCE_ONLY & values.keys() and tree.is_directory(_path_of(sync)):
                namespace = str(mapping(document.mapping.get("metadata")).get("namespace") or "flux-system")
                line = document.line_of(*_VALUES_AT, "sync") if "spec" in document.mapping else document.line
                yield replace(sync_root(sync, namespace, Location(path, line)), instance=values)


def _synced_by_release(tree: Tree) -> Iterator[Root]:
    """The root and the source that a release of chart `flux2-sync` makes."""
    for release in sync_releases(tree):
        yield Root(kustomization_of(release.root), source_of(release.source), SYNC_CHART, release.where)


_VALUES_AT = ("spec", "values", "instance")
_INSTANCE_ONLY = frozenset({"distribution", "components", "cluster", "kustomize", "storage", "sharding"})
"""Fields of a FluxInstance that no other chart's `instance` has beside a `sync` with an address."""


def _path_of(sync: Mapping[str, Any]) -> str:
    return clean_path(str(sync.get("path") or ""))


def _instance_values(document: Document) -> Mapping[str, Any]:
    in_release = value_at(document.content, _VALUES_AT)
    return mapping(in_release if in_release is not None else document.mapping.get("instance"))


def sync_root(sync: Mapping[str, Any], namespace: str, where: Location | None) -> Root:
    """The root that the operator creates for `spec.sync` (semantics 3.6)."""
    name = str(sync.get("name") or namespace or "flux-system")
    ref = {"name": str(sync.get("ref") or "")}
    return synthetic_root(
        clean_path(str(sync.get("path") or "")),
        name,
        SYNC,
        where,
        kind=sync.get("kind"),
        url=sync.get("url"),
        ref=ref,
        namespace=namespace,
    )


def _bootstrapped(tree: Tree) -> Iterator[Root]:
    for file, text in _texts(tree):
        for match in _BOOTSTRAP.finditer(text):
            yield from _at_path(tree, match[1], BOOTSTRAP, file, text, match.start())
        for block in _TERRAFORM.finditer(text):
            for path in _TERRAFORM_PATH.finditer(block[1]):
                yield from _at_path(tree, path[1], TERRAFORM, file, text, block.start())


def _at_path(tree: Tree, path: str, origin: str, file: str, text: str, offset: int) -> Iterator[Root]:
    cleaned = clean_path(path)
    if cleaned and tree.is_directory(cleaned):
        where = Location(file, text.count("\n", 0, offset) + 1)
        yield synthetic_root(cleaned, "flux-system", origin, where)


def _names_a_path(content: bytes) -> bool:
    return b"bootstrap" in content or b"flux_sync" in content


def _texts(tree: Tree) -> Iterator[tuple[str, str]]:
    for path in tree:
        content = tree.files[path].content
        if content is not None and len(content) <= _TEXT_LIMIT and b"flux" in content and _names_a_path(content):
            yield path, content.decode(errors="replace")


_APPLY = re.compile(r"kubectl\b[^\n]*\bapply\b[^\n]*?(?:-f|-k|--filename|--kustomize)[=\s]+[\"']?([^\s\"'|]+)")


def _applied(declared: Declarations, tree: Tree) -> Iterator[Root]:
    """Kustomizations in a file or directory that some script applies with kubectl."""
    mentioned = tuple(_applied_paths(tree))
    for root in _declared_roots(declared, APPLIED) if mentioned else ():
        if _is_covered(root.where, mentioned) and tree.is_directory(root.ks.path):
            yield root


def _apart(declared: Declarations, tree: Tree) -> Iterator[Root]:
    """Kustomizations that somebody applied by hand, with their source (see `roots_apart`)."""
    for ks, source, where in set_apart(declared, tree):
        if ks.path and tree.is_directory(ks.path):
            yield Root(ks, source, APART, where)


def _is_covered(where: Location | None, mentioned: tuple[str, ...]) -> bool:
    file = where.file if where else ""
    return any(_covers(mention, file) for mention in mentioned)


def _applied_paths(tree: Tree) -> Iterator[str]:
    for path in tree:
        content = tree.files[path].content
        if content is not None and len(content) <= _TEXT_LIMIT and b"kubectl" in content and b"apply" in content:
            yield from (match[1] for match in _APPLY.finditer(content.decode(errors="replace")))


def _covers(mention: str, file: str) -> bool:
    """Whether a path in a script, perhaps with variables at its start, names this file or its directory."""
    tail = mention.rpartition("}")[2].strip("/")
    directory = file.rpartition("/")[0]
    long_enough = tail.count("/") >= 1
    return long_enough and any(f"/{path}".endswith(f"/{tail}") for path in (file, directory))

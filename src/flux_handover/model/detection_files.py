"""Flux from files of the repository: written by `flux bootstrap`, by hand, or taken from a remote base.

A Kustomization that renders Flux's controllers installs Flux, wherever the files lie. Where it
cannot be built (the manifests are a placeholder, or remote), they are put in from the catalogue.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from flux_handover import catalogue
from flux_handover.documents import Document
from flux_handover.findings import Location
from flux_handover.model.building import BuildRequest
from flux_handover.model.detection_artifact import is_distribution
from flux_handover.model.detection_remote import RemoteBase, base_manifests, remote_bases, with_base
from flux_handover.model.detection_signs import Evidence, Sign
from flux_handover.model.detection_versions import component_of, of_header, of_objects
from flux_handover.model.flux import Source, is_source
from flux_handover.model.installation import Method
from flux_handover.model.origin import Elsewhere, Files, files_of
from flux_handover.model.rendering import Build, BuildStatus
from flux_handover.model.settings import components, renames
from flux_handover.model.settings_lines import Passage, passage
from flux_handover.model.settings_origin import Stack, Stage, document_at, patches, settings, stages
from flux_handover.model.settings_stack import KustomizationFile, files_above, kustomization_files
from flux_handover.model.settings_texts import documents_with
from flux_handover.objects import KUSTOMIZE_GROUP, Object, ObjectId, id_of, object_of
from flux_handover.tree import Tree

_PART_OF = "app.kubernetes.io/part-of"
_PLACEHOLDER_BYTES = 4096
_ONLY_COMMENTS = re.compile(rb"(?:[ \t]*(?:#[^\n]*|---[ \t]*)?\r?(?:\n|\Z))*")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a Kustomization gets Flux's manifests from: the files, what they hold, and what is known of them."""

    method: Method
    tree: Tree
    paths: tuple[str, ...]
    version: str
    raw: tuple[Object, ...]
    plain: tuple[Object, ...]
    installed: tuple[str, ...]
    notes: tuple[str, ...] = ()
    manifests: tuple[tuple[ObjectId, Passage], ...] = ()
    is_real: bool = True


def file_signs(evidence: Evidence) -> Iterator[Sign]:
    """Each live Kustomization that applies Flux from files of this repository."""
    artifacts: dict[ObjectId, Files] = {}
    for build, source in _candidates(evidence):
        if source.id not in artifacts:
            artifacts[source.id] = _artifact(evidence, source)
        tree = artifacts[source.id]
        origin = None if isinstance(tree, Elsewhere) else _origin(build, tree)
        if origin is not None:
            yield _sign(evidence, build, origin)


def _may_install(evidence: Evidence, build: Build) -> bool:
    """Whether Flux may be among what a Kustomization applies here; what cannot be built may hold it."""
    if build.ks.remote_cluster:
        return False
    unread = build.status is not BuildStatus.OK or any(map(component_of, build.objects))
    return unread or any(_is_empty(evidence.tree, path) for path in build.reads)


def _is_empty(tree: Tree, path: str) -> bool:
    """Whether a file of the tree holds nothing but comments."""
    file = tree.files.get(path)
    if file is None or file.content is None or len(file.content) > _PLACEHOLDER_BYTES:
        return False
    return _ONLY_COMMENTS.fullmatch(file.content) is not None


def _artifact(evidence: Evidence, source: Source) -> Files:
    cluster = evidence.cluster
    return files_of(source, cluster.sources[cluster.builds[cluster.root].ks.source], evidence.tree)


def _candidates(evidence: Evidence) -> Iterator[tuple[Build, Source]]:
    """Kustomizations that may apply Flux, from another source than Flux's own."""
    for build in evidence.cluster:
        source = evidence.cluster.sources.get(build.ks.source)
        if source is not None and _may_install(evidence, build) and not is_distribution(source, build.ks.path):
            yield build, source


def _origin(build: Build, tree: Tree) -> Origin | None:
    below = closure(tree, build.ks.path)
    base = next(remote_bases(tree, sorted(below)), None)
    # A base in the catalogue is built offline, so that Flux is rendered does not say who wrote it.
    if base is not None and base_manifests(base):
        return _remote(tree, base)
    if any(map(component_of, build.objects)):
        return _written(build, tree)
    if base is not None:
        return _remote(tree, base)
    return _missing(tree, build, kustomization_files(tree, below))


def closure(tree: Tree, path: str) -> frozenset[str]:
    """The kustomization.yaml files that a directory leads to, as far as they can be read."""
    found: dict[str, KustomizationFile] = {}
    pending = [path]
    while pending:
        directory = pending.pop()
        files = kustomization_files(tree, _named(tree, directory) or tree.below(directory))
        new = {file.path: file for file in files.values() if file.path not in found}
        found.update(new)
        pending += chain.from_iterable(file.local("resources", "bases", "components") for file in new.values())
    return frozenset(found)


def _named(tree: Tree, directory: str) -> tuple[str, ...]:
    candidates = (
        posixpath.join(directory, name) for name in ("kustomization.yaml", "kustomization.yml", "Kustomization")
    )
    return tuple(path for path in candidates if path in tree)


def _written(build: Build, tree: Tree) -> Origin | None:
    """Manifests that are written out in files of the tree."""
    reads = sorted(reads_of(tree, build))
    documents = tuple(document for path in reads for document in _flux_documents(tree, path))
    if documents:
        return _from_documents(tree, documents)
    base = next(remote_bases(tree, reads), None)
    return _remote(tree, base) if base is not None else None


def _from_documents(tree: Tree, documents: tuple[Document, ...]) -> Origin:
    paths = tuple(dict.fromkeys(document.path for document in documents))
    raw = tuple(object_of(document.mapping) for document in documents)
    version = next(filter(None, (of_header(tree.read(path)) for path in paths)), "") or of_objects(raw)
    installed = _in_order(raw)
    known = catalogue.has(version)
    exported = catalogue.install_manifests(version, installed, namespace_of(raw)) if known else ()
    return Origin(
        method=Method.BOOTSTRAP,
        tree=tree,
        paths=paths,
        version=version,
        raw=raw,
        plain=tuple(object_of(manifest) for manifest in exported) or raw,
        installed=installed,
        notes=() if known else (f"{', '.join(paths)} has no version that is known; it is taken as it is",),
        manifests=tuple(_manifest_passages(tree, documents)),
    )


def reads_of(tree: Tree, build: Build) -> frozenset[str]:
    """The files of the tree that a build read, directories spelt out."""
    below = (path for read in build.reads if read.endswith("/") for path in tree.below(read))
    return frozenset(path for path in build.reads if path in tree) | frozenset(below)


def _flux_documents(tree: Tree, path: str) -> tuple[Document, ...]:
    """The documents of a file that holds at least one of Flux's controllers."""
    found = tuple(documents_with(tree, [path], b"Deployment", b"fluxcd"))
    distributed = tuple(document for document in found if _is_distributed(object_of(document.mapping)))
    return distributed if any(component_of(object_of(document.mapping)) for document in distributed) else ()


def _is_distributed(object: Object) -> bool:
    """Whether an object can be part of a distribution: not what a cluster's own files hold beside it."""
    sync = is_source(object) or object.id.group == KUSTOMIZE_GROUP
    return bool(object.id.kind) and bool(object.id.name) and not sync


def _manifest_passages(tree: Tree, documents: tuple[Document, ...]) -> Iterator[tuple[ObjectId, Passage]]:
    for document in documents:
        last = document.line + document.source.count("\n")
        yield id_of(document.mapping), passage(document.path, tree.read(document.path), document.line, last)


def _in_order(objects: Iterable[Object]) -> tuple[str, ...]:
    found = {component_of(object) for object in objects}
    return tuple(name for name in catalogue.COMPONENTS if name in found)


def namespace_of(objects: Iterable[Object]) -> str:
    """The namespace in which Flux's controllers are."""
    return next((o.id.namespace for o in objects if component_of(o) and o.id.namespace), "flux-system")


def _remote(tree: Tree, base: RemoteBase) -> Origin:
    manifests = base_manifests(base)
    replaced, path = with_base(tree, base) if manifests else (tree, base.file.path)
    plain = tuple(object_of(manifest) for manifest in manifests)
    where = f"{base.reference} in {base.where}"
    notes = () if plain else (f"{where} names no version that is known, so its settings cannot be read",)
    return Origin(Method.REMOTE_BASE, replaced, (path,), base.version, plain, plain, _in_order(plain), notes)


def _sign(evidence: Evidence, build: Build, origin: Origin) -> Sign:
    stack = _stack(evidence, build, origin)
    live = _live(evidence, build, origin)
    staged = _staged(stack, evidence, origin, live)
    owner = build.where or Location("")
    return Sign(
        method=origin.method,
        where=build.where,
        version=origin.version,
        namespace=namespace_of(live) if live else build.id.namespace,
        components=components(o for o in live if component_of(o)) if origin.is_real else (),
        owner=build.id,
        source=build.ks.source,
        files=_files(evidence, build, origin, stack),
        settings=settings(origin.plain, staged, live, owner) if live else (),
        patches=patches(stack),
        plain=origin.plain if origin.is_real else (),
        live=live if origin.is_real else (),
        renamed=renames(origin.plain, live) if origin.is_real else (),
        notes=origin.notes,
    )


def _stack(evidence: Evidence, build: Build, origin: Origin) -> Stack:
    files = kustomization_files(origin.tree, (*reads_of(origin.tree, build), *closure(origin.tree, build.ks.path)))
    above = files_above(files, frozenset(origin.paths))
    return Stack(origin.tree, build.ks.object.data, above, document_at(evidence.tree, build.where), evidence.tree)


def _live(evidence: Evidence, build: Build, origin: Origin) -> tuple[Object, ...]:
    objects = build.objects
    if not any(component_of(o) for o in objects) and origin.raw:
        (result,) = evidence.builder.build(origin.tree, [BuildRequest(build.id.full, build.ks.object.data)])
        objects = result.objects
    return flux_part(objects, (*origin.plain, *origin.raw))


def flux_part(objects: Iterable[Object], distribution: Iterable[Object]) -> tuple[Object, ...]:
    """Those objects that are Flux itself: its controllers, what the distribution names, and what it is renamed to."""
    known = tuple(distribution)
    names = frozenset((o.id.group, o.id.kind, o.id.name) for o in known)
    kinds = frozenset((o.id.group, o.id.kind) for o in known if o.id.kind != "Deployment")
    return tuple(o for o in objects if _is_part(o, names, kinds))


def _is_part(object: Object, names: frozenset[tuple[str, str, str]], kinds: frozenset[tuple[str, str]]) -> bool:
    id = object.id
    renamed = object.labels.get(_PART_OF) == "flux" and (id.group, id.kind) in kinds
    return renamed or bool(component_of(object)) or (id.group, id.kind, id.name) in names


def _staged(stack: Stack, evidence: Evidence, origin: Origin, live: tuple[Object, ...]) -> tuple[Stage, ...]:
    """The stages, the first being the manifests as they are written, each at its own place."""
    if not live:
        return ()
    found = stages(stack, evidence.builder, (*origin.plain, *origin.raw), live)
    if not found or found[0].passages:
        return found
    return (replace(found[0], manifests=dict(origin.manifests)), *found[1:])


def _files(evidence: Evidence, build: Build, origin: Origin, stack: Stack) -> tuple[str, ...]:
    places = (*origin.paths, *(file.path for file in stack.files), *((build.where.file,) if build.where else ()))
    return tuple(sorted({path for path in places if path in evidence.tree}))


def _missing(tree: Tree, build: Build, files: Mapping[str, KustomizationFile]) -> Origin | None:
    """Manifests that a kustomization.yaml lists and that are not there, or are empty: `flux bootstrap` writes them."""
    for file in files.values():
        absent = tuple(path for path in file.local("resources") if _is_absent(tree, path))
        if absent and _speaks_of_flux(build, file):
            return _stand_in(tree, absent, file)
    return None


def _speaks_of_flux(build: Build, file: KustomizationFile) -> bool:
    """Whether a kustomization.yaml lists the file of the Kustomization that reads it, or changes controllers."""
    own = build.where is not None and build.where.file in file.local("resources")
    return own or _names_controllers(file)


def _is_absent(tree: Tree, path: str) -> bool:
    if path in tree:
        return _is_empty(tree, path)
    return not tree.is_directory(path) and path.endswith((".yaml", ".yml"))


def _names_controllers(file: KustomizationFile) -> bool:
    written = json.dumps(
        [file.content.get(field) for field in ("patches", "patchesStrategicMerge", "images")], default=str
    )
    return any(name in written for name in catalogue.COMPONENTS)


def _stand_in(tree: Tree, absent: tuple[str, ...], file: KustomizationFile) -> Origin:
    """The newest distribution in place of the missing one: enough to read the patches, not what runs."""
    version = catalogue.versions()[-1]
    manifests = catalogue.install_manifests(version, catalogue.components(version))
    plain = tuple(object_of(manifest) for manifest in manifests)
    first, *others = absent
    filled = tree.with_file(first, b"".join(b"---\n" + json.dumps(m).encode() + b"\n" for m in manifests))
    for number, path in enumerate(others):
        filled = filled.with_file(path, _placeholder(number))
    note = (
        f"{', '.join(absent)}, listed in {file.path}, is not in Git or empty: the running version and "
        f"components cannot be read, and settings were read as if Flux were {version}"
    )
    return Origin(Method.BOOTSTRAP, filled, (first,), "", plain, plain, (), (note,), is_real=False)


def _placeholder(number: int) -> bytes:
    metadata = {"name": f"placeholder-{number}", "namespace": "default"}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}).encode()

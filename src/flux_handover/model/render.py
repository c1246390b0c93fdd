"""From a root down to the last child: each Kustomization as it is effective in the cluster.

A child's spec is what its parent renders, patches and variables included, so the walk goes in waves:
build, find variables among what is built so far, substitute, and follow the Kustomizations that appear.
Where a parent does not build, the cluster keeps the children it has, with the specs it has (rules.md R5):
they come from what the last revision that was rendered left in it (`earlier`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from flux_handover.findings import Location
from flux_handover.model.building import (
    Builder,
    BuildError,
    BuildRequest,
    BuildResult,
    Network,
    SubstitutionRequest,
    SubstitutionResult,
    inputs_digest,
)
from flux_handover.model.declared import Declarations
from flux_handover.model.earlier import Earlier
from flux_handover.model.flux import FluxKustomization, Source, is_source, kustomization_of, kustomizations, source_of
from flux_handover.model.hashed import uncertain_names
from flux_handover.model.known import known_references
from flux_handover.model.origin import Elsewhere, Files, files_of
from flux_handover.model.rendering import Build, BuildStatus, Cluster, Failure
from flux_handover.model.roots import Root
from flux_handover.model.scopes import homeless
from flux_handover.model.strictness import Substitution
from flux_handover.model.symbols import undecided
from flux_handover.model.variables import Variables, variables_of
from flux_handover.objects import Object, ObjectId, by_id, elsewhere, mapping
from flux_handover.tree import Tree

UNKNOWN_CODES = frozenset({"remote-resource", "file-omitted", "symbolic-operation", "symbolic-structure"})
NO_NAMESPACE = "no-namespace"
UNDEFINED = "undefined-variable"
_SELF_PATCHES = 3


@dataclass(frozen=True, slots=True)
class Repository:
    """What a cluster is rendered from."""

    tree: Tree
    declared: Declarations
    builder: Builder
    network: Network
    substitution: Substitution = Substitution.LENIENT


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A Kustomization that is built, and whose variables are still to be found."""

    ks: FluxKustomization
    parent: ObjectId | None
    files: Files
    result: BuildResult


@dataclass(slots=True)
class _Walk:
    """How far the walk has come."""

    root: Source
    repository: Repository
    earlier: Earlier
    done: dict[ObjectId, Build] = field(default_factory=dict)
    waiting: list[_Waiting] = field(default_factory=list)
    sources: dict[ObjectId, Source] = field(default_factory=dict)
    artifacts: dict[ObjectId, Files] = field(default_factory=dict)
    known: dict[ObjectId, Mapping[str, Tree]] = field(default_factory=dict)
    objects: dict[ObjectId, Object] = field(default_factory=dict)


def render_cluster(root: Root, repository: Repository, earlier: Earlier | None = None) -> Cluster:
    """Everything live below a root."""
    before = earlier or Earlier(lambda: None)
    ks = root.ks
    for _ in range(_SELF_PATCHES):
        cluster = _render(replace(root, ks=ks), repository, before)
        applied = cluster.builds[root.ks.id]
        rendered = next((object for object in applied.objects if object.id == ks.id), None)
        if rendered is None or rendered.data == ks.object.data:
            return cluster
        ks = kustomization_of(rendered)
    return cluster


def rebuild(
    specs: Iterable[FluxKustomization], cluster: Cluster, previous: Cluster, root: Source, repository: Repository
) -> tuple[Build, ...]:
    """Specs of `previous` built on the files of the revision after it, with the variables and sources of both.

    This is what a child renders that reconciles before its parent has changed it: what the new revision
    does not bring any more is there until it is pruned.
    """
    walk = _Walk(root, repository, Earlier(lambda: previous), sources={**previous.sources, **cluster.sources})
    walk.objects.update(by_id(object for _, object in cluster.objects()))
    walk.waiting.extend(_build(walk, [(ks, None) for ks in specs]))
    built: list[Build] = []
    while walk.waiting:
        built.extend(_finish(walk))
    return tuple(built)


def _render(root: Root, repository: Repository, earlier: Earlier) -> Cluster:
    walk = _Walk(root.source, repository, earlier, sources={root.source.id: root.source})
    wave: list[tuple[FluxKustomization, ObjectId | None]] = [(root.ks, None)]
    held: list[tuple[FluxKustomization, ObjectId | None]] = []
    while wave or held or walk.waiting:
        ready, held = _with_source(walk, [*held, *wave])
        if not ready and not walk.waiting:
            ready, held = held, []
        walk.waiting.extend(_build(walk, ready))
        finished = _finish(walk)
        wave = list(_children(walk, finished, {ks.id for ks, _ in held}))
        if not finished and not wave and held:
            walk.waiting.extend(_build(walk, held))
            held = []
    return _cluster(walk, root)


def _cluster(walk: _Walk, root: Root) -> Cluster:
    own = walk.done[root.ks.id]
    if any(object.id == root.ks.id for object in own.objects):
        walk.done[root.ks.id] = replace(own, parent=root.ks.id)
    return Cluster(root.name, root.ks.id, root.origin, walk.done, walk.sources)


def _with_source(
    walk: _Walk, pending: Iterable[tuple[FluxKustomization, ObjectId | None]]
) -> tuple[list[tuple[FluxKustomization, ObjectId | None]], list[tuple[FluxKustomization, ObjectId | None]]]:
    found: list[tuple[FluxKustomization, ObjectId | None]] = []
    missing: list[tuple[FluxKustomization, ObjectId | None]] = []
    for one in pending:
        (found if one[0].source in walk.sources else missing).append(one)
    return found, missing


def _build(walk: _Walk, ready: Iterable[tuple[FluxKustomization, ObjectId | None]]) -> Iterator[_Waiting]:
    """Build one wave, one request for each artifact."""
    by_source: dict[ObjectId, list[tuple[FluxKustomization, ObjectId | None]]] = {}
    for ks, parent in ready:
        by_source.setdefault(ks.source, []).append((ks, parent))
    for id, members in by_source.items():
        files = _artifact(walk, id)
        if isinstance(files, Elsewhere):
            results = {ks.id.full: _unbuilt(ks, files.reason) for ks, _ in members}
        else:
            results = _built(walk, id, files, [ks for ks, _ in members])
        for ks, parent in members:
            one = _Waiting(ks, parent, files, results[ks.id.full])
            _learn(walk, _placed(ks, one.result.objects) if one.result.error is None else _lasting(walk, ks.id))
            yield one


def _built(walk: _Walk, source: ObjectId, files: Tree, wanted: Iterable[FluxKustomization]) -> dict[str, BuildResult]:
    if source not in walk.known:
        walk.known[source] = known_references(files)
    requests = [BuildRequest(ks.id.full, ks.object.data) for ks in wanted]
    repository = walk.repository
    answers = repository.builder.build(files, requests, network=repository.network, known=walk.known[source])
    return {answer.key: answer for answer in answers}


def _unbuilt(ks: FluxKustomization, reason: str) -> BuildResult:
    return BuildResult(ks.id.full, (), frozenset(), error=BuildError("source-elsewhere", reason))


def _known(walk: _Walk, id: ObjectId) -> Object | None:
    """An object of this revision, else the one that the cluster has: it is there until it is pruned."""
    return walk.objects.get(id) or walk.earlier.object(id)


def _source(walk: _Walk, id: ObjectId) -> Source | None:
    return walk.sources.get(id) or walk.earlier.sources.get(id)


def _artifact(walk: _Walk, id: ObjectId) -> Files:
    if id not in walk.artifacts:
        source = _source(walk, id)
        missing = Elsewhere(f"{id} is rendered by no Kustomization")
        walk.artifacts[id] = files_of(source, walk.root, walk.repository.tree) if source else missing
    return walk.artifacts[id]


def _placed(ks: FluxKustomization, objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """The objects by the ids that they have here: those of another cluster are none of this one's."""
    return tuple(Object(elsewhere(o.id, ks.remote), o.data) for o in objects) if ks.remote_cluster else objects


def _learn(walk: _Walk, objects: Iterable[Object]) -> None:
    for object in objects:
        walk.objects.setdefault(object.id, object)
        if is_source(object) and object.id != walk.root.id:
            walk.sources.setdefault(object.id, source_of(object))


def _finish(walk: _Walk) -> list[Build]:
    """Substitute whatever has its variables; if nothing has, nothing will bring them."""
    variables = [(one, variables_of(one.ks, partial(_known, walk))) for one in walk.waiting]
    complete = [(one, found) for one, found in variables if not found.missing]
    ready = complete or variables
    chosen = {one.ks.id for one, _ in ready}
    walk.waiting = [one for one in walk.waiting if one.ks.id not in chosen]
    requests = [_substitution(one, found) for one, found in ready if one.ks.has_post_build and not one.result.error]
    answers = {answer.key: answer for answer in walk.repository.builder.substitute(requests)} if requests else {}
    finished = [_finished(walk, one, found, answers.get(one.ks.id.full)) for one, found in ready]
    for build in finished:
        walk.done[build.id] = build
        walk.objects.update(by_id(build.objects))
    return finished


def _substitution(one: _Waiting, found: Variables) -> SubstitutionRequest:
    return SubstitutionRequest(
        key=one.ks.id.full,
        objects=one.result.objects,
        variables=found.known,
        symbolic=found.symbolic,
        open=bool(found.missing),
        always=mapping(one.ks.object.spec.get("postBuild")).get("substituteStrategy") == "Always",
        common_metadata=mapping(one.ks.object.spec.get("commonMetadata")),
    )


def _finished(walk: _Walk, one: _Waiting, found: Variables, answer: SubstitutionResult | None) -> Build:
    error = one.result.error or (answer.error if answer else None)
    objects = answer.objects if answer else one.result.objects
    symbols = answer.symbols if answer else {}
    undefined = frozenset(name for _, name in answer.undefined) if answer else frozenset()
    failure = _failure(error) or (undecided(one.ks, objects, symbols, answer.tokens) if answer else None)
    failure = failure or _strict(walk, found, undefined) or _refused(objects)
    status = BuildStatus.OK if failure is None else _status(failure)
    return Build(
        ks=one.ks,
        parent=one.parent,
        where=walk.repository.declared.place(one.ks.id, _parent_reads(walk, one)),
        status=status,
        raw=_placed(one.ks, one.result.objects),
        objects=_placed(one.ks, objects) if status is BuildStatus.OK else (),
        reads=one.result.reads,
        inputs=inputs_of(one.ks, one.files, one.result.reads, found),
        failure=failure,
        undefined=undefined,
        symbols=symbols or None,
        damaged=one.result.damaged,
        lasting=() if status is BuildStatus.OK else _lasting(walk, one.ks.id),
        uncertain=uncertain_names(objects) if one.ks.decrypts else frozenset(),
    )


def _strict(walk: _Walk, found: Variables, undefined: frozenset[str]) -> Failure | None:
    """A variable that nothing defines, where that fails the build; with a source missing, it may be defined there."""
    if walk.repository.substitution is not Substitution.STRICT or found.missing or not undefined:
        return None
    names = ", ".join(f"${{{name}}}" for name in sorted(undefined))
    return Failure(UNDEFINED, f"{names}: defined nowhere, and this version of Flux substitutes strictly")


def _refused(objects: Iterable[Object]) -> Failure | None:
    """What the API server refuses in the dry-run, so that the apply fails as a whole."""
    object = homeless(objects)
    return Failure(NO_NAMESPACE, f"{object.id} has no namespace, and nothing supplies one") if object else None


def _lasting(walk: _Walk, id: ObjectId) -> tuple[Object, ...]:
    before = walk.earlier.builds.get(id)
    return before.present if before else ()


def _parent_reads(walk: _Walk, one: _Waiting) -> frozenset[str]:
    parent = walk.done.get(one.parent) if one.parent else None
    return parent.reads if parent else one.result.reads


def _failure(error: BuildError | None) -> Failure | None:
    if error is None:
        return None
    return Failure(error.code, error.message, Location(error.file, error.line) if error.file else None)


def _status(failure: Failure) -> BuildStatus:
    unknown = failure.code in UNKNOWN_CODES or failure.code in ("source-elsewhere", "symbolic-field")
    return BuildStatus.UNKNOWN if unknown else BuildStatus.FAILED


def _children(
    walk: _Walk, finished: Iterable[Build], held: set[ObjectId]
) -> Iterator[tuple[FluxKustomization, ObjectId | None]]:
    seen = held | walk.done.keys() | {one.ks.id for one in walk.waiting}
    for build in finished:
        for ks in _brought(walk, build):
            if ks.id not in seen:
                seen.add(ks.id)
                yield ks, build.id


def _brought(walk: _Walk, build: Build) -> Iterable[FluxKustomization]:
    """The children that a build gives to this cluster: none where it applies to another one."""
    if build.ks.remote_cluster:
        return ()
    return kustomizations(build.objects) if build.status is BuildStatus.OK else _kept(walk, build)


def _kept(walk: _Walk, build: Build) -> Iterator[FluxKustomization]:
    """The children that the cluster keeps while their parent does not build."""
    before = walk.earlier.builds.values()
    return (child.ks for child in before if child.parent == build.id and child.id != build.id)


def inputs_of(ks: FluxKustomization, files: Files, reads: Iterable[str], variables: Variables) -> str:
    """A digest of everything the result of a build depends on: equal inputs, equal result (rules.md R8).

    Which source brought the files, and whether the Kustomization is suspended, does not matter.
    """
    spec = {key: value for key, value in ks.object.spec.items() if key not in ("sourceRef", "suspend")}
    whole = {**ks.object.data, "spec": spec}
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode())
    digest.update(repr((sorted(variables.known.items()), sorted(variables.symbolic), variables.missing)).encode())
    if isinstance(files, Elsewhere):
        digest.update(files.reason.encode())
    else:
        digest.update(inputs_digest(files, {*reads, f"{ks.path}/"} if ks.path else reads).encode())
    return digest.hexdigest()

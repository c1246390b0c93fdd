"""A Builder that remembers: the same build is asked of the engine once, in this run and in later ones.

A build is known by its spec. What it read, it said itself; so a remembered result holds for a tree
in which everything that it read is the same, files that it looked for in vain and lists of directories
included (rules.md R8). Substitution is a function of its request alone. On disk are only results without
network and without values of Secrets that are not encrypted (see docs/explanation/performance.md).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Self, TypeVar

import msgspec

from flux_handover import __version__
from flux_handover.adapters.cache_records import (
    FLEETING,
    BuildRecord,
    SubstitutionRecord,
    build_record,
    build_result,
    holds_secret_values,
    plain,
    substitution_record,
    substitution_result,
)
from flux_handover.adapters.cache_store import Store, cache_directory
from flux_handover.adapters.cache_turns import Turns
from flux_handover.adapters.engine import Engine, engine_path
from flux_handover.adapters.engine_process import EngineVersion
from flux_handover.model.building import (
    NOTHING,
    BuildRequest,
    BuildResult,
    KustomizeResult,
    Network,
    SubstitutionRequest,
    SubstitutionResult,
    inputs_digest,
)
from flux_handover.objects import mapping
from flux_handover.tree import Tree

Kept = TypeVar("Kept")

_VARIANTS = 8
_KEPT_VARIANTS = 3
_BUILDS = 20_000
# Fields of a Kustomization that say when, by whom or after what it is applied, and not what it builds.
_INERT = frozenset(
    (
        *("interval", "retryInterval", "timeout", "prune", "wait", "suspend", "force", "deletionPolicy", "dependsOn"),
        *("healthChecks", "healthCheckExprs", "sourceRef", "serviceAccountName", "kubeConfig", "decryption"),
        "postBuild",
    )
)


def cached_engine() -> CachedBuilder:
    """The engine with the cache of the user."""
    directory = cache_directory(os.environ)
    return CachedBuilder(Engine(), Store(directory, _fingerprint()) if directory else None)


def _fingerprint() -> str:
    """The engine's program: its release, and what tells two programs of one release apart."""
    status = engine_path().stat()
    return f"{__version__}-{status.st_size:x}-{status.st_mtime_ns:x}"


class CachedBuilder:
    """A Builder that remembers what another built. Use it as a context manager; several threads may ask at a time."""

    def __init__(self, engine: Engine, store: Store | None) -> None:
        self._engine = engine
        self._store = store
        self._builds: dict[str, list[tuple[str, BuildResult]]] = {}
        self._records: dict[str, list[BuildRecord]] = {}
        self._substitutions: dict[str, SubstitutionResult] = {}
        self._asked = False
        self._turns = Turns()

    def __enter__(self) -> Self:
        if self._store is None or not self._store.is_enough:
            # The engine will be needed: it begins while the repository is read.
            self._engine.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the engine, and let the cache shrink where it is too large."""
        self._engine.close()
        if self._store is not None:
            self._store.say_enough(enough=not self._asked)
            self._store.close()

    @property
    def version(self) -> EngineVersion:
        """Version of the engine and of the kustomize in it."""
        return self._engine.version

    def build(
        self,
        tree: Tree,
        builds: Sequence[BuildRequest],
        *,
        network: Network = Network.DENIED,
        known: Mapping[str, Tree] = NOTHING,
    ) -> tuple[BuildResult, ...]:
        """The objects of each Kustomization, before substitution."""
        keys = [_build_key(request, network) for request in builds]
        results: dict[int, BuildResult] = {}
        while left := {i: key for i, key in enumerate(keys) if i not in results}:
            with self._turns.of(left.values()) as mine:
                chosen = [i for i, key in left.items() if key in mine]
                found = {i: self._found(keys[i], tree, network, known) for i in chosen}
                missing = [i for i, result in found.items() if result is None]
                made = self._built(tree, [builds[i] for i in missing], network, known)
                for i, result in zip(missing, made, strict=True):
                    self._remember(keys[i], tree, result, network, known)
                results |= {i: result for i, result in found.items() if result is not None}
                results |= dict(zip(missing, made, strict=True))
        return tuple(replace(results[i], key=request.key) for i, request in enumerate(builds))

    def _built(
        self, tree: Tree, builds: Sequence[BuildRequest], network: Network, known: Mapping[str, Tree]
    ) -> tuple[BuildResult, ...]:
        self._asked |= bool(builds)
        return self._engine.build(tree, builds, network=network, known=known)

    def kustomize(
        self, tree: Tree, path: str, *, network: Network = Network.DENIED, known: Mapping[str, Tree] = NOTHING
    ) -> KustomizeResult:
        """The objects of a directory, built by plain kustomize."""
        key = _key("kustomize", network.value, path)
        with self._turns.of((key,)):
            result = self._found(key, tree, network, known)
            if result is None:
                self._asked = True
                one = self._engine.kustomize(tree, path, network=network, known=known)
                result = BuildResult("", one.objects, one.reads, one.remotes, one.damaged, one.error)
                self._remember(key, tree, result, network, known)
        return KustomizeResult(result.objects, result.reads, result.remotes, result.damaged, result.error)

    def substitute(self, sets: Sequence[SubstitutionRequest]) -> tuple[SubstitutionResult, ...]:
        """The objects of each set with its variables put in."""
        keys = [_set_key(request) for request in sets]
        wanted = dict(zip(keys, sets, strict=True))
        results: dict[str, SubstitutionResult] = {}
        while left := wanted.keys() - results.keys():
            with self._turns.of(left) as mine:
                found = {key: self._substituted(key) for key in wanted if key in mine}
                missing = {key: wanted[key] for key, result in found.items() if result is None}
                self._asked |= bool(missing)
                made = dict(zip(missing, self._engine.substitute([*missing.values()]), strict=True))
                for key, result in made.items():
                    self._remember_substitution(key, missing[key], result)
                results |= {key: result for key, result in found.items() if result is not None} | made
        return tuple(replace(results[key], key=one.key) for key, one in zip(keys, sets, strict=True))

    def _found(self, key: str, tree: Tree, network: Network, known: Mapping[str, Tree]) -> BuildResult | None:
        for inputs, result in self._builds.get(key, ()):
            if inputs == _inputs(tree, result.reads, result.remotes, known):
                return result
        for record in self._kept(key, network):
            if record.inputs == _inputs(tree, record.reads, record.remotes, known):
                result = build_result(record)
                self._builds.setdefault(key, []).insert(0, (record.inputs, result))
                return result
        return None

    def _kept(self, key: str, network: Network) -> list[BuildRecord]:
        """What the disk has under a key, read once."""
        if self._store is None or network is not Network.DENIED:
            return []
        if key not in self._records:
            content = self._store.read(key)
            self._records[key] = _decoded(content, list[BuildRecord]) or []
        return self._records[key]

    def _remember(self, key: str, tree: Tree, result: BuildResult, network: Network, known: Mapping[str, Tree]) -> None:
        if result.error is not None and result.error.code in FLEETING:
            return
        if len(self._builds) > _BUILDS:
            self._builds.clear()
            self._records.clear()
        inputs = _inputs(tree, result.reads, result.remotes, known)
        variants = self._builds.setdefault(key, [])
        variants.insert(0, (inputs, result))
        del variants[_VARIANTS:]
        if self._store is not None and network is Network.DENIED and not holds_secret_values(result.objects):
            records = [build_record(result, inputs), *self._kept(key, network)][:_KEPT_VARIANTS]
            self._records[key] = records
            self._store.write(key, msgspec.json.encode(records))

    def _substituted(self, key: str) -> SubstitutionResult | None:
        if key not in self._substitutions and self._store is not None:
            record = _decoded(self._store.read(key), SubstitutionRecord)
            if record is not None:
                self._substitutions[key] = substitution_result(record)
        return self._substitutions.get(key)

    def _remember_substitution(self, key: str, request: SubstitutionRequest, result: SubstitutionResult) -> None:
        if len(self._substitutions) > _BUILDS:
            self._substitutions.clear()
        self._substitutions[key] = result
        fleeting = result.error is not None and result.error.code in FLEETING
        if self._store is None or fleeting or holds_secret_values((*request.objects, *result.objects)):
            return
        self._store.write(key, msgspec.json.encode(substitution_record(result), enc_hook=plain))


def _build_key(request: BuildRequest, network: Network) -> str:
    spec = mapping(request.kustomization.get("spec"))
    building = {key: value for key, value in spec.items() if key not in _INERT}
    has_post_build = spec.get("postBuild") is not None
    return _key("build", network.value, building, has_post_build, request.path)


def _set_key(request: SubstitutionRequest) -> str:
    objects = [object.data for object in request.objects]
    fields = (request.variables, request.symbolic, request.open, request.strict, request.always)
    return _key("substitute", objects, *fields, request.common_metadata)


def _key(*parts: object) -> str:
    return hashlib.sha256(msgspec.json.encode(parts, enc_hook=plain, order="deterministic")).hexdigest()


def _inputs(tree: Tree, reads: Iterable[str], remotes: Iterable[str], known: Mapping[str, Tree]) -> str:
    """What a build depends on besides its spec: what it read, and which references something stands for.

    What stands for a reference is decided by the reference and our own release, so its name is enough.
    """
    stood_for = sorted(reference for reference in remotes if reference in known)
    return inputs_digest(tree, reads) + (_key(stood_for) if stood_for else "")


def _decoded(content: bytes | None, kind: type[Kept]) -> Kept | None:
    """What was kept, or None where it is damaged or of another shape."""
    if content is None:
        return None
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None

"""The lines that the engine reads and writes, as values of the model (docs/reference/protocol.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from flux_handover.errors import EngineError
from flux_handover.model.building import (
    BuildError,
    BuildRequest,
    BuildResult,
    KustomizeResult,
    Network,
    SubstitutionRequest,
    SubstitutionResult,
)
from flux_handover.objects import Object, ObjectId, object_of

PROTOCOL = 1
HELLO = b'{"method":"hello"}'
Response = TypeVar("Response")


class Greeting(msgspec.Struct, frozen=True):
    """The response to `hello`."""

    version: str
    protocol: int
    kustomize: str
    fluxKustomize: str


class _Numbered(msgspec.Struct, frozen=True):
    id: int | None = None


class _Error(msgspec.Struct, frozen=True):
    code: str
    message: str
    file: str = ""
    line: int = 0
    object: int | None = None


class _Built(msgspec.Struct, frozen=True):
    key: str = ""
    objects: tuple[dict[str, Any], ...] = ()
    reads: frozenset[str] = frozenset()
    remotes: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    error: _Error | None = None


class _Undefined(msgspec.Struct, frozen=True):
    object: int
    name: str


class _Substituted(msgspec.Struct, frozen=True):
    key: str
    objects: tuple[dict[str, Any], ...]
    undefined: tuple[_Undefined, ...]
    symbols: dict[int, frozenset[str]]
    tokens: dict[str, str]
    error: _Error | None = None


class _StoreResponse(msgspec.Struct, frozen=True):
    error: _Error | None = None


class _BuildResponse(msgspec.Struct, frozen=True):
    results: tuple[_Built, ...] = ()
    error: _Error | None = None


class _SubstituteResponse(msgspec.Struct, frozen=True):
    results: tuple[_Substituted, ...] = ()
    error: _Error | None = None


def numbered(number: int, request: bytes) -> bytes:
    """A request as a line; its number is in the response."""
    return b'{"id":%d,%b\n' % (number, request.removeprefix(b"{"))


def number_of(line: bytes) -> int | None:
    """Which request a line answers; None where it does not say."""
    try:
        return msgspec.json.decode(line, type=_Numbered).id
    except msgspec.DecodeError:
        return None


def greeting(line: bytes) -> Greeting | None:
    """What the engine said to `hello`; None if that is no greeting at all."""
    try:
        return msgspec.json.decode(line, type=Greeting)
    except msgspec.DecodeError:
        return None


def store_request(fields: Mapping[str, object]) -> bytes:
    """A `store` line."""
    return _request("store", **fields)


def stored(line: bytes) -> None:
    """Raises EngineError where the engine refused what it was to store."""
    _refused(_decoded(line, _StoreResponse).error)


def build_request(tree: str, builds: Sequence[BuildRequest], network: Network, known: Mapping[str, str]) -> bytes:
    """A `build` line; trees are given by their digests."""
    wanted = [
        {"key": build.key, "kustomization": build.kustomization} | ({} if build.path is None else {"path": build.path})
        for build in builds
    ]
    return _request("build", treeDigest=tree, known=known, builds=wanted, allowNetwork=network is Network.ALLOWED)


def kustomize_request(tree: str, path: str, network: Network, known: Mapping[str, str]) -> bytes:
    """A `kustomize` line."""
    return _request("kustomize", treeDigest=tree, known=known, path=path, allowNetwork=network is Network.ALLOWED)


def substitute_request(sets: Sequence[SubstitutionRequest]) -> bytes:
    """A `substitute` line."""
    return _request("substitute", sets=[_set(request) for request in sets])


def build_results(line: bytes) -> tuple[BuildResult, ...]:
    """The results of a `build` line."""
    response = _decoded(line, _BuildResponse)
    _refused(response.error)
    return tuple(
        BuildResult(built.key, _objects(built.objects), built.reads, built.remotes, built.damaged, _error(built.error))
        for built in response.results
    )


def kustomize_result(line: bytes) -> KustomizeResult:
    """The result of a `kustomize` line."""
    built = _decoded(line, _Built)
    return KustomizeResult(_objects(built.objects), built.reads, built.remotes, built.damaged, _error(built.error))


def substitution_results(line: bytes, sets: Sequence[SubstitutionRequest]) -> tuple[SubstitutionResult, ...]:
    """The results of a `substitute` line; indices become ids."""
    response = _decoded(line, _SubstituteResponse)
    _refused(response.error)
    return tuple(_substituted(result, request) for result, request in zip(response.results, sets, strict=True))


def _request(method: str, **fields: object) -> bytes:
    # Manifests may hold dates: PyYAML reads `2020-01-01` as one, and Kubernetes as text.
    return msgspec.json.encode({"method": method, **fields}, enc_hook=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"a manifest holds a value of type {type(value).__name__}")


def _decoded(line: bytes, type: type[Response]) -> Response:
    try:
        return msgspec.json.decode(line, type=type)
    except msgspec.DecodeError as error:
        raise EngineError("the engine's answer is not readable", hint="report this as a bug") from error


def _refused(error: _Error | None) -> None:
    if error is not None:
        raise EngineError(f"the engine refused the request: {error.message}", hint=f"code {error.code}")


def _set(request: SubstitutionRequest) -> dict[str, object]:
    return {
        "key": request.key,
        "objects": [object.data for object in request.objects],
        "variables": request.variables,
        "symbolic": request.symbolic,
        "open": request.open,
        "strict": request.strict,
        "always": request.always,
        "commonMetadata": request.common_metadata,
    }


def _objects(data: Sequence[dict[str, Any]]) -> tuple[Object, ...]:
    return tuple(object_of(content) for content in data)


def _error(error: _Error | None, id: ObjectId | None = None) -> BuildError | None:
    return None if error is None else BuildError(error.code, error.message, error.file, error.line, id)


def _substituted(result: _Substituted, request: SubstitutionRequest) -> SubstitutionResult:
    objects = _objects(result.objects)
    failed = result.error.object if result.error is not None else None
    # The index -1 is of an object that the controller drops; it is nowhere in the result.
    undefined = ((objects[one.object].id, one.name) for one in result.undefined if one.object >= 0)
    return SubstitutionResult(
        key=result.key,
        objects=objects,
        undefined=tuple(undefined),
        symbols=MappingProxyType({objects[index].id: names for index, names in result.symbols.items() if index >= 0}),
        tokens=MappingProxyType(result.tokens),
        error=_error(result.error, request.objects[failed].id if failed is not None else None),
    )

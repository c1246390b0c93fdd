"""Results of builds as they are kept on disk, and which may be kept there at all."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from flux_handover.model.building import BuildError, BuildResult, SubstitutionResult
from flux_handover.objects import Object, ObjectId, mapping, object_of, parse_id

# They depend on the time a build took, on a bug, or on what a server said.
FLEETING = frozenset({"limit-exceeded", "panic", "remote-failed"})

_SEALED = re.compile(r"(ENC\[[^]]*\]|\$\{\w+\}|x0[0-9a-f]{16}0x)?\s*\Z")


class _Failure(msgspec.Struct, frozen=True):
    code: str
    message: str
    file: str = ""
    line: int = 0
    object: str = ""


class BuildRecord(msgspec.Struct, frozen=True):
    """One result of a build, with the digest of what it read."""

    inputs: str
    reads: frozenset[str]
    objects: msgspec.Raw
    remotes: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    error: _Failure | None = None


class SubstitutionRecord(msgspec.Struct, frozen=True):
    """One result of a substitution."""

    objects: tuple[dict[str, Any], ...]
    undefined: tuple[tuple[str, str], ...]
    symbols: dict[str, frozenset[str]]
    tokens: dict[str, str]
    error: _Failure | None = None


def build_record(result: BuildResult, inputs: str) -> BuildRecord:
    """A result as it is kept."""
    objects = msgspec.Raw(msgspec.json.encode([object.data for object in result.objects], enc_hook=plain))
    return BuildRecord(inputs, result.reads, objects, result.remotes, result.damaged, _failure(result.error))


def build_result(record: BuildRecord) -> BuildResult:
    """The result that was kept; its key is for the reader to set."""
    objects = msgspec.json.decode(record.objects, type=tuple[dict[str, Any], ...])
    made = tuple(object_of(content) for content in objects)
    return BuildResult("", made, record.reads, record.remotes, record.damaged, _error(record.error))


def substitution_record(result: SubstitutionResult) -> SubstitutionRecord:
    """A result as it is kept."""
    return SubstitutionRecord(
        objects=tuple(dict(object.data) for object in result.objects),
        undefined=tuple((id.full, name) for id, name in result.undefined),
        symbols={id.full: names for id, names in result.symbols.items()},
        tokens=dict(result.tokens),
        error=_failure(result.error),
    )


def substitution_result(record: SubstitutionRecord) -> SubstitutionResult:
    """The result that was kept; its key is for the reader to set."""
    return SubstitutionResult(
        key="",
        objects=tuple(object_of(content) for content in record.objects),
        undefined=tuple((parse_id(id), name) for id, name in record.undefined),
        symbols=MappingProxyType({parse_id(id): names for id, names in record.symbols.items()}),
        tokens=MappingProxyType(record.tokens),
        error=_error(record.error),
    )


def plain(value: object) -> object:
    """A mapping that is no dict, as one; for encoding."""
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"a manifest holds a value of type {type(value).__name__}")


def holds_secret_values(objects: Iterable[Object]) -> bool:
    """Whether a Secret has a value that is neither encrypted nor a variable: such a result stays in memory."""
    return any(_is_open(object) for object in objects if object.id.kind == "Secret")


def _is_open(secret: Object) -> bool:
    encoded = (_decoded(value) for value in mapping(secret.data.get("data")).values())
    texts = (str(value) for value in mapping(secret.data.get("stringData")).values())
    return not all(text is not None and _SEALED.match(text) for text in (*encoded, *texts))


def _decoded(value: object) -> str | None:
    text = str(value or "")
    if _SEALED.match(text):
        return text
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _failure(error: BuildError | None) -> _Failure | None:
    if error is None:
        return None
    return _Failure(error.code, error.message, error.file, error.line, error.object.full if error.object else "")


def _error(failure: _Failure | None) -> BuildError | None:
    if failure is None:
        return None
    object: ObjectId | None = parse_id(failure.object) if failure.object else None
    return BuildError(failure.code, failure.message, failure.file, failure.line, object)

"""A zip archive of JSON whose bytes depend on nothing but its content."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

KEPT = frozenset(
    {
        "additionalProperties",
        "allOf",
        "anyOf",
        "default",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "nullable",
        "oneOf",
        "pattern",
        "properties",
        "required",
        "type",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
        "x-kubernetes-preserve-unknown-fields",
    }
)
"""The words of a schema that say which values a field takes; prose and expressions are left behind."""


def encoded(value: Any) -> bytes:
    """`value` as JSON: keys in order, no spaces, so that equal values are equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def address(value: Any) -> str:
    """A short name for a value, equal for equal values."""
    return hashlib.sha256(encoded(value)).hexdigest()[:12]


def packed(entries: Mapping[str, Any]) -> bytes:
    """The archive of `entries` by name; no time, owner or order of insertion gets into it."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(entries):
            header = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            header.compress_type = zipfile.ZIP_DEFLATED
            header.create_system = 3
            header.external_attr = 0o644 << 16
            archive.writestr(header, encoded(entries[name]))
    return buffer.getvalue()


def without_prose(schema: Any) -> Any:
    """A schema without descriptions; a field that is itself called `description` stays."""
    return _rewritten(schema, lambda word: word != "description")


def facts_only(schema: Any) -> Any:
    """Of a schema only which fields there are and which values they take."""
    return _rewritten(schema, lambda word: word in KEPT)


def _rewritten(schema: Any, is_kept: Callable[[str], bool]) -> Any:
    if not isinstance(schema, dict):
        return schema
    return {word: _below(word, value, is_kept) for word, value in schema.items() if is_kept(word)}


def _below(word: str, value: Any, is_kept: Callable[[str], bool]) -> Any:
    match word:
        case "properties":
            return {name: _rewritten(field, is_kept) for name, field in value.items()}
        case "items" | "additionalProperties" | "not":
            return _rewritten(value, is_kept)
        case "allOf" | "anyOf" | "oneOf":
            return [_rewritten(field, is_kept) for field in value]
        case _:
            return value

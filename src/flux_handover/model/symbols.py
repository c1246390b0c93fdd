"""Where a value that is not known would decide something, so that the build is `unknown` (contract K17)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flux_handover.model.flux import FluxKustomization
from flux_handover.model.rendering import Failure
from flux_handover.objects import HELM_GROUP, KUSTOMIZE_GROUP, OPERATOR_GROUP, SOURCE_GROUP, Object, ObjectId

# Values that an application gets, but that decide nothing about what Flux applies or deletes.
_FREE_FIELDS = {
    KUSTOMIZE_GROUP: frozenset({"postBuild", "patches", "images", "commonMetadata"}),
    HELM_GROUP: frozenset({"values", "postRenderers", "valuesFrom", "test"}),
    SOURCE_GROUP: frozenset({"url", "endpoint", "region", "bucketName", "verify", "ignore", "ref"}),
    OPERATOR_GROUP: frozenset({"inputs", "resources", "resourcesTemplate", "commonMetadata"}),
}


def _variable_in(text: str, tokens: Mapping[str, str]) -> str | None:
    return next((name for name, mark in tokens.items() if mark in text), None)


def undecided(
    ks: FluxKustomization,
    objects: Iterable[Object],
    symbols: Mapping[ObjectId, frozenset[str]],
    tokens: Mapping[str, str],
) -> Failure | None:
    """The first field that decides something and whose value is symbolic, as a failure; None if there is none.

    `symbols` are the unknown variables by object, `tokens` what stands for each.
    """
    for object in objects:
        if object.id in symbols:
            for field, text in _decisive(object):
                name = _variable_in(text, tokens)
                if name:
                    return Failure("symbolic-field", f"{field} of a {object.id.kind} of {ks.id} depends on ${{{name}}}")
    return None


def _decisive(object: Object) -> Iterator[tuple[str, str]]:
    id = object.id
    yield from (("apiVersion", id.group), ("kind", id.kind), ("metadata.namespace", id.namespace))
    yield "metadata.name", id.name
    for marks in (object.labels, object.annotations):
        yield from ((str(key), f"{key}={value}") for key, value in marks.items() if "fluxcd.io/" in str(key))
    if id.group in _FREE_FIELDS:
        free = _FREE_FIELDS[id.group]
        yield from ((f"spec.{key}", _text(value)) for key, value in object.spec.items() if key not in free)


def _text(value: Any) -> str:
    return repr(value)

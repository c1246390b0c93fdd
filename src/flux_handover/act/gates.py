"""Gates, looked at: whether each holds in a cluster now, and what was seen.

A gate that no program can evaluate is unknown, and unknown blocks as a gate that does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, assert_never

from flux_handover.adapters.cluster import Manifest
from flux_handover.objects import ObjectId, and_more, id_of, mapping
from flux_handover.plan.conditions import (
    ANY,
    AllReady,
    Condition,
    Every,
    FieldIs,
    Has,
    IsAbsent,
    IsReady,
    NoneHas,
)
from flux_handover.plan.phases import Gate
from flux_handover.proof.obligations import Verdict

SHOWN = 5


class View(Protocol):
    """What a gate needs of a cluster: to look."""

    def get(self, id: ObjectId) -> Manifest | None:
        """One object, or None where it, or its kind, does not exist."""
        ...

    def list(self, group: str, kind: str) -> Sequence[Manifest]:
        """All objects of a kind; none where the kind is not served."""
        ...


@dataclass(frozen=True, slots=True)
class Observation:
    """A gate as it was seen: `missing` says what does not hold, `evidence` what was looked at."""

    gate: Gate
    verdict: Verdict
    evidence: str
    missing: tuple[str, ...] = ()


def observed(gate: Gate, cluster: View) -> Observation:
    """Whether a gate holds now."""
    if gate.looks_for is None:
        return Observation(gate, Verdict.UNKNOWN, "only a person can tell", (gate.condition,))
    missing = tuple(shortfalls(gate.looks_for, cluster))
    if missing:
        return Observation(gate, Verdict.REFUTED, shortened(missing), missing)
    return Observation(gate, Verdict.HOLDS, evidence_of(gate.looks_for, cluster))


def shortened(texts: tuple[str, ...]) -> str:
    """The first few of many."""
    return "; ".join(texts[:SHOWN]) + and_more(len(texts) - SHOWN)


def shortfalls(condition: Condition, cluster: View) -> Iterator[str]:
    """What keeps a condition from holding; nothing where it holds."""
    match condition:
        case Every(conditions):
            for one in conditions:
                yield from shortfalls(one, cluster)
        case AllReady(group, kind, but):
            yield from _unready(_others(cluster.list(group, kind), but))
        case NoneHas(kinds, field, but):
            for group, kind in kinds:
                yield from _having(_others(cluster.list(group, kind), but), field)
        case _:
            yield from _of_one(condition, cluster)


def _of_one(condition: Has | IsReady | IsAbsent, cluster: View) -> Iterator[str]:
    found = cluster.get(condition.id)
    manifest = found or {}
    match condition:
        case IsAbsent(id):
            if found is not None:
                yield f"{id} is there"
        case Has(id) | IsReady(id) if found is None:
            yield f"{id} is not there"
        case IsReady(id, type):
            if not is_true(manifest, type):
                yield f"{id} is not {type}: {said(manifest, type)}"
        case Has():
            yield from _different(condition, manifest)
        case _:
            assert_never(condition)


def _different(condition: Has, found: Manifest) -> Iterator[str]:
    for field in condition.fields:
        if not matches(field, found):
            name = ".".join(map(str, field.path))
            yield f"{condition.id}: {name} is {_shown(values_at(found, field.path))}"
    if condition.observed and not is_observed(found):
        yield f"{condition.id}: its controller has not seen it as it is"


def _shown(values: list[Any]) -> str:
    return ", ".join(map(text_of, values)) or "absent"


def _others(manifests: Iterable[Manifest], but: frozenset[ObjectId]) -> Iterator[Manifest]:
    return (manifest for manifest in manifests if id_of(manifest) not in but)


def _unready(manifests: Iterable[Manifest]) -> Iterator[str]:
    for manifest in manifests:
        if not is_true(manifest, "Ready"):
            yield f"{id_of(manifest)} is not Ready: {said(manifest, 'Ready')}"


def _having(manifests: Iterable[Manifest], field: FieldIs) -> Iterator[str]:
    for manifest in manifests:
        if matches(field, manifest):
            yield f"{id_of(manifest)} has {'.'.join(map(str, field.path))}"


def matches(field: FieldIs, manifest: Manifest) -> bool:
    """Whether a field of an object is as it should be; of several, one suffices."""
    texts = [text for text in map(text_of, values_at(manifest, field.path)) if text]
    if field.pattern is None:
        return not texts
    pattern = re.compile(field.pattern)
    return any(pattern.fullmatch(text) for text in texts)


def values_at(value: Any, path: tuple[str | int, ...]) -> list[Any]:
    """Everything that a path leads to."""
    if not path:
        return [] if value is None else [value]
    first, *rest = path
    if first == ANY:
        return [found for one in value or () for found in values_at(one, tuple(rest))]
    if isinstance(first, int):
        inside = value[first] if isinstance(value, list) and len(value) > first else None
    else:
        inside = mapping(value).get(first)
    return values_at(inside, tuple(rest))


def text_of(value: Any) -> str:
    """A value as kubectl would print it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_true(manifest: Manifest, type: str) -> bool:
    """Whether a condition is True, for the object as it is now where the condition says for which."""
    generation = mapping(manifest.get("metadata")).get("generation")
    found = condition_of(manifest, type)
    seen = found.get("observedGeneration", mapping(manifest.get("status")).get("observedGeneration", generation))
    return found.get("status") == "True" and seen == generation


def is_observed(manifest: Manifest) -> bool:
    """Whether the controller has seen the object as it is now."""
    return mapping(manifest.get("metadata")).get("generation") == mapping(manifest.get("status")).get(
        "observedGeneration"
    )


def condition_of(manifest: Manifest, type: str) -> Manifest:
    """The condition of a type, empty where there is none."""
    conditions = mapping(manifest.get("status")).get("conditions") or ()
    return next((mapping(one) for one in conditions if one.get("type") == type), {})


def said(manifest: Manifest, type: str) -> str:
    """What a condition says, in one short line; a controller's message never quotes a Secret's value."""
    found = condition_of(manifest, type)
    return " ".join(f"{found.get('reason', 'nothing said')} {found.get('message', '')}".split())[:300]


def _fields_of(condition: Has, found: Mapping[str, Any]) -> str:
    told = (f"{field.path[-1]} {_shown(values_at(found, field.path))}" for field in condition.fields)
    return f"{condition.id}: {', '.join(told)}" if condition.fields else f"{condition.id} exists"


def evidence_of(condition: Condition, cluster: View) -> str:
    """What was seen where a condition holds."""
    match condition:
        case Every(conditions):
            return shortened(tuple(evidence_of(one, cluster) for one in conditions))
        case AllReady(group, kind, but):
            return f"{len(list(_others(cluster.list(group, kind), but)))} of {kind} are Ready"
        case NoneHas(kinds):
            return f"none of {sum(len(cluster.list(*kind)) for kind in kinds)} objects"
        case IsAbsent(id):
            return f"{id} is absent"
        case IsReady(id, type):
            return f"{id} is {type}"
        case Has():
            return _fields_of(condition, cluster.get(condition.id) or {})
        case _:
            assert_never(condition)

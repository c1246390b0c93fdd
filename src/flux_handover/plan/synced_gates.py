"""What must be seen before the source and the root leave Git: the operator has both, as they were."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from flux_handover.model.rendering import Cluster
from flux_handover.objects import Object, ObjectId
from flux_handover.plan.conditions import Every, FieldIs, Has
from flux_handover.plan.gates import OWNERSHIP, all_ready, owned
from flux_handover.plan.phases import Gate
from flux_handover.plan.resources import KUSTOMIZATIONS, SOURCES
from flux_handover.plan.target import Target

_SHOWN = 12


def before_sync(cluster: Cluster, target: Target) -> tuple[Gate, ...]:
    """Both objects belong to the operator, and the live ones have every plain field that they had (E5)."""
    root = cluster.builds[cluster.root].ks
    source = cluster.sources[root.source].object
    pairs = ((KUSTOMIZATIONS, root.object), (SOURCES.get(source.id.kind, ""), source))
    gates = (
        gate for kind, object in pairs for gate in (_adopted(kind, object, target), *kept(kind, object, object.id))
    )
    return (*gates, *all_ready("after the operator took them over"))


def _adopted(kind: str, object: Object, target: Target) -> Gate:
    id, instance = object.id, target.instance_id.name
    return Gate(
        id=f"synced-{id.kind.lower()}",
        object=id,
        condition=f"the operator owns {id}, and kustomize-controller does not",
        command=f"kubectl -n {id.namespace} get {kind} {id.name} -o jsonpath='{OWNERSHIP}'",
        expect=f"{instance} [] Disabled",
        why="what still carries the label of the root would be deleted by it, and everything with it",
        looks_for=owned(id, instance),
    )


def kept(kind: str, object: Object, id: ObjectId, but: Collection[str] = ()) -> Iterator[Gate]:
    """The fields whose loss would change what is applied, as `id` has them; fields in `but` are left out.

    Lists and secrets' contents are not compared here.
    """
    spec = {key: value for key, value in object.spec.items() if key not in but}
    plain = tuple(_plain(spec, ("spec",)))[:_SHOWN]
    if plain:
        paths = " ".join(f"{{.{'.'.join(path)}}}" for path, _ in plain)
        yield Gate(
            id=f"restored-{id.kind.lower()}",
            object=id,
            condition=f"the live {id} has the fields that it had in Git",
            command=f"kubectl -n {id.namespace} get {kind} {id.name} -o jsonpath='{paths}'",
            expect=" ".join(value for _, value in plain),
            why="the operator drops every field that neither its template nor a patch has",
            looks_for=_having(id, plain),
        )


def _having(id: ObjectId, plain: tuple[tuple[tuple[str, ...], str], ...]) -> Every:
    return Every((Has(id, tuple(FieldIs(path, re.escape(value)) for path, value in plain)),))


def _plain(fields: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Fields with one plain value; durations, which the API spells anew, and the reference are left out."""
    for key, value in fields.items():
        match value:
            case Mapping() if key not in ("ref", "substitute"):
                yield from _plain(value, (*path, key))
            case bool():
                yield (*path, key), str(value).lower()
            case str() | int() if _is_simple(key, str(value)):
                yield (*path, key), str(value)
            case _:
                pass


def _is_simple(key: str, value: str) -> bool:
    return re.fullmatch(r"[\w./:@-]+", value) is not None and not key.endswith(("nterval", "imeout"))

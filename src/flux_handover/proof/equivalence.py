"""What changed between two renderings of a cluster, object by object and field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.objects import Object, ObjectId, by_id


@dataclass(frozen=True, slots=True)
class Change:
    """One object that two renderings do not share; `fields` are the paths that differ, none where it came or went."""

    id: ObjectId
    owner: ObjectId
    kind: str
    fields: tuple[str, ...] = ()


ADDED, REMOVED, CHANGED = "added", "removed", "changed"


def changes(before: Cluster, after: Cluster) -> Iterator[Change]:
    """Every difference of what the two clusters render; builds that are the same on both sides have none.

    A root that got another name is compared with the one before it. What is suspended beside a root applies nothing.
    """
    renamed = after.successor_of(before)
    for id in sorted(before.builds.keys() | after.builds.keys()):
        if id in renamed.values():
            continue
        old, new = _applied(before, renamed.get(id, id)), _applied(after, id)
        if not (old and new and is_unchanged(old, new)):
            yield from _changes(id, _objects(old), _objects(new))


def _applied(cluster: Cluster, id: ObjectId) -> Build | None:
    """A build as far as Flux applies it: not what is suspended beside the root."""
    build = cluster.builds.get(id)
    return build if build is not None and (build.is_applied or id == cluster.root) else None


def is_unchanged(old: Build, new: Build) -> bool:
    """Whether a build certainly gives what it gave: equal inputs give an equal result, known or not (rules.md R8)."""
    return old.inputs == new.inputs and old.status is new.status


def unknown_changes(before: Cluster, after: Cluster) -> Iterator[Build]:
    """Builds whose result is not known and whose inputs changed: nothing can be said of them."""
    for id, new in after.builds.items():
        old = before.builds.get(id)
        if new.status is BuildStatus.UNKNOWN and not (old and is_unchanged(old, new)):
            yield new


def _objects(build: Build | None) -> Mapping[ObjectId, Object]:
    return by_id(build.present) if build else {}


def _changes(owner: ObjectId, old: Mapping[ObjectId, Object], new: Mapping[ObjectId, Object]) -> Iterator[Change]:
    for id in sorted(old.keys() | new.keys()):
        if id not in new:
            yield Change(id, owner, REMOVED)
        elif id not in old:
            yield Change(id, owner, ADDED)
        elif old[id].data != new[id].data:
            yield Change(id, owner, CHANGED, tuple(sorted(differing(old[id].data, new[id].data))))


def dotted(field: Iterable[str | int]) -> str:
    """A path inside a document: `spec.patches[2].patch`."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in field)
    return "".join(parts).lstrip(".")


def differing(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The paths of fields that differ, as deep as both sides have the same shape."""
    match old, new:
        case Mapping(), Mapping():
            yield from _differing_fields(old, new, path)
        case list(), list() if len(old) == len(new):
            for index, (one, other) in enumerate(zip(old, new, strict=True)):
                yield from differing(one, other, f"{path}[{index}]")
        case _ if old != new:
            yield path
        case _:
            pass


def _differing_fields(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[str]:
    for key in old.keys() | new.keys():
        below = f"{path}.{key}" if path else str(key)
        if key not in old or key not in new:
            yield below
        else:
            yield from differing(old[key], new[key], below)

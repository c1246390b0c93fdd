"""What happened against what was announced: pure, over the record of a phase.

Every deletion that was announced happened, and none else; nothing that was there before was made anew. What
controllers write for themselves (pods, releases' histories, charts fetched for a release) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flux_handover.adapters.recorder import Change, Happened
from flux_handover.objects import SOURCE_GROUP, ObjectId, names

BOOKKEEPING = re.compile(r"sh\.helm\.release\.v1\..*|.*\.fluxcd\.io|kube-root-ca\.crt")
BOOKKEEPING_KINDS = frozenset({("", "Secret"), ("", "ConfigMap")})
CONTROLLED_KINDS = frozenset({("apps", "ReplicaSet"), ("", "Pod"), (SOURCE_GROUP, "HelmChart")})


@dataclass(frozen=True, slots=True)
class Happenings:
    """What a phase did to the objects of the cluster, each list sorted."""

    created: tuple[ObjectId, ...]
    changed: tuple[ObjectId, ...]
    deleted: tuple[ObjectId, ...]
    recreated: tuple[ObjectId, ...]


def happenings(changes: Iterable[Change]) -> Happenings:
    """The objects to which each sort of thing happened; what came and went meanwhile is both."""
    found: dict[Happened, set[ObjectId]] = {happened: set() for happened in Happened}
    for change in changes:
        if not is_bookkeeping(change):
            found[change.happened].add(change.id)
    changed = found[Happened.CHANGED] - found[Happened.CREATED]
    return Happenings(
        tuple(sorted(found[Happened.CREATED])),
        tuple(sorted(changed)),
        tuple(sorted(found[Happened.DELETED])),
        tuple(sorted(found[Happened.RECREATED])),
    )


def is_bookkeeping(change: Change) -> bool:
    """Whether a controller keeps the object for itself."""
    key = (change.id.group, change.id.kind)
    if change.controlled or key in CONTROLLED_KINDS:
        return True
    return key in BOOKKEEPING_KINDS and BOOKKEEPING.fullmatch(change.id.name) is not None


@dataclass(frozen=True, slots=True)
class Announced:
    """What a step may do: `deleted` must go; `brought` may go, and `returning` may come back."""

    deleted: frozenset[ObjectId] = frozenset()
    brought: frozenset[ObjectId] = frozenset()
    returning: frozenset[ObjectId] = frozenset()


def disagreements(seen: Happenings, announced: Announced) -> tuple[str, ...]:
    """Where the cluster did something else than was announced."""
    deleted = set(seen.deleted) - announced.brought
    problems = []
    if missing := announced.deleted - deleted:
        problems.append(f"announced, but not deleted: {names(missing)}")
    if surprising := deleted - announced.deleted:
        problems.append(f"deleted, but not announced: {names(surprising)}")
    if again := set(seen.recreated) - announced.brought - announced.returning:
        problems.append(f"deleted and made anew: {names(again)}")
    return tuple(problems)


def replaced(before: Mapping[ObjectId, str], after: Mapping[ObjectId, str]) -> tuple[ObjectId, ...]:
    """Objects that are there on both sides, but are not the same object any more."""
    return tuple(sorted(id for id, uid in before.items() if after.get(id, uid) != uid))

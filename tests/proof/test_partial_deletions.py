"""A prune and a finalizer delete one object after the other: another owner may take over some of them in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proof.random_worlds import random_case
from proof.worlds import Fleet, Paths, config, ks, kustomization, namespace, plain, push

from flux_handover.objects import ObjectId
from flux_handover.proof.exploration import all_moves
from flux_handover.proof.reconcile_cluster import Program
from flux_handover.proof.reduction import parts
from flux_handover.proof.scope import objects_of
from flux_handover.proof.settle import is_at_rest
from flux_handover.proof.world import Environment, World

A, B, C = config("a"), config("b"), config("c")
Ids = frozenset[ObjectId]
Ending = tuple[frozenset[ObjectId], Ids]


def endings(world: World, environment: Environment, program: Program, limit: int = 20_000) -> frozenset[Ending] | None:
    """What is there at rest and what was deleted before, in every order; None where there are too many."""
    first = (world, Ids())
    seen, waiting, found = {first}, deque([first]), set[Ending]()
    while waiting:
        if len(seen) > limit:
            return None
        now, gone = waiting.popleft()
        for move in all_moves(now, environment, program):
            reached = move.world, gone | {deletion.id for deletion in move.deletions}
            if reached not in seen:
                seen.add(reached)
                waiting.append(reached)
        if now.step == len(program) and is_at_rest(now, environment):
            found.add((frozenset(now.live), gone))
    return frozenset(found)


def deleted(fleet: Fleet, shared: Iterable[ObjectId]) -> set[Ids]:
    found = endings(fleet.start(), replace(fleet.environment, shared=frozenset(shared)), (push(),))
    assert found is not None
    return {gone for _, gone in found}


def moved() -> Fleet:
    """Two objects go from one Kustomization to another, and a third one goes for good."""
    fleet = Fleet().at("root", "1", [kustomization("old"), kustomization("new")])
    fleet.at("old", "1", [plain(A), plain(B), plain(C)]).at("new", "1", [])
    return fleet.at("old", "2", []).at("new", "2", [plain(A), plain(B)])


def owner_goes() -> Fleet:
    """The same, while the old Kustomization itself leaves, so that its finalizer deletes."""
    return moved().at("old", "2", [plain(A), plain(B), plain(C)]).at("root", "2", [kustomization("new")])


def test_any_part_of_what_another_owner_takes_over_may_be_pruned_before() -> None:
    assert deleted(moved(), {A, B}) == {Ids({C}), Ids({A, C}), Ids({B, C}), Ids({A, B, C})}


def test_any_part_may_be_deleted_by_a_finalizer_before() -> None:
    old = ks("old")

    assert deleted(owner_goes(), {A, B}) == {Ids({old, C}), Ids({old, A, C}), Ids({old, B, C}), Ids({old, A, B, C})}


@pytest.mark.parametrize("fleet", [moved(), owner_goes()])
def test_what_nobody_else_applies_is_deleted_at_once(fleet: Fleet) -> None:
    """Nobody can tell, and the search stays small."""
    assert len(deleted(fleet, ())) == 2


def test_what_another_owner_of_the_part_applies_is_shared_in_a_reduced_world() -> None:
    apart = moved().at("new", "2", [plain(A), plain(B), plain(namespace("shop"))])
    (part,) = parts(apart.start(), apart.environment, (push(),))

    assert part.owners >= {ks("old"), ks("new")}
    assert part.environment.shared == {A}
    assert part.alike[A] == {A, B}


def test_what_only_its_owner_applies_is_not_shared_in_a_reduced_world() -> None:
    alone = moved().at("new", "2", [])

    assert {part.environment.shared for part in parts(alone.start(), alone.environment, (push(),))} == {Ids()}


@settings(max_examples=8, deadline=None)
@given(st.integers(min_value=1_000, max_value=1_000_000))
def test_one_by_one_has_every_ending_that_all_at_once_has(seed: int) -> None:
    case = random_case(Random(seed))
    renders = case.environment.renders
    assert isinstance(renders, Paths)
    every = frozenset(object.id for build in renders.builds.values() for object in objects_of(build))

    at_once = endings(case.world, case.environment, case.program, limit=2_000)
    one_by_one = endings(case.world, replace(case.environment, shared=every), case.program, limit=10_000)

    assert at_once is None or one_by_one is None or at_once <= one_by_one

"""Laws of the judge, on random small clusters."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from proof.random_worlds import OBJECTS, Case, crowded_case, random_case
from proof.worlds import Paths

from flux_handover.objects import ObjectId
from flux_handover.proof.exploration import all_moves, explore
from flux_handover.proof.reconcile import How
from flux_handover.proof.reconcile_cluster import Push
from flux_handover.proof.reconcile_kustomization import is_idle, started, waits_for, whole
from flux_handover.proof.series import outcome_of
from flux_handover.proof.settle import settled
from flux_handover.proof.table import Table
from flux_handover.proof.world import ApplyFailed, Build, Built, KustomizationSpec, Mark, World

ENOUGH = 20_000
KEEPS = (Mark.PRUNE_DISABLED, Mark.RECONCILE_DISABLED)
SEEDS = st.integers(min_value=1_000, max_value=1_000_000)


def agrees(seed: int) -> bool:
    case = random_case(Random(seed))
    return case.brute_force(ENOUGH) in (None, outcome_of(case.world, case.program, case.environment).deleted)


def test_the_reduced_search_agrees_with_brute_force_on_some_seeded_worlds() -> None:
    assert [seed for seed in range(10) if not agrees(seed)] == []


@pytest.mark.slow
def test_the_reduced_search_agrees_with_brute_force_on_500_seeded_worlds() -> None:
    assert [seed for seed in range(500) if not agrees(seed)] == []


def agrees_with_pins(seed: int) -> bool:
    """As `agrees`, where somebody else wrote opt-outs on some objects, which kustomize-controller leaves alone."""
    random = Random(seed)
    case = random_case(random)
    pins = {id: frozenset({random.choice(KEEPS)}) for id in case.world.live if random.random() < 0.3}
    live = {id: replace(one, pinned=one.pinned | pins.get(id, frozenset())) for id, one in case.world.live.items()}
    world = replace(case.world, live=Table(live))
    found = explore((world,), case.environment, case.program, limit=ENOUGH)
    return not found.complete or found.deletions.keys() == outcome_of(world, case.program, case.environment).deleted


def test_opt_outs_that_others_wrote_hide_no_deletion_in_some_worlds() -> None:
    assert [seed for seed in range(10) if not agrees_with_pins(seed)] == []


@pytest.mark.slow
def test_opt_outs_that_others_wrote_hide_no_deletion_in_200_worlds() -> None:
    assert [seed for seed in range(200) if not agrees_with_pins(seed)] == []


CROWDED = 15_000


def agrees_in_a_crowd(seed: int) -> bool:
    case = crowded_case(Random(seed))
    return case.brute_force(CROWDED) in (None, outcome_of(case.world, case.program, case.environment).deleted)


@pytest.mark.slow
def test_owners_that_stand_for_each_other_hide_no_deletion() -> None:
    assert [seed for seed in range(4) if not agrees_in_a_crowd(seed)] == []


@pytest.mark.slow
def test_owners_that_stand_for_each_other_hide_no_deletion_in_many_worlds() -> None:
    assert [seed for seed in range(100) if not agrees_in_a_crowd(seed)] == []


@pytest.mark.parametrize("seed", [161, 211, 284])
def test_worlds_that_were_once_judged_otherwise_than_by_brute_force(seed: int) -> None:
    """A parent that brings one child before it prunes the other; a Namespace that goes with what others make in it."""
    assert agrees(seed)


def test_few_seeded_worlds_are_too_large_for_brute_force() -> None:
    decided = [random_case(Random(seed)).brute_force(ENOUGH) is not None for seed in range(10)]

    assert sum(decided) > 7


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_the_reduced_search_agrees_with_brute_force(seed: int) -> None:
    assert agrees(seed)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.sampled_from(OBJECTS))
def test_protecting_an_object_everywhere_never_adds_a_deletion(seed: int, id: ObjectId) -> None:
    case = random_case(Random(seed))
    shielded = _protected(case, id)

    before = outcome_of(case.world, case.program, case.environment)
    after = outcome_of(shielded.world, shielded.program, shielded.environment)

    assert after.deleted <= before.deleted
    assert not any(loss.id == id and loss.deletion.how in (How.PRUNE, How.FINALIZER) for loss in after.losses)


def _protected(case: Case, id: ObjectId) -> Case:
    """The same case with `prune: disabled` on an object, live and in every build."""
    renders = case.environment.renders
    assert isinstance(renders, Paths)
    builds = {key: _marked(build, id) for key, build in renders.builds.items()}
    live = {
        other: replace(one, pinned=one.pinned | {Mark.PRUNE_DISABLED}) if other == id else one
        for other, one in case.world.live.items()
    }
    world = replace(case.world, live=Table(live))
    return Case(world, replace(case.environment, renders=Paths(builds)), case.program)


def _marked(build: Build, id: ObjectId) -> Build:
    if not isinstance(build, Built | ApplyFailed):
        return build
    objects = tuple(replace(o, marks=o.marks | {Mark.PRUNE_DISABLED}) if o.id == id else o for o in build.objects)
    return replace(build, objects=objects)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_what_the_plain_order_deletes_is_among_what_any_order_deletes(seed: int) -> None:
    case = random_case(Random(seed))
    (step,) = case.program
    assert isinstance(step.action, Push)
    heads = dict(step.action.heads)

    rest = settled(replace(case.world, heads=case.world.heads.put_all(heads)), case.environment)

    assert {one.id for one in rest.deletions} <= outcome_of(case.world, case.program, case.environment).deleted


@settings(max_examples=30, deadline=None)
@given(SEEDS)
def test_a_kustomization_is_idle_where_its_reconcile_changes_nothing(seed: int) -> None:
    """The short answer and the long one, along a random walk; the short one may miss, but never say idle too much."""
    choice = Random(seed)
    case = random_case(choice)
    world, agreed = case.world, 0
    for _ in range(20):
        for id in idle_or_not(world):
            same = whole(started(world, id), case.environment, id).world == world
            assert same or not is_idle(world, case.environment, id)
            agreed += same == is_idle(world, case.environment, id)
        moves = tuple(all_moves(world, case.environment, case.program))
        if not moves:
            break
        world = choice.choice(moves).world
    assert agreed


def idle_or_not(world: World) -> tuple[ObjectId, ...]:
    """The Kustomizations that could reconcile now."""
    known = (id for id, live in world.live.items() if isinstance(live.spec, KustomizationSpec))
    return tuple(id for id in known if id not in world.runs and not waits_for(world, id))


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_settling_twice_is_settling_once(seed: int) -> None:
    case = random_case(Random(seed))
    once = settled(case.world, case.environment)

    twice = settled(once.world, case.environment)

    assert not once.rests or (twice.world, twice.moves) == (once.world, ())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3) | st.none()), max_size=12))
def test_a_table_is_its_entries_however_they_came(changes: list[tuple[int, int | None]]) -> None:
    table: Table[int, int] = Table()
    entries: dict[int, int] = {}
    for key, value in changes:
        if value is None:
            table = table.drop(key)
            entries.pop(key, None)
        else:
            table = table.put(key, value)
            entries[key] = value

    assert table == Table(entries)
    assert hash(table) == hash(Table(dict(reversed(entries.items()))))
    assert dict(table) == entries

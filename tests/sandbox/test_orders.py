"""What the model says of an order; that the controllers do it is seen in test_worlds.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox.forcing import Twin
from sandbox.judging import Ending, Ids, Outcome, Series, series_of
from sandbox.orders import Order, Turn, Withheld, expected_of, two_orders
from sandbox.repertoire import WRITTEN
from sandbox.theatre import FLUX
from sandbox.worlds import World

from flux_handover.adapters.engine import Engine
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as running:
        yield running


def named(name: str) -> World:
    return next(world for world in WRITTEN if world.name == name)


def ks(world: World, name: str) -> ObjectId:
    return ObjectId(KUSTOMIZE_GROUP, "Kustomization", world.namespace, name)


def deleted(series: Series, order: Order) -> set[frozenset[str]]:
    """The names of what an order deletes, for each way in which it may end."""
    outcomes = expected_of(series, {series.start}, 1, order)
    return {frozenset(id.name for id in outcome.deleted) for outcome in outcomes}


@pytest.mark.parametrize(("held", "expected"), [("one", frozenset[str]()), ("two", frozenset({"a"}))])
def test_who_is_first_decides_what_becomes_of_a_moved_object(
    held: str, expected: frozenset[str], engine: Engine
) -> None:
    world = named("moved")

    found = deleted(series_of(world, engine, FLUX), Order((Turn((ks(world, held),)),)))

    assert found == {expected}


def test_an_object_is_not_pruned_once_another_root_has_it(engine: Engine) -> None:
    world = named("second-root-at-once")
    keeps = Order((Turn((ks(world, "root"),), Withheld.DELETIONS),))

    assert deleted(series_of(world, engine, FLUX), keeps) == {frozenset()}


def test_an_order_that_nobody_can_keep_leads_nowhere(engine: Engine) -> None:
    world = named("moved")
    absent = Order((Turn((ks(world, "one"),)),), last=ks(world, "three"))

    assert deleted(series_of(world, engine, FLUX), absent) == set()


def test_a_world_with_one_outcome_has_no_two_orders(engine: Engine) -> None:
    assert two_orders(series_of(named("leaving"), engine, FLUX)) == ()


def test_a_copy_is_told_in_the_names_of_the_world() -> None:
    world = named("definition-kept")
    twin = Twin(world, world.again("order-1"))
    ids = Ids({ks(world, "apps"), ObjectId(f"{world.namespace}.example.org", "Toy", world.namespace, "t")})
    outcome = Outcome(Ending(ids, Ids(), Ids()), ids)

    theirs = Ids(map(twin.theirs, ids))

    assert theirs.isdisjoint(ids)
    assert twin.ours(Outcome(Ending(theirs, Ids(), Ids()), theirs)) == outcome

"""What may be deleted: too much rather than too little, but no more than an order could."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proof.worlds import INSTANCE_CRD, Fleet, config, instance, ks, kustomization, namespace, plain, push, source

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile_cluster import Action, Remove, Unmark, UserStep
from flux_handover.proof.scope import scope_of
from flux_handover.proof.vanishing import vanishing
from flux_handover.proof.world import DeletionPolicy, KustomizationSpec, Mark, World


def may_go(fleet: Fleet, *actions: Action, world: World | None = None) -> frozenset[ObjectId]:
    program = (push(), *map(UserStep, actions))
    return vanishing(scope_of(world or fleet.start(), fleet.environment, program), program)


def test_what_leaves_a_pruning_owner_may_go() -> None:
    fleet = Fleet().at("root", "1", [plain(config("a")), plain(config("b"))]).at("root", "2", [plain(config("b"))])

    assert may_go(fleet) == {config("a")}


def test_what_only_comes_never_goes() -> None:
    fleet = Fleet().at("root", "1", []).at("root", "2", [plain(config("a")), kustomization("apps")])
    fleet.at("apps", "2", [plain(config("b"))])

    assert may_go(fleet) == frozenset()


def test_nothing_goes_from_an_owner_that_never_prunes() -> None:
    quiet = KustomizationSpec(source(), prune=False)
    fleet = Fleet().at("root", "1", [kustomization("apps", quiet)])
    fleet.at("apps", "1", [plain(config("a"))]).at("apps", "2", [])

    assert may_go(fleet) == frozenset()


def test_what_a_finalizer_may_take_goes_with_its_owner() -> None:
    for policy, goes in ((DeletionPolicy.MIRROR, True), (DeletionPolicy.ORPHAN, False), (DeletionPolicy.DELETE, True)):
        spec = KustomizationSpec(source(), policy=policy)
        fleet = Fleet().at("root", "1", [kustomization("apps", spec)]).at("root", "2", [])
        fleet.at("apps", "1", [plain(config("a"))])

        assert may_go(fleet) == ({ks("apps"), config("a")} if goes else {ks("apps")})


def test_a_namespace_takes_what_is_in_it() -> None:
    fleet = Fleet().at("root", "1", [plain(namespace("shop"))]).at("root", "2", [])
    fleet.at("root", "1", [plain(namespace("shop")), kustomization("apps")]).at("root", "2", [kustomization("apps")])
    fleet.at("apps", "1", [plain(config("a", "shop")), plain(config("a", "other"))])

    assert config("a", "shop") in may_go(fleet)
    assert config("a", "other") not in may_go(fleet)


def test_what_a_person_removes_goes() -> None:
    fleet = Fleet().at("root", "1", [plain(config("a"))])

    assert may_go(fleet, Remove(config("a"))) == {config("a")}


def leaving(*keeps: Mark) -> tuple[Fleet, World]:
    """A fleet whose root lets go of an object on which somebody else wrote these opt-outs."""
    fleet = Fleet().at("root", "1", [plain(config("a"))]).at("root", "2", [])
    world = fleet.start()
    live = replace(world.live[config("a")], pinned=frozenset(keeps))
    return fleet, replace(world, live=world.live.put(config("a"), live))


def test_an_opt_out_that_nobody_takes_off_keeps_an_object() -> None:
    fleet, world = leaving(Mark.PRUNE_DISABLED)

    assert may_go(fleet, world=world) == frozenset()
    assert may_go(fleet, Unmark(config("a"), frozenset({Mark.PRUNE_DISABLED})), world=world) == {config("a")}


def test_an_opt_out_that_does_not_stop_a_prune_keeps_nothing() -> None:
    fleet, world = leaving(Mark.SSA_IGNORE)

    assert may_go(fleet, world=world) == {config("a")}


@pytest.mark.parametrize(("operator", "goes"), [("0.58.1", False), ("0.20.0", True)])
def test_an_opt_out_that_the_operator_does_not_write_again_keeps_nothing(operator: str, goes: bool) -> None:
    fleet, _ = leaving()
    fleet.operator = operator
    fleet.at("root", "1", [plain(config("a")), instance()]).at("root", "2", [instance()])
    fleet.chart("components", plain(config("a")))
    world = fleet.start(plain(INSTANCE_CRD))
    live = replace(world.live[config("a")], pinned=frozenset({Mark.PRUNE_DISABLED}))
    world = replace(world, live=world.live.put(config("a"), live))

    assert (config("a") in may_go(fleet, world=world)) is goes

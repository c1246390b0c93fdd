"""Every order, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from proof.handover import REVISIONS, handover
from proof.worlds import (
    INSTANCE_CRD,
    KUSTOMIZE_CONTROLLER,
    Fleet,
    config,
    controller,
    git,
    instance,
    ks,
    kustomization,
    namespace,
    plain,
    push,
    source,
)

from flux_handover.proof.exploration import Found, Reachable, explore
from flux_handover.proof.reconcile import Deletion
from flux_handover.proof.reconcile_cluster import Annotate, Push, Remove, UserStep, acted
from flux_handover.proof.reconcile_kustomization import started, whole
from flux_handover.proof.series import outcome_of
from flux_handover.proof.settle import is_at_rest, settled
from flux_handover.proof.world import Desired, KustomizationSpec, Mark, World


def reach(fleet: Fleet, *program: UserStep, crashes: int = 0) -> Reachable:
    return explore((fleet.start(crashes=crashes),), fleet.environment, program)


def events(found: Found) -> list[str]:
    return [step.event for step in found.trace]


def moving() -> Fleet:
    fleet = Fleet().at("root", "1", [kustomization("old"), kustomization("new")])
    fleet.at("old", "1", [plain(config("a"))]).at("new", "1", [])
    return fleet.at("old", "2", []).at("new", "2", [plain(config("a"))])


def test_both_orders_of_a_move_are_found() -> None:
    found = reach(moving(), push())

    ends = {world.live[config("a")].owner for world in found.settled}
    assert set(found.deletions) == {config("a")}
    assert ends == {ks("new")}


def test_a_trace_is_a_shortest_one() -> None:
    found = reach(moving(), push())

    assert len(found.deletions[config("a")].path) == 5


def test_a_slow_apply_of_the_old_revision_takes_a_moved_object_back() -> None:
    """`old` read revision 1, `new` applies revision 2, `old` applies late and then prunes what is its own again."""
    fleet = moving()
    after = explore((_taken(fleet),), fleet.environment)

    path = [move.world for _, move in after.deletions[config("a")].path]
    assert _taken(fleet).live[config("a")].owner == ks("new")
    assert ks("old") in {world.live[config("a")].owner for world in path if config("a") in world.live}


def _taken(fleet: Fleet) -> World:
    """`old` is in the middle of revision 1 when `new` has applied revision 2."""
    world = started(fleet.start(), ks("old")).world
    world = replace(world, heads=world.heads.put("fleet", "2"), artifacts=world.artifacts.put(source(), "2"))
    return whole(started(world, ks("new")), fleet.environment, ks("new")).world


def test_two_sources_are_met_at_different_revisions() -> None:
    fleet = Fleet(origins=("fleet", "other")).at("root", "1", [git("other", "other"), kustomization("old"), _other()])
    fleet.at("old", "1", [plain(config("a"))]).at("new", "1", []).at("old", "2", []).at(
        "new", "2", [plain(config("a"))]
    )
    found = reach(fleet, push("2", "fleet", "other"))

    last = found.deletions[config("a")].path[-1][0]
    assert (last.artifacts[source()], last.artifacts[source("other")]) == ("2", "1")


def _other() -> Desired:
    return kustomization("new", KustomizationSpec(source("other")))


def test_a_crash_between_apply_and_inventory_loses_nothing_more() -> None:
    quiet, crashing = (reach(moving(), push(), crashes=n) for n in (0, 1))

    assert set(quiet.deletions) == set(crashing.deletions)
    assert crashing.states > quiet.states


def test_a_push_may_supersede_one_that_nobody_saw() -> None:
    """Revision 2 protects what revision 3 removes; without waiting, revision 2 may never be applied."""
    fleet = Fleet().at("root", "1", [kustomization("apps")]).at("apps", "1", [plain(config("a"))])
    fleet.at("apps", "2", [plain(config("a"), Mark.PRUNE_DISABLED)]).at("apps", "3", [])
    seen = UserStep(push("3").action, frozenset({config("a")}), _is_protected)

    assert set(reach(fleet, push("2"), push("3")).deletions) == {config("a")}
    assert set(reach(fleet, push("2"), seen).deletions) == set()


def _is_protected(world: World) -> bool:
    return Mark.PRUNE_DISABLED in world.live[config("a")].opt_outs


def test_a_parent_and_its_child_come_in_any_order() -> None:
    off = kustomization("apps", KustomizationSpec(source(), prune=False))
    fleet = Fleet().at("root", "1", [kustomization("apps")]).at("root", "2", [off])
    fleet.at("apps", "1", [plain(config("a"))]).at("apps", "2", [])
    found = reach(fleet, push())

    assert config("a") in found.deletions
    assert any(config("a") in world.live for world in found.settled)


def test_a_gone_controller_leaves_the_cascade_armed() -> None:
    fleet = Fleet().hosting().at("root", "1", [kustomization("flux"), kustomization("apps")])
    fleet.at("flux", "1", [controller()]).at("apps", "1", [plain(config("a"))])
    fleet.at("root", "2", [])
    found = reach(fleet, push())

    assert any(world.live[ks("apps")].deleting for world in found.settled if ks("apps") in world.live)
    assert any(ks("apps") not in world.live for world in found.settled)


def test_the_brake_stops_a_cascade_that_has_begun() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps")]).at("apps", "1", [plain(config("a"))])
    removed = UserStep(Remove(ks("apps")))
    doomed = acted(fleet.start(), removed.action).world
    braked = acted(doomed, Annotate(ks("apps"), frozenset({Mark.SUSPENDED}))).world

    assert config("a") in explore((doomed,), fleet.environment).deletions
    assert config("a") not in explore((braked,), fleet.environment).deletions


def test_settled_worlds_are_at_rest_and_hold_the_plain_order() -> None:
    fleet = moving()
    world = fleet.start()
    found = explore((world,), fleet.environment, (push(),))
    plain_order = settled(replace(world, heads=world.heads.put("fleet", "2"), step=1), fleet.environment)

    assert all(is_at_rest(world, fleet.environment) for world in found.settled)
    assert plain_order.world in found.settled


def test_an_incomplete_search_says_so() -> None:
    fleet = moving()

    assert not explore((fleet.start(),), fleet.environment, (push(),), limit=3).complete


def test_nothing_happens_to_a_cluster_at_rest() -> None:
    fleet = moving()
    found = reach(fleet)

    assert found.deletions == {}
    assert found.settled == {fleet.start()}


def test_an_adoption_and_an_old_owner_that_reconcile_at_once_lose_nothing() -> None:
    fleet = Fleet().hosting().at("root", "1", [kustomization("flux")]).at("flux", "1", [controller()])
    fleet.at("root", "2", [kustomization("flux"), kustomization("instance")]).at("instance", "2", [instance()])
    fleet.chart("components", controller())
    found = explore((fleet.start(plain(INSTANCE_CRD), crashes=1),), fleet.environment, (push(),))

    owners = {(world.live[KUSTOMIZE_CONTROLLER].owner, found.complete) for world in found.settled}
    assert found.deletions == {}
    assert owners == {(None, True)}


def test_every_phase_of_a_handover_is_explored_completely_with_few_states() -> None:
    fleet, world = handover(20, 9)
    states = []

    for name in REVISIONS:
        program = (UserStep(Push((("fleet", name), ("manifests", "1")))),)
        outcome = outcome_of(world, program, fleet.environment)
        states.append(outcome.states)
        world = outcome.world

    assert sum(states) < 2_000


def test_a_deletion_knows_its_cause() -> None:
    fleet = Fleet().at("root", "1", [plain(namespace("shop")), kustomization("apps")]).at("root", "2", [_apps()])
    fleet.at("apps", "1", [plain(config("a"))])
    what = reach(fleet, push()).deletions[config("a")].what

    assert isinstance(what, Deletion)
    assert (what.by, what.cascade) == (namespace("shop"), True)


def _apps() -> Desired:
    return kustomization("apps")

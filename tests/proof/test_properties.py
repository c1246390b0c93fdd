"""What must hold besides that nothing is deleted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proof.worlds import (
    INSTANCE,
    INSTANCE_CRD,
    KUSTOMIZE_CONTROLLER,
    Fleet,
    config,
    controller,
    deployment,
    git,
    helm,
    instance,
    ks,
    kustomization,
    namespace,
    plain,
    release,
    source,
)

from flux_handover.objects import ObjectId
from flux_handover.proof.exploration import Violation
from flux_handover.proof.properties import Properties, stuck, undefined
from flux_handover.proof.reconcile import Deletion, How
from flux_handover.proof.reconcile_cluster import Annotate, Install, Remove, acted
from flux_handover.proof.sweep import swept
from flux_handover.proof.world import (
    Actor,
    ControllerSpec,
    Desired,
    KustomizationSpec,
    Mark,
    World,
)

OPERATOR = deployment("flux-operator")


def broken(first: World, world: World, fleet: Fleet) -> set[str]:
    properties = Properties(first, fleet.environment)
    return {v.property for v in (*properties.of_state(world), *properties.of_rest(world))}


def test_a_cluster_at_rest_breaks_nothing() -> None:
    fleet = Fleet().hosting().at("root", "1", [kustomization("apps")]).at("apps", "1", [plain(config("a"))])
    world = fleet.start()

    assert broken(world, world, fleet) == set()


def test_a_controller_without_its_deployment_is_gone() -> None:
    fleet = Fleet().hosting().at("root", "1", [])
    world = fleet.start()

    assert broken(world, acted(world, Remove(KUSTOMIZE_CONTROLLER)).world, fleet) == {"P2", "P6"}


@pytest.mark.parametrize(("version", "expected"), [((2, 5, 0), {"P8"}), ((2, 7, 0), set()), ((2, 8, 0), {"P8"})])
def test_flux_moves_up_one_minor_at_a_time(version: tuple[int, int, int], expected: set[str]) -> None:
    fleet = Fleet().hosting().at("root", "1", [])
    world = fleet.start()
    other = acted(world, Install((controller(version=version),))).world

    assert broken(world, other, fleet) == expected


def test_what_was_not_ready_before_is_not_held_against_a_change() -> None:
    waiting = kustomization("apps", KustomizationSpec(source("none")))
    fleet = Fleet().at("root", "1", [waiting])
    world = fleet.rest().world

    assert stuck(world, ks("apps"), world.live[ks("apps")]) == "GitRepository/flux-system/none has no artifact"
    assert broken(world, world, fleet) == set()


def test_a_suspended_owner_is_not_stuck() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps", KustomizationSpec(source("none")))])
    world = acted(fleet.rest().world, Annotate(ks("apps"), frozenset({Mark.SUSPENDED}))).world

    assert stuck(world, ks("apps"), world.live[ks("apps")]) == ""


def test_a_finalizer_without_its_controller_is_armed() -> None:
    fleet = Fleet().at("root", "1", [instance()]).chart("components", controller())
    world = fleet.start(plain(INSTANCE_CRD))
    armed = replace(acted(world, Remove(INSTANCE)).world, stopped=frozenset({Actor.OPERATOR}))

    (violation,) = (v for v in Properties(world, fleet.environment).of_state(armed) if v.property == "P7")

    assert violation.ids == (INSTANCE,)
    assert violation.why == "FluxInstance/flux-system/flux waits to be finalized by flux-operator, which is gone"


def test_two_owners_that_already_shared_an_object_are_not_news() -> None:
    fleet = Fleet().at("root", "1", [kustomization("one"), kustomization("two")])
    fleet.at("one", "1", [plain(config("a"))]).at("two", "1", [plain(config("a"))])
    world = fleet.rest().world

    assert "P5" in broken(World(), world, fleet)
    assert "P5" not in broken(world, world, fleet)


def test_an_object_that_one_owner_skips_has_one_owner() -> None:
    fleet = Fleet().at("root", "1", [kustomization("one"), kustomization("two")])
    fleet.at("one", "1", [plain(config("a"), Mark.SSA_IGNORE)]).at("two", "1", [plain(config("a"))])
    seed = replace(plain(config("a")), marks=frozenset({Mark.SSA_IGNORE}))
    world = fleet.rest(seed).world

    assert "P5" not in broken(World(), world, fleet)


def test_only_kinds_that_nothing_brings_are_undefined() -> None:
    crd = plain(INSTANCE_CRD)
    fleet = Fleet().at("root", "1", [instance()]).chart("components")
    both = Fleet().at("root", "1", [crd, instance()]).chart("components")

    assert undefined(fleet.rest().world, fleet.environment, ks("root")) == (INSTANCE,)
    assert undefined(both.rest().world, both.environment, ks("root")) == ()


def test_a_person_may_write_what_the_operator_does_not_own() -> None:
    fleet = Fleet().at("root", "1", [instance()]).chart("components", controller())
    world = fleet.start(plain(INSTANCE_CRD))
    properties = Properties(world, fleet.environment)

    other = acted(world, Install((plain(config("a")),)))
    owned = acted(world, Install((replace(controller(), digest="gotk"),)))

    assert list(properties.of_move(world, other)) == []
    assert [v.ids for v in properties.of_move(world, owned)] == [(KUSTOMIZE_CONTROLLER,)]


def test_a_violation_reads_as_a_sentence() -> None:
    fleet = Fleet().hosting().at("root", "1", [])
    world = fleet.start()
    gone = acted(world, Remove(KUSTOMIZE_CONTROLLER)).world

    assert sorted(Properties(world, fleet.environment).of_rest(gone)) == [
        Violation("P2", (KUSTOMIZE_CONTROLLER,), "kustomize-controller is gone for good"),
        Violation("P6", (KUSTOMIZE_CONTROLLER,), "no push is applied any more: kustomize-controller is gone"),
    ]


def along(fleet: Fleet, world: World, id: ObjectId, *explored: ObjectId) -> dict[ObjectId, How]:
    first = {id: Deletion(id, None, How.USER)}
    found = swept(world, fleet.environment, first, frozenset(explored))
    return {deletion.id: deletion.how for deletion, _ in found}


def test_a_cascade_goes_through_every_finalizer() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps")]).at("apps", "1", [helm("web"), plain(config("a"))])
    fleet.chart("web", plain(config("b")), plain(config("kept"), Mark.HELM_KEEP))
    world = fleet.start()

    assert along(fleet, world, ks("apps")) == {
        release("web"): How.FINALIZER,
        config("a"): How.FINALIZER,
        config("b"): How.UNINSTALL,
    }


def test_a_cascade_ends_at_what_was_explored_and_at_opt_outs() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps")])
    fleet.at("apps", "1", [plain(config("a")), plain(config("b"), Mark.PRUNE_DISABLED)])
    world = fleet.start()

    assert along(fleet, world, ks("apps")) == {config("a"): How.FINALIZER}
    assert along(fleet, world, ks("apps"), ks("apps")) == {}


def test_a_cascade_takes_a_namespace_and_a_kind_with_all_their_objects() -> None:
    fleet = Fleet().at("root", "1", [plain(namespace("shop")), plain(config("a")), plain(INSTANCE_CRD), instance()])
    fleet.chart("components", Desired(OPERATOR, spec=ControllerSpec(Actor.OPERATOR)))
    world = fleet.start(git())

    assert along(fleet, world, namespace("shop")) == {config("a"): How.NAMESPACE}
    assert along(fleet, world, INSTANCE_CRD) == {INSTANCE: How.DEFINITION, OPERATOR: How.FLUX_UNINSTALL}


def test_a_disabled_instance_takes_nothing_along() -> None:
    fleet = Fleet().at("root", "1", [instance()]).chart("components", controller())
    world = acted(fleet.start(plain(INSTANCE_CRD)), Annotate(INSTANCE, frozenset({Mark.OPERATOR_RECONCILE_DISABLED})))

    assert along(fleet, world.world, INSTANCE) == {}

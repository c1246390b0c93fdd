"""Who is explored together, and who stands for whom."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proof.worlds import Fleet, config, helm, ks, kustomization, namespace, plain, push, release, source

from flux_handover.objects import SOURCE_GROUP, ObjectId
from flux_handover.proof.closures import closures, home_of
from flux_handover.proof.scope import concerned, named_by, scope_of
from flux_handover.proof.vanishing import vanishing
from flux_handover.proof.world import (
    Desired,
    HelmReleaseSpec,
    KustomizationSpec,
    Mark,
    Release,
    SourceSpec,
    Unknown,
    World,
)

CHART = ObjectId(SOURCE_GROUP, "OCIRepository", "shop", "template")


def found(fleet: Fleet, world: World) -> set[frozenset[ObjectId]]:
    program = (push(),)
    scope = scope_of(world, fleet.environment, program)
    going = vanishing(scope, program)
    active, _ = concerned(scope, named_by(program), going)
    return set(closures(scope, active, going, named_by(program)))


def chart(version: str) -> Desired:
    return Desired(CHART, spec=SourceSpec(f"oci://registry.example.org/template@{version}"))


def applications(n: int) -> Fleet:
    """Applications that all apply the source of one chart, each with a release of it."""
    fleet = Fleet().at("root", "1", [kustomization(f"app{i}") for i in range(n)])
    for i in range(n):
        for revision, version in (("1", "1.0"), ("2", "2.0")):
            spec = HelmReleaseSpec(Release(f"app{i}", "shop", "shop", "template"), source=CHART)
            fleet.at(f"app{i}", revision, [chart(version), helm(f"app{i}", spec)])
    return fleet


def test_a_new_version_of_a_chart_that_all_apply_is_a_question_for_each_alone() -> None:
    fleet = applications(8)

    assert found(fleet, fleet.rest().world) == {frozenset({ks(f"app{i}")}) for i in range(8)}


def many_owners(n: int, *others: Desired) -> Fleet:
    """Owners of one object, which the first of them drops."""
    fleet = Fleet().at("root", "1", [kustomization(f"app{i}") for i in range(n)])
    for i in range(n):
        fleet.at(f"app{i}", "1", [plain(config("shared")), *(others if i == n - 1 else ())])
    return fleet.at("app0", "2", [])


def test_of_owners_that_do_the_same_one_stands_for_all() -> None:
    fleet = many_owners(9)

    assert {len(owners) for owners in found(fleet, fleet.rest().world)} == {3}


def test_who_holds_the_labels_is_the_one_that_stands_for_all() -> None:
    fleet = many_owners(5)
    world = fleet.rest().world
    live = replace(world.live[config("shared")], owner=ks("app3"))
    held = replace(world, live=world.live.put(config("shared"), live))

    assert all({ks("app0"), ks("app3")} <= owners for owners in found(fleet, held))


@pytest.mark.parametrize("spec", [KustomizationSpec(source(), prune=False), KustomizationSpec(source(), suspend=True)])
def test_an_owner_that_acts_otherwise_stands_for_itself(spec: KustomizationSpec) -> None:
    fleet = many_owners(5)
    fleet.at("root", "1", [*(kustomization(f"app{i}") for i in range(4)), kustomization("app4", spec)])

    largest = max(found(fleet, fleet.rest().world), key=len)

    assert ks("app4") in largest


def test_whoever_has_the_namespace_that_goes_is_explored_with_what_lives_in_it() -> None:
    inside = replace(kustomization("app"), id=ObjectId(ks("app").group, "Kustomization", "shop", "app"))
    fleet = Fleet().at("root", "1", [kustomization("places"), inside])
    fleet.at("places", "1", [plain(namespace("shop"))]).at("places", "2", [])
    fleet.at("app", "1", [plain(config("a", "elsewhere"))]).at("app", "2", [plain(config("b", "elsewhere"))])

    assert any({inside.id, ks("places")} <= owners for owners in found(fleet, fleet.rest().world))


def test_a_home_is_the_namespace_of_an_object() -> None:
    assert home_of(config("a", "shop")) == namespace("shop")


def test_a_release_whose_chart_is_unknown_does_not_hold_back_those_that_depend_on_it() -> None:
    """Its action is taken to succeed, so in which order it and its dependents change is no question."""
    fleet = Fleet()
    for revision in ("1", "2"):
        releases = []
        for i in range(6):
            before = (release(f"app{i - 1}"),) if i else ()
            target = Release(f"app{i}", "shop", "shop", "chart")
            releases.append(helm(f"app{i}", HelmReleaseSpec(target, depends_on=before, rest=revision)))
        fleet.at("root", revision, releases)

    assert {len(owners) for owners in found(fleet, fleet.rest().world)} == {2}


def test_a_spec_that_comes_with_a_revision_is_not_asked_of_the_one_before() -> None:
    """Children of one parent that all change depend on each other; none of them may fail."""
    fleet = Fleet()
    for revision in ("1", "2"):
        children = []
        for i in range(6):
            before = (ks(f"app{i - 1}"),) if i else ()
            spec = KustomizationSpec(source(), path=f"at{revision}/app{i}", depends_on=before)
            children.append(kustomization(f"app{i}", spec))
            fleet.at(f"at{revision}/app{i}", revision, [plain(config(f"a{i}"))])
        fleet.at("root", revision, children)
    for i in range(6):
        fleet.at(f"at1/app{i}", "2", [plain(config(f"a{i}"))])
        fleet.at(f"at2/app{i}", "1", Unknown("no build of the new spec at the old revision"))

    assert {len(owners) for owners in found(fleet, fleet.rest().world)} == {2}


def children(*specs: KustomizationSpec) -> Fleet:
    """Children of one parent, which changes the last of them; each applies something else at each revision."""
    fleet = Fleet().at("root", "1", [kustomization(f"app{i}", spec) for i, spec in enumerate(specs)])
    changed = [*specs[:-1], replace(specs[-1], rest="new")]
    fleet.at("root", "2", [kustomization(f"app{i}", spec) for i, spec in enumerate(changed)])
    for i in range(len(specs)):
        fleet.at(f"app{i}", "1", [plain(config(f"a{i}"))]).at(f"app{i}", "2", [plain(config(f"b{i}"))])
    return fleet


def test_a_child_that_its_parent_leaves_as_it_is_is_explored_alone() -> None:
    fleet = children(KustomizationSpec(source()), KustomizationSpec(source()))

    assert found(fleet, fleet.rest().world) == {frozenset({ks("app0")}), frozenset({ks("root"), ks("app1")})}


def test_a_child_that_differs_from_what_its_parent_applies_is_explored_with_it() -> None:
    fleet = children(KustomizationSpec(source()), KustomizationSpec(source()))
    world = fleet.rest().world
    live = world.live.put(ks("app0"), replace(world.live[ks("app0")], marks=frozenset({Mark.PRUNE_DISABLED})))

    assert frozenset({ks("root"), ks("app0")}) in found(fleet, replace(world, live=live))


def test_a_child_whose_objects_go_with_a_namespace_is_explored_with_its_parent() -> None:
    fleet = Fleet().at("root", "1", [plain(namespace("shop")), kustomization("app")])
    fleet.at("root", "2", [kustomization("app")])
    fleet.at("app", "1", [plain(config("a", "shop"))]).at("app", "2", [plain(config("b", "shop"))])

    assert frozenset({ks("root"), ks("app")}) in found(fleet, fleet.rest().world)


def test_who_changes_a_dependency_that_stays_ready_is_explored_apart() -> None:
    fleet = Fleet().at("root", "1", [kustomization("base"), kustomization("shop")])
    for revision in ("1", "2"):
        below = HelmReleaseSpec(Release("below", "shop", "shop", "chart"), rest=revision)
        above = HelmReleaseSpec(
            Release("above", "shop", "shop", "chart"), depends_on=(release("below"),), rest=revision
        )
        fleet.at("base", revision, [helm("below", below)]).at("shop", revision, [helm("above", above)])

    assert found(fleet, fleet.rest().world) == {
        frozenset({ks("base"), release("below")}),
        frozenset({ks("shop"), release("above")}),
    }

"""Whether a push still repairs what does not work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from proof.worlds import Fleet, config, git, ks, kustomization, plain, push, secret, source

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile_cluster import Annotate, Remove, acted
from flux_handover.proof.recovery import beyond_repair, gone_for_good
from flux_handover.proof.series import Outcome, outcome_of
from flux_handover.proof.world import Actor, KustomizationSpec, Mark, Variables, World

SETTINGS = config("settings", "flux-system")
READING = KustomizationSpec(source(), variables=(Variables(SETTINGS),))


def irreparable(fleet: Fleet, world: World) -> Mapping[ObjectId, str]:
    return beyond_repair(world, fleet.environment, world)


def lost(fleet: Fleet, world: World, id: ObjectId) -> World:
    """The world when an object is deleted, before anybody does anything."""
    return acted(world, Remove(id)).world


def p6(outcome: Outcome) -> set[ObjectId]:
    return {id for b in outcome.breaches if b.violation.property == "P6" for id in b.violation.ids}


def test_a_cluster_at_rest_takes_every_push() -> None:
    fleet = Fleet().hosting().at("root", "1", [kustomization("apps")]).at("apps", "1", [plain(config("a"))])
    world = fleet.start()

    assert irreparable(fleet, world) == {}
    assert list(gone_for_good(world, fleet.environment)) == []


def test_without_its_controller_nothing_is_applied_any_more() -> None:
    fleet = Fleet().hosting().at("root", "1", [])
    world = lost(fleet, fleet.start(), fleet.controllers[Actor.KUSTOMIZE].deployment)

    assert [actor for _, actor in gone_for_good(world, fleet.environment)] == [Actor.KUSTOMIZE]


def test_a_root_that_reads_what_only_it_makes_is_beyond_repair() -> None:
    fleet = Fleet().at("root", "1", [plain(SETTINGS)])
    world = lost(fleet, fleet.start(plain(SETTINGS), root=READING), SETTINGS)

    assert irreparable(fleet, world) == {ks("root"): f"{ks('root')} needs {SETTINGS}, which only it would make"}


def test_a_root_that_reads_what_a_child_makes_is_repaired_by_it() -> None:
    fleet = Fleet().at("root", "1", [kustomization("vars")]).at("vars", "1", [plain(SETTINGS)])
    world = lost(fleet, fleet.start(plain(SETTINGS), root=READING), SETTINGS)

    assert irreparable(fleet, world) == {}


def test_a_child_gets_another_spec_from_its_parent() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps", READING)]).at("apps", "1", [])
    world = lost(fleet, fleet.start(plain(SETTINGS)), SETTINGS)

    assert irreparable(fleet, world) == {}


def test_a_child_that_its_parent_passes_over_keeps_the_spec_that_fails() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps", READING)]).at("apps", "1", [])
    skipped = acted(fleet.start(plain(SETTINGS)), Annotate(ks("apps"), frozenset({Mark.SSA_IGNORE}))).world
    world = lost(fleet, skipped, SETTINGS)

    assert set(irreparable(fleet, world)) == {ks("apps")}


def test_a_root_without_its_source_or_its_key_gets_no_revision() -> None:
    fleet = Fleet().at("root", "1", [])
    keyed = replace(git(), spec=replace(git(secret=secret("key")).spec))  # type: ignore[type-var]
    without_source = lost(fleet, fleet.start(), source())
    without_key = lost(fleet, fleet.start(plain(secret("key")), keyed), secret("key"))

    assert set(irreparable(fleet, without_source)) == {ks("root")}
    assert set(irreparable(fleet, without_key)) == {ks("root")}


def test_who_is_suspended_on_purpose_is_not_counted() -> None:
    fleet = Fleet().at("root", "1", [])
    braked = acted(fleet.start(), Annotate(ks("root"), frozenset({Mark.SUSPENDED}))).world

    assert irreparable(fleet, lost(fleet, braked, source())) == {}


def test_a_commit_that_prunes_what_the_root_reads_is_found_in_the_exploration() -> None:
    """The root drops the variables that it reads itself: it never builds again, and the fix is in its own build."""
    fleet = Fleet().at("root", "1", [plain(SETTINGS)]).at("root", "2", [])
    bad = outcome_of(fleet.start(plain(SETTINGS), root=READING), (push(),), fleet.environment)
    kept = Fleet().at("root", "1", [plain(SETTINGS)]).at("root", "2", [plain(SETTINGS), plain(config("b"))])
    good = outcome_of(kept.start(plain(SETTINGS), root=READING), (push(),), kept.environment)

    assert p6(bad) == {ks("root")}
    assert p6(good) == set()


def test_a_parent_outside_of_the_part_gives_its_child_another_spec() -> None:
    fleet = Fleet().at("root", "1", [kustomization("vars"), kustomization("apps", READING)])
    fleet.at("vars", "1", [plain(SETTINGS)]).at("vars", "2", []).at("apps", "1", [plain(config("a"))])

    outcome = outcome_of(fleet.start(), (push(),), fleet.environment)

    assert {b.violation.property for b in outcome.breaches} == {"P9"}

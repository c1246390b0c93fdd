"""What is cut from a world before it is explored, and what must stay in."""

from __future__ import annotations

from dataclasses import replace

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
    secret,
    source,
)

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile_cluster import Annotate, Install, UserStep
from flux_handover.proof.reduction import Part, parts
from flux_handover.proof.scope import changing, needed, outside, scope_of
from flux_handover.proof.series import outcome_of
from flux_handover.proof.vanishing import vanishing
from flux_handover.proof.world import BuildFailed, Desired, KustomizationSpec, Mark, Variables, World


def cut(fleet: Fleet, *program: UserStep) -> tuple[Part, ...]:
    return parts(fleet.start(), fleet.environment, program or (push(),))


def many(n: int) -> Fleet:
    fleet = Fleet().at("root", "1", [kustomization(f"app{i}") for i in range(n)])
    for i in range(n):
        fleet.at(f"app{i}", "1", [plain(config("a", f"app{i}")), plain(config("b", f"app{i}"))])
    return fleet


def test_a_commit_that_changes_nothing_has_no_part() -> None:
    fleet = many(3)
    fleet.at("app0", "2", [plain(config("a", "app0")), plain(config("b", "app0"))])

    assert cut(fleet) == ()


def test_a_changed_digest_alone_has_no_part() -> None:
    fleet = many(2).at("app0", "2", [plain(config("a", "app0"), digest="new"), plain(config("b", "app0"))])

    assert cut(fleet) == ()


def test_unrelated_kustomizations_are_explored_apart() -> None:
    fleet = many(4).at("app0", "2", []).at("app3", "2", [])

    assert {part.owners for part in cut(fleet)} == {frozenset({ks("app0")}), frozenset({ks("app3")})}


def test_owners_of_one_object_are_explored_together_step_by_step() -> None:
    fleet = many(3).at("app0", "2", [plain(config("b", "app0"))])
    fleet.at("app1", "2", [plain(config("a", "app0")), plain(config("a", "app1")), plain(config("b", "app1"))])
    (part,) = cut(fleet)

    assert part.owners == {ks("app0"), ks("app1")}
    assert part.environment.atomic == frozenset()


def shared_by_many(n: int, *moved: Desired) -> Fleet:
    """Owners that all apply one Namespace; the first drops an object, and the second may take some up."""
    fleet = many(n)
    for revision, first, second in (("1", [plain(config("a", "app0"))], []), ("2", [], moved)):
        fleet.at("app0", revision, [plain(namespace("both")), *first])
        fleet.at("app1", revision, [plain(namespace("both")), *second])
        for i in range(2, n):
            fleet.at(f"app{i}", revision, [plain(namespace("both"))])
    return fleet


def test_owners_of_one_object_that_stays_are_explored_apart() -> None:
    """All build it in every revision, so it stays; who has its labels meanwhile is nobody's concern."""
    fleet = shared_by_many(12)
    (part,) = parts(fleet.rest().world, fleet.environment, (push(),))

    assert part.owners == {ks("app0")}


def test_owners_explored_together_reconcile_in_one_step_where_all_they_share_decides_nothing() -> None:
    fleet = shared_by_many(2, plain(config("b", "app1")))
    specs = [KustomizationSpec(source(), rest="new")] * 2
    fleet.at("root", "2", [kustomization(f"app{i}", spec) for i, spec in enumerate(specs)])
    for part in parts(fleet.rest().world, fleet.environment, (push(),)):
        assert part.environment.atomic == part.owners


def test_an_owner_that_takes_up_an_object_of_another_is_explored_with_it() -> None:
    fleet = many(2)
    fleet.at("app1", "2", [plain(config("a", "app0")), plain(config("a", "app1")), plain(config("b", "app1"))])
    (part,) = parts(fleet.rest().world, fleet.environment, (push(),))

    assert part.owners == {ks("app0"), ks("app1")}


def test_an_object_that_goes_brings_all_its_owners_together() -> None:
    fleet = many(2)
    for revision, objects in (("1", [plain(config("c", "both"))]), ("2", [])):
        fleet.at("app0", revision, objects)
        fleet.at("app1", revision, [plain(config("c", "both"))])
    (part,) = parts(fleet.rest().world, fleet.environment, (push(),))

    assert part.owners == {ks("app0"), ks("app1")}


def test_a_child_whose_spec_changes_is_explored_with_its_parent() -> None:
    fleet = many(3)
    specs = [KustomizationSpec(source(), prune=i > 0) for i in range(3)]
    fleet.at("root", "2", [kustomization(f"app{i}", spec) for i, spec in enumerate(specs)])
    (part,) = cut(fleet)

    assert part.owners == {ks("root"), ks("app0")}
    assert part.environment.atomic == part.owners


def test_children_that_all_change_do_not_multiply() -> None:
    fleet = many(12)
    fleet.at("root", "2", [kustomization(f"app{i}", KustomizationSpec(source(), rest="new")) for i in range(12)])

    assert [len(part.owners) for part in cut(fleet)] == [2] * 12


def test_objects_treated_alike_are_one() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps")])
    fleet.at("apps", "1", [plain(config(f"a{i}")) for i in range(9)]).at("apps", "2", [plain(config("a0"))])
    (part,) = cut(fleet)

    assert sorted(len(alike) for id, alike in part.alike.items() if id.kind == "ConfigMap") == [1, 8]


def test_objects_in_a_namespace_that_goes_are_not_mixed_with_others() -> None:
    fleet = Fleet().at("root", "1", [plain(namespace("shop")), kustomization("apps")])
    fleet.at("apps", "1", [plain(config("a", "shop")), plain(config("a", "other"))]).at("apps", "2", [])
    fleet.at("root", "2", [kustomization("apps")])

    for part in cut(fleet):
        assert {frozenset({config("a", "shop")}), frozenset({config("a", "other")})} <= set(part.alike.values())


def test_a_dependency_that_cannot_fail_counts_as_ready() -> None:
    after = KustomizationSpec(source(), depends_on=(ks("first"),))
    fleet = Fleet().at("root", "1", [kustomization("first"), kustomization("late", after)])
    fleet.at("first", "1", []).at("late", "1", [plain(config("a"))]).at("late", "2", [])
    (part,) = cut(fleet)

    assert part.owners == {ks("late")}
    assert part.environment.met <= {ks("first")}
    assert outcome_of(fleet.start(), (push(),), fleet.environment).deleted == {config("a")}


def test_a_dependency_that_fails_freezes_its_dependents_and_theirs() -> None:
    chain = [
        kustomization(name, KustomizationSpec(source(), depends_on=(ks(before),) if before else ()))
        for before, name in (("", "first"), ("first", "second"), ("second", "third"))
    ]
    fleet = Fleet().at("root", "1", chain).at("first", "1", []).at("first", "2", BuildFailed("broken"))
    fleet.at("second", "1", []).at("third", "1", [plain(config("a"))]).at("third", "2", [])

    assert outcome_of(fleet.start(), (push(),), fleet.environment).deleted == frozenset()


def test_whoever_reads_what_may_go_is_explored_with_it() -> None:
    reads = KustomizationSpec(source(), variables=(Variables(secret("vars")),))
    fleet = Fleet().at("root", "1", [kustomization("vars"), kustomization("apps", reads)])
    fleet.at("vars", "1", [plain(secret("vars"))]).at("vars", "2", []).at("apps", "1", [plain(config("a"))])

    assert {ks("vars"), ks("apps")} in [part.owners for part in cut(fleet)]


def test_the_source_of_a_secret_is_part_of_what_its_reader_needs() -> None:
    fleet = Fleet(origins=("fleet", "private")).at("root", "1", [git("private", "private", secret("key"))])
    world = fleet.start(plain(secret("key")))

    assert secret("key") in needed(world, KustomizationSpec(source("private")))


def test_an_instance_is_explored_with_the_old_owner_of_its_components() -> None:
    fleet = Fleet().hosting().at("root", "1", [kustomization("flux")]).at("flux", "1", [controller()])
    fleet.at("root", "2", [kustomization("flux"), kustomization("instance")]).at("instance", "2", [instance()])
    fleet.chart("components", controller())
    world = fleet.start(plain(INSTANCE_CRD))
    found = parts(world, fleet.environment, (push(),))

    assert any({ks("flux"), ks("instance"), instance().id} <= part.owners for part in found)
    assert all(KUSTOMIZE_CONTROLLER in part.alike for part in found if ks("flux") in part.owners)


def test_a_source_that_comes_with_the_commit_is_followed() -> None:
    fleet = Fleet(origins=("fleet", "other")).at("root", "1", [])
    fleet.at("root", "2", [git("other", "other"), kustomization("apps", KustomizationSpec(source("other")))])
    fleet.at("apps", "1", [plain(config("a"))])
    scope = scope_of(fleet.start(), fleet.environment, (push(),))

    assert config("a") in scope.touched[ks("apps")]
    assert vanishing(scope, (push(),)) == frozenset()
    assert changing(scope, ks("root")) == {source("other"), ks("apps")}


def test_what_a_person_touches_stands_alone() -> None:
    fleet = many(1).at("app0", "2", [])
    step = UserStep(Annotate(config("a", "app0"), frozenset({Mark.PRUNE_DISABLED})))
    (part,) = cut(fleet, step, push())

    assert part.alike[config("a", "app0")] == {config("a", "app0")}


def test_a_step_that_applies_objects_is_cut_to_the_part() -> None:
    fleet = many(2).at("app0", "2", [])
    everything = UserStep(Install((plain(config("a", "app0")), plain(config("a", "app1")))))

    for part in cut(fleet, everything, push()):
        applied = part.program[0].action
        assert isinstance(applied, Install)
        assert {o.id for o in applied.objects} <= part.alike.keys()


def test_a_wait_for_an_object_outside_the_part_is_left_out() -> None:
    """Never to push would hide what the push does."""
    fleet = many(2).at("app0", "2", [])
    never = UserStep(push().action, frozenset({config("a", "app1")}), lambda world: False)
    (part,) = cut(fleet, never)

    assert part.program[0].seen is None
    assert outcome_of(fleet.start(), (never,), fleet.environment).deleted == {config("a", "app0"), config("b", "app0")}


def test_a_kustomization_outside_the_part_does_not_act() -> None:
    fleet = many(3).at("root", "2", [kustomization("app0"), kustomization("app1")])

    for part in cut(fleet):
        outside = [id for id, live in part.world.live.items() if live.spec is not None and id.kind == "Kustomization"]
        assert set(outside) <= part.owners


def test_a_cascade_below_a_removed_kustomization_is_counted_whole() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps")])
    fleet.at("apps", "1", [kustomization(f"app{i}") for i in range(20)])
    for i in range(20):
        fleet.at(f"app{i}", "1", [plain(config("a", f"app{i}"))])
    fleet.at("root", "2", [])
    outcome = outcome_of(fleet.start(), (push(),), fleet.environment)

    assert len(outcome.deleted) == 41
    assert outcome.states < 60


def test_a_world_in_the_middle_of_a_reconcile_starts_it_again() -> None:
    fleet = many(1).at("app0", "2", [])
    world: World = fleet.start()
    (part,) = parts(replace(world, crashes=1), fleet.environment, (push(),))

    assert len(part.world.runs) == 0
    assert part.world.crashes == 1


def test_what_a_chart_makes_is_checked_and_must_come_from_outside() -> None:
    pool = ObjectId("db.example.org", "Pool", "shop", "main")
    checks = (pool, ObjectId("helm.toolkit.fluxcd.io", "HelmRelease", "shop", "db"), config("a"))
    fleet = Fleet().at("root", "1", [kustomization("apps", KustomizationSpec(source(), checks=checks))])
    fleet.at("apps", "1", [plain(config("a"))])

    assert outside(fleet.rest().world, fleet.environment, ()) == {pool}


def test_what_nobody_renders_must_come_from_outside() -> None:
    reads = (Variables(secret("vars")), Variables(secret("by-hand")))
    apps = kustomization("apps", KustomizationSpec(source(), variables=reads))
    fleet = Fleet().at("root", "1", [plain(secret("vars")), apps])
    fleet.at("apps", "1", [plain(config("a"))])
    world = fleet.rest().world
    seeded = fleet.start(plain(secret("by-hand")))

    assert outside(world, fleet.environment, ()) == {secret("by-hand")}
    assert outside(seeded, fleet.environment, ()) == frozenset()
    assert config("a") in seeded.live

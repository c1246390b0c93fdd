"""What each revision deletes, carried over a series."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proof.handover import MANIFESTS, REVISIONS, handover
from proof.worlds import (
    INSTANCE,
    INSTANCE_CRD,
    KUSTOMIZATION_CRD,
    KUSTOMIZE_CONTROLLER,
    NS,
    Fleet,
    config,
    controller,
    git,
    helm,
    instance,
    ks,
    kustomization,
    namespace,
    plain,
    push,
    source,
)

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile import How
from flux_handover.proof.reconcile_cluster import Push, UserStep
from flux_handover.proof.series import Outcome, outcome_of, simulate
from flux_handover.proof.world import (
    Apply,
    ApplyFailed,
    BuildFailed,
    Built,
    DeletionPolicy,
    HelmReleaseSpec,
    KustomizationSpec,
    Mark,
    Release,
    Remedy,
    Unknown,
    Variables,
    World,
)


def phase(name: str) -> Push:
    return Push((("fleet", name), ("manifests", "1")))


def revisions(*names: str) -> list[Push]:
    return [Push((("fleet", name),)) for name in names]


def run(fleet: Fleet, *names: str) -> list[Outcome]:
    return list(simulate(fleet.start(), revisions(*names), fleet.environment))


def test_the_handover_deletes_exactly_the_two_objects_it_announces() -> None:
    fleet, world = handover(6, 3)

    outcomes = dict(zip(REVISIONS, simulate(world, map(phase, REVISIONS), fleet.environment), strict=True))

    assert [outcomes[name].deleted for name in REVISIONS[:3]] == [frozenset()] * 3
    assert outcomes["retire"].deleted == {ks("flux"), MANIFESTS}
    assert not any(loss.recreated for loss in outcomes["retire"].losses)
    assert all(not outcome.breaches and not outcome.undecided and not outcome.frozen for outcome in outcomes.values())


def test_protecting_and_retiring_in_one_commit_destroys_flux() -> None:
    fleet, world = handover(6, 3)

    outcome = outcome_of(world, (UserStep(phase("retire")),), fleet.environment)

    lost = {loss.id: loss for loss in outcome.losses}
    assert lost.keys() >= {KUSTOMIZE_CONTROLLER, namespace("flux-system"), ks("apps"), config("object0", "app1")}
    assert lost[KUSTOMIZE_CONTROLLER].counterexample.edge == "E3"
    assert "finalizes Kustomization/flux-system/flux with the live prune true" in {
        step.event for step in lost[KUSTOMIZE_CONTROLLER].counterexample.trace
    }


def test_all_phases_pushed_without_waiting_are_refuted_without_trying_every_order() -> None:
    fleet, world = handover(6, 3)

    outcome = outcome_of(world, tuple(UserStep(phase(name)) for name in REVISIONS), fleet.environment)

    assert KUSTOMIZE_CONTROLLER in outcome.deleted
    assert "not every order was tried" in outcome.undecided[0]
    assert outcome.undecided[0].endswith("every object that can be deleted is listed all the same")
    assert outcome.states < 3_000


def fatal_in_order(children: int) -> tuple[Fleet, World]:
    """Flux leaves with its owner, and every child has an object of its own; one is kept in every revision."""
    fleet = Fleet().hosting().at("flux", "1", [controller(), plain(namespace(NS)), plain(KUSTOMIZATION_CRD)])
    apps = [kustomization(f"app{i}", KustomizationSpec(source(), rest="old")) for i in range(children)]
    later = [kustomization(f"app{i}", KustomizationSpec(source(), rest="new")) for i in range(children)]
    fleet.at("root", "1", [kustomization("flux"), *apps]).at("root", "2", later)
    for i in range(children):
        kept = plain(config(f"kept{i}", "shop"), Mark.PRUNE_DISABLED)
        fleet.at(f"app{i}", "1", [plain(config(f"object{i}", "shop")), kept])
    return fleet, fleet.rest().world


def test_what_goes_along_with_flux_is_named_to_the_last_object() -> None:
    """The finalizers of Kustomizations may all run before the controller stops."""
    fleet, world = fatal_in_order(9)

    outcome = outcome_of(world, (push(),), fleet.environment)

    assert {config(f"object{i}", "shop") for i in range(9)} <= outcome.deleted
    assert not {config(f"kept{i}", "shop") for i in range(9)} & outcome.deleted
    assert outcome.undecided == ()


@pytest.mark.parametrize(("upgrade", "lost"), [(Remedy.RETRY, False), (Remedy.UNINSTALL, True)])
def test_retries_of_the_install_do_not_uninstall_what_is_upgraded(upgrade: Remedy, lost: bool) -> None:
    """The release of the FluxInstance rolls its own controller; an upgrade that is cut is not an install."""
    old = HelmReleaseSpec(
        Release("instance", NS, NS, "instance"), remedy=Remedy.UNINSTALL, upgrade_remedy=upgrade, rest="v1"
    )
    fleet = Fleet().hosting().at("root", "1", [helm("instance", old)])
    fleet.at("root", "2", [helm("instance", replace(old, rest="v2"))])
    fleet.chart("v1", instance()).chart("v2", instance()).chart("components", controller())

    outcome = outcome_of(fleet.rest(plain(INSTANCE_CRD)).world, (push(),), fleet.environment)

    assert (INSTANCE in outcome.deleted) is lost


@pytest.mark.slow
def test_retiring_waits_for_prune_false_to_be_observed() -> None:
    fleet, world = handover(1, 1)
    flux = ks("flux")
    quiet = UserStep(phase("protect"))
    seen = UserStep(
        phase("retire"),
        frozenset({flux}),
        lambda world: (record := world.records[flux]).spec == world.live[flux].spec and not record.spec.prune,  # type: ignore[union-attr]
    )

    gated = outcome_of(world, (quiet, seen), fleet.environment)
    hasty = outcome_of(world, (quiet, UserStep(phase("retire"))), fleet.environment)

    assert gated.deleted == {flux, MANIFESTS}
    assert KUSTOMIZE_CONTROLLER in hasty.deleted


def test_a_failed_build_changes_nothing_and_the_next_is_compared_with_what_was_applied() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps")])
    fleet.at("apps", "1", [plain(config("a")), plain(config("b"))])
    fleet.at("apps", "2", BuildFailed("b.yaml: no such file")).at("apps", "3", [plain(config("b"))])

    broken, repaired = run(fleet, "2", "3")

    assert broken.deleted == frozenset()
    assert broken.frozen == ((ks("apps"), "the build fails: b.yaml: no such file"),)
    assert repaired.deleted == {config("a")}
    assert repaired.frozen == ()


def test_a_failed_apply_has_applied_the_stages_before_and_prunes_nothing() -> None:
    home, late = plain(namespace("shop")), plain(config("b"))
    fleet = Fleet().at("root", "1", [kustomization("apps")]).at("apps", "1", [plain(config("a"))])
    fleet.at("apps", "2", ApplyFailed((home, late), Apply.REST, "immutable field"))

    (outcome,) = run(fleet, "2")

    assert outcome.deleted == frozenset()
    assert home.id in outcome.world.live
    assert late.id not in outcome.world.live
    assert outcome.world.records[ks("apps")].inventory == {config("a")}


def test_a_failed_health_check_has_pruned_and_freezes_only_dependents() -> None:
    after = KustomizationSpec(source(), depends_on=(ks("apps"),))
    fleet = Fleet().at("root", "1", [kustomization("apps"), kustomization("late", after)])
    fleet.at("apps", "1", [plain(config("a"))]).at("late", "1", [plain(config("b"))])
    fleet.at("apps", "2", Built((), unhealthy="Deployment/shop/web is not ready")).at("late", "2", [])

    (outcome,) = run(fleet, "2")

    assert outcome.deleted == {config("a")}
    assert config("b") in outcome.world.live


def test_a_child_of_a_frozen_parent_goes_on_with_its_old_spec() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps")])
    fleet.at("root", "2", BuildFailed("duplicate id"))
    fleet.at("apps", "1", [plain(config("a")), plain(config("b"))]).at("apps", "2", [plain(config("b"))])

    (outcome,) = run(fleet, "2")

    assert outcome.deleted == {config("a")}
    assert [id for id, _ in outcome.frozen] == [ks("root")]


def test_variables_exist_until_they_are_pruned() -> None:
    settings = config("settings", "flux-system")
    reader = kustomization("apps", KustomizationSpec(source(), variables=(Variables(settings),)))
    fleet = Fleet().at("root", "1", [kustomization("config"), reader]).at("apps", "1", [plain(config("a"))])
    fleet.at("config", "1", [plain(settings)]).at("config", "2", []).at("apps", "3", [])

    pruned, frozen = run(fleet, "2", "3")

    assert pruned.deleted == {settings}
    assert {breach.counterexample.edge for breach in pruned.breaches} == {"V1"}
    assert ks("apps") in dict(frozen.frozen)


def test_a_missing_source_deletes_nothing() -> None:
    fleet = Fleet(origins=("fleet", "other"))
    other = kustomization("apps", KustomizationSpec(source("other")))
    from_other = plain(config("a"))

    fleet.at("root", "1", [other, git("other", "other")]).at("root", "2", [other]).at("apps", "1", [from_other])

    (outcome,) = run(fleet, "2")

    assert outcome.deleted == {source("other")}
    assert config("a") in outcome.world.live


@pytest.mark.parametrize(
    ("spec", "lost"),
    [
        (KustomizationSpec(source()), True),
        (KustomizationSpec(source(), prune=False), False),
        (KustomizationSpec(source(), suspend=True), False),
        (KustomizationSpec(source(), policy=DeletionPolicy.ORPHAN), False),
        (KustomizationSpec(source(), prune=False, policy=DeletionPolicy.DELETE), True),
        (KustomizationSpec(source(), prune=False, policy=DeletionPolicy.WAIT), True),
    ],
    ids=["prune", "prune false", "suspended", "orphan", "delete", "wait"],
)
def test_the_finalizer_decides_by_the_live_spec(spec: KustomizationSpec, lost: bool) -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps", replace(spec, suspend=False))])
    fleet.at("apps", "1", [plain(config("a"))])
    fleet.at("root", "2", [kustomization("apps", spec)]).at("root", "3", [])

    _, removed = run(fleet, "2", "3")

    assert removed.deleted == ({ks("apps"), config("a")} if lost else {ks("apps")})
    assert all(loss.deletion.cascade == (loss.id != ks("apps")) for loss in removed.losses)


def test_prune_false_orphans_for_ever() -> None:
    spec = KustomizationSpec(source())
    fleet = Fleet().at("root", "1", [kustomization("apps", replace(spec, prune=False))])
    fleet.at("apps", "1", [plain(config("a"))]).at("apps", "2", []).at("root", "3", [kustomization("apps", spec)])

    outcomes = run(fleet, "2", "3")

    assert [outcome.deleted for outcome in outcomes] == [frozenset(), frozenset()]
    assert config("a") in outcomes[-1].world.live


def test_a_namespace_takes_its_content_along_whoever_owns_it() -> None:
    fleet = (
        Fleet()
        .at("root", "1", [plain(namespace("shop")), kustomization("apps")])
        .at("root", "2", [kustomization("apps")])
    )
    fleet.at("apps", "1", [plain(config("a"))])

    (outcome,) = run(fleet, "2")

    lost = {loss.id: loss.deletion for loss in outcome.losses}
    assert lost.keys() == {namespace("shop"), config("a")}
    assert (lost[config("a")].how, lost[config("a")].by) == (How.NAMESPACE, namespace("shop"))


def test_a_changed_release_name_uninstalls_first() -> None:
    old = HelmReleaseSpec(Release("web", "shop", "shop", "web"), rest="web")
    new = replace(old, release=replace(old.release, name="website"))
    fleet = Fleet().at("root", "1", [helm("web", old)]).at("root", "2", [helm("web", new)])
    fleet.chart("web", plain(config("a")), plain(config("kept"), Mark.HELM_KEEP))

    (outcome,) = run(fleet, "2")

    assert {loss.id: (loss.deletion.how, loss.recreated) for loss in outcome.losses} == {
        config("a"): (How.UNINSTALL, True)
    }


def test_an_object_of_two_owners_never_rests() -> None:
    fleet = Fleet().at("root", "1", [kustomization("one"), kustomization("two")])
    fleet.at("one", "1", [plain(config("a"))]).at("two", "1", []).at("two", "2", [plain(config("a"))])

    (outcome,) = run(fleet, "2")

    assert not outcome.rests
    assert (config("a"),) in {breach.violation.ids for breach in outcome.breaches}


def test_opt_outs_of_one_of_two_owners_do_not_protect() -> None:
    """The last apply of the owner without it takes the opt-out off and puts its own labels on."""
    fleet = Fleet().at("root", "1", [kustomization("one"), kustomization("two")])
    marked = plain(config("a"), Mark.PRUNE_DISABLED)
    fleet.at("one", "1", [plain(config("a"))]).at("two", "1", [marked]).at("one", "2", [])
    both = Fleet().at("root", "1", [kustomization("one"), kustomization("two")])
    both.at("one", "1", [marked]).at("two", "1", [marked]).at("one", "2", [])

    lost = outcome_of(fleet.rest().world, (push(),), fleet.environment).deleted
    kept = outcome_of(both.rest().world, (push(),), both.environment).deleted

    assert lost == {config("a")}
    assert kept == frozenset()


def test_an_unknown_build_is_undecided_and_deletes_nothing() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps")]).at("apps", "1", [plain(config("a"))])
    fleet.at("apps", "2", Unknown("a remote base cannot be read"))

    (outcome,) = run(fleet, "2")

    assert outcome.deleted == frozenset()
    assert outcome.undecided == ("a remote base cannot be read",)


def test_more_states_than_allowed_are_undecided() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps")]).at("apps", "1", [plain(config("a"))]).at("apps", "2", [])

    outcome = outcome_of(fleet.start(), (push(),), fleet.environment, limit=1)

    assert outcome.undecided == ("more than 1 states; beside what is listed, ConfigMap/shop/a may be deleted",)


def test_many_kustomizations_that_do_not_change_cost_no_states() -> None:
    fleet = Fleet().at("root", "1", [kustomization(f"app{n}") for n in range(60)])
    for n in range(60):
        fleet.at(f"app{n}", "1", [plain(config(f"a{m}", f"app{n}")) for m in range(4)])
    fleet.at("app7", "2", [plain(config("a0", "app7"))])

    outcome = outcome_of(fleet.start(), (push(),), fleet.environment)

    assert outcome.states < 10
    assert outcome.deleted == {config(f"a{m}", "app7") for m in range(1, 4)}


def test_ids_are_those_of_the_cluster_not_of_their_class() -> None:
    doomed = {ObjectId("", "ConfigMap", "shop", f"a{n}") for n in range(5)}
    fleet = Fleet().at("root", "1", [kustomization("apps")]).at("apps", "1", [plain(id) for id in doomed])
    fleet.at("root", "2", [])

    (outcome,) = run(fleet, "2")

    assert outcome.deleted == doomed | {ks("apps")}


def test_an_unknown_build_from_the_inputs_last_applied_changes_nothing() -> None:
    late = kustomization("late", KustomizationSpec(source(), depends_on=(ks("apps"),)))
    fleet = Fleet().at("root", "1", [kustomization("apps"), late]).at("apps", "1", Unknown("remote base", "abc"))
    fleet.at("late", "1", [plain(config("a"))]).at("late", "2", []).at("apps", "3", Unknown("remote base", "def"))
    world = fleet.rest().world
    applied = replace(world.records[ks("apps")], inputs="abc", inventory=frozenset({config("b")}))
    world = replace(world, records=world.records.put(ks("apps"), applied))
    world = next(iter(simulate(world, revisions("1"), fleet.environment))).world

    same, other = simulate(world, revisions("2", "3"), fleet.environment)

    assert same.deleted == {config("a")}
    assert same.undecided == ()
    assert same.world.records[ks("apps")].inventory == {config("b")}
    assert other.undecided == ("remote base",)

"""What one controller does in one step."""

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
    definition,
    deployment,
    git,
    helm,
    instance,
    ks,
    kustomization,
    namespace,
    plain,
    release,
    secret,
    source,
)

from flux_handover.objects import ObjectId
from flux_handover.proof.gates import gates_of
from flux_handover.proof.reconcile import Deletion, How, deleted, refusal, stage_of
from flux_handover.proof.reconcile_cluster import Annotate, Install, Push, Remove, Unmark, acted, lifecycle_moves
from flux_handover.proof.reconcile_helm import helm_moves
from flux_handover.proof.reconcile_kustomization import (
    deletes_inventory,
    finalized,
    is_healthy,
    skips,
    started,
    waits_for,
    whole,
    written,
)
from flux_handover.proof.reconcile_operator import operator_moves
from flux_handover.proof.settle import settled
from flux_handover.proof.table import Table
from flux_handover.proof.world import (
    NONE,
    Actor,
    Apply,
    DeletionPolicy,
    Desired,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Live,
    Mark,
    Release,
    Variables,
    World,
)

OWNER = ks("apps")


def dropped(flux: str, live: Live, *, prune: bool = True) -> frozenset[ObjectId]:
    """What `apps` prunes when ConfigMap a, live like this, leaves its build."""
    fleet = Fleet(flux=flux).at("root", "1", [kustomization("apps", KustomizationSpec(source(), prune=prune))])
    fleet.at("apps", "1", [plain(config("a"))]).at("apps", "2", [])
    world = fleet.start()
    world = replace(world, live=world.live.put(config("a"), live), artifacts=world.artifacts.put(source(), "2"))
    return frozenset(d.id for d in whole(started(world, OWNER), fleet.environment, OWNER).deletions)


@pytest.mark.parametrize(
    ("live", "old", "new"),
    [
        (Live(OWNER), True, True),
        (Live(OWNER, marks=frozenset({Mark.PRUNE_DISABLED})), False, False),
        (Live(OWNER, pinned=frozenset({Mark.PRUNE_DISABLED})), False, False),
        (Live(OWNER, marks=frozenset({Mark.RECONCILE_DISABLED})), False, False),
        (Live(OWNER, marks=frozenset({Mark.SSA_IGNORE})), True, False),
        (Live(OWNER, marks=frozenset({Mark.SSA_IF_NOT_PRESENT})), True, True),
        (Live(OWNER, marks=frozenset({Mark.OPERATOR_PRUNE_DISABLED})), True, True),
        (Live(None), False, False),
        (Live(ks("other")), False, False),
        (Live(ks("apps", "elsewhere")), False, False),
    ],
    ids=[
        "plain",
        "prune",
        "pinned",
        "reconcile",
        "ignore",
        "if-not-present",
        "operator",
        "unowned",
        "other",
        "namespace",
    ],
)
def test_prune_looks_at_the_live_labels_and_opt_outs(live: Live, old: bool, new: bool) -> None:
    found = (bool(dropped("2.6.4", live)), bool(dropped("2.8.7", live)))

    assert found == (old, new)


def test_prune_false_prunes_nothing() -> None:
    assert dropped("2.6.4", Live(OWNER), prune=False) == frozenset()


@pytest.mark.parametrize(
    ("policy", "prune", "expected"),
    [
        (DeletionPolicy.MIRROR, True, True),
        (DeletionPolicy.MIRROR, False, False),
        (DeletionPolicy.DELETE, False, True),
        (DeletionPolicy.WAIT, False, True),
        (DeletionPolicy.ORPHAN, True, False),
    ],
)
def test_the_deletion_policy_decides_over_prune(policy: DeletionPolicy, prune: bool, expected: bool) -> None:
    live = Live(spec=KustomizationSpec(source(), prune=prune, policy=policy))

    assert deletes_inventory(World(), gates_of("2.6.4"), live) is expected
    assert deletes_inventory(World(), gates_of("2.4.0"), live) is prune


def test_a_suspended_kustomization_or_one_without_its_account_deletes_nothing() -> None:
    account = ObjectId("", "ServiceAccount", "shop", "deployer")
    spec = KustomizationSpec(source(), account=account)
    gates = gates_of("2.6.4")

    assert not deletes_inventory(World(), gates, Live(spec=spec))
    assert not deletes_inventory(World(), gates, Live(spec=KustomizationSpec(source(), suspend=True)))
    paused = Live(spec=KustomizationSpec(source()), pinned=frozenset({Mark.SUSPENDED}))
    assert not deletes_inventory(World(), gates, paused)
    assert deletes_inventory(World(live=Table({account: Live()})), gates, Live(spec=spec))


@pytest.mark.parametrize(
    ("desired", "live", "expected"),
    [
        (NONE, None, False),
        ({Mark.SSA_IGNORE}, None, True),
        ({Mark.RECONCILE_DISABLED}, None, True),
        (NONE, Live(pinned=frozenset({Mark.SSA_IGNORE})), True),
        (NONE, Live(marks=frozenset({Mark.RECONCILE_DISABLED})), True),
        (NONE, Live(marks=frozenset({Mark.PRUNE_DISABLED})), False),
        ({Mark.SSA_IF_NOT_PRESENT}, None, False),
        ({Mark.SSA_IF_NOT_PRESENT}, Live(), True),
        (NONE, Live(marks=frozenset({Mark.SSA_IF_NOT_PRESENT})), False),
    ],
)
def test_an_apply_skips_what_opts_out(desired: set[Mark], live: Live | None, expected: bool) -> None:
    assert skips(plain(config("a"), *desired), live) is expected


def test_the_inventory_holds_skipped_objects() -> None:
    fleet = Fleet(flux="2.7.5").at("root", "1", [plain(config("a"), Mark.SSA_IGNORE)])
    older = Fleet(flux="2.6.4").at("root", "1", [plain(config("a"), Mark.SSA_IGNORE)])

    assert config("a") in fleet.start().records[ks("root")].inventory
    assert config("a") not in older.start().records[ks("root")].inventory
    assert config("a") in older.start(plain(config("a"))).records[ks("root")].inventory


def test_an_apply_drops_marks_of_its_own_manager_and_keeps_those_of_others() -> None:
    live = Live(ks("old"), marks=frozenset({Mark.PRUNE_DISABLED}), pinned=frozenset({Mark.HELM_KEEP}))
    world = World(live=Table({config("a"): live}))

    new = written(world, plain(config("a")), OWNER)

    assert (new.owner, new.opt_outs) == (OWNER, frozenset({Mark.HELM_KEEP}))


def test_an_apply_does_not_stop_a_deletion() -> None:
    world = World(live=Table({config("a"): Live(OWNER, deleting=True)}))

    assert written(world, plain(config("a")), OWNER).deleting


@pytest.mark.parametrize(
    ("id", "old", "new"),
    [
        (namespace("shop"), Apply.DEFINITIONS, Apply.DEFINITIONS),
        (definition("shops.example.org"), Apply.DEFINITIONS, Apply.DEFINITIONS),
        (ObjectId("rbac.authorization.k8s.io", "ClusterRole", "", "view"), Apply.REST, Apply.DEFINITIONS),
        (ObjectId("storage.k8s.io", "StorageClass", "", "fast"), Apply.REST, Apply.CLASSES),
        (config("a"), Apply.REST, Apply.REST),
    ],
)
def test_stages_follow_the_version(id: ObjectId, old: Apply, new: Apply) -> None:
    assert (stage_of(id, classes=False), stage_of(id, classes=True)) == (old, new)


def test_deleting_a_definition_deletes_its_objects_and_waits_for_finalizers() -> None:
    crd, shop = definition("shops.example.org"), ObjectId("example.org", "Shop", "shop", "one")
    world = World(live=Table({crd: Live(), shop: Live(definition=crd)}))

    after, gone = deleted(world, (crd,), None, How.USER)

    assert gone == (Deletion(crd, None, How.USER), Deletion(shop, crd, How.DEFINITION))
    assert len(after.live) == 0


def test_a_namespace_stays_until_its_last_finalizer_has_run() -> None:
    fleet = Fleet().at("root", "1", [plain(namespace("flux-system")), kustomization("apps")])
    fleet.at("apps", "1", [plain(config("a"))])
    world = fleet.start()

    terminating, _ = deleted(world, (namespace("flux-system"),), None, How.USER)
    after = finalized(terminating, fleet.environment, OWNER).world

    assert terminating.live[namespace("flux-system")].deleting
    assert terminating.live[OWNER].deleting
    assert OWNER not in after.live
    assert config("a") not in after.live


def test_nothing_new_goes_into_a_terminating_namespace() -> None:
    world = World(live=Table({namespace("shop"): Live(deleting=True), config("old"): Live()}))

    assert refusal(world, plain(config("new"))) == "Namespace shop is terminating"
    assert refusal(world, plain(config("old"))) == ""


def test_a_kind_without_its_definition_stops_its_stage() -> None:
    shop = Desired(ObjectId("example.org", "Shop", "shop", "one"), definition=definition("shops.example.org"))
    fleet = Fleet().at("root", "1", [plain(namespace("shop")), plain(config("a")), shop])

    world = fleet.rest().world

    assert namespace("shop") in world.live
    assert config("a") not in world.live
    assert world.records[ks("root")].reason == "Shop/shop/one: no matches for kind Shop"


def test_a_definition_in_the_same_build_comes_first() -> None:
    crd = definition("shops.example.org")
    shop = Desired(ObjectId("example.org", "Shop", "shop", "one"), definition=crd)
    fleet = Fleet().at("root", "1", [shop, plain(crd)])

    assert shop.id in fleet.start().live


def test_depends_on_waits_for_the_same_revision_of_the_same_source() -> None:
    after = kustomization("late", KustomizationSpec(source(), depends_on=(OWNER,)))
    fleet = Fleet().at("root", "1", [kustomization("apps"), after]).at("apps", "1", []).at("late", "1", [])
    world = fleet.start()
    fetched = replace(world, artifacts=world.artifacts.put(source(), "2"))

    assert waits_for(world, ks("late")) == ""
    assert waits_for(fetched, ks("late")) == "Kustomization/flux-system/apps is not ready"
    assert waits_for(fetched, ks("late"), frozenset({OWNER})) == ""


def test_depends_on_waits_for_the_live_spec() -> None:
    after = kustomization("late", KustomizationSpec(source(), depends_on=(OWNER,)))
    fleet = Fleet().at("root", "1", [kustomization("apps"), after]).at("apps", "1", []).at("late", "1", [])
    world = fleet.start()
    live = world.live[OWNER]
    changed = replace(live, spec=KustomizationSpec(source(), path="elsewhere"))

    assert waits_for(replace(world, live=world.live.put(OWNER, changed)), ks("late")) != ""


def test_an_optional_variable_may_be_missing() -> None:
    for optional in (True, False):
        spec = KustomizationSpec(source(), variables=(Variables(config("none"), optional),))
        fleet = Fleet().at("root", "1", [kustomization("apps", spec)]).at("apps", "1", [plain(config("a"))])

        assert (config("a") in fleet.rest().world.live) is optional


def test_a_source_without_its_secret_cannot_fetch() -> None:
    keyed = git("private", "private", secret("key"))
    fleet = Fleet(origins=("fleet", "private")).at("root", "1", [keyed])

    assert source("private") not in fleet.rest().world.artifacts
    assert source("private") in fleet.rest(plain(secret("key"))).world.artifacts


def test_health_is_readiness_with_the_live_spec() -> None:
    fleet = Fleet().at("root", "1", [kustomization("apps"), helm("web")]).at("apps", "1", []).chart("web")
    world = fleet.start()
    live = world.live[OWNER]
    stale = replace(world, live=world.live.put(OWNER, replace(live, spec=KustomizationSpec(source(), path="x"))))

    assert [is_healthy(world, id) for id in (OWNER, release("web"), source(), config("none"))] == [
        True,
        True,
        True,
        False,
    ]
    assert not is_healthy(stale, OWNER)


def test_helm_takes_objects_over_and_uninstalls_without_looking_at_the_owner() -> None:
    fleet = Fleet().at("root", "1", [plain(config("a")), helm("web")]).chart("web", plain(config("a")))
    world = fleet.rest().world
    doomed = replace(world, live=world.live.put(release("web"), replace(world.live[release("web")], deleting=True)))

    (move,) = (move for move in helm_moves(doomed, fleet.environment) if move.subject == release("web"))

    assert world.live[config("a")].owner == ks("root")
    assert [deletion.id for deletion in move.deletions] == [config("a")]


def test_helm_keeps_what_the_stored_manifest_keeps_not_what_is_kept_live() -> None:
    fleet = Fleet().at("root", "1", [helm("web")])
    fleet.chart("web", plain(config("stored"), Mark.HELM_KEEP), plain(config("live")))
    world = acted(fleet.start(), Annotate(config("live"), frozenset({Mark.HELM_KEEP}))).world
    world = acted(world, Remove(release("web"))).world

    (move,) = helm_moves(world, fleet.environment)

    assert [deletion.id for deletion in move.deletions] == [config("live")]


def test_an_upgrade_keeps_what_is_kept_live() -> None:
    spec = HelmReleaseSpec(Release("web", "shop", "shop", "web"), rest="v1")
    fleet = Fleet().at("root", "1", [helm("web", spec)]).at("root", "2", [helm("web", replace(spec, rest="v2"))])
    fleet.chart("v1", plain(config("a")), plain(config("b"))).chart("v2")
    world = acted(fleet.start(), Annotate(config("a"), frozenset({Mark.HELM_KEEP}))).world

    rest = settled(acted(world, Push((("fleet", "2"),))).world, fleet.environment)

    assert [deletion.id for deletion in rest.deletions] == [config("b")]


def test_a_suspended_release_is_left_when_its_object_goes() -> None:
    fleet = Fleet().at("root", "1", [helm("web")]).chart("web", plain(config("a")))
    world = acted(fleet.start(), Annotate(release("web"), frozenset({Mark.SUSPENDED}))).world
    world = acted(world, Remove(release("web"))).world

    (move,) = helm_moves(world, fleet.environment)

    assert move.deletions == ()
    assert config("a") in move.world.live


def adopting(operator: str) -> tuple[Environment, World]:
    fleet = Fleet(operator=operator).at("root", "1", [kustomization("flux"), instance()])
    fleet.at("flux", "1", [controller()]).chart("components", controller())
    return fleet.environment, fleet.start(plain(INSTANCE_CRD))


@pytest.mark.parametrize(
    ("operator", "marks"),
    [
        ("0.2.0", NONE),
        ("0.27.0", {Mark.SSA_IGNORE}),
        ("0.28.0", {Mark.SSA_IGNORE, Mark.PRUNE_DISABLED}),
    ],
)
def test_the_operator_stamps_by_its_version(operator: str, marks: frozenset[Mark]) -> None:
    fleet = Fleet(operator=operator).at("root", "1", [instance()]).chart("components", controller())
    live = fleet.start(plain(INSTANCE_CRD)).live[KUSTOMIZE_CONTROLLER]

    assert (live.owner, live.operator, live.pinned) == (None, INSTANCE, marks)


def test_the_operator_takes_the_owner_labels_and_the_old_owner_skips() -> None:
    environment, world = adopting("0.58.1")

    live = world.live[KUSTOMIZE_CONTROLLER]
    assert (live.owner, live.operator) == (None, INSTANCE)
    assert KUSTOMIZE_CONTROLLER in world.records[ks("flux")].inventory
    assert [move for move in operator_moves(world, environment) if move.world != world] == []


def test_the_operator_refuses_a_minor_downgrade_only_of_its_own_record() -> None:
    fleet = Fleet().at("root", "1", [instance()]).chart("components", controller()).chart("old", controller())
    fleet.at("root", "2", [instance(spec=FluxInstanceSpec((2, 5, 1), wait=False, rest="old"))])

    rest = settled(acted(fleet.start(plain(INSTANCE_CRD)), Push((("fleet", "2"),))).world, fleet.environment)

    assert rest.world.records[INSTANCE].reason == "stalled: a minor downgrade is refused"


def test_a_disabled_instance_leaves_flux_alone() -> None:
    environment, world = adopting("0.58.1")
    paused = acted(world, Annotate(INSTANCE, frozenset({Mark.OPERATOR_RECONCILE_DISABLED}))).world
    removed = acted(paused, Remove(INSTANCE)).world

    (move,) = operator_moves(removed, environment)

    assert move.deletions == ()
    assert KUSTOMIZE_CONTROLLER in move.world.live


def test_a_namespace_survives_the_uninstall_of_flux() -> None:
    home = namespace("flux-system")
    fleet = Fleet().at("root", "1", [instance()]).chart("components", controller(), plain(home))
    world = acted(fleet.start(plain(INSTANCE_CRD)), Remove(INSTANCE)).world

    (move,) = operator_moves(world, fleet.environment)

    assert KUSTOMIZE_CONTROLLER not in move.world.live
    assert home in move.world.live


def test_a_controller_stops_some_time_after_its_deployment_went() -> None:
    fleet = Fleet().hosting().at("root", "1", [])
    gone = acted(fleet.start(), Remove(KUSTOMIZE_CONTROLLER)).world

    (stop,) = lifecycle_moves(gone, fleet.environment)
    back = acted(stop.world, Install((controller(),))).world
    (start,) = lifecycle_moves(back, fleet.environment)

    assert Actor.KUSTOMIZE not in gone.stopped
    assert Actor.KUSTOMIZE in stop.world.stopped
    assert Actor.KUSTOMIZE not in start.world.stopped


def test_a_crash_forgets_what_runs_and_keeps_the_inventory() -> None:
    fleet = Fleet().at("root", "1", [plain(config("a"))])
    world = fleet.start(crashes=1)
    running = started(world, ks("root")).world

    (crash,) = lifecycle_moves(running, fleet.environment)

    assert len(crash.world.runs) == 0
    assert crash.world.crashes == 1
    assert crash.world.records[ks("root")].inventory == {config("a")}


def test_marks_set_by_hand_come_off_by_hand() -> None:
    world = World(live=Table({config("a"): Live(marks=frozenset({Mark.PRUNE_DISABLED}))}))
    both = frozenset({Mark.PRUNE_DISABLED, Mark.SSA_IGNORE})

    marked = acted(world, Annotate(config("a"), both)).world
    bare = acted(marked, Unmark(config("a"), both)).world

    assert marked.live[config("a")].opt_outs == both
    assert bare.live[config("a")].opt_outs == NONE


def test_a_step_on_an_object_that_is_not_there_changes_nothing() -> None:
    gone = deployment("none")

    assert acted(World(), Remove(gone)).world == World()
    assert acted(World(), Annotate(gone, frozenset({Mark.SUSPENDED}))).world == World()

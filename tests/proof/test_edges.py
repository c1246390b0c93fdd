"""Every edge of the transition model: the order that loses something, and the twin in which no order does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from proof.worlds import (
    INSTANCE,
    INSTANCE_CRD,
    KUSTOMIZE_CONTROLLER,
    NS,
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
    push,
    release,
    secret,
    source,
)

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile_cluster import Install, Program, UserStep
from flux_handover.proof.series import Outcome, outcome_of
from flux_handover.proof.world import (
    Actor,
    BuildFailed,
    Controller,
    ControllerSpec,
    Desired,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Mark,
    Release,
    Remedy,
    Variables,
    World,
)

OPERATOR = deployment("flux-operator")
KEEP = Mark.PRUNE_DISABLED
ACCOUNT = ObjectId("", "ServiceAccount", NS, "kustomize-controller")


@dataclass(frozen=True)
class Story:
    """A cluster at revision 1, and what a person does next."""

    fleet: Fleet
    live: tuple[Desired, ...] = ()
    program: Program = (push("2"),)
    root: KustomizationSpec | None = None
    twin: bool = False

    def outcome(self) -> Outcome:
        world = self.fleet.start(*self.live, root=self.root)
        return outcome_of(world, self.program, self.fleet.environment)


def removed_kustomization(safe: bool) -> Story:
    child = kustomization("apps", KustomizationSpec(source(), prune=not safe))
    fleet = Fleet().at("root", "1", [child]).at("root", "2", []).at("apps", "1", [plain(config("a"))])
    return Story(fleet)


def moved_object(safe: bool) -> Story:
    marks = (KEEP,) if safe else ()
    fleet = Fleet().at("root", "1", [kustomization("old"), kustomization("new")])
    fleet.at("old", "1", [plain(config("a"), *marks)]).at("new", "1", [])
    fleet.at("old", "2", []).at("new", "2", [plain(config("a"), *marks)])
    return Story(fleet)


def components_leave_first(safe: bool) -> Story:
    flux = kustomization("flux", KustomizationSpec(source(), prune=not safe))
    fleet = Fleet().hosting(ACCOUNT).at("root", "1", [flux])
    fleet.at("flux", "1", [controller(), plain(ACCOUNT)]).at("flux", "2", [])
    return Story(fleet)


def restamped_labels(safe: bool) -> Story:
    fleet = Fleet(operator="0.58.1" if safe else "0.27.0").hosting()
    fleet.at("root", "1", [kustomization("flux")]).at("flux", "1", [controller()])
    fleet.at("root", "2", [kustomization("flux"), kustomization("instance")]).at("instance", "2", [instance()])
    fleet.chart("components", controller()).at("flux", "3", [])
    wait = UserStep(push("3").action, frozenset({INSTANCE, KUSTOMIZE_CONTROLLER}), adopted)
    return Story(fleet, (plain(INSTANCE_CRD),), (push("2"), wait))


def adopted(world: World) -> bool:
    record = world.records.get(INSTANCE)
    return record is not None and record.ready and world.live[KUSTOMIZE_CONTROLLER].operator == INSTANCE


def sync_drops_settings(safe: bool) -> Story:
    full = kustomization("apps", KustomizationSpec(source(), guards=frozenset({"decryption"})))
    bare = kustomization("apps", KustomizationSpec(source()))
    fleet = Fleet().at("root", "1", [full]).at("apps", "1", [])
    fleet.at("root", "2", [full, kustomization("instance")]).at("instance", "2", [instance("sync")])
    fleet.chart("sync", full if safe else bare)
    return Story(fleet, (plain(INSTANCE_CRD),))


def second_root(safe: bool) -> Story:
    fleet = Fleet().at("root", "1", [kustomization("apps")]).at("apps", "1", [plain(config("a"))])
    fleet.at("root", "2", [kustomization("apps"), kustomization("instance")]).at("instance", "2", [instance("sync")])
    sync = kustomization("main", KustomizationSpec(source(), path="apps"))
    fleet.chart("sync", *(() if safe else (sync,)))
    return Story(fleet, (plain(INSTANCE_CRD),))


def sync_removed(safe: bool) -> Story:
    marks = (Mark.OPERATOR_PRUNE_DISABLED,) if safe else ()
    fleet = Fleet().at("root", "1", [instance("sync")]).at("root", "2", [instance("none")])
    fleet.chart("sync", kustomization("apps", None, *marks)).chart("none").at("apps", "1", [plain(config("a"))])
    return Story(fleet, (plain(INSTANCE_CRD),))


def instance_removed(safe: bool) -> Story:
    fleet = Fleet().hosting().at("root", "1", [instance("components", *((KEEP,) if safe else ()))])
    fleet.at("root", "2", []).chart("components", controller())
    return Story(fleet, (plain(INSTANCE_CRD),))


def instance_remedied(safe: bool) -> Story:
    spec = HelmReleaseSpec(
        Release("flux-instance", NS, NS, "flux-instance"),
        remedy=Remedy.RETRY if safe else Remedy.UNINSTALL,
        rest="flux-instance",
    )
    fleet = Fleet().hosting().at("root", "1", []).at("root", "2", [helm("flux-instance", spec)])
    fleet.chart("flux-instance", instance()).chart("components", controller())
    return Story(fleet, (plain(INSTANCE_CRD), controller()))


def operator_leaves_with_instance(safe: bool) -> Story:
    operator = Desired(OPERATOR, spec=ControllerSpec(Actor.OPERATOR))
    fleet = Fleet().at("root", "1", [operator, instance("components", *((KEEP,) if safe else ()))]).at("root", "2", [])
    fleet.chart("components", plain(config("flux", NS)))
    fleet.controllers[Actor.OPERATOR] = Controller(OPERATOR)
    return Story(fleet, (plain(INSTANCE_CRD),))


def operator_definition_removed(safe: bool) -> Story:
    crd = plain(INSTANCE_CRD, *((KEEP,) if safe else ()))
    fleet = Fleet().hosting().at("root", "1", [crd, kustomization("instance")])
    fleet.at("root", "2", [kustomization("instance")])
    fleet.at("instance", "1", [instance()]).chart("components", controller())
    return Story(fleet)


def version_jump(safe: bool) -> Story:
    to = (2, 7, 5) if safe else (2, 9, 4)
    fleet = Fleet().at("root", "1", []).at("root", "2", [instance(spec=FluxInstanceSpec(to, wait=False, rest="new"))])
    fleet.chart("new", controller(version=to))
    return Story(fleet, (plain(INSTANCE_CRD), controller()))


def stalled_instance(safe: bool) -> Story:
    flux = kustomization("flux", KustomizationSpec(source(), prune=not safe))
    fleet = Fleet().hosting().at("root", "1", [flux, instance()]).at("", "", BuildFailed("x"))
    fleet.at("components", "", BuildFailed("no such target")).at("flux", "1", [controller()]).at("flux", "2", [])
    return Story(fleet, (plain(INSTANCE_CRD),))


def instance_twice(safe: bool) -> Story:
    spec = HelmReleaseSpec(Release("flux-instance", NS, NS, "flux-instance"), rest="flux-instance")
    both = [helm("flux-instance", spec)] if safe else [helm("flux-instance", spec), instance()]
    fleet = Fleet().at("root", "1", []).at("root", "2", both).chart("flux-instance", instance()).chart("components")
    return Story(fleet, (plain(INSTANCE_CRD),))


def instance_beside_its_operator(safe: bool) -> Story:
    fleet = Fleet().at("root", "1", []).chart("operator", plain(INSTANCE_CRD)).chart("components")
    operator = helm("operator")
    later = kustomization("instance", KustomizationSpec(source(), depends_on=(ks("operator"),)))
    first = kustomization("operator", KustomizationSpec(source(), wait=True))
    fleet.at("root", "2", [first, later] if safe else [operator, instance()])
    fleet.at("operator", "2", [operator]).at("instance", "2", [instance()])
    return Story(fleet)


def instance_before_its_operator(safe: bool) -> Story:
    fleet = Fleet().at("root", "1", []).chart("operator", plain(INSTANCE_CRD)).chart("components")
    after = (ks("operator"),) if safe else ()
    later = kustomization("instance", KustomizationSpec(source(), depends_on=after))
    fleet.at("root", "2", [kustomization("operator", KustomizationSpec(source(), wait=True)), later])
    fleet.at("operator", "2", [helm("operator")]).at("instance", "2", [instance()])
    return Story(fleet)


def bootstrap_again(safe: bool) -> Story:
    fleet = Fleet().at("root", "1", [instance()]).chart("components", controller())
    again = plain(config("other")) if safe else replace(controller(), digest="gotk")
    return Story(fleet, (plain(INSTANCE_CRD),), (UserStep(Install((again,))),))


def key_pruned(safe: bool) -> Story:
    key = plain(secret("deploy-key"), *((KEEP,) if safe else ()))
    keyed = git("private", "private", key.id)
    fleet = Fleet(origins=("fleet", "private"))
    shop = kustomization("shop", KustomizationSpec(source("private")))
    fleet.at("root", "1", [kustomization("keys"), keyed, shop]).at("shop", "1", [])
    fleet.at("keys", "1", [key]).at("keys", "2", [])
    return Story(fleet)


def flux_namespace_leaves(safe: bool) -> Story:
    home = plain(namespace(NS), *((KEEP,) if safe else ()))
    fleet = (
        Fleet().hosting(namespace(NS)).at("root", "1", [home, kustomization("flux")]).at("flux", "1", [controller()])
    )
    fleet.at("root", "2", [kustomization("flux")])
    return Story(fleet)


def prune_off_with_removal(safe: bool) -> Story:
    off = kustomization("apps", KustomizationSpec(source(), prune=False))
    fleet = Fleet().at("root", "1", [off if safe else kustomization("apps")]).at("root", "2", [off])
    fleet.at("apps", "1", [plain(config("a"))]).at("apps", "2", [])
    return Story(fleet)


def path_moved_with_files(safe: bool) -> Story:
    fleet = Fleet().at("root", "1", [kustomization("apps", KustomizationSpec(source(), path="old"))])
    fleet.at("root", "2", [kustomization("apps", KustomizationSpec(source(), path="new"))])
    fleet.at("old", "1", [plain(config("a"))]).at("new", "1", []).at("new", "2", [plain(config("a"))])
    fleet.at("old", "2", [plain(config("a"))] if safe else [])
    return Story(fleet)


def readiness_cycle(safe: bool) -> Story:
    root = KustomizationSpec(source(), path="root", wait=not safe)
    chart = HelmReleaseSpec(Release("flux-instance", NS, NS, "flux-instance"), waits=True, rest="flux-instance")
    fleet = Fleet(flux="2.8.8").at("root", "1", []).at("root", "2", [helm("flux-instance", chart)])
    spec = FluxInstanceSpec((2, 8, 8), wait=True, rest="sync")
    fleet.chart("flux-instance", instance(spec=spec)).chart("sync", kustomization("root", root))
    return Story(fleet, (plain(INSTANCE_CRD),), root=root)


def variables_of_its_own(safe: bool) -> Story:
    settings = Variables(config("settings", NS), optional=safe)
    fleet = Fleet().at("root", "1", []).at("apps", "2", [plain(config("settings", NS))])
    fleet.at("root", "2", [kustomization("apps", KustomizationSpec(source(), variables=(settings,)))])
    return Story(fleet)


LOSSES: list[tuple[str, Callable[[bool], Story], set[ObjectId]]] = [
    ("E1", removed_kustomization, {ks("apps"), config("a")}),
    ("E2", moved_object, {config("a")}),
    ("E3", components_leave_first, {KUSTOMIZE_CONTROLLER, ACCOUNT}),
    ("E4", restamped_labels, {KUSTOMIZE_CONTROLLER}),
    ("E7", sync_removed, {ks("apps"), config("a")}),
    ("E8", instance_removed, {INSTANCE, KUSTOMIZE_CONTROLLER}),
    ("E8", instance_remedied, {INSTANCE, KUSTOMIZE_CONTROLLER}),
    ("E10", operator_definition_removed, {INSTANCE_CRD, INSTANCE, KUSTOMIZE_CONTROLLER}),
    ("E12", stalled_instance, {KUSTOMIZE_CONTROLLER}),
    ("E18", flux_namespace_leaves, {namespace(NS), KUSTOMIZE_CONTROLLER, source(), ks("root"), ks("flux")}),
    ("E19", prune_off_with_removal, {config("a")}),
    ("E20", path_moved_with_files, {config("a")}),
]

BREACHES: list[tuple[str, str, Callable[[bool], Story], ObjectId]] = [
    ("E5", "P3", sync_drops_settings, ks("apps")),
    ("E6", "P5", second_root, config("a")),
    ("E9", "P7", operator_leaves_with_instance, INSTANCE),
    ("E11", "P8", version_jump, KUSTOMIZE_CONTROLLER),
    ("E13", "P5", instance_twice, INSTANCE),
    ("E14", "P9", instance_beside_its_operator, ks("root")),
    ("E15", "P9", instance_before_its_operator, INSTANCE),
    ("E16", "P5", bootstrap_again, KUSTOMIZE_CONTROLLER),
    ("E17", "P2", key_pruned, source("private")),
    ("E21", "P9", readiness_cycle, ks("root")),
    ("V1", "P9", variables_of_its_own, ks("apps")),
]


@pytest.mark.parametrize(("edge", "story", "lost"), LOSSES, ids=lambda value: getattr(value, "__name__", None))
def test_an_edge_is_found_by_its_name_and_what_it_loses(
    edge: str, story: Callable[[bool], Story], lost: set[ObjectId]
) -> None:
    outcome = story(False).outcome()

    assert outcome.deleted == lost
    assert edge in {loss.counterexample.edge for loss in outcome.losses}
    for loss in outcome.losses:
        assert [step.n for step in loss.counterexample.trace] == list(range(1, len(loss.counterexample.trace) + 1))


@pytest.mark.parametrize(("edge", "story", "lost"), LOSSES, ids=lambda value: getattr(value, "__name__", None))
def test_no_order_loses_anything_in_the_safe_twin(
    edge: str, story: Callable[[bool], Story], lost: set[ObjectId]
) -> None:
    outcome = story(True).outcome()

    assert edge not in {loss.counterexample.edge for loss in outcome.losses} or outcome.deleted == {ks("apps")}
    assert outcome.deleted <= {ks("apps")}


@pytest.mark.parametrize(
    ("edge", "property", "story", "id"), BREACHES, ids=lambda value: getattr(value, "__name__", None)
)
def test_a_broken_property_is_found_by_its_edge(
    edge: str, property: str, story: Callable[[bool], Story], id: ObjectId
) -> None:
    breaches = story(False).outcome().breaches

    assert (edge, property) in {
        (b.counterexample.edge, b.violation.property) for b in breaches if id in b.violation.ids
    }


@pytest.mark.parametrize(
    ("edge", "property", "story", "id"), BREACHES, ids=lambda value: getattr(value, "__name__", None)
)
def test_no_order_breaks_the_property_in_the_safe_twin(
    edge: str, property: str, story: Callable[[bool], Story], id: ObjectId
) -> None:
    breaches = story(True).outcome().breaches

    assert [b for b in breaches if b.counterexample.edge == edge] == []


def test_a_trace_reads_as_what_happened() -> None:
    (loss,) = moved_object(False).outcome().losses

    assert str(loss.counterexample).splitlines() == [
        "1. user pushes revision 2 to fleet",
        "2. source-controller fetches revision 2 for GitRepository/flux-system/fleet",
        "3. kustomize-controller reconciles Kustomization/flux-system/old at revision 2 with the live prune true",
        "4. kustomize-controller has applied Kustomization/flux-system/old at revision 2",
        "5. kustomize-controller deletes ConfigMap/shop/a, which left the build of Kustomization/flux-system/old",
    ]
    assert loss.recreated


def test_a_release_whose_chart_is_unknown_says_so() -> None:
    fleet = Fleet().at("root", "1", [helm("shop")]).at("root", "2", [])
    outcome = Story(fleet).outcome()

    assert [(loss.id, loss.opaque) for loss in outcome.losses] == [(release("shop"), True)]
    assert outcome.undecided == ()

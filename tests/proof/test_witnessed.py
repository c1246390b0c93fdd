"""What was seen of the live cluster takes the place of what the proof expected, object by object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from proof.worlds import Fleet, config, ks, kustomization, plain, push, source

from flux_handover.objects import ObjectId
from flux_handover.proof.seen import Seen
from flux_handover.proof.series import Outcome, outcome_of
from flux_handover.proof.witnessed import Glimpse, Witness, glimpse_of, unexplained, witnessed
from flux_handover.proof.world import KustomizationSpec, Mark, World

KEPT, LEAVES, FORGOTTEN = config("kept"), config("leaves"), config("forgotten")
SHOP = ks("shop")
SPEC = KustomizationSpec(source(), path="shop")
PROTECTED = frozenset({Mark.PRUNE_DISABLED})


def fleet() -> Fleet:
    """A commit takes an object out of the build, which an opt-out keeps alive."""
    fleet = Fleet().at("root", "1", [kustomization("shop", SPEC)])
    fleet.at("shop", "1", [plain(KEPT), plain(LEAVES, Mark.PRUNE_DISABLED)])
    return fleet.at("shop", "2", [plain(KEPT)])


def as_expected(world: World) -> Witness:
    """The cluster, seen just as the proof has it."""
    glimpses = {
        id: Glimpse(live.owner, live.operator, live.marks, live.pinned, live.deleting)
        for id, live in world.live.items()
    }
    held = {id: record.inventory for id, record in world.records.items()}
    specs = {id: live.spec for id, live in world.live.items() if isinstance(live.spec, KustomizationSpec)}
    sights = {id: Seen(spec.path, spec.prune, spec.suspend, held[id]) for id, spec in specs.items()}
    return Witness(sights, specs, {}, glimpses)


def seen_otherwise(witness: Witness, id: ObjectId, **fields: Any) -> Witness:
    glimpse = replace(witness.glimpses.get(id, Glimpse()), **fields)
    return replace(witness, glimpses={**witness.glimpses, id: glimpse})


def with_inventory(witness: Witness, *more: ObjectId) -> Witness:
    shop = witness.sights[SHOP]
    assert shop.inventory is not None
    return replace(witness, sights={**witness.sights, SHOP: replace(shop, inventory=shop.inventory.union(more))})


def with_spec(witness: Witness, spec: KustomizationSpec) -> Witness:
    return replace(witness, specs={**witness.specs, SHOP: spec})


def judged(witness: Witness) -> Outcome:
    world, environment = witnessed(fleet().start(), fleet().environment, witness)
    return outcome_of(world, (push(),), environment)


def expected() -> Witness:
    return as_expected(fleet().start())


def test_a_cluster_that_is_as_expected_is_judged_as_it_was() -> None:
    assert witnessed(fleet().start(), fleet().environment, expected())[0] == fleet().start()
    assert judged(expected()).deleted == frozenset()
    assert list(unexplained(fleet().start(), expected())) == []


def test_an_opt_out_that_is_no_longer_live_protects_nothing() -> None:
    assert judged(seen_otherwise(expected(), LEAVES, marks=frozenset())).deleted == {LEAVES}


def test_what_an_inventory_holds_is_deleted_if_it_carries_the_labels_live() -> None:
    held = with_inventory(expected(), FORGOTTEN)

    assert judged(seen_otherwise(held, FORGOTTEN, owner=SHOP)).deleted == {FORGOTTEN}
    assert judged(seen_otherwise(held, FORGOTTEN, owner=None)).deleted == frozenset()
    assert judged(held).deleted == frozenset()


def test_an_opt_out_of_somebody_else_outlives_an_apply() -> None:
    unprotected = seen_otherwise(expected(), KEPT, pinned=PROTECTED)
    world, _ = witnessed(fleet().start(), fleet().environment, unprotected)

    assert world.live[KEPT].pinned == PROTECTED


def test_a_live_spec_that_prunes_otherwise_is_judged_with_what_git_builds_for_it() -> None:
    leaving = fleet().at("root", "1", [kustomization("shop", replace(SPEC, prune=False))]).at("root", "2", [])
    start = leaving.start()
    world, environment = witnessed(start, leaving.environment, with_spec(as_expected(start), SPEC))

    assert outcome_of(start, (push(),), leaving.environment).deleted == {SHOP}
    assert outcome_of(world, (push(),), environment).deleted == {SHOP, KEPT}


def test_one_that_somebody_suspended_deletes_nothing() -> None:
    unprotected = seen_otherwise(expected(), LEAVES, marks=frozenset())

    assert judged(with_spec(unprotected, replace(SPEC, suspend=True))).deleted == frozenset()


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ({ks("extra"): replace(SPEC, path="extra")}, "Kustomization/flux-system/extra is in the cluster"),
        ({SHOP: replace(SPEC, path="other")}, "Kustomization/flux-system/shop is built otherwise"),
    ],
)
def test_what_git_cannot_explain_is_told(specs: Mapping[ObjectId, KustomizationSpec], said: str) -> None:
    witness = expected()

    (told,) = unexplained(fleet().start(), replace(witness, specs={**witness.specs, **specs}))

    assert told.startswith(said)


def test_one_that_is_not_ready_keeps_its_dependents_waiting() -> None:
    waiting = Fleet().at("root", "1", [kustomization("shop", SPEC), kustomization("till", dependent())])
    waiting.at("shop", "1", [plain(KEPT)]).at("till", "1", [plain(LEAVES)])
    start = waiting.start()
    world, _ = witnessed(start, waiting.environment, replace(as_expected(start), unready={SHOP: "it fails"}))

    assert (world.records[SHOP].ready, world.records[SHOP].reason) == (False, "it fails")


def test_one_whose_content_is_not_known_keeps_what_it_has() -> None:
    """In a reduced world it builds nothing at all, and what it holds live would be taken for stale."""
    unknown = Fleet().at("root", "1", [kustomization("shop", SPEC)]).at("shop", "1", []).at("root", "2", [])
    start = unknown.start()
    held = seen_otherwise(with_inventory(as_expected(start), FORGOTTEN), FORGOTTEN, owner=SHOP)
    still = Fleet().at("root", "1", [kustomization("shop", SPEC)]).at("shop", "1", []).at("shop", "2", [])

    taken = witnessed(start, still.environment, held)
    kept = witnessed(start, still.environment, held, frozenset({SHOP}))
    leaving = witnessed(start, unknown.environment, held, frozenset({SHOP}))

    assert outcome_of(taken[0], (push(),), taken[1]).deleted == {FORGOTTEN}
    assert outcome_of(kept[0], (push(),), kept[1]).deleted == frozenset()
    assert outcome_of(leaving[0], (push(),), leaving[1]).deleted == {SHOP, FORGOTTEN}


def test_an_object_of_a_kind_whose_scope_git_cannot_tell_is_the_same_without_a_namespace() -> None:
    start = fleet().start()
    unscoped = ObjectId(KEPT.group, KEPT.kind, "", KEPT.name)
    witness = as_expected(start)
    glimpses = {unscoped if id == KEPT else id: glimpse for id, glimpse in witness.glimpses.items()}
    shop = replace(witness.sights[SHOP], inventory=frozenset({unscoped, LEAVES}))
    seen = replace(witness, sights={**witness.sights, SHOP: shop}, glimpses=glimpses)

    assert witnessed(start, fleet().environment, seen)[0] == start
    assert judged(seen).deleted == frozenset()


def dependent() -> KustomizationSpec:
    return KustomizationSpec(source(), path="till", depends_on=(SHOP,))


def metadata(manager: str) -> Mapping[str, Any]:
    key = "kustomize.toolkit.fluxcd.io/prune"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "leaves",
            "namespace": "shop",
            "labels": {
                "kustomize.toolkit.fluxcd.io/name": "shop",
                "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
            },
            "annotations": {key: "Disabled"},
            "managedFields": [
                {"manager": manager, "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{key}": {}}}}},
                {"manager": "somebody", "fieldsV1": {"f:data": {}}},
            ],
        },
    }


@pytest.mark.parametrize(
    ("manager", "stays"),
    [("kustomize-controller", False), ("kubectl-annotate", False), ("flux", True), ("flux-operator", True)],
)
def test_who_set_an_opt_out_says_whether_an_apply_takes_it_off(manager: str, stays: bool) -> None:
    glimpse = glimpse_of(metadata(manager))

    assert (glimpse.owner, glimpse.operator, glimpse.deleting) == (SHOP, None, False)
    assert (glimpse.pinned, glimpse.marks) == ((PROTECTED, frozenset()) if stays else (frozenset(), PROTECTED))

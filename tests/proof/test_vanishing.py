"""What may be deleted: too much rather than too little, but no more than an order could."""

from __future__ import annotations

from proof.worlds import Fleet, config, ks, kustomization, namespace, plain, push, source

from flux_handover.objects import ObjectId
from flux_handover.proof.scope import scope_of
from flux_handover.proof.vanishing import vanishing
from flux_handover.proof.world import DeletionPolicy, KustomizationSpec


def may_go(fleet: Fleet, *removed: ObjectId) -> frozenset[ObjectId]:
    return vanishing(scope_of(fleet.start(), fleet.environment, (push(),)), set(removed))


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

    assert may_go(fleet, config("a")) == {config("a")}

"""What happened against what was announced."""

from __future__ import annotations

import pytest

from flux_handover.act.comparing import Announced, Happenings, disagreements, happenings, replaced
from flux_handover.adapters.recorder import Change, Happened
from flux_handover.objects import ObjectId

OLD = ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "gardens", "old")
POND = ObjectId("", "ConfigMap", "gardens", "pond")


def change(happened: Happened, id: ObjectId = POND, *, controlled: bool = False) -> Change:
    return Change(1.0, happened, id, "uid", controlled)


def deleted(*ids: ObjectId, recreated: tuple[ObjectId, ...] = ()) -> Happenings:
    return Happenings((), (), ids, recreated)


def test_each_sort_of_change_is_listed_once_per_object() -> None:
    changes = [change(Happened.CREATED, OLD), change(Happened.CHANGED, OLD), change(Happened.CHANGED)]

    found = happenings([*changes, change(Happened.CHANGED), change(Happened.DELETED), change(Happened.RECREATED)])

    assert found == Happenings((OLD,), (POND,), (POND,), (POND,))


@pytest.mark.parametrize(
    ("id", "controlled", "counts"),
    [
        (POND, False, True),
        (POND, True, False),
        (ObjectId("", "Secret", "gardens", "sh.helm.release.v1.pond.v1"), False, False),
        (ObjectId("", "Secret", "gardens", "pond"), False, True),
        (ObjectId("source.toolkit.fluxcd.io", "HelmChart", "gardens", "gardens-pond"), False, False),
        (ObjectId("apps", "ReplicaSet", "gardens", "pond-1"), False, False),
        (ObjectId("apps", "Deployment", "gardens", "pond"), False, True),
    ],
)
def test_what_controllers_keep_for_themselves_does_not_count(id: ObjectId, controlled: bool, counts: bool) -> None:
    found = happenings([change(Happened.DELETED, id, controlled=controlled)])

    assert bool(found.deleted) is counts


NOTHING = Announced()
SURPRISE = "deleted, but not announced: ConfigMap/gardens/pond"


@pytest.mark.parametrize(
    ("seen", "announced", "problems"),
    [
        (deleted(OLD), Announced(frozenset({OLD})), ()),
        (deleted(), NOTHING, ()),
        (deleted(), Announced(frozenset({OLD})), ("announced, but not deleted: Kustomization/gardens/old",)),
        (deleted(POND), NOTHING, (SURPRISE,)),
        (deleted(POND), Announced(brought=frozenset({POND})), ()),
        (
            deleted(POND),
            Announced(returning=frozenset({POND})),
            ("deleted, but not announced: ConfigMap/gardens/pond",),
        ),
        (deleted(recreated=(POND,)), Announced(returning=frozenset({POND})), ()),
        (
            deleted(POND, recreated=(POND,)),
            Announced(frozenset({POND})),
            ("deleted and made anew: ConfigMap/gardens/pond",),
        ),
    ],
    ids=["as announced", "nothing", "missing", "surprising", "brought", "not yet back", "back", "made anew"],
)
def test_the_cluster_must_do_exactly_what_was_announced(
    seen: Happenings, announced: Announced, problems: tuple[str, ...]
) -> None:
    assert disagreements(seen, announced) == problems


def test_an_object_with_another_uid_was_replaced() -> None:
    assert replaced({OLD: "1", POND: "2"}, {OLD: "1", POND: "3"}) == (POND,)
    assert replaced({OLD: "1"}, {}) == ()

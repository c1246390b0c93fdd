"""What somebody saw of the live cluster takes the place of what Git lets the guard assume."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from proof.fleets import Files, Judge, fleet, listing

from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.proof.guard import Point, Start, guard
from flux_handover.proof.guard_bases import Base
from flux_handover.proof.guard_report import GuardReport, Safety
from flux_handover.proof.seen import Seen, Sights, as_seen, is_of
from flux_handover.proof.table import Table
from flux_handover.proof.world import Live, Record, World

APPS = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "apps")
ROOT = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "fleet")
FLUX_SOURCE = ObjectId("source.toolkit.fluxcd.io", "GitRepository", "flux-system", "fleet")
NOTES, MEMOS = (ObjectId("", "ConfigMap", "notes", name) for name in ("notes", "memos"))
FORGOTTEN = ObjectId("", "ConfigMap", "notes", "forgotten")

BROKEN: Files = {"apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "nowhere.yaml")}
ONLY_NOTES: Files = {"apps/kustomization.yaml": listing("notes.yaml"), "apps/memos.yaml": None}


def sights(
    apps: frozenset[ObjectId] | None, prune: bool = True, path: str = "./apps", suspended: bool = False
) -> Sights:
    root = Seen("./clusters/main", prune=True, suspended=False, inventory=frozenset({ROOT, FLUX_SOURCE, APPS}))
    return {ROOT: root, APPS: Seen(path, prune, suspended, apps)}


def judged(
    judge: Judge, seen: Sights, before: Files, after: Files, bases: Mapping[str, Mapping[ObjectId, Base]] | None = None
) -> GuardReport:
    start = Start(judge.read(fleet(before), "commit-0"), bases or {}, seen)
    (report,) = guard(start, [Point("commit-1", fleet(after))], judge.read, judge.engine)
    return report


def test_what_an_inventory_still_holds_is_pruned_by_any_commit(judge: Judge) -> None:
    seen = sights(frozenset({NOTES, MEMOS, FORGOTTEN}))

    report = judged(judge, seen, {}, {"README.md": "words"})

    assert [one.id for one in report.deletes] == [FORGOTTEN]
    assert judged(judge, {}, {}, {"README.md": "words"}).deletes == ()


def test_the_inventory_of_what_never_built_here_is_known_once_it_was_seen(judge: Judge) -> None:
    bases = {"clusters/main": {APPS: Base("", assumed=True)}}

    assert judged(judge, {}, BROKEN, ONLY_NOTES, bases).verdict is Safety.UNKNOWN
    report = judged(judge, sights(frozenset({NOTES, MEMOS})), BROKEN, ONLY_NOTES, bases)

    assert [one.id for one in report.deletes] == [MEMOS]
    assert report.undecided == ()


def test_one_that_was_seen_without_an_inventory_is_as_unknown_as_before(judge: Judge) -> None:
    bases = {"clusters/main": {APPS: Base("", assumed=True)}}

    assert judged(judge, sights(None), BROKEN, ONLY_NOTES, bases).verdict is Safety.UNKNOWN


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (sights(frozenset(), prune=False), "prune false in the cluster, true in Git"),
        (sights(frozenset(), path="./other"), "path ./other in the cluster, apps in Git"),
        (sights(frozenset(), suspended=True), "is suspended in the cluster"),
        ({ROOT: sights(None)[ROOT]}, "was not seen in the cluster"),
    ],
)
def test_what_the_cluster_has_otherwise_is_unknown(judge: Judge, seen: Sights, said: str) -> None:
    report = judged(judge, seen, {}, {"README.md": "words"})

    assert report.verdict is Safety.UNKNOWN
    assert any(said in sentence for sentence in report.undecided)


def test_another_cluster_is_told_by_the_path_of_its_root(judge: Judge) -> None:
    (cluster,) = judge.read(fleet(), "commit-0").clusters
    other = {ROOT: Seen("./clusters/other", prune=True, suspended=False, inventory=frozenset())}

    assert is_of(sights(None), cluster)
    assert not is_of(other, cluster)
    assert judged(judge, other, {}, {"README.md": "words"}).verdict is Safety.SAFE


def test_a_cluster_scoped_object_has_no_namespace_in_the_cluster() -> None:
    owner = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "issuers")
    built = ObjectId("cert-manager.io", "ClusterIssuer", "certificates", "public")
    other = ObjectId("", "ConfigMap", "certificates", "public")
    world = World(live=Table({built: Live(owner)}), records=Table({owner: Record(frozenset({built}))}))
    live = frozenset({built._replace(namespace=""), other})

    found = as_seen(world, {owner: Seen("issuers", prune=True, suspended=False, inventory=live)})

    assert found.records[owner].inventory == {built, other}
    assert set(found.live.keys()) == {built, other}

"""What a Kustomization prunes in another cluster is told, and never taken for an object of this one."""

from __future__ import annotations

from proof.fleets import Files, Judge, config, fleet, ks
from proof.test_seen import APPS, MEMOS, NOTES, judged, sights

from flux_handover.objects import ObjectId, elsewhere
from flux_handover.proof.guard_report import Safety
from flux_handover.proof.seen import Seen

REMOTE = "  kubeConfig: {secretRef: {name: far.config}}\n"
FAR = "far-config@flux-system"
BOTH: Files = {
    "clusters/main/far.yaml": ks("far", "./far", REMOTE),
    "far/notes.yaml": config("notes"),
    "far/more.yaml": config("more"),
}


def test_what_leaves_another_cluster_is_told_by_its_own_id(judge: Judge) -> None:
    """The same object is in this cluster too, and stays."""
    (report,) = judge.reports(fleet(BOTH), fleet({**BOTH, "far/notes.yaml": None}))

    assert [one.id for one in report.deletes] == [elsewhere(ObjectId("", "ConfigMap", NOTES.namespace, "notes"), FAR)]
    assert report.verdict is Safety.SAFE


def test_the_same_object_in_two_clusters_is_no_conflict(judge: Judge) -> None:
    (report,) = judge.reports(fleet(), fleet(BOTH))

    assert (report.verdict, report.findings, report.deletes) == (Safety.SAFE, (), ())


def test_an_inventory_that_was_seen_is_of_the_cluster_it_applies_to(judge: Judge) -> None:
    far = APPS._replace(name="far")
    held = frozenset({ObjectId("", "ConfigMap", NOTES.namespace, name) for name in ("notes", "more", "forgotten")})
    seen = {**sights(frozenset({NOTES, MEMOS})), far: Seen("./far", prune=True, suspended=False, inventory=held)}

    report = judged(judge, seen, BOTH, {**BOTH, "README.md": "words"})

    assert [one.id.name for one in report.deletes] == ["forgotten"]
    assert {one.id.kind for one in report.deletes} == {f"{FAR}:ConfigMap"}


def test_a_namespace_of_another_cluster_is_as_dear_as_one_of_this(judge: Judge) -> None:
    room = {"far/room.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: room}\n"}

    (report,) = judge.reports(fleet({**BOTH, **room}), fleet({**BOTH, "far/room.yaml": None}))

    assert report.verdict is Safety.UNSAFE
    assert [finding.hazard for finding in report.findings] == ["O13"]

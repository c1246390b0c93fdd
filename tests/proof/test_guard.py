"""The guard over a series: what is carried, what is not known, what happens to clusters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest
from builders import repo
from proof.fleets import BASE, ROOT, SOURCE, Files, Judge, config, fleet, instance, ks, listing

from flux_handover.model.rendering import BuildStatus
from flux_handover.proof.guard import Point, Start, guard
from flux_handover.proof.guard_bases import Base, known_at
from flux_handover.proof.guard_report import GuardReport, Safety, worst
from flux_handover.tree import Tree

MORE: Files = {"clusters/main/more.yaml": ks("more", "./more"), "more/letters.yaml": config("letters")}
BROKEN: Files = {"apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "nowhere.yaml")}
ONLY_NOTES: Files = {"apps/kustomization.yaml": listing("notes.yaml"), "apps/memos.yaml": None}
REMOTE: Files = {"apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "https://example.org/one.yaml")}


def standing(report: GuardReport, name: str) -> tuple[BuildStatus | None, BuildStatus | None, int, int]:
    one = next(one for one in report.kustomizations if one.id.name == name)
    return one.before, one.after, one.objects_before, one.objects_after


def test_nothing_changes_between_equal_trees(judge: Judge) -> None:
    (report,) = judge.reports(fleet(), fleet())

    assert report.verdict is Safety.SAFE
    assert (report.deletes, report.findings, report.undecided) == ((), (), ())
    assert (report.base, report.revision, report.clusters) == ("commit-0", "commit-1", ("clusters/main",))


def test_a_child_may_be_faster_than_the_removal_of_its_source(judge: Judge) -> None:
    other = SOURCE.replace("name: fleet", "name: other")
    before: Files = {"clusters/main/apps.yaml": ks("apps", "./apps", source="other"), "clusters/main/other.yaml": other}
    after: Files = {**before, **ONLY_NOTES, "clusters/main/other.yaml": None}

    (report,) = judge.reports(fleet(before), fleet(after))

    assert {str(one.id) for one in report.deletes} == {"ConfigMap/notes/memos", "GitRepository/flux-system/other"}
    assert not any("with its live spec at revision" in reason for reason in report.undecided)


@pytest.mark.parametrize(
    "after",
    [
        {"apps/notes.yaml": config("notes", data="{page: two}")},
        {"apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "new.yaml"), "apps/new.yaml": config("new")},
        MORE,
        {"README.md": "words"},
    ],
    ids=["a value", "an object", "an application", "a page"],
)
def test_an_ordinary_commit_is_safe(judge: Judge, after: Files) -> None:
    (report,) = judge.reports(fleet(), fleet(after))

    assert report.verdict is Safety.SAFE
    assert (report.deletes, report.findings) == ((), ())


def test_old_specs_are_known_at_the_new_revision_whether_their_variables_are_there_or_not(judge: Judge) -> None:
    """A patch of the parent changes two children, one of which needs a Secret that Git does not render."""
    needs = "  postBuild: {substituteFrom: [{kind: Secret, name: outside}]}\n"
    files = {f"{name}/x.yaml": config(name) for name in ("one", "two")}

    def both(interval: str) -> Files:
        children = ks("one", "./one", needs) + ks("two", "./two")
        return {"clusters/main/more.yaml": children.replace("interval: 1h", f"interval: {interval}"), **files}

    (report,) = judge.reports(fleet(both("1h")), fleet(both("2h")))

    assert (report.verdict, report.findings, report.undecided) == (Safety.SAFE, (), ())


def test_a_repository_that_gets_another_address_is_still_the_same(judge: Judge) -> None:
    """The commit that changes the address arrives at the old one."""
    moved: Files = {"clusters/main/root.yaml": ROOT.replace("ada/fleet", "ada/estate")}

    first, second = judge.reports(fleet(), fleet(moved), fleet({**moved, **ONLY_NOTES}))

    assert (first.deletes, first.undecided) == ((), ())
    assert [str(one.id) for one in second.deletes] == ["ConfigMap/notes/memos"]
    assert second.undecided == ()


def test_a_root_that_no_file_holds_still_brings_what_is_pushed(judge: Judge) -> None:
    """What `flux bootstrap` made is live, though its Kustomization is nowhere in Git."""
    apart: Files = {
        "clusters/main/root.yaml": None,
        "README.md": "flux bootstrap git --path=clusters/main\n",
        "clusters/main/apps.yaml": ks("apps", "./apps", source="flux-system"),
    }
    gone = {**apart, "clusters/main/apps.yaml": None, "clusters/main/none.yaml": config("none")}

    (report,) = judge.reports(fleet(apart), fleet(gone))

    assert {str(one.id) for one in report.deletes} >= {"Kustomization/flux-system/apps", "ConfigMap/notes/memos"}


def test_an_inventory_outlives_a_build_that_fails(judge: Judge) -> None:
    broken, repaired = judge.reports(fleet(), fleet(BROKEN), fleet(ONLY_NOTES))

    assert broken.deletes == ()
    assert broken.verdict is Safety.UNSAFE
    assert [str(one.id) for one in repaired.deletes] == ["ConfigMap/notes/memos"]
    assert standing(repaired, "apps") == (BuildStatus.FAILED, BuildStatus.OK, 2, 1)


def test_children_of_a_frozen_parent_go_on(judge: Judge) -> None:
    frozen = {**MORE, "clusters/main/broken.yaml": "a: *nowhere\n"}

    _, after = judge.reports(fleet(MORE), fleet(frozen), fleet({**frozen, "more/letters.yaml": config("cards")}))

    assert [str(one.id) for one in after.deletes] == ["ConfigMap/notes/letters"]


def test_each_commit_has_its_own_deletions_and_a_range_has_all(judge: Judge) -> None:
    alone = judge.reports(fleet(MORE), fleet({**MORE, **ONLY_NOTES}), fleet(ONLY_NOTES))
    (together,) = judge.reports(fleet(MORE), fleet(ONLY_NOTES))

    assert [{str(one.id) for one in report.deletes} for report in alone] == [
        {"ConfigMap/notes/memos"},
        {"Kustomization/flux-system/more", "ConfigMap/notes/letters"},
    ]
    assert {one.id for one in together.deletes} == {one.id for report in alone for one in report.deletes}


def test_a_series_is_read_one_by_one(judge: Judge) -> None:
    steps = guard(
        Start(judge.read(fleet(), "base")),
        (Point(name, fleet()) for name in ("first", "second", "third")),
        judge.read,
        judge.engine,
    )

    next(steps)

    assert judge.read_names == ["base", "first"]


def test_a_build_that_cannot_be_had_and_stays_the_same_is_decided(judge: Judge) -> None:
    (report,) = judge.reports(fleet(REMOTE), fleet({**REMOTE, **MORE}))

    assert report.verdict is Safety.SAFE


def test_a_build_that_cannot_be_had_and_changes_is_unknown(judge: Judge) -> None:
    other = {"apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "https://example.org/two.yaml")}

    (report,) = judge.reports(fleet(REMOTE), fleet(other))

    assert report.verdict is Safety.UNKNOWN
    assert "Kustomization/flux-system/apps" in report.undecided[0]


def test_a_repository_without_flux_has_nothing_to_guard(judge: Judge) -> None:
    (report,) = judge.reports(repo("a.txt", "a"), repo("a.txt", "b"))

    assert report.verdict is Safety.UNKNOWN
    assert (report.clusters, report.candidates) == ((), ())


def test_without_a_root_the_candidates_are_named(judge: Judge) -> None:
    rootless = {"clusters/main/root.yaml": None}

    (report,) = judge.reports(fleet(rootless), fleet(rootless))

    assert report.verdict is Safety.UNKNOWN
    assert report.candidates == ("apps",)


def test_a_named_root_is_guarded(judge: Judge) -> None:
    named = replace(judge, root="clusters/main")
    rootless: Files = {"clusters/main/root.yaml": None, "bootstrap/root.yaml": ROOT}

    (report,) = named.reports(fleet(rootless), fleet({**rootless, **ONLY_NOTES}))

    assert [str(one.id) for one in report.deletes] == ["ConfigMap/notes/memos"]


def test_a_new_cluster_has_nothing_to_lose(judge: Judge) -> None:
    other = SOURCE + ks("fleet", "./clusters/other")

    (report,) = judge.reports(fleet(), fleet({"clusters/other/root.yaml": other}))

    assert report.verdict is Safety.SAFE
    assert report.clusters == ("clusters/main", "clusters/other")
    assert any("clusters/other is new" in note for note in report.notes)


def test_two_clusters_are_told_apart(judge: Judge) -> None:
    other: Files = {
        "clusters/other/root.yaml": SOURCE + ks("fleet", "./clusters/other"),
        "clusters/other/more.yaml": ks("more", "./more"),
        "more/letters.yaml": config("letters"),
    }

    (report,) = judge.reports(fleet(other), fleet({**other, "clusters/other/more.yaml": None}))

    assert {one.cluster for one in report.deletes} == {"clusters/other"}


def test_a_root_whose_directory_is_gone_builds_nothing_and_prunes_nothing(judge: Judge) -> None:
    gone = {path: None for path in BASE if path.startswith("clusters/main")}

    (report,) = judge.reports(fleet(), fleet(gone))

    assert report.deletes == ()
    assert any("no root of its own any more" in note for note in report.notes)
    assert "G7" in {finding.hazard for finding in report.findings}


def test_a_root_that_leaves_its_own_directory_deletes_everything(judge: Judge) -> None:
    (report,) = judge.reports(fleet(), fleet({"clusters/main/root.yaml": None}))

    assert {str(one.id) for one in report.deletes} >= {"Kustomization/flux-system/fleet", "ConfigMap/notes/notes"}
    assert {one.hazard for one in report.findings} >= {"O3"}


def test_the_range_of_one_commit_takes_the_parents_as_they_were(judge: Judge) -> None:
    (report,) = judge.reports(fleet(BROKEN), fleet(ONLY_NOTES))

    assert report.deletes == ()


def ancestors(*trees: Tree) -> list[tuple[str, Callable[[], Tree]]]:
    return [(f"ancestor-{number}", partial(lambda tree: tree, tree)) for number, tree in enumerate(trees, 1)]


def judged_from(judge: Judge, before: Files, earlier: Sequence[Files], after: Files) -> GuardReport:
    """The step from a base whose broken Kustomizations are looked up in its ancestors."""
    base = judge.read(fleet(before), "base")
    (*lead, whole), bases = known_at(base, ancestors(*map(fleet, earlier)), judge.read)
    start = Start(whole, bases, lead=tuple(lead))
    return next(guard(start, (Point("head", fleet(after)),), judge.read, judge.engine))


def test_a_root_that_came_with_a_base_that_does_not_build_is_not_live(judge: Judge) -> None:
    sync = (
        "{kind: GitRepository, url: https://git.example.org/ada/fleet.git, ref: refs/heads/main, path: clusters/next}"
    )
    second = instance(f"{{distribution: {{version: v2.6.4, registry: ghcr.io/fluxcd}}, sync: {sync}}}")
    broken: Files = {
        "clusters/main/instance.yaml": second,
        "clusters/main/torn.yaml": "a: [\n",
        "clusters/next/later.yaml": ks("later", "./later"),
        "later/pages.yaml": config("pages"),
    }

    report = judged_from(judge, broken, [{}], {})

    assert report.verdict is Safety.SAFE
    assert (report.deletes, report.findings) == ((), ())


def test_a_base_that_does_not_build_has_the_inventory_of_the_last_that_did(judge: Judge) -> None:
    report = judged_from(judge, BROKEN, [BROKEN, {}], ONLY_NOTES)

    assert [str(one.id) for one in report.deletes] == ["ConfigMap/notes/memos"]
    base = next(one.base for one in report.kustomizations if one.id.name == "apps")
    assert base == Base("ancestor-2", assumed=True)


def test_a_base_that_never_built_is_unknown_once_it_builds(judge: Judge) -> None:
    report = judged_from(judge, BROKEN, [BROKEN], ONLY_NOTES)

    assert report.verdict is Safety.UNKNOWN
    assert "no revision tells what it applied last" in report.undecided[0]


def test_a_base_that_never_built_is_unknown_once_it_builds_nothing(judge: Judge) -> None:
    emptied = {**BROKEN, "apps/kustomization.yaml": listing()}

    report = judged_from(judge, BROKEN, [BROKEN], emptied)

    assert report.verdict is Safety.UNKNOWN


def test_a_base_that_stays_broken_is_no_matter(judge: Judge) -> None:
    report = judged_from(judge, BROKEN, [BROKEN], {**BROKEN, **MORE})

    assert report.verdict is Safety.SAFE


def test_a_base_that_builds_is_its_own(judge: Judge) -> None:
    report = judged_from(judge, {}, [{}], {})

    assert {one.base for one in report.kustomizations} == {Base("base", assumed=False)}


def test_children_of_a_broken_base_come_from_the_ancestor_too(judge: Judge) -> None:
    frozen = {**MORE, "clusters/main/broken.yaml": "a: *nowhere\n"}

    report = judged_from(judge, frozen, [MORE], {**frozen, "more/letters.yaml": config("cards")})

    assert [str(one.id) for one in report.deletes] == ["ConfigMap/notes/letters"]


def test_only_ancestors_that_differ_where_it_matters_are_read(judge: Judge) -> None:
    judged_from(judge, BROKEN, [{**BROKEN, "README.md": str(number)} for number in range(5)] + [{}], BROKEN)

    assert judge.read_names.count("ancestor-6") == 2
    assert not {"ancestor-1", "ancestor-3", "ancestor-5"} & set(judge.read_names)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((), Safety.SAFE),
        ((Safety.SAFE, Safety.UNKNOWN), Safety.UNKNOWN),
        ((Safety.UNKNOWN, Safety.UNSAFE), Safety.UNSAFE),
    ],
)
def test_the_worst_step_decides(verdicts: tuple[Safety, ...], expected: Safety) -> None:
    assert worst(verdicts) is expected


def test_a_kustomization_that_is_left_behind_goes_on(judge: Judge) -> None:
    """Its parent did not prune: it stays live, and prunes what leaves its own directory later."""
    files: Files = {
        "clusters/main/root.yaml": ROOT.replace("prune: true", "prune: false"),
        "clusters/main/more.yaml": ks("more", "./more"),
        "more/letters.yaml": config("letters"),
        "more/cards.yaml": config("cards"),
    }
    gone: Files = {**files, "clusters/main/more.yaml": None}
    new: Files = {
        "apps/new.yaml": config("new"),
        "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "new.yaml"),
    }

    left, quiet, pruned = judge.reports(
        fleet(files),
        fleet(gone),
        fleet({**gone, **new}),
        fleet({**gone, **new, "more/cards.yaml": None}),
    )

    assert (left.deletes, left.undecided) == ((), ())
    assert (quiet.deletes, quiet.undecided) == ((), ())
    assert [str(one.id) for one in pruned.deletes] == ["ConfigMap/notes/cards"]
    assert pruned.undecided == ()


def test_what_waits_to_be_pruned_is_not_made_anew(judge: Judge) -> None:
    """What it depends on is not ready since an earlier commit: the prune comes later, and the object is still live."""
    late = ks("late", "./late").replace("prune: true", "prune: true\n  dependsOn: [{name: apps}]")
    checks = "  healthChecks: [{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, name: no, namespace: notes}]"
    broken = {"clusters/main/apps.yaml": ks("apps", "./apps").replace("prune: true", f"prune: true\n{checks}")}
    files: Files = {"clusters/main/late.yaml": late, "late/a.yaml": config("a"), "late/b.yaml": config("b")}

    _, pending = judge.reports(
        fleet(files), fleet({**files, **broken}), fleet({**files, **broken, "late/b.yaml": None})
    )

    (one,) = pending.deletes
    assert (str(one.id), one.recreated, one.expected) == ("ConfigMap/notes/b", False, True)

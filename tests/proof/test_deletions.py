"""Deletions as a person must see them: meant or not, and what they take along."""

from __future__ import annotations

import pytest
from proof.fleets import Files, Judge, config, fleet, ks, listing

from flux_handover.proof.deletions import Deleted

MORE: Files = {"clusters/main/more.yaml": ks("more", "./more"), "more/letters.yaml": config("letters")}
GONE: Files = {"clusters/main/more.yaml": None, "more/letters.yaml": None}
READER = """---
apiVersion: v1
kind: Pod
metadata: {name: reader, namespace: notes}
spec: {volumes: [{name: a, configMap: {name: memos}}]}
"""
READING: Files = {
    "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "reader.yaml"),
    "apps/reader.yaml": READER,
}
RELEASE = """---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: press, namespace: notes}
spec: {interval: 1h, chart: {spec: {chart: press, sourceRef: {kind: HelmRepository, name: shop}}}}
"""
KINDS = {
    "a Namespace": "apiVersion: v1\nkind: Namespace\nmetadata: {name: study}\n",
    "data": "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: paper, namespace: notes}\n",
    "a CustomResourceDefinition": (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: pens.example.org}\n"
        "spec: {group: example.org, names: {kind: Pen, plural: pens}}\n"
    ),
}


def deletes(judge: Judge, before: Files, after: Files) -> dict[str, Deleted]:
    (report,) = judge.reports(fleet(before), fleet(after))
    return {str(one.id): one for one in report.deletes}


def test_a_document_that_is_removed_is_meant(judge: Judge) -> None:
    found = deletes(judge, {}, {"apps/kustomization.yaml": listing("notes.yaml"), "apps/memos.yaml": None})

    one = found["ConfigMap/notes/memos"]
    assert (one.expected, one.cascade, one.via, one.recreated, one.precious) == (True, False, None, False, ())
    assert one.reason == "left the build of Kustomization/flux-system/apps"


def test_a_document_that_stays_while_its_object_goes_is_not(judge: Judge) -> None:
    one = deletes(judge, {}, {"apps/kustomization.yaml": listing("notes.yaml")})["ConfigMap/notes/memos"]

    assert one.expected is False
    assert one.precious == ("ConfigMap/notes/memos is still declared in apps/memos.yaml",)


def test_a_name_that_is_still_needed_is_not(judge: Judge) -> None:
    after = {**READING, "apps/kustomization.yaml": listing("notes.yaml", "reader.yaml"), "apps/memos.yaml": None}

    one = deletes(judge, READING, after)["ConfigMap/notes/memos"]

    assert one.precious == ("ConfigMap/notes/memos is still needed by name",)


def test_what_needs_it_goes_too_and_it_is_meant(judge: Judge) -> None:
    after = {"apps/kustomization.yaml": listing("notes.yaml"), "apps/memos.yaml": None}

    assert {one.expected for one in deletes(judge, READING, after).values()} == {True}


def test_an_inventory_goes_along_with_its_kustomization(judge: Judge) -> None:
    found = deletes(judge, MORE, GONE)

    letters, more = found["ConfigMap/notes/letters"], found["Kustomization/flux-system/more"]
    assert (more.cascade, more.expected) == (False, True)
    assert (letters.cascade, letters.via, letters.expected) == (True, more.id, True)
    assert letters.reason == "goes along with Kustomization/flux-system/more"


def test_files_that_stay_while_their_kustomization_leaves_make_it_an_alarm(judge: Judge) -> None:
    found = deletes(judge, MORE, {**MORE, "clusters/main/more.yaml": None})

    letters, more = found["ConfigMap/notes/letters"], found["Kustomization/flux-system/more"]
    assert (more.expected, letters.expected) == (False, False)
    assert more.precious == ("ConfigMap/notes/letters goes along and is still declared in more/letters.yaml",)


@pytest.mark.parametrize("what", KINDS)
def test_what_is_precious_makes_a_deletion_an_alarm(judge: Judge, what: str) -> None:
    before = {**MORE, "more/thing.yaml": KINDS[what]}
    found = deletes(judge, before, {**GONE, "more/thing.yaml": None})["Kustomization/flux-system/more"]

    assert found.expected is False
    assert any(sentence.startswith(f"{what} goes: ") for sentence in found.precious)


def test_a_chart_that_is_not_known_takes_along_what_nobody_knows(judge: Judge) -> None:
    before: Files = {
        "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "press.yaml"),
        "apps/press.yaml": RELEASE,
    }

    one = deletes(judge, before, {})["HelmRelease/notes/press"]

    assert (one.expected, one.takes_along) == (True, "unknown")


def test_an_object_that_moves_is_deleted_and_made_again(judge: Judge) -> None:
    after = {
        **MORE,
        "more/memos.yaml": config("memos"),
        "apps/kustomization.yaml": listing("notes.yaml"),
        "apps/memos.yaml": None,
    }

    one = deletes(judge, MORE, after)["ConfigMap/notes/memos"]

    assert (one.recreated, one.expected, one.counterexample.edge) == (True, False, "E2")


def test_an_opt_out_keeps_it(judge: Judge) -> None:
    kept = config("memos").replace("namespace: notes", "namespace: notes, labels: {%s: disabled}")
    before = {"apps/memos.yaml": kept % "kustomize.toolkit.fluxcd.io/prune"}

    assert deletes(judge, before, {"apps/kustomization.yaml": listing("notes.yaml"), "apps/memos.yaml": None}) == {}


def test_a_name_that_changes_is_one_that_goes(judge: Judge) -> None:
    assert set(deletes(judge, {}, {"apps/memos.yaml": config("cards")})) == {"ConfigMap/notes/memos"}


def test_a_namesake_that_stays_does_not_speak_for_it(judge: Judge) -> None:
    before: Files = {"apps/memos.yaml": config("memos") + config("memos", "study")}

    one = deletes(judge, before, {"apps/memos.yaml": config("memos", "study")})["ConfigMap/notes/memos"]

    assert one.expected is True

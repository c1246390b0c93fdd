"""Codes G: each has a change that shows it, and a change like it that does not."""

from __future__ import annotations

import pytest
from proof.fleets import Files, Judge, config, ks, listing

from flux_handover.findings import Severity

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
BOTH = listing("notes.yaml", "memos.yaml")
CASES: dict[str, tuple[Files, Files]] = {
    "G1": ({"clusters/main/values.yaml": "replicas: 2\n"}, {"charts/values.yaml": "replicas: 2\n"}),
    "G2": (
        {"clusters/main/kustomization.yaml": listing("root.yaml")},
        {"clusters/main/kustomization.yaml": listing("root.yaml", "apps.yaml")},
    ),
    "G3": ({"apps/memos.yaml": config("notes")}, {"apps/memos.yaml": config("letters")}),
    "G4": (
        {"apps/kustomization.yaml": ks("inner", "./inner")},
        {
            "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "ks.yaml"),
            "apps/ks.yaml": ks("inner", "./apps"),
        },
    ),
    "G5": (
        {"apps/kustomization.yaml": listing("notes.yaml", "in/kustomization.yaml"), "apps/in/kustomization.yaml": BOTH},
        {"apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "in"), "apps/in/kustomization.yaml": listing()},
    ),
    "G6": (
        {"apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "in"), "apps/in/more.yaml": config("more")},
        {
            "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "in"),
            "apps/in/more.yaml": config("more"),
            "apps/in/kustomization.yaml": listing("more.yaml"),
        },
    ),
    "G7": ({"apps/memos.yaml": None}, {"apps/memos.yaml": None, "apps/kustomization.yaml": listing("notes.yaml")}),
    "G8": ({"apps/memos.yaml": "a: *nowhere\n"}, {"apps/memos.yaml": "# a remark\n" + config("memos")}),
    "G9": (
        {"apps/kustomization.yaml": BOTH + "- home.yaml\n", "apps/home.yaml": NAMESPACE.format(name="not-used")},
        {"apps/kustomization.yaml": BOTH + "- home.yaml\n", "apps/home.yaml": NAMESPACE.format(name="study")},
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_a_change_that_shows_it(judge: Judge, code: str) -> None:
    assert code in judge.codes({}, CASES[code][0])


@pytest.mark.parametrize("code", CASES)
def test_a_change_like_it_that_does_not(judge: Judge, code: str) -> None:
    assert code not in judge.codes({}, CASES[code][1])


def test_a_failure_that_stays_the_same_is_no_finding(judge: Judge) -> None:
    broken: Files = {"apps/memos.yaml": None}

    assert judge.findings(broken, {**broken, "apps/notes.yaml": config("notes", data="{page: two}")}) == ()


def test_a_failure_for_another_reason_is_a_warning(judge: Judge) -> None:
    found = judge.findings({"apps/memos.yaml": None}, {"apps/memos.yaml": "a: *nowhere\n"})

    assert [(one.hazard, one.severity) for one in found] == [("G8", Severity.WARNING)]


def test_a_kustomization_that_never_built_is_an_error(judge: Judge) -> None:
    found = judge.findings({}, {"clusters/main/more.yaml": ks("more", "./more")})

    assert [(one.hazard, one.severity) for one in found] == [("G7", Severity.ERROR)]
    assert "does not build" in found[0].message


def test_a_broken_file_is_named(judge: Judge) -> None:
    (found,) = judge.findings({}, {"apps/memos.yaml": "a: *nowhere\n"})

    assert found.where is not None
    assert found.where.file == "apps/memos.yaml"
    assert found.subject == "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/apps"
    assert found.cluster == "clusters/main"

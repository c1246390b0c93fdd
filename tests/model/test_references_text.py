"""Mentions in text: whole words only, as sure as they are, and never a secret."""

from __future__ import annotations

import pytest
from builders import repo

from flux_handover.model.references_text import Confidence, Mention, mentions, sort_of
from flux_handover.objects import ObjectId

OWNER = ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "engine")
SOURCE = ObjectId("source.toolkit.fluxcd.io", "OCIRepository", "flux-system", "flux-distribution")
PATH = "sites/north/bootstrap/flux/kustomization.yaml"


def found(text: str, file: str = "Makefile") -> list[tuple[int, str, str]]:
    tree = repo(file, text)
    return [(m.line, m.what, m.confidence.value) for m in mentions(tree, [OWNER, SOURCE], [PATH], ["gotk-all.yaml"])]


@pytest.mark.parametrize(
    ("line", "confidence"),
    [
        ("flux reconcile kustomization engine --with-source", "certain"),
        ("flux -n flux-system reconcile ks engine", "certain"),
        ("kubectl -n flux-system get kustomization/engine", "certain"),
        ("flux suspend kustomization --namespace flux-system engine", "certain"),
        ("name: engine", "possible"),
    ],
)
def test_a_name_after_its_kind_is_certain(line: str, confidence: str) -> None:
    assert found(f"first\n{line}\n") == [(2, "Kustomization/flux-system/engine", confidence)]


@pytest.mark.parametrize(
    "line", ["engine room", "ks engine-room", "kustomization my-engine", "kustomization engines", "name: engine-room"]
)
def test_a_common_word_alone_or_inside_another_is_nothing(line: str) -> None:
    assert found(f"{line}\n") == []


def test_a_name_that_is_no_word_of_the_language_is_probable_alone() -> None:
    assert found("depends: flux-distribution\n") == [(1, "OCIRepository/flux-system/flux-distribution", "probable")]
    assert found("depends: flux-distribution-old\n") == []


@pytest.mark.parametrize(
    ("line", "confidence"),
    [
        ("kubectl apply -k sites/north/bootstrap/flux", "certain"),
        ("kubectl apply -k ./sites/north/bootstrap/flux/", "certain"),
        ("cat sites/north/bootstrap/flux/kustomization.yaml", "certain"),
        ("kubectl apply -k {{.SITE}}/bootstrap/flux", "probable"),
        ("kubectl apply -k $SITE/north/bootstrap/flux", "probable"),
        ("link: ../bootstrap/flux", "probable"),
    ],
)
def test_a_path_is_found_whole_and_behind_a_variable(line: str, confidence: str) -> None:
    assert found(f"{line}\n") == [(1, PATH, confidence)]


@pytest.mark.parametrize(
    "line",
    [
        "sites/north/bootstrap/flux-old",
        "my-sites/north/bootstrap/flux",
        "bootstrap/flux",
        "old/sites/north/bootstrap/flux",
    ],
)
def test_a_longer_path_is_another(line: str) -> None:
    assert found(f"{line}\n") == []


def test_a_given_word_is_certain() -> None:
    assert found("see gotk-all.yaml\n") == [(1, "gotk-all.yaml", "certain")]
    assert found("see my-gotk-all.yaml\n") == []


def test_live_files_and_those_that_go_away_are_left_out() -> None:
    tree = repo("a.yaml", "name: engine\n", PATH, "name: engine\n", "b.yaml", "name: engine\n")

    assert [m.file for m in mentions(tree, [OWNER], [PATH], live=["a.yaml"])] == ["b.yaml"]


def test_binary_and_huge_files_are_not_read() -> None:
    tree = repo("a.bin", "\0 kustomization engine", "b.txt", "x" * 600_000 + "\nkustomization engine\n")

    assert mentions(tree, [OWNER], []) == ()


def test_a_line_that_may_hold_a_secret_is_not_shown() -> None:
    (mention,) = mentions(repo("ci.sh", "TOKEN=abcdefghijkl flux reconcile ks engine\n"), [OWNER], [])

    assert mention == Mention("ci.sh", 1, "", str(OWNER), "script", Confidence.CERTAIN)


@pytest.mark.parametrize(
    ("path", "sort"),
    [
        (".github/workflows/check.yaml", "workflow"),
        (".renovaterc.json5", "update bot"),
        (".renovate/groups.json5", "update bot"),
        (".taskfiles/flux/Taskfile.yaml", "task runner"),
        ("kubernetes/mod.just", "task runner"),
        ("justfile", "task runner"),
        ("bootstrap/helmfile.yaml", "helmfile"),
        ("templates/flux.yaml.j2", "template"),
        ("README.md", "documentation"),
        ("install.sh", "script"),
        ("main.tf", "infrastructure"),
        ("values.yaml", "other"),
    ],
)
def test_files_are_sorted_for_a_person(path: str, sort: str) -> None:
    assert sort_of(path) == sort

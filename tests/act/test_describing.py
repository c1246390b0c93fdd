from __future__ import annotations

from typing import get_args

import pytest
from report_values import FLUX, MANIFESTS, PLACE

from flux_handover.act.describing import describe
from flux_handover.plan.operations import (
    AddFile,
    AppendElement,
    DisablePrune,
    ListResource,
    Operation,
    RemoveDocument,
    RemoveField,
    RemoveFile,
    ReplaceText,
    SetField,
    UnlistResource,
)
from flux_handover.proof.equivalence import dotted

WORDS: list[tuple[Operation, str]] = [
    (DisablePrune(FLUX, PLACE), "~ Kustomization/flux-system/flux: set prune to false"),
    (AddFile("a.yaml", "", (FLUX,), ""), "+ a.yaml: new file with Kustomization/flux-system/flux"),
    (AddFile("a.md", "", (), ""), "+ a.md: new file"),
    (RemoveFile("a.yaml", (FLUX,), ""), "- a.yaml: remove the file with Kustomization/flux-system/flux"),
    (RemoveDocument(MANIFESTS, PLACE, ""), "- OCIRepository/flux-system/flux-manifests: remove from its file"),
    (ListResource("k.yaml", "resources", "./a.yaml", ""), "~ k.yaml: list ./a.yaml in resources"),
    (UnlistResource("k.yaml", "resources", "./a.yaml", ""), "~ k.yaml: take ./a.yaml off resources"),
    (SetField("a.yaml", 0, ("spec", "prune"), False, ""), "~ a.yaml: set spec.prune to false"),
    (RemoveField("a.yaml", 0, ("spec", "patches", 2), ""), "~ a.yaml: remove spec.patches[2]"),
    (AppendElement("a.yaml", 0, ("spec", "list"), "x", ""), "~ a.yaml: add x to spec.list"),
    (
        AppendElement("a.yaml", 0, ("x",), {"patch": "p", "target": {}}, ""),
        "~ a.yaml: add an entry with patch, target to x",
    ),
    (SetField("a.yaml", 0, ("x",), ["a", "b"], ""), "~ a.yaml: set x to a list of 2"),
    (ReplaceText("a.md", "old\nwords", "new", ""), "~ a.md: replace old words by new"),
]


@pytest.mark.parametrize(("operation", "words"), WORDS)
def test_an_operation_reads_like_a_diff(operation: Operation, words: str) -> None:
    assert str(describe(operation)) == words


def test_every_operation_has_words() -> None:
    assert {type(operation) for operation, _ in WORDS} == set(get_args(Operation))


def test_long_values_are_cut() -> None:
    words = describe(SetField("a.yaml", 0, ("spec",), "x" * 500, "")).effect

    assert len(words) < 100
    assert words.endswith("...")


def test_a_path_inside_a_document_is_dotted() -> None:
    assert dotted(("spec", 0, "patch")) == "spec[0].patch"

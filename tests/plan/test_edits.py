"""What each operation does to the files; no other byte changes."""

import pytest
from builders import repo

from flux_handover.errors import HandoverError, UnsupportedInstallation
from flux_handover.findings import Location
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.plan.edits import edit, edited, operation_path
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

KS = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "flux")
TWO = """
# about the map
apiVersion: v1
kind: ConfigMap
metadata:
  name: first
---
# about Flux
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux
  namespace: flux-system
spec:
  deletionPolicy: Delete
  prune: true  # as always
  path: ./
"""
LIST = """
resources:
  - ./a.yaml
  - ./c.yaml
  # the last one
  - ./d.yaml
"""
LONGER = LIST.replace("./a.yaml", "./a.yaml\n  - ./b.yaml")
TREE = repo("two.yaml", TWO, "list.yaml", LIST, "notes.md", "one\ntwo\nthree\n")
WHERE = Location("two.yaml", 8)


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        (
            DisablePrune(KS, WHERE),
            "two.yaml",
            TWO.replace("  deletionPolicy: Delete\n", "").replace("prune: true", "prune: false"),
        ),
        (RemoveDocument(KS, WHERE, ""), "two.yaml", TWO[: TWO.index("---")]),
        (
            ListResource("list.yaml", "resources", "./b.yaml", ""),
            "list.yaml",
            LONGER,
        ),
        (UnlistResource("list.yaml", "resources", "./c.yaml", ""), "list.yaml", LIST.replace("  - ./c.yaml\n", "")),
        (SetField("two.yaml", 1, ("spec", "path"), "./x", ""), "two.yaml", TWO.replace("path: ./", "path: ./x")),
        (RemoveField("two.yaml", 1, ("spec", "path"), ""), "two.yaml", TWO.replace("  path: ./\n", "")),
        (AppendElement("list.yaml", 0, ("resources",), {"a": "b"}, ""), "list.yaml", LIST + "  - a: b\n"),
        (ReplaceText("notes.md", "two\n", "TWO\n", ""), "notes.md", "one\nTWO\nthree\n"),
        (AddFile("new.yaml", "a: b\n", (), ""), "new.yaml", "a: b\n"),
    ],
)
def test_an_operation_changes_only_the_lines_it_means(operation: Operation, path: str, expected: str) -> None:
    after = edit(TREE, operation)

    assert after.read(path).decode() == expected.removeprefix("\n")
    assert {p: f for p, f in after.files.items() if p != path} == {p: f for p, f in TREE.files.items() if p != path}
    assert operation_path(operation) == path


def test_removing_a_file_leaves_the_others() -> None:
    after = edit(TREE, RemoveFile("list.yaml", (), ""))

    assert sorted(after) == ["notes.md", "two.yaml"]


def test_operations_apply_in_order() -> None:
    after = edited(TREE, (AddFile("x", "1\n", (), ""), RemoveFile("x", (), "")))

    assert after == TREE


def test_a_file_that_is_there_is_not_written_over() -> None:
    with pytest.raises(UnsupportedInstallation) as refusal:
        edit(TREE, AddFile("list.yaml", "", (), ""))

    assert refusal.value.where == "list.yaml"


def test_a_document_that_is_not_there_is_refused() -> None:
    other = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "other")

    with pytest.raises(UnsupportedInstallation, match="not written as a document"):
        edit(TREE, DisablePrune(other, WHERE))


@pytest.mark.parametrize(
    "operation",
    [
        UnlistResource("list.yaml", "resources", "./x.yaml", ""),
        ReplaceText("notes.md", "four\n", "", ""),
        RemoveField("two.yaml", 1, ("spec", "nothing"), ""),
    ],
)
def test_an_edit_without_its_place_is_refused(operation: Operation) -> None:
    with pytest.raises(HandoverError):
        edit(TREE, operation)

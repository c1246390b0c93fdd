"""The changes of a Kustomization, in kustomize's order, each removable."""

from __future__ import annotations

import json

from builders import repo

from flux_handover.model.settings_stack import (
    KustomizationFile,
    Step,
    file_steps,
    files_above,
    kustomization_files,
    kustomization_with,
    spec_steps,
    tree_with,
    without_documents,
)
from flux_handover.tree import Tree

TREE = repo(
    *("top/kustomization.yaml", "resources: [middle, other]\npatches: [{patch: a}]\n"),
    *("top/middle/kustomization.yaml", "resources: [../../base]\ncomponents: [../../part]\nimages: [{name: i}]\n"),
    *("top/other/kustomization.yaml", "resources: [unrelated.yaml]\npatches: [{patch: no}]\n"),
    *("base/kustomization.yml", "resources: [flux.yaml]\npatches: [{patch: b}, {path: c.yaml}]\n"),
    *("part/Kustomization", "kind: Component\nreplicas: [{name: r, count: 2}]\n"),
)


def above(tree: Tree, *wanted: str) -> tuple[KustomizationFile, ...]:
    return files_above(kustomization_files(tree, tree), frozenset(wanted))


def test_only_files_that_lead_to_flux_count_innermost_first() -> None:
    assert [file.path for file in above(TREE, "base/flux.yaml")] == [
        "base/kustomization.yml",
        "part/Kustomization",
        "top/middle/kustomization.yaml",
        "top/kustomization.yaml",
    ]


def test_a_file_that_nobody_lists_has_nothing_above_it() -> None:
    assert above(TREE, "elsewhere.yaml") == ()


def test_files_that_name_each_other_do_not_hang() -> None:
    circle = repo(
        "a/kustomization.yaml", "resources: [../b, flux.yaml]\n", "b/kustomization.yaml", "resources: [../a]\n"
    )

    assert "a/kustomization.yaml" in {file.path for file in above(circle, "a/flux.yaml")}


def test_a_component_that_names_itself_does_not_hang() -> None:
    circle = repo(
        *("a/kustomization.yaml", "resources: [flux.yaml]\ncomponents: [../p]\n"),
        *("p/kustomization.yaml", "kind: Component\ncomponents: [../p]\n"),
    )

    assert len(above(circle, "a/flux.yaml")) == 2


def test_each_entry_of_a_list_is_a_step() -> None:
    steps = [(step.file, step.field, step.index) for step in file_steps(above(TREE, "base/flux.yaml"))]

    assert steps == [
        ("base/kustomization.yml", "patches", 0),
        ("base/kustomization.yml", "patches", 1),
        ("part/Kustomization", "replicas", 0),
        ("top/middle/kustomization.yaml", "images", 0),
        ("top/kustomization.yaml", "patches", 0),
    ]


def test_a_whole_field_is_one_step() -> None:
    (step,) = spec_steps({"spec": {"commonMetadata": {"labels": {"a": "b"}}, "path": "./x"}})

    assert step == Step("", "commonMetadata", None, {"labels": {"a": "b"}})


def test_a_tree_holds_only_the_steps_that_are_given() -> None:
    files = above(TREE, "base/flux.yaml")
    tree = tree_with(TREE, files, file_steps(files)[:1])

    assert json.loads(tree.read("base/kustomization.yml")) == {"resources": ["flux.yaml"], "patches": [{"patch": "b"}]}
    assert "patches" not in json.loads(tree.read("top/kustomization.yaml"))
    assert tree.read("top/other/kustomization.yaml") == TREE.read("top/other/kustomization.yaml")


def test_all_steps_are_the_file_as_it_was() -> None:
    files = above(TREE, "base/flux.yaml")
    tree = tree_with(TREE, files, file_steps(files))

    assert all(json.loads(tree.read(file.path)) == dict(file.content) for file in files)


def test_a_file_without_its_only_field_can_still_be_built() -> None:
    files = above(TREE, "base/flux.yaml")
    part = json.loads(tree_with(TREE, files, ()).read("part/Kustomization"))

    assert part.keys() > {"kind"}
    assert "replicas" not in part


def test_a_kustomization_keeps_what_is_no_step() -> None:
    ks = {"kind": "Kustomization", "spec": {"path": "./x", "patches": [{"patch": "a"}, {"patch": "b"}]}}

    assert kustomization_with(ks, spec_steps(ks)[:1])["spec"] == {"path": "./x", "patches": [{"patch": "a"}]}
    assert kustomization_with(ks, ())["spec"] == {"path": "./x"}


def test_definitions_that_nothing_changes_are_left_out() -> None:
    one = "kind: CustomResourceDefinition\nmetadata:\n  name: buckets.source.toolkit.fluxcd.io\n"
    two = one.replace("buckets", "alerts")
    tree = repo("flux.yaml", f"{one}---\n{two}---\nkind: ConfigMap\n", "other.yaml", "kind: ConfigMap\n")
    thin = without_documents(tree, frozenset({"buckets.source.toolkit.fluxcd.io"}))

    assert b"buckets" not in thin.read("flux.yaml")
    assert b"alerts" in thin.read("flux.yaml")
    assert thin.read("other.yaml") == tree.read("other.yaml")
    assert without_documents(tree, frozenset()) == tree

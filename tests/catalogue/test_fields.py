"""What the API server would refuse in an object, and what it would add to it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_handover.catalogue import (
    FieldTree,
    crd_schema,
    operator_schema,
    operators,
    served_api_versions,
    validate,
    versions,
    with_defaults,
)
from flux_handover.catalogue.fields import tree_of

KUSTOMIZE = "kustomize.toolkit.fluxcd.io"


def schema(version: str = "v2.6.4") -> FieldTree:
    tree = crd_schema(version, KUSTOMIZE, "v1", "Kustomization")
    assert tree is not None
    return tree


def kustomization(**spec: Any) -> dict[str, Any]:
    needed = {"interval": "10m", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "fleet"}}
    return {
        "apiVersion": f"{KUSTOMIZE}/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "delivery"},
        "spec": {**needed, **spec},
    }


def problems(value: Any, tree: FieldTree | None = None) -> list[str]:
    return [str(misfit) for misfit in validate(tree or schema(), value)]


def test_a_valid_object_has_no_misfit() -> None:
    assert problems(kustomization(postBuild={"substitute": {"A": "b"}}, path="./apps")) == []


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"prun": True}, ".spec.prun: is not a known field"),
        ({"prune": "true"}, ".spec.prune: must be of type boolean"),
        ({"prune": 1}, ".spec.prune: must be of type boolean"),
        ({"path": None}, ".spec.path: is null"),
        ({"interval": "10"}, r".spec.interval: must match ^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"),
        ({"dependsOn": {"name": "x"}}, ".spec.dependsOn: must be of type array"),
        ({"dependsOn": [{"namespace": "x"}]}, ".spec.dependsOn[0].name: is required"),
        (
            {"deletionPolicy": "Keep"},
            ".spec.deletionPolicy: must be one of MirrorPrune, Delete, WaitForTermination, Orphan",
        ),
        ({"targetNamespace": ""}, ".spec.targetNamespace: breaks minLength 1"),
        ({"postBuild": {"substitute": {"A": 1}}}, ".spec.postBuild.substitute.A: must be of type string"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(spec: dict[str, Any], problem: str) -> None:
    assert problems(kustomization(**spec)) == [problem]


def test_a_missing_field_is_named() -> None:
    document = kustomization()
    del document["spec"]["interval"]

    assert problems(document) == [".spec.interval: is required"]


@pytest.mark.parametrize("marks", ["labels", "annotations"])
def test_labels_and_annotations_are_strings(marks: str) -> None:
    document = kustomization()
    document["metadata"][marks] = {"on": True}

    assert problems(document) == [f".metadata.{marks}.on: must be of type string"]


def test_a_value_is_never_quoted() -> None:
    document = kustomization(interval="hunter2", deletionPolicy="hunter2", path=["hunter2"])

    assert len(problems(document)) == 3
    assert "hunter2" not in "".join(problems(document))


def test_two_elements_of_one_key_are_refused() -> None:
    tree = tree_of(
        {
            "type": "array",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "properties": {"name": {"type": "string"}}},
        }
    )

    assert problems([{"name": "a"}, {"name": "a"}], tree) == [": has two elements with the same name"]
    assert problems([{"name": "a"}, {"name": "b"}], tree) == []


@pytest.mark.parametrize(("value", "fits"), [(1, True), ("50%", True), (True, False), (1.5, False)])
def test_number_or_text(value: Any, fits: bool) -> None:
    assert (problems(value, tree_of({"x-kubernetes-int-or-string": True})) == []) is fits


@pytest.mark.parametrize(
    ("value", "fits"), [(0, False), (1, True), (3, True), (4, False), (2.0, True), (2.5, False), (True, False)]
)
def test_integers_have_bounds_and_no_fraction(value: Any, fits: bool) -> None:
    assert (problems(value, tree_of({"type": "integer", "minimum": 1, "maximum": 3})) == []) is fits


def test_values_of_a_helm_release_are_free() -> None:
    tree = crd_schema("v2.6.4", "helm.toolkit.fluxcd.io", "v2", "HelmRelease")
    assert tree is not None

    values = tree.at("spec", "values")
    assert values is not None
    assert problems({"anything": [{"goes": None}]}, values) == []


def test_a_field_is_found_by_its_path() -> None:
    assert schema().at("spec", "patches", "*", "target", "kind") == FieldTree(type="string")
    assert schema().at("spec", "nothing", "below") is None


def test_kinds_a_version_does_not_serve_have_no_tree() -> None:
    assert crd_schema("v2.9.4", KUSTOMIZE, "v1beta2", "Kustomization") is None
    assert crd_schema("v2.6.4", KUSTOMIZE, "v1beta2", "Kustomization") is not None
    assert crd_schema("v2.6.4", "source.toolkit.fluxcd.io", "v1", "ExternalArtifact") is None


def test_fields_come_with_the_versions_of_flux() -> None:
    document = kustomization(ignoreMissingComponents=True)

    assert problems(document, schema("v2.6.4")) == [".spec.ignoreMissingComponents: is not a known field"]
    assert problems(document, schema("v2.7.0")) == []


def test_defaults_go_into_objects_that_are_there() -> None:
    defaulted = with_defaults(schema(), kustomization())

    assert defaulted["spec"]["force"] is False
    assert "decryption" not in defaulted["spec"]


def test_a_written_value_is_not_replaced_by_a_default() -> None:
    assert with_defaults(schema(), kustomization(force=True))["spec"]["force"] is True


def test_null_takes_the_default_where_there_is_one() -> None:
    tree = tree_of({"type": "object", "properties": {"a": {"type": "string", "default": "x"}, "b": {"type": "string"}}})

    assert with_defaults(tree, {"a": None, "b": None}) == {"a": "x", "b": None}


def test_a_default_that_is_an_object_gets_its_own_defaults() -> None:
    inner = {"type": "object", "default": {}, "properties": {"on": {"type": "boolean", "default": True}}}

    assert with_defaults(tree_of({"type": "object", "properties": {"a": inner}}), {}) == {"a": {"on": True}}


TEXTS = st.dictionaries(
    st.sampled_from(["path", "timeout", "force", "wait", "spare"]), st.none() | st.text() | st.booleans()
)


@given(TEXTS)
def test_defaults_are_added_once(spec: dict[str, Any]) -> None:
    once = with_defaults(schema(), kustomization(**spec))

    assert with_defaults(schema(), once) == once


@given(TEXTS)
def test_defaults_add_no_misfit(spec: dict[str, Any]) -> None:
    document = kustomization(**spec)

    assert set(problems(with_defaults(schema(), document))) <= set(problems(document))


def patterns(tree: FieldTree) -> set[str]:
    below = [*tree.fields.values(), *(each for each in (tree.values, tree.elements) if each)]
    return {tree.pattern, *(pattern for each in below for pattern in patterns(each))}


def test_every_pattern_of_every_kind_is_one_that_python_reads() -> None:
    trees = [
        crd_schema(version, group, api_version, kind)
        for version in (versions()[0], "v2.6.4", versions()[-1])
        for (group, kind), served in served_api_versions(version).items()
        for api_version in served
    ]
    trees += [operator_schema(operators()[-1], kind) for kind in ("FluxInstance", "ResourceSet")]

    for pattern in {pattern for tree in trees if tree for pattern in patterns(tree)}:
        re.compile(pattern)

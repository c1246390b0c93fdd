"""What changed between two renderings: no difference missed, none invented, none guessed where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_handover.model.flux import kustomization_of
from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.objects import ObjectId, object_of
from flux_handover.proof.equivalence import (
    ADDED,
    CHANGED,
    REMOVED,
    Change,
    changes,
    differing,
    is_unchanged,
    unknown_changes,
)

Manifest = Mapping[str, Any]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from("abc"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)


def config(name: str, **values: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "den"}, "data": values}


def id_of_config(name: str) -> ObjectId:
    return ObjectId("", "ConfigMap", "den", name)


def build(name: str, *manifests: Manifest, inputs: str = "same", status: BuildStatus = BuildStatus.OK) -> Build:
    ks = kustomization_of(
        object_of(
            {
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
                "kind": "Kustomization",
                "metadata": {"name": name, "namespace": "flux-system"},
                "spec": {"path": "./den", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "burrow"}},
            }
        )
    )
    objects = tuple(object_of(dict(manifest)) for manifest in manifests)
    return Build(ks, None, None, status, objects, objects, frozenset(), inputs)


def cluster(*builds: Build) -> Cluster:
    return Cluster("den", builds[0].id, "", {one.id: one for one in builds}, {})


def found(before: Cluster, after: Cluster) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(change.id.name, change.kind, change.fields) for change in changes(before, after)]


def test_an_object_that_comes_and_one_that_goes_are_told_with_their_owner() -> None:
    before = cluster(build("badger", config("old"), config("kept"), inputs="1"))
    after = cluster(build("badger", config("new"), config("kept"), inputs="2"))

    owner = before.root

    assert list(changes(before, after)) == [
        Change(id_of_config("new"), owner, ADDED),
        Change(id_of_config("old"), owner, REMOVED),
    ]


def test_a_changed_object_names_the_fields_that_differ() -> None:
    before = cluster(build("badger", config("one", a="1", b="2"), inputs="1"))
    after = cluster(build("badger", config("one", a="1", b="3", c="4"), inputs="2"))

    assert found(before, after) == [("one", CHANGED, ("data.b", "data.c"))]


def test_the_same_objects_from_other_files_are_no_change() -> None:
    before = cluster(build("badger", config("one"), config("two"), inputs="1"))
    after = cluster(build("badger", config("two"), config("one"), inputs="2"))

    assert found(before, after) == []


def test_an_object_that_moves_leaves_one_owner_and_comes_to_the_other() -> None:
    before = cluster(build("badger", config("one"), inputs="1"), build("stoat", inputs="1"))
    after = cluster(build("badger", inputs="2"), build("stoat", config("one"), inputs="2"))

    moved = [(change.owner.name, change.kind) for change in changes(before, after)]

    assert moved == [("badger", REMOVED), ("stoat", ADDED)]


@pytest.mark.parametrize(("first", "second", "kind"), [(0, 1, ADDED), (1, 0, REMOVED)])
def test_all_objects_of_an_owner_that_comes_or_goes_do_so_too(first: int, second: int, kind: str) -> None:
    sides = (cluster(build("badger")), cluster(build("badger"), build("stoat", config("one"), config("two"))))

    assert found(sides[first], sides[second]) == [("one", kind, ()), ("two", kind, ())]


def test_a_build_that_fails_has_what_the_cluster_keeps_of_it() -> None:
    before = build("badger", config("one"), inputs="1")
    kept = build("badger", inputs="2", status=BuildStatus.FAILED)
    frozen = replace(kept, lasting=before.objects)

    assert found(cluster(before), cluster(frozen)) == []
    assert found(cluster(before), cluster(kept)) == [("one", REMOVED, ())]


def test_equal_inputs_are_not_compared_and_an_equal_unknown_is_unchanged() -> None:
    unknown = build("badger", status=BuildStatus.UNKNOWN)

    assert is_unchanged(unknown, replace(unknown))
    assert not is_unchanged(unknown, replace(unknown, inputs="other"))
    assert not is_unchanged(unknown, build("badger"))


@pytest.mark.parametrize("inputs", ["same", "other"])
def test_nothing_can_be_said_of_an_unknown_with_other_inputs(inputs: str) -> None:
    before = cluster(build("badger", status=BuildStatus.UNKNOWN))
    after = cluster(build("badger", inputs=inputs, status=BuildStatus.UNKNOWN))

    assert [one.id.name for one in unknown_changes(before, after)] == ([] if inputs == "same" else ["badger"])


def test_a_new_owner_that_cannot_be_built_is_an_unknown_change() -> None:
    after = cluster(build("badger"), build("stoat", status=BuildStatus.UNKNOWN))

    assert [one.id.name for one in unknown_changes(cluster(build("badger")), after)] == ["stoat"]


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, {"a.b"}),
        ({"a": {"b": 1}}, {"a": {}}, {"a.b"}),
        ({"a": [1, 2]}, {"a": [1, 3]}, {"a[1]"}),
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 9}]}, {"a[1].b"}),
        ({"a": [1]}, {"a": [1, 2]}, {"a"}),
        ({"a": [1]}, {"a": {"0": 1}}, {"a"}),
        ({"a": None}, {}, {"a"}),
    ],
)
def test_paths_go_as_deep_as_both_sides_have_one_shape(old: Any, new: Any, paths: set[str]) -> None:
    assert set(differing(old, new)) == paths


@given(VALUES)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert list(differing(value, deepcopy(value))) == []


@given(st.dictionaries(st.sampled_from("xyz"), VALUES), st.dictionaries(st.sampled_from("xyz"), VALUES))
def test_there_is_a_path_exactly_where_two_manifests_are_not_equal(old: Any, new: Any) -> None:
    forth, back = set(differing(old, new)), set(differing(new, old))

    assert bool(forth) == (old != new)
    assert forth == back


def suspended(one: Build) -> Build:
    return replace(one, ks=replace(one.ks, suspend=True))


def cluster_of(root: Build, *others: Build) -> Cluster:
    return Cluster("den", root.id, "test", {one.id: one for one in (root, *others)}, {})


def test_a_root_of_another_name_is_compared_with_the_one_before_it() -> None:
    old = suspended(build("old", config("a", x="1"), inputs="old"))
    same = build("new", config("a", x="1"), inputs="new")
    other = build("new", config("a", x="2"), inputs="new")

    assert list(changes(cluster_of(old), cluster_of(same, old))) == []
    assert list(changes(cluster_of(old), cluster_of(other, old))) == [
        Change(id_of_config("a"), other.id, CHANGED, ("data.x",))
    ]


def test_what_is_suspended_beside_the_root_applies_nothing() -> None:
    root = build("root", config("a"), inputs="same")
    idle = suspended(build("idle", config("a"), config("b")))

    assert list(changes(cluster_of(root, idle), cluster_of(root))) == []
    assert dict(cluster_of(root, idle).owners()) == {id_of_config("a"): (root.id,)}

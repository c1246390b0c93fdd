"""Identity of objects, in the two spellings that people and programs get."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_handover.objects import (
    ObjectId,
    by_id,
    first_names,
    group_of,
    has_mark,
    id_of,
    ids_of,
    leading_names,
    listed,
    mappings,
    names,
    object_of,
    parse_id,
    text_at,
    texts,
)

NAME = st.from_regex(r"[a-z][a-z0-9-]{0,8}(\.[a-z]{1,4})?", fullmatch=True)


@pytest.mark.parametrize(
    ("id", "text", "full"),
    [
        (ObjectId("apps", "Deployment", "web", "front"), "Deployment/web/front", "Deployment.apps/web/front"),
        (ObjectId("", "Secret", "web", "key"), "Secret/web/key", "Secret/web/key"),
        (ObjectId("", "Namespace", "", "web"), "Namespace/web", "Namespace//web"),
    ],
)
def test_an_id_prints_short_for_people_and_whole_for_programs(id: ObjectId, text: str, full: str) -> None:
    assert (str(id), id.full) == (text, full)


@given(
    st.sampled_from(["", "apps", "a.b.io"]),
    st.from_regex(r"[A-Z][a-z]{1,6}", fullmatch=True),
    st.just("ns") | st.just(""),
    NAME,
)
def test_a_full_id_reads_back(group: str, kind: str, namespace: str, name: str) -> None:
    id = ObjectId(group, kind, namespace, name)

    assert parse_id(id.full) == id


def test_a_name_with_a_slash_reads_back() -> None:
    assert parse_id("Role/ns/system:a/b").name == "system:a/b"


@pytest.mark.parametrize("text", ["Deployment", "Deployment/web", ""])
def test_what_is_no_full_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="unpack"):
        parse_id(text)


def test_the_version_of_an_api_is_not_part_of_identity() -> None:
    one = {"apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "a", "namespace": "b"}}

    assert id_of(one) == id_of({**one, "apiVersion": "apps/v1"})


def test_a_half_empty_manifest_has_empty_parts() -> None:
    assert id_of({"kind": None, "metadata": None}) == ObjectId("", "", "", "")


def test_names_add_the_group_only_where_two_would_read_the_same() -> None:
    ids = [
        ObjectId("a.io", "Cluster", "x", "db"),
        ObjectId("b.io", "Cluster", "x", "db"),
        ObjectId("", "Secret", "x", "k"),
    ]

    assert names(ids) == "Secret/x/k, Cluster.a.io/x/db, Cluster.b.io/x/db"


@pytest.mark.parametrize("place", ["labels", "annotations"])
@pytest.mark.parametrize("value", ["disabled", "Disabled", "DISABLED"])
def test_a_mark_counts_as_label_and_as_annotation_in_any_case(place: str, value: str) -> None:
    object = object_of({"kind": "Secret", "metadata": {"name": "a", place: {"x/prune": value}}})

    assert has_mark(object, "x/prune", "disabled")
    assert not has_mark(object, "x/other", "disabled")
    assert not has_mark(object, "x/prune", "enabled")


@pytest.mark.parametrize(("limit", "expected"), [(1, "Secret/a and 2 more"), (3, "Secret/a, Secret/b, Secret/c")])
def test_a_long_list_of_ids_ends_with_a_count(limit: int, expected: str) -> None:
    ids = [ObjectId("", "Secret", "", name) for name in ("c", "a", "b")]

    assert first_names(ids, limit) == expected


@pytest.mark.parametrize(
    ("written", "expected"), [("apps/v1", "apps"), ("v1", ""), ("", ""), (None, ""), ("a.b.io/v1beta1", "a.b.io")]
)
def test_the_core_group_and_no_group_are_empty(written: object, expected: str) -> None:
    assert group_of({"apiVersion": written}) == expected


@pytest.mark.parametrize(
    ("fields", "expected"), [({}, "usual"), ({"key": None}, "usual"), ({"key": ""}, "usual"), ({"key": 3}, "3")]
)
def test_a_field_that_says_nothing_has_its_usual_text(fields: dict[str, object], expected: str) -> None:
    assert text_at(fields, "key", "usual") == expected


@pytest.mark.parametrize(("value", "expected"), [([1], [1]), (None, []), ("ab", []), ({"a": 1}, [])])
def test_only_a_list_is_listed(value: object, expected: list[object]) -> None:
    assert listed(value) == expected


@pytest.mark.parametrize(("value", "expected"), [([{"a": 1}, "b", None], ({"a": 1},)), ({"a": 1}, ()), (None, ())])
def test_what_is_no_mapping_is_left_out_of_a_list_of_them(value: object, expected: tuple[object, ...]) -> None:
    assert mappings(value) == expected


@pytest.mark.parametrize(("value", "expected"), [(["a", 1], ("a", "1")), ("ab", ()), (None, ())])
def test_only_a_list_gives_texts(value: object, expected: tuple[str, ...]) -> None:
    assert texts(value) == expected


def test_ids_can_be_named_in_the_order_they_came() -> None:
    ids = [ObjectId("", "Secret", "", name) for name in ("c", "a", "b")]

    assert leading_names(ids, 1) == "Secret/c and 2 more"


def test_objects_have_their_ids() -> None:
    objects = [object_of({"kind": "Secret", "metadata": {"name": name}}) for name in ("a", "b", "a")]

    assert ids_of(objects) == {ObjectId("", "Secret", "", "a"), ObjectId("", "Secret", "", "b")}


def test_of_objects_with_the_same_id_the_last_counts() -> None:
    first, last = (object_of({"kind": "Secret", "metadata": {"name": "a"}, "data": {"n": n}}) for n in ("1", "2"))

    assert by_id((first, last)) == {ObjectId("", "Secret", "", "a"): last}

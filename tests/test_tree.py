"""Trees are values: a change makes a new one."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_handover.tree import File, FileKind, Tree, blob_digest, clean_path, common_depth


def test_writing_a_file_leaves_the_old_tree_as_it_was() -> None:
    before = Tree().with_file("a/b.yaml", b"x")

    after = before.with_file("a/b.yaml", b"y").with_file("c", b"")

    assert before.read("a/b.yaml") == b"x"
    assert list(after) == ["a/b.yaml", "c"]


def test_removing_a_file_that_is_absent_is_an_error() -> None:
    with pytest.raises(KeyError):
        Tree().without("nothing")


def test_a_written_file_removed_again_gives_an_equal_tree() -> None:
    before = Tree().with_file("a", b"1")

    assert before.with_file("b", b"2").without("b") == before


@pytest.mark.parametrize(
    ("spelling", "path"),
    [
        ("./a/b/", "a/b"),
        ("a/b", "a/b"),
        ("/a//b", "a/b"),
        ("./", ""),
        (".", ""),
        ("", ""),
        ("a/../b", "b"),
        ("../a", "a"),
    ],
)
def test_paths_have_one_spelling(spelling: str, path: str) -> None:
    assert clean_path(spelling) == path


def test_below_a_directory_means_whole_names() -> None:
    tree = Tree().with_file("ab/c", b"").with_file("a/c", b"").with_file("a/b/c", b"")

    assert tree.below("./a") == ("a/b/c", "a/c")
    assert tree.below(".") == ("a/b/c", "a/c", "ab/c")
    assert tree.is_directory("a/b")
    assert not tree.is_directory("a/c")


@given(st.binary(max_size=200))
def test_a_digest_is_gits_own(content: bytes) -> None:
    expected = subprocess.run(["git", "hash-object", "--stdin"], input=content, capture_output=True, check=True)

    assert blob_digest(content) == expected.stdout.decode().strip()


@pytest.mark.parametrize(("kind", "expected"), [(FileKind.FILE, b"1"), (FileKind.LINK, None)])
def test_a_link_has_no_plain_bytes(kind: FileKind, expected: bytes | None) -> None:
    assert File(b"1", blob_digest(b"1"), kind).plain == expected


@pytest.mark.parametrize(
    ("one", "other", "depth"),
    [("a/b/c.yaml", "a/b", 2), ("a/b/c.yaml", "a/x", 1), ("x/y", "a/b", 0), ("a/b", "a/b", 2), ("a", "a/b", 1)],
)
def test_nearness_counts_shared_directories(one: str, other: str, depth: int) -> None:
    assert common_depth(one, other) == depth


@given(st.text("ab/", max_size=8), st.text("ab/", max_size=8))
def test_nearness_is_the_same_in_both_directions(one: str, other: str) -> None:
    assert common_depth(one, other) == common_depth(other, one)

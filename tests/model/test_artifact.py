"""What a source packs: the ignore rules of source-controller."""

from __future__ import annotations

from types import MappingProxyType

import pytest
from builders import repo
from hypothesis import given
from hypothesis import strategies as st

from flux_handover.model.artifact import DEFAULT_PATTERNS, VCS_PATTERNS, artifact, is_ignored, parse_patterns
from flux_handover.tree import File, FileKind, Tree


def tree_of(*paths: str, **contents: str) -> Tree:
    tree = Tree()
    for path in paths:
        tree = tree.with_file(path, b"")
    for path, content in contents.items():
        tree = tree.with_file(path, content.encode())
    return tree


def kept(tree: Tree, ignore: str = "") -> list[str]:
    return list(artifact(tree, ignore))


@pytest.mark.parametrize(
    "path",
    [
        ".gitignore",
        "deep/.gitattributes",
        "logo.png",
        "docs/logo.jpeg",
        ".github/workflows/ci.yaml",
        "nested/.github/x",
        ".sops.yaml",
        "apps/.sops.yaml",
        "a/b/.flux.yaml",
        "charts/x.tar.gz",
        ".gitlab-ci.yml",
    ],
)
def test_default_patterns_leave_out(path: str) -> None:
    assert kept(tree_of(path, "apps/a.yaml")) == ["apps/a.yaml"]


@pytest.mark.parametrize("path", ["apps/sops.yaml", "github/x.yaml", "a.pngx", ".hidden/x.yaml", "x.yml", ".krmignore"])
def test_other_files_are_packed(path: str) -> None:
    assert kept(tree_of(path)) == [path]


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        ("/*\n!/apps", ["apps/a.yaml", "apps/b/c.yaml"]),
        ("/*\n!/apps/b", ["apps/b/c.yaml"]),
        ("/*\n!/apps/b/", ["apps/b/c.yaml"]),
        ("# comment\n\napps/b", ["apps/a.yaml", "top.yaml", "z/b/d.yaml"]),
        ("b", ["apps/a.yaml", "top.yaml"]),
        ("b/", ["apps/a.yaml", "top.yaml"]),
        ("/b/", ["apps/a.yaml", "apps/b/c.yaml", "top.yaml", "z/b/d.yaml"]),
        ("**/b", ["apps/a.yaml", "top.yaml"]),
        ("**/b/*.yaml", ["apps/a.yaml", "top.yaml"]),
        ("apps/**", ["top.yaml", "z/b/d.yaml"]),
        ("*.yaml\n!c.yaml", ["apps/b/c.yaml"]),
        ("*/a.yaml", ["apps/b/c.yaml", "top.yaml", "z/b/d.yaml"]),
        ("[at]*.yaml", ["apps/b/c.yaml", "z/b/d.yaml"]),
        ("?.yaml", ["top.yaml"]),
        ("top.yaml/", ["apps/a.yaml", "apps/b/c.yaml", "top.yaml", "z/b/d.yaml"]),
        ("apps/b/c.yaml/x", ["apps/a.yaml", "apps/b/c.yaml", "top.yaml", "z/b/d.yaml"]),
    ],
)
def test_spec_ignore_follows_the_last_pattern_that_matches(ignore: str, expected: list[str]) -> None:
    assert kept(tree_of("apps/a.yaml", "apps/b/c.yaml", "top.yaml", "z/b/d.yaml"), ignore) == expected


def test_spec_ignore_may_bring_back_what_the_defaults_leave_out() -> None:
    assert kept(tree_of(".github/x.yaml", "logo.png"), "!.github/\n") == [".github/x.yaml"]


def test_a_nested_ignore_file_speaks_of_its_own_directory_only() -> None:
    tree = tree_of("a/x.yaml", "b/x.yaml").with_file("a/.sourceignore", b"x.yaml\n")

    assert kept(tree) == ["a/.sourceignore", "b/x.yaml"]


def test_spec_ignore_wins_over_an_ignore_file() -> None:
    tree = tree_of("a/x.yaml").with_file("a/.sourceignore", b"x.yaml\n")

    assert "a/x.yaml" in kept(tree, "!x.yaml")


@pytest.mark.parametrize("kind", [FileKind.LINK, FileKind.SUBMODULE])
def test_links_and_submodules_are_not_packed(kind: FileKind) -> None:
    tree = Tree(MappingProxyType({"a": File(b"target", "0", kind), "b": File(b"", "1")}))

    assert kept(tree) == ["b"]


NAMES = st.sampled_from(["apps", "base", "x.jpg", "a.yaml", ".github", ".sops.yaml", "deep"])
PATHS = st.lists(NAMES, min_size=1, max_size=4, unique=True).map("/".join)
LINES = st.sampled_from(
    [
        "apps",
        "apps/",
        "/apps",
        "!apps",
        "!/apps/base",
        "*.yaml",
        "!a.yaml",
        "/*",
        "**/base",
        "apps/**",
        "deep/",
        "[ab]*",
        "#",
    ]
)


@given(st.sets(PATHS, min_size=1, max_size=8), st.lists(LINES, max_size=5), st.lists(LINES, max_size=3))
def test_many_files_are_judged_as_each_alone(paths: set[str], ignore: list[str], nested: list[str]) -> None:
    files = {path for path in paths if not any(other.startswith(f"{path}/") for other in paths)}
    tree = repo(*(part for path in sorted(files) for part in (path, "x")), "apps/.sourceignore", "\n".join(nested))
    patterns = (
        *parse_patterns(VCS_PATTERNS),
        *parse_patterns(DEFAULT_PATTERNS),
        *parse_patterns(nested, ["apps"]),
        *parse_patterns(ignore),
    )

    kept = artifact(tree, "\n".join(ignore)).files

    assert set(kept) == {path for path in tree.files if not is_ignored(tuple(path.split("/")), patterns)}

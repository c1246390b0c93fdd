"""Which files a source stands for."""

from __future__ import annotations

from typing import Any

import pytest
from builders import repo

from flux_handover.model.flux import Source, source_of
from flux_handover.model.origin import Elsewhere, files_of, normal_url, reference_of
from flux_handover.objects import SOURCE_GROUP, object_of
from flux_handover.tree import Tree


def source(kind: str, url: str, name: str = "other", **spec: Any) -> Source:
    metadata = {"name": name, "namespace": "flux-system"}
    return source_of(
        object_of(
            {"apiVersion": f"{SOURCE_GROUP}/v1", "kind": kind, "metadata": metadata, "spec": {"url": url, **spec}}
        )
    )


ROOT = source("GitRepository", "https://git.example.org/ada/fleet.git", "root", ref={"branch": "main"})
TREE = repo("a.yaml", "x: 1\n")


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.org/ada/fleet",
        "https://git.example.org/ada/fleet.git/",
        "ssh://git@git.example.org/ada/fleet.git",
        "git@git.example.org:ada/fleet.git",
        "https://token@Git.example.org/Ada/fleet",
    ],
)
def test_spellings_of_one_repository_are_one(url: str) -> None:
    assert normal_url(url) == "git.example.org/ada/fleet"
    assert isinstance(files_of(source("GitRepository", url, ref={"branch": "main"}), ROOT, TREE), Tree)


@pytest.mark.parametrize(
    ("url", "ref"),
    [
        ("https://git.example.org/ada/fleet", {"branch": "dev"}),
        ("https://git.example.org/bob/fleet", {"branch": "main"}),
    ],
)
def test_another_branch_or_repository_is_elsewhere(url: str, ref: dict[str, str]) -> None:
    assert isinstance(files_of(source("GitRepository", url, ref=ref), ROOT, TREE), Elsewhere)


@pytest.mark.parametrize(
    ("ref", "expected"),
    [
        ({}, {"name": "refs/heads/master"}),
        ({"branch": "main"}, {"name": "refs/heads/main"}),
        ({"name": "refs/heads/main", "branch": "dev"}, {"name": "refs/heads/main"}),
        ({"tag": "v1", "branch": "main"}, {"name": "refs/tags/v1"}),
        ({"semver": "1.x", "tag": "v1"}, {"semver": "1.x", "tag": "v1"}),
        ({"commit": "abc", "branch": "main"}, {"commit": "abc", "branch": "main"}),
    ],
)
def test_what_is_followed_has_one_spelling(ref: dict[str, str], expected: dict[str, str]) -> None:
    assert reference_of(source("GitRepository", "https://git.example.org/ada/fleet", ref=ref)) == expected


def test_a_full_name_and_its_branch_are_one_source() -> None:
    named = source("GitRepository", "https://git.example.org/ada/fleet", ref={"name": "refs/heads/main"})

    assert isinstance(files_of(named, ROOT, TREE), Tree)


def test_the_flux_artifact_is_known_from_the_catalogue_whatever_the_registry() -> None:
    files = files_of(
        source("OCIRepository", "oci://mirror.example.org/flux-manifests", ref={"tag": "v2.6.4"}), ROOT, TREE
    )

    assert isinstance(files, Tree)
    assert b"kustomize-controller" in files.read("flux-manifests.yaml")


@pytest.mark.parametrize("ref", [{}, {"tag": "latest"}, {"semver": "2.x"}, {"tag": "v2.0.0"}])
def test_a_flux_that_is_not_named_exactly_is_elsewhere(ref: dict[str, str]) -> None:
    files = files_of(source("OCIRepository", "oci://ghcr.io/fluxcd/flux-manifests", ref=ref), ROOT, TREE)

    assert isinstance(files, Elsewhere)
    assert "catalogue" in files.reason


def test_the_source_code_of_flux_has_the_unsuffixed_names() -> None:
    files = files_of(source("GitRepository", "https://github.com/fluxcd/flux2", ref={"tag": "v2.6.4"}), ROOT, TREE)

    assert isinstance(files, Tree)
    assert b'"cluster-reconciler"' in files.read("manifests/install/install.yaml")

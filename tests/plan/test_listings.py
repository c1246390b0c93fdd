"""Which kustomization.yaml lists which file, as far as live builds of this repository read them."""

from dataclasses import replace

import pytest
from builders import repo
from planning import build_of, cluster_of

from flux_handover.model.flux import source_of
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId, object_of
from flux_handover.plan.listings import (
    document_of,
    generated_paths,
    is_below,
    is_listing,
    listing_of,
    live_listings,
    local_builds,
    read_files,
)
from flux_handover.tree import Tree

TREE = repo(
    "a/kustomization.yaml",
    """
    resources:
      - ./one.yaml
      - ../b
      - https://example.org/remote.yaml
    components: [../c]
    """,
    "a/one.yaml",
    """
    kind: ConfigMap
    apiVersion: v1
    metadata:
      name: one
    """,
    "b/two.yaml",
    """
    kind: ConfigMap
    apiVersion: v1
    metadata:
      name: two
      namespace: x
    ---
    kind: ConfigMap
    apiVersion: v1
    metadata:
      name: two
      namespace: y
    """,
)


def reading(name: str, path: str, *reads: str, source: str = "here") -> Build:
    reference = {"kind": "GitRepository", "name": source}
    build = build_of({"name": name, "path": path, "prune": True, "sourceRef": reference})
    return replace(build, reads=frozenset(reads))


def with_sources(cluster: Cluster, **urls: str) -> Cluster:
    sources = [
        source_of(
            object_of(
                {
                    "apiVersion": "source.toolkit.fluxcd.io/v1",
                    "kind": "GitRepository",
                    "metadata": {"name": name, "namespace": "flux-system"},
                    "spec": {"url": url},
                }
            )
        )
        for name, url in urls.items()
    ]
    return replace(cluster, sources={source.id: source for source in sources})


def test_entries_are_paths_from_the_top() -> None:
    (listing,) = live_listings(cluster_of(reading("a", "a", "a/kustomization.yaml")), TREE)

    assert listing.entries == (
        ("resources", "./one.yaml", "a/one.yaml"),
        ("resources", "../b", "b"),
        ("components", "../c", "c"),
    )
    assert listing.directory == "a"
    assert listing.files == {"a/one.yaml", "b", "c"}


def test_a_list_that_nothing_live_reads_does_not_count() -> None:
    assert live_listings(cluster_of(reading("b", "b", "b/two.yaml")), TREE) == ()


def test_a_list_belongs_to_the_first_build_that_reads_it() -> None:
    cluster = cluster_of(reading("first", "a", "a/kustomization.yaml"), reading("second", "a", "a/kustomization.yaml"))

    (listing,) = live_listings(cluster, TREE)

    assert listing.parent.name == "first"


def test_paths_of_another_repository_are_not_paths_of_this_one() -> None:
    cluster = cluster_of(
        reading("root", "b", "b/two.yaml"), reading("other", "a", "a/kustomization.yaml", source="far")
    )
    cluster = with_sources(cluster, here="https://example.org/here", far="https://example.org/far")

    assert [build.id.name for build in local_builds(cluster)] == ["root"]
    assert live_listings(cluster, TREE) == ()
    assert read_files(cluster, TREE) == ("b/two.yaml",)


def test_a_second_source_of_the_same_address_is_this_repository() -> None:
    cluster = cluster_of(reading("root", "b"), reading("other", "a", source="again"))
    cluster = with_sources(cluster, here="https://example.org/here", again="https://example.org/here")

    assert [build.id.name for build in local_builds(cluster)] == ["root", "other"]


def test_a_path_without_a_list_is_generated() -> None:
    cluster = cluster_of(reading("root", "b", "b/two.yaml"), reading("listed", "a", "a/kustomization.yaml"))

    assert generated_paths(cluster, TREE) == {"b"}


def test_a_path_that_reads_nothing_here_is_not_generated() -> None:
    assert generated_paths(cluster_of(reading("gone", "z")), TREE) == frozenset()


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a/kustomization.yaml", True), ("kustomization.yml", True), ("x/Kustomization", True), ("ks.yaml", False)],
)
def test_only_three_names_are_kustomizes_own(path: str, expected: bool) -> None:
    assert is_listing(path) is expected


@pytest.mark.parametrize(
    ("directory", "expected"), [("a", "a/kustomization.yaml"), ("./a/", "a/kustomization.yaml"), ("b", None)]
)
def test_the_list_of_a_directory_is_found(directory: str, expected: str | None) -> None:
    assert listing_of(directory, TREE) == expected


@pytest.mark.parametrize(
    ("path", "directory", "expected"),
    [("a/b", "a", True), ("a", "a", True), ("ab", "a", False), ("a", "a/b", False), ("a", "", True)],
)
def test_being_below_goes_by_whole_names(path: str, directory: str, expected: bool) -> None:
    assert is_below(path, directory) is expected


def test_a_document_is_found_by_its_namespace_among_equals() -> None:
    found = document_of(TREE, "b/two.yaml", ObjectId("", "ConfigMap", "y", "two"))

    assert found is not None
    assert found.index == 1


def test_a_document_whose_namespace_comes_from_elsewhere_is_found_if_it_is_alone() -> None:
    assert document_of(TREE, "a/one.yaml", ObjectId("", "ConfigMap", "anywhere", "one")) is not None
    assert document_of(TREE, "b/two.yaml", ObjectId("", "ConfigMap", "z", "two")) is None


@pytest.mark.parametrize(
    "id",
    [
        ObjectId("", "Secret", "", "one"),
        ObjectId("", "ConfigMap", "", "three"),
        ObjectId(KUSTOMIZE_GROUP, "ConfigMap", "", "one"),
    ],
)
def test_a_document_of_another_object_is_not_found(id: ObjectId) -> None:
    assert document_of(TREE, "a/one.yaml", id) is None


def test_a_file_that_is_absent_holds_nothing() -> None:
    assert document_of(Tree(), "a/one.yaml", ObjectId("", "ConfigMap", "", "one")) is None

"""Flux's own manifests behind references out of the tree: built without network, or not at all."""

from __future__ import annotations

import pytest
from builders import repo
from model.detecting import site

from flux_handover import catalogue
from flux_handover.adapters.engine import Engine
from flux_handover.model.building import BuildRequest
from flux_handover.model.detection import detect
from flux_handover.model.known import known_references
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId, id_of
from flux_handover.tree import Tree

BASE = "github.com/fluxcd/flux2/manifests/install?ref=v2.6.4"
ASSET = "https://github.com/fluxcd/flux2/releases/download/v2.6.4/install.yaml"
CHILD = """
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata:
      name: engine-room
      namespace: flux-system
    spec:
      interval: 1h
      path: ./install
      prune: true
      sourceRef:
        kind: GitRepository
        name: estate
    """
PATCHED = f"""
    resources:
      - {BASE}
    patches:
      - target: {{kind: NetworkPolicy}}
        patch: '{{"apiVersion": "v1", "kind": "x", "metadata": {{"name": "x"}}, "$patch": "delete"}}'
    """


def listing(reference: str) -> Tree:
    return repo("install/kustomization.yaml", f"resources:\n  - {reference}\n")


@pytest.mark.parametrize(
    "reference",
    [
        BASE,
        f"https://{BASE}",
        "https://github.com/fluxcd/flux2//manifests/install?ref=v2.6.4",
        "https://github.com/fluxcd/flux2.git//manifests/install?timeout=90s&ref=v2.6.4",
        ASSET,
    ],
)
def test_a_reference_to_a_version_in_the_catalogue_is_known(reference: str) -> None:
    assert list(known_references(listing(reference))) == [reference]


@pytest.mark.parametrize(
    "reference",
    [
        "github.com/fluxcd/flux2/manifests/install",
        "github.com/fluxcd/flux2/manifests/install?ref=main",
        "github.com/fluxcd/flux2/manifests/install?ref=v2.600.0",
        "github.com/fluxcd/flux2/manifests/install-extra?ref=v2.6.4/x",
        "github.com/example/flux2/manifests/install?ref=v2.6.4",
        "https://github.com/fluxcd/flux2/releases/latest/download/install.yaml",
        "https://example.org/install.yaml",
    ],
)
def test_any_other_reference_is_not(reference: str) -> None:
    known = {name for name in known_references(listing(reference)) if "install-extra" not in name}

    assert known == set()


def test_equal_references_stand_for_one_tree() -> None:
    (one,) = known_references(listing(BASE)).values()
    (other,) = known_references(listing(f"https://{BASE}")).values()

    assert one is other


def test_the_base_builds_offline_with_the_patches_over_it(engine: Engine) -> None:
    tree = repo("install/kustomization.yaml", PATCHED)

    (result,) = engine.build(tree, [BuildRequest("x", {"spec": {"path": "install"}})], known=known_references(tree))

    expected = {id_of(manifest) for manifest in catalogue.base_manifests("v2.6.4")}
    assert result.error is None
    assert {object.id for object in result.objects} == {id for id in expected if id.kind != "NetworkPolicy"}
    assert result.remotes == (BASE,)


def test_a_kustomization_over_the_base_renders(engine: Engine) -> None:
    tree = site("sites/north/engine-room.yaml", CHILD, "install/kustomization.yaml", PATCHED)

    (cluster,) = take_snapshot(tree, "HEAD", engine, detect, Reading()).clusters

    build = cluster.builds[ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "engine-room")]
    assert build.failure is None
    assert ObjectId("apps", "Deployment", "flux-system", "source-controller") in build.ids

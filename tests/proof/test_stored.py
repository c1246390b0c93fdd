"""Where a world keeps what Helm stored of a release."""

from __future__ import annotations

from proof.worlds import secret

from flux_handover.proof.stored import key_of, manifest_of
from flux_handover.proof.table import Table
from flux_handover.proof.world import Manifest, Release, World

RELEASE = Release("web", "front", "stores", "web")


def test_a_release_is_found_where_helm_stores_it() -> None:
    manifest = Manifest(frozenset({secret("web")}))
    world = World(releases=Table({key_of(RELEASE): manifest}))

    assert manifest_of(world, RELEASE) == manifest


def test_a_release_that_is_stored_elsewhere_is_another_one() -> None:
    world = World(releases=Table({key_of(RELEASE): Manifest()}))

    assert manifest_of(world, Release("web", "stores", "front", "web")) is None

"""What Helm has stored of its releases, in the namespace that each names for it."""

from __future__ import annotations

from flux_handover.proof.world import Manifest, Release, World


def key_of(release: Release) -> tuple[str, str]:
    """Where Helm stores a release: a namespace, and a name in it."""
    return release.storage, release.name


def manifest_of(world: World, release: Release) -> Manifest | None:
    """What is stored of a release; None where nothing is."""
    return world.releases.get(key_of(release))

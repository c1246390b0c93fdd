"""All small worlds: those written to make a point, and those made from seeds."""

from __future__ import annotations

from sandbox import scenes
from sandbox.generated import generated
from sandbox.worlds import SCENES, world

__all__ = ["GENERATED", "RACES", "WRITTEN", "scenes"]
SEEDS = 100
WRITTEN = tuple(world(name, scene) for name, scene in SCENES.items())
GENERATED = tuple(generated(seed) for seed in range(SEEDS))
RACES = (
    "moved",
    "renamed",
    "unpruned-with-removal",
    "parent-fails",
    "source-gone",
    "two-owners-one-leaves",
    "two-owners-one-opts-out",
    "namespace-in-two-inventories",
    "moved-with-the-order",
    "parent-changed",
    "suspended-too-late",
    "hasty",
    "second-root-at-once",
    "seed-002",
    "seed-004",
    "seed-007",
    "seed-015",
    "seed-017",
    "seed-038",
    "seed-042",
    "seed-047",
    "seed-050",
    "seed-052",
    "seed-054",
    "seed-057",
    "seed-059",
    "seed-069",
    "seed-074",
    "seed-077",
    "seed-081",
    "seed-084",
    "seed-093",
    "seed-099",
)

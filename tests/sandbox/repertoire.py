"""All small worlds: those written to make a point, and those made from seeds."""

from __future__ import annotations

from sandbox import scenes
from sandbox.generated import generated
from sandbox.worlds import SCENES, world

__all__ = ["GENERATED", "WRITTEN", "scenes"]
SEEDS = 100
WRITTEN = tuple(world(name, scene) for name, scene in SCENES.items())
GENERATED = tuple(generated(seed) for seed in range(SEEDS))

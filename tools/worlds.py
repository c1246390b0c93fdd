"""Writes docs/reference/worlds.md: how many ways to end the model allows each small world. `make worlds` runs it.

A test fails where the page is stale (tests/sandbox/test_worlds.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from sandbox.listing import listed, page, single_share  # noqa: E402
from sandbox.repertoire import GENERATED, WRITTEN  # noqa: E402

from flux_handover.adapters.engine import Engine  # noqa: E402


def main() -> None:
    """Write the page, and say the share of worlds with one outcome."""
    with Engine() as engine:
        every = [listed(world, engine) for world in (*WRITTEN, *GENERATED)]
    (ROOT / "docs" / "reference" / "worlds.md").write_text(page(every))
    print(f"{len(every)} worlds, {single_share(every):.0%} with one outcome")


if __name__ == "__main__":
    main()

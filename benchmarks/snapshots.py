"""Two revisions of a repository rendered, HEAD~1 then HEAD: the part of `guard` that builds."""

from __future__ import annotations

import sys

from flux_handover.adapters.cache import cached_engine
from flux_handover.adapters.git import Repository
from flux_handover.model.detection import detect
from flux_handover.model.reading import Reading, take_snapshot


def main(path: str) -> None:
    """Render both."""
    previous = None
    with Repository.open(path) as repository, cached_engine() as engine:
        for revision in ("HEAD~1", "HEAD"):
            previous = take_snapshot(repository.read_tree(revision), revision, engine, detect, Reading(), previous)


if __name__ == "__main__":
    main(sys.argv[1])

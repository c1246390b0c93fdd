"""Two revisions of a repository rendered as `guard` renders them, HEAD~1 and HEAD: the part of it that builds."""

from __future__ import annotations

import sys
from pathlib import Path

from flux_handover.cli.ahead import Ahead
from flux_handover.cli.ranges import Range
from flux_handover.cli.reading import opened
from flux_handover.model.reading import Reading


def main(path: Path) -> None:
    """Render both."""
    with opened(path) as tools:
        base, head = (tools.repository.resolve(revision) for revision in ("HEAD~1", "HEAD"))
        with Ahead(tools, Range(base, (head,)), Reading()) as ahead:
            before = ahead.read(ahead.tree(base), base, None)
            ahead.read(ahead.tree(head), head, before)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

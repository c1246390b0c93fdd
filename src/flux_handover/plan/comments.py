"""The comments that explain a setting, read where it stands, so that they can move along."""

from __future__ import annotations

from flux_handover.findings import Location
from flux_handover.model.settings_texts import decoded
from flux_handover.tree import Tree


def comments_above(tree: Tree, where: Location | None) -> tuple[str, ...]:
    """Comment lines directly above a place, or beside the dash of its list element, without `#`."""
    if where is None:
        return ()
    lines = decoded(tree, where.file).splitlines()
    index = min(where.line, len(lines)) - 1
    found: list[str] = []
    while index > 0 and (comment := _comment(lines[index - 1])) is not None:
        index -= 1
        found.insert(0, comment)
        if lines[index].lstrip().startswith("-"):
            break
    return tuple(found)


def _comment(line: str) -> str | None:
    """The text of a line that is only a comment, also behind a dash that opens a list element."""
    bare = line.strip()
    bare = bare.removeprefix("- ").lstrip() if bare.startswith("- #") else bare
    return bare.removeprefix("#").removeprefix(" ").rstrip() if bare.startswith("#") else None

"""The comments that explain a setting move along with it."""

import pytest
from builders import repo

from flux_handover.findings import Location
from flux_handover.plan.comments import comments_above
from flux_handover.tree import Tree

TEXT = """
spec:
  patches:
    # one
    #two
    - patch: a
    - patch: b
    - # beside the dash
      patch: c

    # far away

    - patch: d
    - patch: e # behind
    - patch: f
"""
TREE = repo("x.yaml", TEXT)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (5, ("one", "two")),
        (6, ()),
        (8, ("beside the dash",)),
        (12, ()),
        (14, ()),
        (1, ()),
        (999, ()),
    ],
)
def test_only_lines_directly_above_count(line: int, expected: tuple[str, ...]) -> None:
    assert comments_above(TREE, Location("x.yaml", line)) == expected


@pytest.mark.parametrize("where", [None, Location("absent.yaml", 3)])
def test_a_place_that_cannot_be_read_has_no_comments(where: Location | None) -> None:
    assert comments_above(TREE, where) == ()
    assert comments_above(Tree(), where) == ()

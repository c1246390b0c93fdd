"""The revisions of a comparison, however a person writes them."""

from __future__ import annotations

import pytest

from flux_handover.cli.revisions import named
from flux_handover.errors import UsageError


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ((), ()),
        (("main",), ("main",)),
        (("main", "topic"), ("main", "topic")),
        (("main..topic",), ("main", "topic")),
        (("main..",), ("main", "HEAD")),
        (("..topic",), ("HEAD", "topic")),
        (("a..b", "c"), ("a", "b", "c")),
    ],
)
def test_two_dots_name_two_revisions(written: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert named(written) == expected


def test_three_dots_are_refused() -> None:
    with pytest.raises(UsageError, match="three dots"):
        named(("main...topic",))

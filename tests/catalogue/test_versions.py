"""Version ranges of a FluxInstance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_handover.catalogue import MalformedRange, is_at_least, newest_match
from flux_handover.catalogue.versions import number

RELEASES = ("v2.2.3", "v2.3.0", "v2.5.1", "v2.6.0", "v2.6.4", "v2.7.0", "v2.7.5", "v2.9.4")


@pytest.mark.parametrize(
    ("expression", "newest"),
    [
        ("2.6.4", "v2.6.4"),
        ("v2.6.4", "v2.6.4"),
        ("=2.6.4", "v2.6.4"),
        ("= 2.6.4", "v2.6.4"),
        ("2.6", "v2.6.4"),
        ("2.6.x", "v2.6.4"),
        ("2.6.*", "v2.6.4"),
        ("2.x", "v2.9.4"),
        ("2", "v2.9.4"),
        ("*", "v2.9.4"),
        ("~2.6.1", "v2.6.4"),
        ("~2", "v2.9.4"),
        ("^2.3", "v2.9.4"),
        ("<2.6", "v2.5.1"),
        ("<=2.6", "v2.6.4"),
        (">2.6 <2.9", "v2.7.5"),
        (">=2.6, <2.7", "v2.6.4"),
        ("!=2.9.4", "v2.7.5"),
        ("2.2 - 2.5", "v2.5.1"),
        ("2.3.0 || 2.5.x", "v2.5.1"),
        ("2.99.0", None),
        ("2.6.4-rc.1", None),
        ("2.6.4+build.1", "v2.6.4"),
        (">=2.9-0", "v2.9.4"),
        (">2.9.4-rc.1", "v2.9.4"),
        ("<=2.6.4-rc.1", "v2.6.0"),
        ("!=2.9.4-rc.1", "v2.9.4"),
        (">2.9.4", None),
    ],
)
def test_a_range_chooses_the_newest_release_it_allows(expression: str, newest: str | None) -> None:
    assert newest_match(expression, RELEASES) == newest


@pytest.mark.parametrize("expression", ["", "latest", "2.6.4.1", "2.6 ||", "~=2.6"])
def test_a_text_that_is_no_range_is_refused(expression: str) -> None:
    with pytest.raises(MalformedRange):
        newest_match(expression, RELEASES)


def test_minor_versions_are_numbers_not_text() -> None:
    assert is_at_least("v2.10.0", "v2.9.4")


VERSION = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)).map(
    lambda parts: "v" + ".".join(str(part) for part in parts)
)


@given(VERSION, st.lists(VERSION))
def test_the_newest_match_is_allowed_and_nothing_allowed_is_newer(floor: str, candidates: list[str]) -> None:
    newest = newest_match(f">={floor}", candidates)

    allowed = [number(version) for version in candidates if is_at_least(version, floor)]
    assert (None if newest is None else number(newest)) == max(allowed, default=None)


@given(VERSION)
def test_an_exact_version_allows_itself_alone(version: str) -> None:
    assert newest_match(version, (version, "v99.0.0")) == version

"""Equal digests of what a build read mean equal builds."""

from __future__ import annotations

import pytest
from builders import repo

from flux_handover.model.building import inputs_digest

BEFORE = repo("x.yaml", "a: 1\n")


@pytest.mark.parametrize("appears", ["late/app", "late/app/c.yaml", "late/app/deep/c.yaml"])
def test_a_path_that_was_missing_and_appears_is_another_input(appears: str) -> None:
    after = BEFORE.with_file(appears, b"a: 1\n")

    assert inputs_digest(BEFORE, {"late/app"}) != inputs_digest(after, {"late/app"})


def test_what_was_not_read_is_no_input() -> None:
    before = BEFORE.with_file("late/x.yaml", b"")
    after = before.with_file("other/c.yaml", b"a: 1\n").with_file("late/application", b"")

    assert inputs_digest(before, {"late/app", "x.yaml"}) == inputs_digest(after, {"late/app", "x.yaml"})


def test_a_directory_that_a_path_was_looked_for_in_is_an_input() -> None:
    after = BEFORE.with_file("late/application", b"")

    assert inputs_digest(BEFORE, {"late/app"}) != inputs_digest(after, {"late/app"})


def test_a_file_below_a_listed_directory_is_an_input() -> None:
    after = BEFORE.with_file("late/app/c.yaml", b"a: 1\n")

    assert inputs_digest(BEFORE, {"late/"}) != inputs_digest(after, {"late/"})

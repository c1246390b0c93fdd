"""In which order phases are played."""

from __future__ import annotations

import pytest

from flux_handover.act.execute import Direction
from flux_handover.act.rehearse import Course, legs

WAYS = {Direction.FORWARD: ">", Direction.BACK: "<", Direction.AGAIN: "»"}


def way(course: Course, count: int) -> str:
    return " ".join(f"{WAYS[direction]}{number}" for direction, number in legs(course, count))


@pytest.mark.parametrize(
    ("course", "expected"),
    [
        (Course.FORWARD, ">0 >1"),
        (Course.AND_BACK, ">0 >1 <1 <0 »0 »1"),
        (Course.FROM_EVERY_PHASE, ">0 <0 »0 >1 <1 »1 <1 <0 »0 »1"),
    ],
)
def test_each_course_plays_the_phases_in_its_order(course: Course, expected: str) -> None:
    assert way(course, 2) == expected


@pytest.mark.parametrize("course", Course)
def test_every_course_ends_with_all_phases_carried_out(course: Course) -> None:
    done: list[int] = []
    for direction, number in legs(course, 4):
        if direction is Direction.BACK:
            assert done.pop() == number
        else:
            assert number == len(done)
            done.append(number)

    assert done == [0, 1, 2, 3]

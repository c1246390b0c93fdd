"""What a step of the way back must show."""

from __future__ import annotations

import pytest

from flux_handover.act.rehearse_back import shows

TABLE = "NAME READY NAME\npond 1/1 orchard\nbarn 1/1 {owner}\n"


@pytest.mark.parametrize(
    ("output", "expect", "shown"),
    [
        ("", "no output", True),
        ("\n", "no output", True),
        ("kustomization/old\n", "no output", False),
        ("false", "false", True),
        ("true", "false", False),
        ("", "false", False),
        ('{"reconcile":"disabled","a":"b"}', '"reconcile":"disabled"', True),
        (TABLE.format(owner="orchard"), "orchard on every line", True),
        (TABLE.format(owner=""), "orchard on every line", False),
        (TABLE.format(owner="orchards"), "orchard on every line", False),
        ("NAME READY NAME\n", "orchard on every line", False),
        ("", "orchard on every line", False),
    ],
)
def test_an_output_is_as_the_step_expects_it_or_not(output: str, expect: str, shown: bool) -> None:
    assert shows(output, expect) is shown

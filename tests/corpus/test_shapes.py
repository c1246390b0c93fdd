"""Real repositories of many shapes: how many end in a proved plan, and what refusals say: docs/reference/shapes.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
LATER_STEPS = ("flux-talos-1-ecfae904", "flux-talos-2-95954bb7")
PROVED_BY_DEFAULT = 7
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not any(CORPUS.glob("*.tar.xz")), reason="the corpus is absent"),
]


@pytest.fixture(scope="module")
def rows() -> list[list[str]]:
    """The cells of each row of the table."""
    command = [sys.executable, "-m", "tools.corpus", str(CORPUS)]
    command += [word for name in LATER_STEPS for word in ("--without", name)]
    table = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def verdicts(rows: list[list[str]]) -> list[str]:
    return [row[6] for row in rows]


def test_every_repository_has_a_row(rows: list[list[str]]) -> None:
    assert len(rows) == len(list(CORPUS.glob("*.tar.xz"))) - len(LATER_STEPS)


def test_none_is_refuted_or_unknown_without_a_reason(rows: list[list[str]]) -> None:
    assert [one for one in verdicts(rows) if one.startswith(("refuted", "unknown"))] == []


def test_most_end_in_a_proved_plan_with_every_setting(rows: list[list[str]]) -> None:
    proved = [row for row in rows if row[6] == "proved"]

    assert len(proved) >= PROVED_BY_DEFAULT
    assert all(row[4] == row[5] for row in proved)


def test_every_refusal_has_a_line(rows: list[list[str]]) -> None:
    refused = [one for one in verdicts(rows) if one.startswith("refused, ")]

    assert all(re.match(r"refused, with file and line: ", one) for one in refused)

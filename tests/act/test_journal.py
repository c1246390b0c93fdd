"""The journal: only added to, and readable after a crash."""

from __future__ import annotations

import stat
from pathlib import Path

from flux_handover.act.journal import Journal, entries
from flux_handover.objects import ObjectId


def test_steps_are_added_in_order_over_several_runs(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"

    for number in (1.0, 2.0):
        with Journal(path) as journal:
            journal.write(number, "push", sha=f"{number:.0f}" * 40)

    assert [(entry["time"], entry["step"]) for entry in entries(path)] == [(1.0, "push"), (2.0, "push")]


def test_a_line_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.write(1.0, "gate", id="ready")

    with path.open("a") as file:
        file.write('{"time": 2.0, "st')

    assert [entry["id"] for entry in entries(path)] == ["ready"]


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"

    with Journal(path) as journal:
        journal.write(1.0, "push", id=ObjectId("", "Secret", "gardens", "key"))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert next(entries(path))["id"] == "Secret/gardens/key"

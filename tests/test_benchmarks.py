"""The benchmarks measure what they say: generated repositories render whole, and runs are summed up right."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.generated import Change, files
from benchmarks.measuring import Program, Run, TooSlow, alternating, run, summary
from benchmarks.repositories import generated_pair
from flux_handover.adapters.engine import Engine
from flux_handover.adapters.git import Repository
from flux_handover.model.detection import detect
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.model.rendering import BuildStatus


def program(name: str, code: str, directory: Path, limit: float = 60.0) -> Program:
    return Program(name, (sys.executable, "-c", code), directory, os.environ, frozenset({0}), limit=limit)


@pytest.mark.parametrize(("change", "differing"), [(Change.ONE, 1), (Change.ALL, 5)])
def test_a_generated_repository_renders_whole_and_differs_where_it_says(
    tmp_path: Path, change: Change, differing: int
) -> None:
    pair = generated_pair(5, change, tmp_path)

    with Repository.open(pair.repository) as repository, Engine() as engine:
        snapshots = [
            take_snapshot(repository.read_tree(revision), revision, engine, detect, Reading())
            for revision in ("HEAD~1", "HEAD")
        ]

    (base,), (head,) = (snapshot.clusters for snapshot in snapshots)
    assert [build.status for build in head] == [BuildStatus.OK] * 6
    assert sum(len(build.objects) for build in head) == 3 + 5 + 5 * 4
    assert sum(build.objects != base.builds[build.id].objects for build in head) == differing


def test_a_generated_repository_grows_with_the_number() -> None:
    small, large = (len(dict(files(count))) for count in (10, 100))

    assert large - small == 90 * 6


def test_a_run_counts_the_memory_of_children(tmp_path: Path) -> None:
    large = "import time; kept = bytearray(80_000_000); time.sleep(0.3)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {large!r}], check=True)"

    assert run(program("parent", parent, tmp_path)).megabytes >= 80


def test_a_run_counts_what_a_thread_started(tmp_path: Path) -> None:
    large = "import time; kept = bytearray(80_000_000); time.sleep(0.3)"
    start = f"lambda: subprocess.run([sys.executable, '-c', {large!r}], check=True)"
    parent = f"import subprocess, sys, threading\none = threading.Thread(target={start})\none.start()\none.join()"

    assert run(program("parent", parent, tmp_path)).megabytes >= 80


def test_a_program_that_fails_is_no_measurement(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="broken ended with 3"):
        run(program("broken", "raise SystemExit(3)", tmp_path))


def test_a_program_that_does_not_end_is_left_out(tmp_path: Path) -> None:
    endless = program("endless", "while True: pass", tmp_path, limit=0.5)

    with pytest.raises(TooSlow):
        run(endless)
    assert [one.name for one in alternating([endless, program("quick", "", tmp_path)], 1)] == ["quick"]


def test_a_summary_is_of_medians() -> None:
    found = summary("x", [Run(1.0, 4.0, 10), Run(9.0, 5.0, 30), Run(2.0, 6.0, 20)])

    assert (found.seconds, found.processor_seconds, found.megabytes, found.runs) == (2.0, 5.0, 30, 3)

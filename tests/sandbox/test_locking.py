from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flux_handover.adapters.sandbox.binaries.locking import locked, replacing

Eventually = Callable[..., None]
HOLDER = """
import pathlib, sys, time
from flux_handover.adapters.sandbox.binaries.locking import locked
folder, journal, seconds = pathlib.Path(sys.argv[1]), open(sys.argv[2], "a", buffering=1), float(sys.argv[3])
with locked(folder):
    journal.write("in\\n")
    time.sleep(seconds)
    journal.write("out\\n")
"""


def holder(folder: Path, journal: Path, seconds: float) -> subprocess.Popen[bytes]:
    """A process that holds the lock of a folder for a while, and writes down when."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = (sys.executable, "-c", HOLDER, str(folder), str(journal), str(seconds))
    return subprocess.Popen(command, env=environment)


def test_only_one_process_holds_a_folder(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    holders = [holder(tmp_path / "cache" / "tool", journal, 0.5) for _ in range(2)]

    for process in holders:
        assert process.wait(30) == 0

    assert journal.read_text().split() == ["in", "out", "in", "out"]


def test_a_lock_of_a_killed_process_is_free_again(tmp_path: Path, eventually: Eventually) -> None:
    journal = tmp_path / "journal"
    process = holder(tmp_path / "tool", journal, 60)
    eventually(lambda: journal.exists() and journal.read_text(), seconds=20)

    process.kill()
    process.wait(10)

    with locked(tmp_path / "tool"):
        assert journal.read_text() == "in\n"


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "tool"

    with replacing(target) as draft:
        (draft / "program").write_text("x")
        assert not target.exists()

    assert (target / "program").read_text() == "x"
    assert [path.name for path in target.parent.iterdir()] == ["tool"]


def test_an_error_leaves_the_old_folder_and_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "tool"
    target.mkdir()
    (target / "old").touch()

    def fail() -> None:
        with replacing(target) as draft:
            (draft / "new").touch()
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        fail()

    assert [path.name for path in target.iterdir()] == ["old"]
    assert [path.name for path in tmp_path.iterdir()] == ["tool"]

"""What is kept on disk, and that a damaged or crowded cache is no reason to fail."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flux_handover.adapters.cache_store import MAX_FILE_BYTES, Store, cache_directory

KEY = "ab" * 32


def store(directory: Path, max_bytes: int = 1 << 20) -> Store:
    return Store(directory / "builds", "1", max_bytes=max_bytes)


def kept(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file() and len(path.name) > 20)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"XDG_CACHE_HOME": "/c", "HOME": "/h"}, Path("/c/flux-handover/builds")),
        ({"HOME": "/h"}, Path("/h/.cache/flux-handover/builds")),
        ({"HOME": "/h", "FLUX_HANDOVER_CACHE": "off"}, None),
        ({"HOME": "/h", "FLUX_HANDOVER_CACHE": "OFF"}, None),
        ({}, None),
    ],
)
def test_the_environment_says_where_the_cache_is(variables: dict[str, str], expected: Path | None) -> None:
    assert cache_directory(variables) == expected


def test_what_was_written_is_read_by_another_run(tmp_path: Path) -> None:
    store(tmp_path).write(KEY, b"apple")

    assert store(tmp_path).read(KEY) == b"apple"
    assert store(tmp_path).read("cd" * 32) is None


def test_another_version_reads_nothing(tmp_path: Path) -> None:
    store(tmp_path).write(KEY, b"apple")

    assert Store(tmp_path / "builds", "2").read(KEY) is None


def test_others_cannot_read_it(tmp_path: Path) -> None:
    store(tmp_path).write(KEY, b"apple")

    (path,) = kept(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_cache_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "builds").write_text("a file where the directory should be")
    crowded = store(tmp_path)

    crowded.write(KEY, b"apple")
    crowded.say_enough(enough=True)
    crowded.close()

    assert crowded.read(KEY) is None
    assert not crowded.is_enough


def test_a_content_that_is_too_large_is_not_kept(tmp_path: Path) -> None:
    store(tmp_path).write(KEY, b"x" * (MAX_FILE_BYTES + 1))

    assert kept(tmp_path) == []


def test_the_oldest_leave_when_there_are_too_many(tmp_path: Path) -> None:
    crowded = store(tmp_path, max_bytes=4000)
    names = [f"{number:02}" * 32 for number in range(6)]
    for age, name in enumerate(names):
        crowded.write(name, b"x" * 1000)
        when = time.time() - 1000 + age
        os.utime(tmp_path / "builds" / "1" / name[:2] / name[2:], (when, when))

    crowded.close()

    assert [name for name in names if crowded.read(name) is not None] == names[3:]


def test_what_fits_is_left_alone(tmp_path: Path) -> None:
    roomy = store(tmp_path)
    for number in range(6):
        roomy.write(f"{number:02}" * 32, b"x" * 1000)

    roomy.close()

    assert len(kept(tmp_path)) == 6


def test_reading_makes_young(tmp_path: Path) -> None:
    store(tmp_path).write(KEY, b"apple")
    (path,) = kept(tmp_path)
    os.utime(path, (1, 1))

    store(tmp_path).read(KEY)

    assert path.stat().st_mtime > time.time() - 100


def test_the_last_run_says_whether_it_found_all(tmp_path: Path) -> None:
    first = store(tmp_path)
    first.write(KEY, b"apple")
    assert not first.is_enough

    first.say_enough(enough=True)
    assert store(tmp_path).is_enough

    first.say_enough(enough=False)
    assert not store(tmp_path).is_enough


WRITE = """
import sys
from pathlib import Path
from flux_handover.adapters.cache_store import Store
mine = Store(Path(sys.argv[1]) / "builds", "1")
for _ in range(200):
    mine.write(sys.argv[2], sys.argv[3].encode() * 5000)
"""


def test_parallel_runs_never_show_half_a_file(tmp_path: Path) -> None:
    runs = [subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path), KEY, mark]) for mark in "ab"]

    seen = set()
    while any(run.poll() is None for run in runs):
        content = store(tmp_path).read(KEY)
        seen.add(None if content is None else (len(content), len(set(content))))

    assert [run.returncode for run in runs] == [0, 0]
    assert seen <= {None, (5000, 1)}
    assert store(tmp_path).read(KEY) in (b"a" * 5000, b"b" * 5000)
    assert len(list((tmp_path / "builds").rglob(".*"))) == 0

"""Golden cases: a directory is a test. `before/` is the repository, `command` what is typed, `stdout` what is said.

`status` is the exit status, 0 where there is no such file. Where there is `expected/`, it is the tree of the
branch named in `branch`. `make golden` writes what is expected; read the difference before you commit it.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from types import MappingProxyType

import pytest
from builders import git_repository

from flux_handover.adapters.git import Repository
from flux_handover.cli.main import run
from flux_handover.tree import File, Tree, blob_digest

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob("*/command"))
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


def tree_of(folder: Path) -> Tree:
    files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return Tree(MappingProxyType({path: File(text, blob_digest(text)) for path, text in files.items()}))


def expect(place: Path, said: str) -> None:
    """Compare with a file; rewrite it where that is wanted."""
    if UPDATE:
        place.write_text(said)
    assert said == place.read_text()


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """An identity and a clock for the commits that a case makes, and none of the user's settings."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-01-01T00:00:00+00:00")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.mark.usefixtures("identity")
@pytest.mark.parametrize("name", NAMES)
def test_case(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES / name
    git_repository(tmp_path, tree_of(case / "before"))
    monkeypatch.chdir(tmp_path)

    status = run(shlex.split((case / "command").read_text()))

    printed = capsys.readouterr()
    said = (printed.out + printed.err).replace(str(tmp_path), ".")
    expect(case / "stdout", said)
    wanted = case / "status"
    assert status == (int(wanted.read_text()) if wanted.exists() else 0)
    if (case / "expected").is_dir():
        with Repository.open(tmp_path) as repository:
            after = repository.read_tree((case / "branch").read_text().strip())
        assert {path: after.read(path) for path in after} == {
            p: f.content for p, f in tree_of(case / "expected").files.items()
        }


def test_every_case_is_complete() -> None:
    folders = {path.name for path in CASES.iterdir() if path.is_dir() and not path.name.startswith("_")}

    assert folders >= set(NAMES)
    assert [name for name in NAMES if not (CASES / name / "before").is_dir()] == []

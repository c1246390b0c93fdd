"""What is shipped: the wheel has all that runs, works where there is no Go, and the sdist can be built."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from flux_handover import __version__

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "src" / "flux_handover" / "demo" / "repository"

pytestmark = pytest.mark.slow


def tracked_copy(folder: Path) -> Path:
    """The files that Git tracks, as they are, so that a build sees no leftovers."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tracked_copy(tmp_path_factory.mktemp("source"))
    dist = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dist


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_is_named_for_its_platform(wheel: Path) -> None:
    assert wheel.name.startswith(f"flux_handover-{__version__}-py3-none-")
    assert not wheel.name.endswith("-any.whl")


def test_the_wheel_has_engine_catalogue_types_and_notices(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    wanted = {
        "flux_handover/bin/flux-handover-engine",
        "flux_handover/catalogue/distributions.zip",
        "flux_handover/py.typed",
        f"flux_handover-{__version__}.dist-info/licenses/LICENSE",
        f"flux_handover-{__version__}.dist-info/licenses/NOTICE",
    }
    assert wanted - names == set()


def test_the_engine_in_the_wheel_may_be_executed(wheel: Path) -> None:
    info = zipfile.ZipFile(wheel).getinfo("flux_handover/bin/flux-handover-engine")

    assert (info.external_attr >> 16) & 0o111


def test_the_wheel_has_the_whole_demo_repository(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("flux_handover/demo/repository/")}
    wanted = {f"flux_handover/demo/repository/{p.relative_to(DEMO)}" for p in DEMO.rglob("*") if p.is_file()}

    assert shipped == wanted
    assert any("/.github/" in name for name in shipped)


def test_the_wheel_is_not_too_large(wheel: Path) -> None:
    assert wheel.stat().st_size < 40 * 1024 * 1024


def test_the_sdist_has_what_a_build_needs(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    wanted = {
        "pyproject.toml",
        "tools/hatch_build.py",
        "engine/go.mod",
        "engine/main.go",
        "LICENSE",
        "NOTICE",
        "README.md",
    }
    assert wanted - names == set()
    assert "src/flux_handover/bin/flux-handover-engine" not in names


def test_the_wheel_runs_in_an_empty_environment_without_go(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "empty", with_pip=True)
    programs = tmp_path / "empty" / "bin"
    subprocess.run([programs / "pip", "install", "--quiet", str(wheel)], check=True, capture_output=True)
    git = shutil.which("git")
    assert git is not None
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "git").symlink_to(git)
    environment = {"PATH": str(tmp_path / "path"), "HOME": str(tmp_path), "LANG": os.environ.get("LANG", "C.UTF-8")}

    command = [str(programs / "flux-handover"), "demo", "--into", str(tmp_path / "demo")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "commits written on stacked branches" in done.stdout

"""What cannot be read or planned ends with exit 2, one clear error, and nothing written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import git

from flux_handover.adapters.bundled import prepared
from flux_handover.cli.main import run

ROOT_PATH = "homelab/flux"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{after}: &{after} [{','.join([f'*{before}'] * 9)}]\n" for before, after in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("bad") / "demo")


def committed(repository: Path) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "Change it")


def with_file(text: str) -> Callable[[Path], None]:
    """One more file in the directory of the root."""

    def change(repository: Path) -> None:
        (repository / ROOT_PATH / "more.yaml").write_text(text)
        committed(repository)

    return change


def of_version(version: str) -> Callable[[Path], None]:
    def change(repository: Path) -> None:
        place = repository / ROOT_PATH / "config" / "flux.yaml"
        place.write_text(place.read_text().replace("v2.6.4", version))
        committed(repository)

    return change


def with_branch(repository: Path) -> None:
    git(repository, "branch", "flux-handover/1-protect")


def untouched(repository: Path) -> None:
    assert repository.is_dir()


def without_flux(repository: Path) -> None:
    shutil.rmtree(repository / "homelab")
    committed(repository)


@pytest.mark.parametrize(
    ("change", "arguments", "where", "message", "hint"),
    [
        (untouched, ("--cluster", "nowhere"), "", "there is no cluster 'nowhere'", "homelab/flux"),
        (without_flux, (), "", "no Flux was found", "--root"),
        (
            of_version("v2.99.1"),
            (),
            f"{ROOT_PATH}/config/flux.yaml:12",
            "nothing is known about Flux v2.99.1",
            "v2.9.4",
        ),
        (with_file("a: [\n"), (), f"{ROOT_PATH}/more.yaml", "does not build", "repair it"),
        (with_file(BOMB), (), f"{ROOT_PATH}/more.yaml", "once its aliases are written out", "repair it"),
        (with_file("a: b\n" * 1_000_000), (), f"{ROOT_PATH}/more.yaml", "5000000 bytes", "repair it"),
        (with_branch, (), "", "the branch flux-handover/1-protect is there already", "git branch -D"),
    ],
)
def test_the_error_says_where_what_and_what_to_do(
    change: Callable[[Path], None],
    arguments: tuple[str, ...],
    where: str,
    message: str,
    hint: str,
    demo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    repository = tmp_path / "repository"
    shutil.copytree(demo, repository)
    change(repository)
    before = git(repository, "for-each-ref"), git(repository, "status", "--porcelain")

    status = run(["commit", str(repository), "--output", "json", *arguments])

    error: dict[str, Any] = json.loads(capsys.readouterr().out)["error"]
    assert status == 2
    assert error["where"].startswith(where)
    assert message in error["message"]
    assert hint in error["hint"]
    assert (git(repository, "for-each-ref"), git(repository, "status", "--porcelain")) == before

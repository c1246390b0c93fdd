"""The first user's repository: what is live, what the real controllers recorded, and a plan that is proved offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders import git_repository, unpacked

from flux_handover.cli.main import run

ARCHIVE = Path(__file__).parents[3] / "shared" / "corpus" / "flux-talos-0-base.tar.xz"
INVENTORIES = {"cluster": 55, "cluster-apps": 92, "flux": 35}
GONE = {
    "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/flux",
    "OCIRepository.source.toolkit.fluxcd.io/flux-system/flux-manifests",
}
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not ARCHIVE.is_file(), reason="the corpus is absent")]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return git_repository(tmp_path_factory.mktemp("first-user"), unpacked(ARCHIVE))


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run([*arguments, "--output", "json"]) == 0
    page: dict[str, Any] = json.loads(capsys.readouterr().out)
    return page


def test_what_is_live_is_what_the_controllers_recorded(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live = said(capsys, "inspect", str(repository))["kustomizations"]
    sizes = {one["id"].rpartition("/")[2]: one["objects"] for one in live}

    assert len(live) == 68
    assert {name: sizes[name] for name in INVENTORIES} == INVENTORIES


@pytest.mark.parametrize("options", [(), ("--operator-version", "0.32.0"), ("--instance-as", "manifest")])
def test_every_phase_is_proved_and_only_the_old_installation_goes(
    options: tuple[str, ...], repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    phases = said(capsys, "plan", str(repository), *options)["phases"]

    assert [one["name"] for one in phases if one["deletes"]] == ["retire"]
    assert {id if isinstance(id, str) else id["id"] for one in phases for id in one["deletes"]} == GONE

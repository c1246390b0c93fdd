"""The bundled facts, their size and speed, and the generator that makes them."""

from __future__ import annotations

import subprocess
import sys
import time
import zipfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from flux_handover.catalogue import (
    components,
    controller_version,
    crds,
    flux_versions_of,
    has,
    objects_of,
    served_api_versions,
    storage_api_versions,
    versions,
)

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "distributions" / "flux.tar.xz"
ARCHIVE = "src/flux_handover/catalogue/distributions.zip"


def packed(name: str) -> bytes:
    return files("flux_handover.catalogue").joinpath(name).read_bytes()


def generated(folder: Path, target: Path) -> zipfile.ZipFile:
    command = [sys.executable, "-m", "tools.catalogue", str(folder), "--output", str(target)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return zipfile.ZipFile(target)


def distribution(folder: Path, version: str, name: str, manifest: dict[str, Any]) -> None:
    (folder / version).mkdir(parents=True, exist_ok=True)
    (folder / version / f"{name}.yaml").write_text(yaml.safe_dump(manifest))


def crd(**fields: Any) -> dict[str, Any]:
    described = {name: {"type": "string", "description": text} for name, text in fields.items()}
    root = {"type": "object", "description": "what it is", "properties": described}
    column = {"name": "Age", "type": "date", "jsonPath": ".x", "description": "how old"}
    version = {"name": "v1", "schema": {"openAPIV3Schema": root}, "additionalPrinterColumns": [column]}
    return {
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example"},
        "spec": {"versions": [version]},
    }


def test_twenty_nine_versions_are_known_oldest_first() -> None:
    assert len(versions()) == 29
    assert (versions()[0], versions()[-1]) == ("v2.2.3", "v2.9.4")
    assert has("v2.6.4")
    assert not has("2.6.4")
    assert not has("v2.8.4")


def test_source_watcher_came_with_2_7() -> None:
    assert "source-watcher" not in components("v2.6.4")
    assert components("v2.7.0")[-1] == "source-watcher"


@pytest.mark.parametrize(
    ("version", "kustomize", "helm"),
    [
        ("v2.6.4", "v1.6.1", "v1.3.0"),
        ("v2.7.0", "v1.7.0", "v1.4.0"),
        ("v2.7.5", "v1.7.3", "v1.4.5"),
        ("v2.8.8", "v1.8.5", "v1.5.5"),
        ("v2.9.4", "v1.9.4", "v1.6.3"),
    ],
)
def test_versions_of_the_controllers(version: str, kustomize: str, helm: str) -> None:
    assert controller_version(version, "kustomize-controller") == kustomize
    assert controller_version(version, "helm-controller") == helm


def test_a_controller_may_be_in_several_versions() -> None:
    assert flux_versions_of("kustomize-controller", "v1.8.5") == ("v2.8.7", "v2.8.8")
    assert flux_versions_of("kustomize-controller", "v9.9.9") == ()


def test_a_component_that_a_version_lacks_is_not_guessed() -> None:
    with pytest.raises(KeyError):
        controller_version("v2.6.4", "source-watcher")


def test_served_and_stored_api_versions() -> None:
    release = ("helm.toolkit.fluxcd.io", "HelmRelease")

    assert set(served_api_versions("v2.6.4")[release]) == {"v2", "v2beta2", "v2beta1"}
    assert served_api_versions("v2.9.4")[release] == ("v2",)
    assert storage_api_versions("v2.6.4")[release] == "v2"
    assert storage_api_versions("v2.6.4")[("image.toolkit.fluxcd.io", "ImagePolicy")] == "v1beta2"
    assert storage_api_versions("v2.7.0")[("image.toolkit.fluxcd.io", "ImagePolicy")] == "v1"


@pytest.mark.parametrize("version", versions())
def test_every_crd_stores_one_version_that_it_serves(version: str) -> None:
    assert set(storage_api_versions(version)) == set(crds(version))
    for kind, stored in storage_api_versions(version).items():
        assert stored in served_api_versions(version)[kind]


def test_the_facts_are_small() -> None:
    assert len(packed("distributions.zip")) + len(packed("operators.zip")) < 500_000


def test_a_version_is_read_in_a_fresh_process_within_its_budget() -> None:
    code = (
        "import time; from flux_handover import catalogue as c; begin = time.process_time();"
        "[c.objects_of('v2.6.4', part) for part in (*c.components('v2.6.4'), 'rbac', 'policies')];"
        "print(time.process_time() - begin)"
    )
    seconds = min(float(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT / "src")) for _ in range(3))

    assert seconds < 0.1


def test_nothing_is_read_at_import() -> None:
    code = "import flux_handover.catalogue.archive as a, flux_handover.catalogue; print(a.entry.cache_info().currsize)"

    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT / "src").split() == [b"0"]


def test_reading_is_cached() -> None:
    begin = time.perf_counter()
    for _ in range(1000):
        objects_of("v2.6.4", "rbac")

    assert time.perf_counter() - begin < 0.5


def test_the_generator_stores_equal_objects_once(tmp_path: Path) -> None:
    for version in ("v1.9.0", "v1.10.0"):
        distribution(tmp_path / "in", version, "rbac", {"kind": "ClusterRole", "metadata": {"name": "a"}})

    archive = generated(tmp_path / "in", tmp_path / "out.zip")

    assert len(archive.namelist()) == 2


def test_the_generator_drops_prose_but_not_fields_that_are_called_description(tmp_path: Path) -> None:
    distribution(tmp_path / "in", "v1.0.0", "things", crd(description="a field of that name", other="prose"))

    archive = generated(tmp_path / "in", tmp_path / "out.zip")

    (name,) = [name for name in archive.namelist() if name.startswith("CustomResourceDefinition")]
    stored = yaml.safe_load(archive.read(name))["spec"]["versions"][0]
    assert stored["schema"]["openAPIV3Schema"] == {
        "type": "object",
        "properties": {"description": {"type": "string"}, "other": {"type": "string"}},
    }
    assert stored["additionalPrinterColumns"] == [{"name": "Age", "type": "date", "jsonPath": ".x"}]


def test_the_generator_writes_the_same_bytes_twice(tmp_path: Path) -> None:
    distribution(tmp_path / "in", "v1.0.0", "things", crd(a="b"))
    for name in ("first.zip", "second.zip"):
        generated(tmp_path / "in", tmp_path / name)

    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="../shared/distributions is absent")
def test_the_bundled_facts_are_those_of_the_distributions(tmp_path: Path) -> None:
    subprocess.run(["tar", "xf", str(SHARED), "-C", str(tmp_path)], check=True)

    archive = generated(tmp_path / "flux", tmp_path / "out.zip")

    bundled = zipfile.ZipFile(ROOT / ARCHIVE)
    assert archive.namelist() == bundled.namelist()
    assert all(archive.read(name) == bundled.read(name) for name in archive.namelist())

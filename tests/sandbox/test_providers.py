from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flux_handover.adapters.oci import Layer, OciClient, OciError, Reference
from flux_handover.adapters.sandbox.binaries.doctor import EVERYTHING, Diagnosis, diagnose, lines
from flux_handover.adapters.sandbox.binaries.modules import BUILD_RECORD
from flux_handover.adapters.sandbox.binaries.providers import (
    Availability,
    Directory,
    Images,
    Installed,
    Modules,
    Provider,
    State,
    best,
    choose,
    of_images,
    paths,
    program_in,
)
from flux_handover.adapters.sandbox.binaries.recipes import recipe_named
from flux_handover.adapters.sandbox.control.certificates import Authority
from flux_handover.adapters.sandbox.world.http import Request, Response, plain_server
from flux_handover.adapters.sandbox.world.proxy import proxying
from flux_handover.adapters.sandbox.world.registry import Registry
from flux_handover.errors import SandboxError

TOOL = b"#!/bin/sh\necho hello\n"
Script = Callable[[str, str], Path]


@pytest.fixture
def host() -> Iterator[str]:
    with plain_server(Registry().answer) as port:
        yield f"127.0.0.1:{port}"


def push_image(host: str, entry: str, *, mode: int = 0o755) -> str:
    """Pushes an image that holds `tool` and runs `entry`; its reference as a pod names it."""
    config = Layer("config", json.dumps({"config": {"Entrypoint": ["/sbin/tini", "--", entry]}}).encode())
    reference = Reference(host, "fluxcd/tool", "v1.6.1")
    with OciClient() as client:
        return f"{reference}@{client.push(reference, (Layer('layer', layer_of('tool', mode)),), config=config)}"


def layer_of(name: str, mode: int) -> bytes:
    """A layer with one program."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(f"usr/local/bin/{name}")
        member.size, member.mode = len(TOOL), mode
        archive.addfile(member, io.BytesIO(TOOL))
    return buffer.getvalue()


def test_a_directory_gives_programs_by_name(program_file: Script, tmp_path: Path) -> None:
    path = program_file("etcd", "true")

    program = Directory(tmp_path).obtain("etcd")

    assert (program.path, program.version, program.provider) == (path, "unknown", "directory")


def test_a_directory_gives_the_version_that_a_folder_names(program_file: Script, tmp_path: Path) -> None:
    program_file("etcd-v3.6.13/etcd", "true")

    assert Directory(tmp_path).obtain("etcd").version == "v3.6.13"


def test_what_cannot_be_run_is_no_program(tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text("text")

    assert Directory(tmp_path).availability("etcd").state is State.MISSING
    with pytest.raises(SandboxError, match="no program etcd"):
        Directory(tmp_path).obtain("etcd")


def test_the_machine_gives_what_its_path_has(program_file: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    path = program_file("path/kubectl", "true")
    monkeypatch.setenv("PATH", str(path.parent))

    assert choose(["kubectl"], (Installed(),))["kubectl"].path == path
    assert Installed().availability("helmfile").state is State.MISSING
    with pytest.raises(SandboxError, match="helmfile is not installed"):
        Installed().obtain("helmfile")


def test_modules_know_what_is_built(program_file: Script, tmp_path: Path) -> None:
    recipe = recipe_named("etcd")
    program_file(f"{recipe.folder}/etcd", "true")
    (tmp_path / recipe.folder / BUILD_RECORD).write_text(json.dumps({"recipe": recipe.digest, "seconds": 61.4}))

    offer = Modules(tmp_path).availability("etcd")

    assert (offer.state, offer.version, offer.seconds) == (State.READY, recipe.version, 61)


def test_modules_tell_what_a_build_would_cost(
    program_file: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(program_file("path/go", "true").parent))

    offer = Modules(tmp_path).availability("etcd")

    assert offer.state is State.OBTAINABLE
    assert offer.seconds == recipe_named("etcd").seconds > 0


def test_without_go_nothing_can_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert Modules(tmp_path).availability("etcd").reason == "Go is not installed"


def test_modules_do_not_build_what_has_no_recipe(tmp_path: Path) -> None:
    assert Modules(tmp_path).availability("kubelet").state is State.MISSING
    with pytest.raises(SandboxError, match="no recipe builds kubelet"):
        Modules(tmp_path).obtain("kubelet")


def test_an_image_gives_the_program_that_it_runs(host: str, tmp_path: Path) -> None:
    program = Images({"tool": push_image(host, "tool")}, cache=tmp_path / "bin").obtain("tool")

    assert program.version == "v1.6.1"
    assert subprocess.run((str(program.path),), capture_output=True, check=True).stdout == b"hello\n"


def test_an_image_is_unpacked_once(tmp_path: Path) -> None:
    with plain_server(Registry().answer) as port:
        images = Images({"tool": push_image(f"127.0.0.1:{port}", "tool")}, cache=tmp_path / "bin")
        before = images.availability("tool").state
        program = images.obtain("tool")

    assert (before, images.availability("tool").state) == (State.OBTAINABLE, State.READY)
    assert images.obtain("tool") == program


def test_an_image_that_runs_something_else_is_refused(host: str, tmp_path: Path) -> None:
    images = Images({"tool": push_image(host, "other")}, cache=tmp_path / "bin")

    with pytest.raises(OciError, match="does not run tool"):
        images.obtain("tool")
    assert images.availability("tool").state is State.OBTAINABLE


def test_an_image_whose_program_cannot_be_run_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(OciError, match="does not run tool"):
        Images({"tool": push_image(host, "tool", mode=0o644)}, cache=tmp_path / "bin").obtain("tool")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The registries of the world behind the proxy of an office."""

    class Internet:
        registry = Registry()

        def reaches(self, host: str) -> bool:
            return True

        def answer(self, request: Request) -> Response:
            return self.registry.answer(request)

    internet = Internet()
    with proxying(internet, Authority(tmp_path / "office", "office")) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield internet.registry


@pytest.mark.skipif(sys.platform != "linux", reason="images hold programs for Linux")
def test_of_a_cluster_only_the_images_of_flux_itself_are_run(office: Registry, tmp_path: Path) -> None:
    name = "source-controller"
    config = Layer("config", json.dumps({"config": {"Entrypoint": ["tini", "--", name]}}).encode())
    layer = Layer("layer", layer_of(name, 0o755))
    for host, repository in (
        ("ghcr.io", f"fluxcd/{name}"),
        ("ghcr.io", f"ada/{name}"),
        ("example.org", f"fluxcd/{name}"),
    ):
        office.store(host, repository, "v1.6.2", (layer,), config)
    others = (
        f"ghcr.io/ada/{name}:v1.6.2",
        f"example.org/fluxcd/{name}:v1.6.2",
        "ghcr.io/fluxcd/helm-controller:v1.2.0",
    )

    found = of_images((*others, f"ghcr.io/fluxcd/{name}:v1.6.2"), tmp_path / "bin")

    assert of_images(others, tmp_path / "bin") == {}
    assert [(program.name, program.version, program.provider) for program in found.values()] == [
        (name, "v1.6.2", "images")
    ]
    assert subprocess.run((str(found[name].path),), capture_output=True, check=True).stdout == b"hello\n"


def test_an_image_without_digest_is_not_the_clusters_own(tmp_path: Path) -> None:
    images = Images({"tool": "ghcr.io/fluxcd/tool:v1"}, cache=tmp_path)

    assert images.availability("tool").reason == "its image has no digest"
    with pytest.raises(SandboxError):
        images.obtain("tool")


def test_programs_come_from_the_first_provider_that_has_them(program_file: Script, tmp_path: Path) -> None:
    program_file("first/etcd", "true")
    program_file("second/etcd", "true")
    program_file("second/gitssh", "true")
    providers: tuple[Provider, ...] = (Directory(tmp_path / "first"), Directory(tmp_path / "second"))

    chosen = paths(choose(("etcd", "gitssh"), providers))

    assert chosen == {"etcd": tmp_path / "first/etcd", "gitssh": tmp_path / "second/gitssh"}


def test_a_program_that_nobody_gives_is_an_error_with_every_reason(tmp_path: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        best("kubelet", (Images({}), Directory(tmp_path)))

    assert "images: no image is named for it" in caught.value.hint
    assert f"directory: {tmp_path} has no kubelet" in caught.value.hint


def test_a_program_is_found_where_images_put_programs(program_file: Script, tmp_path: Path) -> None:
    path = program_file("usr/bin/tool", "true")

    assert program_in(tmp_path, "tool") == path
    assert program_in(tmp_path, "other") is None


def test_a_diagnosis_names_everything_that_a_sandbox_needs(tmp_path: Path) -> None:
    diagnosis = diagnose(EVERYTHING, (Directory(tmp_path),))

    assert [offer.program for offer in diagnosis.programs] == list(EVERYTHING)
    assert not diagnosis.is_usable


def test_a_diagnosis_adds_up_what_is_not_ready() -> None:
    ready = Availability("a", "modules", State.READY, "v1", seconds=500, megabytes=9)
    diagnosis = Diagnosis((ready, Availability("b", "modules", State.OBTAINABLE, "v2", seconds=120)), (), 9)

    assert diagnosis.seconds == 120
    assert diagnosis.is_usable
    assert lines(diagnosis) == [
        "a v1: ready (modules, 9 MB)",
        "b v2: from modules, about 120 s",
        "first build: about 2 min; cache: 9 MB",
    ]


def test_a_diagnosis_says_why_a_program_is_missing() -> None:
    diagnosis = Diagnosis((Availability("a", "none", State.MISSING, reason="no Go"),), ("openssl",), 0)

    assert not diagnosis.is_usable
    assert lines(diagnosis)[:2] == ["a: missing, no Go", "openssl: not installed"]

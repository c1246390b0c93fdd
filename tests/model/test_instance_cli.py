"""Our rendering against fresh output of the operator's own CLI, built from its Go module.

The CLI is AGPL: it is run as a program, never linked or read. It takes a distribution from an
OCI registry; a registry on loopback that serves the module's data folder will do, so nothing
but the Go module proxy is needed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from model.instances import Manifests, by_id, random_instance

from flux_handover.adapters.engine import Engine
from flux_handover.model.instance import InstanceError, Kustomizer, render_instance

pytestmark = pytest.mark.cli_binary

MODULE = "github.com/controlplaneio-fluxcd/flux-operator"
RELEASE = "0.58.1"
CACHE = Path.home() / ".cache" / "flux-handover" / "bin"
AUTHN = "github.com/google/go-containerregistry/pkg/authn/kubernetes"
AUTHN_VERSION = "v0.0.0-20260224031529-85f2bf5f7303"
_REPLACED = re.compile(r"^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>\s+(\S+)\s+(v\S+)\s*$", re.M)

Answer = Manifests | str


def module_folder() -> Path:
    """The module's files in Go's cache; skips where they cannot be had."""
    if shutil.which("go") is None:
        pytest.skip("Go is absent")
    run = subprocess.run(["go", "mod", "download", "-json", f"{MODULE}@v{RELEASE}"], capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"the module cannot be downloaded: {run.stdout.strip()[-200:]}")
    return Path(json.loads(run.stdout)["Dir"])


def go_mod(folder: Path) -> str:
    """A module that requires the CLI; replacements of a dependency count only where they are repeated."""
    text = (folder / "go.mod").read_text()
    (go,) = re.findall(r"^go .*$", text, re.M)
    replaced = {old: f"{new} {version}" for old, new, version in _REPLACED.findall(text) if "FORBIDDEN" not in new}
    replaced[AUTHN] = f"{AUTHN} {AUTHN_VERSION}"
    lines = [f"replace {old} => {new}" for old, new in sorted(replaced.items())]
    return "\n".join(["module example.org/judge", go, f"require {MODULE} v{RELEASE}", *lines, ""])


@pytest.fixture(scope="module")
def module() -> Path:
    return module_folder()


@pytest.fixture(scope="module")
def program(module: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = CACHE / f"flux-operator-cli-v{RELEASE}" / "flux-operator"
    if target.exists():
        return target
    folder = tmp_path_factory.mktemp("judge")
    (folder / "go.mod").write_text(go_mod(module))
    command = ["nice", "-n", "15", "go", "build", "-mod=mod", "-trimpath", "-ldflags", "-s -w"]
    environment = {**os.environ, "CGO_ENABLED": "0"}
    built = folder / "program"
    run = subprocess.run(
        [*command, "-o", str(built), f"{MODULE}/cmd/cli"], cwd=folder, env=environment, capture_output=True, text=True
    )
    if run.returncode:
        pytest.skip(f"the CLI cannot be built: {run.stderr.strip()[-300:]}")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(built, target)
    return target


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def artifact(folder: Path) -> tuple[bytes, dict[str, bytes]]:
    """Manifest and blobs of an OCI artifact with the distributions, as Flux pushes them."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname="flux")
    layer, config = buffer.getvalue(), b"{}"
    media = "application/vnd.cncf.flux"
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": f"{media}.config.v1+json", "size": len(config), "digest": digest(config)},
        "layers": [{"mediaType": f"{media}.content.v1.tar+gzip", "size": len(layer), "digest": digest(layer)}],
    }
    return json.dumps(manifest).encode(), {digest(layer): layer, digest(config): config}


def registry(manifest: bytes, blobs: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    """A registry that has one artifact, under any name."""

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            last = self.path.rpartition("/")[2]
            content = manifest if "/manifests/" in self.path else blobs.get(last, b"{}")
            kind = "vnd.oci.image.manifest.v1+json" if content is manifest else "octet-stream"
            self.send_response(200)
            self.send_header("Content-Type", f"application/{kind}")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Docker-Content-Digest", digest(content))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing to say."""

    return Registry


@pytest.fixture(scope="module")
def judge(program: Path, module: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Any], Answer]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), registry(*artifact(module / "config/data/flux")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = tmp_path_factory.mktemp("instance") / "instance.yaml"
    source = ["--distribution-artifact", f"oci://localhost:{server.server_port}/distribution:latest"]

    def answer(instance: Any) -> Answer:
        file.write_text(yaml.safe_dump(instance))
        command = [str(program), "build", "instance", "-f", str(file), *source]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if run.returncode:
            return run.stderr.strip().removeprefix("✗ ")
        return by_id(one for one in yaml.load_all(run.stdout, Loader=yaml.CSafeLoader) if one)

    yield answer
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def engine() -> Iterator[Kustomizer]:
    with Engine() as running:
        yield running


def ours(instance: Any, engine: Kustomizer) -> Answer:
    try:
        return by_id(object.data for object in render_instance(instance, engine, operator_version=RELEASE))
    except InstanceError as error:
        return error.message


@pytest.mark.parametrize("seed", range(12))
def test_a_random_instance_renders_as_the_operators_cli_renders_it(
    seed: int, judge: Callable[[Any], Answer], engine: Kustomizer
) -> None:
    instance = random_instance(seed)

    assert ours(instance, engine) == judge(instance)


def test_the_judge_can_tell_two_instances_apart(judge: Callable[[Any], Answer], engine: Kustomizer) -> None:
    instance = random_instance(0)
    plain = {**instance, "spec": {"distribution": instance["spec"]["distribution"]}}
    other = {**plain, "metadata": {**instance["metadata"], "namespace": "elsewhere"}}

    assert ours(plain, engine) == judge(plain)
    assert ours(plain, engine) != judge(other)

"""Flux's own artifacts for a registry: its manifests, the operator's, and the two release charts.

The manifests come from the catalogue, the operator's from its program's own folder. Where the network does not give
the charts they are of our own making, and `CHART_NOTE` says so wherever they are used.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import httpx2
import yaml

from flux_handover.adapters.oci import (
    FLUX_CONFIG,
    FLUX_LAYER,
    HELM_CONFIG,
    HELM_LAYER,
    Layer,
    OciClient,
    OciError,
    Reference,
    packed,
)
from flux_handover.adapters.sandbox.world.registry import Registry
from flux_handover.catalogue.manifests import artifact_manifests

CHART_NOTE = "release chart made for the sandbox from known facts; not the published chart"
CHARTS = ("flux-operator", "flux-instance")
HOST = "ghcr.io"
MANIFESTS, OPERATOR_MANIFESTS = "fluxcd/flux-manifests", "controlplaneio-fluxcd/flux-operator-manifests"
CHART_PATH = "controlplaneio-fluxcd/charts"


def add_flux_manifests(registry: Registry, version: str) -> str:
    """Stores `flux-manifests:<version>`, as one file; its digest."""
    text = yaml.dump_all(artifact_manifests(version), Dumper=yaml.CSafeDumper, sort_keys=False)
    note = {"org.opencontainers.image.source": "https://github.com/fluxcd/flux2"}
    return add_flux_artifact(registry, MANIFESTS, version, {"gotk-components.yaml": text.encode()}, note)


def add_operator_manifests(registry: Registry, program: Path, tag: str = "latest") -> str:
    """Stores `flux-operator-manifests` from what the operator's program carries; its digest."""
    folder = program.parent / "data"
    content = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return add_flux_artifact(registry, OPERATOR_MANIFESTS, tag, content, {})


def add_flux_artifact(
    registry: Registry, repository: str, tag: str, content: Mapping[str, bytes], notes: Mapping[str, str]
) -> str:
    """Stores files as `flux push artifact` does."""
    revision = {"org.opencontainers.image.revision": f"{tag}@sha1:{'0' * 40}"}
    layer = Layer(FLUX_LAYER, packed(content))
    return registry.store(HOST, repository, tag, (layer,), Layer(FLUX_CONFIG, b"{}"), {**revision, **notes})


def add_chart(registry: Registry, name: str, version: str, definitions: Path | None = None) -> str:
    """Stores one of the two release charts under a version; its digest.

    `definitions` is a folder of CRDs to put into the chart of the operator.
    """
    about = {
        "apiVersion": "v2",
        "name": name,
        "version": version,
        "appVersion": f"v{version}",
        "description": CHART_NOTE,
    }
    content = {"Chart.yaml": yaml.safe_dump(about).encode(), **chart_files(name)}
    for path in sorted(definitions.glob("*.yaml")) if definitions else ():
        content[f"definitions/{path.name}"] = path.read_bytes()
    layer = Layer(HELM_LAYER, packed({f"{name}/{path}": text for path, text in content.items()}))
    config = Layer(HELM_CONFIG, json.dumps(about).encode())
    return registry.store(HOST, f"{CHART_PATH}/{name}", version, (layer,), config, title(about))


def is_published(environment: Mapping[str, str], name: str, version: str) -> bool:
    """Whether the network, or what was recorded of it, gives one of the charts to those who have this environment."""
    trusted = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
    proxy = environment["HTTPS_PROXY"]
    http = httpx2.Client(proxy=proxy, verify=trusted, follow_redirects=True, trust_env=False, timeout=60)
    with OciClient(http) as client:
        try:
            client.pull(Reference(HOST, f"{CHART_PATH}/{name}", version))
        except OciError:
            return False
    return True


def title(about: Mapping[str, Any]) -> Mapping[str, str]:
    """The annotations that Helm gives a chart."""
    return {
        "org.opencontainers.image.title": str(about["name"]),
        "org.opencontainers.image.version": str(about["version"]),
    }


def chart_files(name: str) -> Mapping[str, bytes]:
    """The files of a bundled chart, by path."""
    return dict(walked(files(__package__).joinpath("charts", name), ""))


def walked(folder: Traversable, prefix: str) -> list[tuple[str, bytes]]:
    """Every file below a folder, with its path."""
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{prefix}{entry.name}"
        found += walked(entry, f"{path}/") if entry.is_dir() else [(path, entry.read_bytes())]
    return found

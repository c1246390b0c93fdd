"""Writes the facts of every Flux distribution: `python -m tools.catalogue FOLDER`.

FOLDER holds `vX.Y.Z/` with one file per component, `rbac.yaml` and `policies.yaml`, as
`fluxcd/flux2:manifests/scripts/bundle.sh` makes them for each release. Equal objects of
several versions are stored once; descriptions of CRDs are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.catalogue_archive import address, packed, without_prose

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/flux_handover/catalogue/distributions.zip"


def entries(folder: Path) -> dict[str, Any]:
    """Entries of the archive: `versions.json`, and one object per entry that it names."""
    objects: dict[str, Any] = {}
    versions: dict[str, Any] = {}
    for distribution in sorted(folder.glob("v*"), key=_order):
        versions[distribution.name] = {
            file.stem: [_store(objects, content) for content in _documents(file)]
            for file in sorted(distribution.glob("*.yaml"))
        }
    return {**objects, "versions.json": versions}


def main(arguments: list[str] | None = None) -> None:
    """Reads the folder, writes the archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=TARGET)
    options = parser.parse_args(arguments)
    archive = packed(entries(options.folder))
    options.output.write_bytes(archive)
    print(f"{options.output}: {len(archive)} bytes")


def _order(distribution: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in distribution.name.removeprefix("v").split("."))


def _documents(file: Path) -> Iterator[Any]:
    for content in yaml.load_all(file.read_bytes(), Loader=yaml.CSafeLoader):
        if content:
            yield content


def _store(objects: dict[str, Any], content: Any) -> str:
    if content["kind"] == "CustomResourceDefinition":
        content = _without_prose(content)
    name = f"{content['kind']}/{content['metadata']['name']}/{address(content)}.json"
    objects[name] = content
    return name


def _without_prose(crd: Any) -> Any:
    return {**crd, "spec": {**crd["spec"], "versions": [_version(version) for version in crd["spec"]["versions"]]}}


def _version(version: Any) -> Any:
    facts = {**version, "schema": {"openAPIV3Schema": without_prose(version["schema"]["openAPIV3Schema"])}}
    if columns := version.get("additionalPrinterColumns"):
        facts["additionalPrinterColumns"] = [without_prose(column) for column in columns]
    return facts


if __name__ == "__main__":
    main()

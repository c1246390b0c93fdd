"""Writes the facts of every operator version: `python -m tools.catalogue_operators OPERATOR CHARTS`.

OPERATOR and CHARTS are clones of controlplaneio-fluxcd/flux-operator and .../charts. Both are
AGPL, so nothing of their files is carried but facts: which Flux versions an operator embeds
(names of folders), which fields its kinds have (names, types, defaults, enums, patterns), which
values its charts take and their defaults.

`--copy NAME=CLONE` adds what CHARTS lacks from a repository that keeps published charts as they
are, in folders `.../charts/CHART`. It is believed only if every version that both have is in CHARTS as it has it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.catalogue_archive import address, facts_only, packed

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src/flux_handover/catalogue/operators.zip"
OLDEST = (0, 20, 0)
CHARTS = ("flux-operator", "flux-instance")
KINDS = ("fluxinstances", "fluxreports", "resourcesets", "resourcesetinputproviders")

FREE = frozenset(
    {
        "affinity",
        "cluster",
        "kustomize",
        "livenessProbe",
        "nodeSelector",
        "podSecurityContext",
        "readinessProbe",
        "resources",
        "securityContext",
    }
)
"""Values that a chart passes on whole, so keys that its schema does not name have an effect too."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A repository that keeps published charts, by its public name."""

    name: str
    clone: Path


@dataclass(frozen=True, slots=True)
class Published:
    """One version of a chart: its facts, and the copy that they are from, if they are from one."""

    facts: Any
    source: str = ""


def entries(operator: Path, charts: Path, copies: tuple[Copy, ...] = ()) -> dict[str, Any]:
    """Entries of the archive: `operators.json`, and kinds and charts that it names."""
    stored: dict[str, Any] = {}
    tags = _tags(operator)
    known = {chart: _published(charts, chart, copies, frozenset(tags)) for chart in CHARTS}
    operators = {}
    for tag in tags:
        found = {chart: versions[tag] for chart, versions in known.items() if tag in versions}
        sources = {one.source for one in found.values() if one.source}
        operators[tag] = {
            "flux": _embedded(operator, tag),
            "kinds": dict(_kinds(operator, tag, stored)),
            "charts": {chart: _keep(stored, f"charts/{chart}", one.facts) for chart, one in found.items()},
            **({"copied": min(sources)} if sources else {}),
        }
    return {**stored, "operators.json": operators}


def _published(charts: Path, chart: str, copies: tuple[Copy, ...], tags: frozenset[str]) -> dict[str, Published]:
    """The versions of a chart; of several commits of one version the last counts."""
    own = [
        (tag, _chart(charts, f"charts/{chart}", commit))
        for tag, commit in _chart_versions(charts, chart)
        if tag in tags
    ]
    known = {tag: Published(facts) for tag, facts in own}
    for copy in copies:
        found = {tag: one for tag, one in _copied(copy, chart) if tag in tags}
        both = sorted(found.keys() & dict(own).keys())
        other = next((tag for tag in both if (tag, found[tag].facts) not in own), None)
        if other is not None or not both:
            raise SystemExit(f"{copy.name} is no copy: its values of {chart} {other} were never published")
        known = {**found, **known}
    return known


def _copied(copy: Copy, chart: str) -> Iterator[tuple[str, Published]]:
    """The versions of a chart that a repository has kept, in the order of its history."""
    pattern = f"*/charts/{chart}/Chart.yaml"
    log = _git(copy.clone, "log", "--reverse", "--diff-filter=AM", "--format=%H", "--name-only", "HEAD", "--", pattern)
    commit = ""
    for line in filter(None, log.split("\n")):
        if "/" not in line:
            commit = line
            continue
        version = yaml.safe_load(_git(copy.clone, "show", f"{commit}:{line}"))["version"]
        facts = _chart(copy.clone, line.rpartition("/")[0], commit)
        yield f"v{version}", Published(facts, f"{copy.name}@{commit[:9]}")


def main(arguments: list[str] | None = None) -> None:
    """Reads the clones, writes the archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("operator", type=Path)
    parser.add_argument("charts", type=Path)
    parser.add_argument("--output", type=Path, default=TARGET)
    parser.add_argument("--copy", action="append", default=[], metavar="NAME=CLONE")
    options = parser.parse_args(arguments)
    copies = tuple(Copy(name, Path(clone)) for name, _, clone in (text.partition("=") for text in options.copy))
    archive = packed(entries(options.operator, options.charts, copies))
    options.output.write_bytes(archive)
    print(f"{options.output}: {len(archive)} bytes")


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _tags(operator: Path) -> list[str]:
    numbers = [tag.removeprefix("v").split(".") for tag in _git(operator, "tag").split() if _is_release(tag)]
    ordered = sorted(tuple(int(part) for part in number) for number in numbers)
    return ["v" + ".".join(str(part) for part in number) for number in ordered if number >= OLDEST]


def _is_release(tag: str) -> bool:
    return re.fullmatch(r"v\d+\.\d+\.\d+", tag) is not None


def _embedded(operator: Path, tag: str) -> list[str]:
    paths = _git(operator, "ls-tree", "--name-only", tag, "config/data/flux/").split()
    return [path.rpartition("/")[2] for path in paths]


def _kinds(operator: Path, tag: str, stored: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for plural in KINDS:
        path = f"config/crd/bases/fluxcd.controlplane.io_{plural}.yaml"
        spec = yaml.load(_git(operator, "show", f"{tag}:{path}"), Loader=yaml.CSafeLoader)["spec"]
        kind = spec["names"]["kind"]
        fields = {
            version["name"]: facts_only(version["schema"]["openAPIV3Schema"])
            for version in spec["versions"]
            if version["served"]
        }
        yield kind, _keep(stored, f"kinds/{kind}", fields)


def _keep(stored: dict[str, Any], folder: str, facts: Any) -> str:
    name = f"{folder}/{address(facts)}.json"
    stored[name] = facts
    return name


def _chart_versions(charts: Path, chart: str) -> Iterator[tuple[str, str]]:
    """Versions of a chart with the last commit that had each."""
    commits = _git(charts, "log", "--reverse", "--format=%H", "HEAD", "--", f"charts/{chart}").split()
    for commit in commits:
        description = yaml.safe_load(_git(charts, "show", f"{commit}:charts/{chart}/Chart.yaml"))
        yield f"v{description['version']}", commit


def _chart(charts: Path, folder: str, commit: str) -> Any:
    values = yaml.load(_git(charts, "show", f"{commit}:{folder}/values.yaml"), Loader=yaml.CSafeLoader)
    schema = yaml.safe_load(_git(charts, "show", f"{commit}:{folder}/values.schema.json"))
    return {"defaults": values, "values": _completed(_as_values(facts_only(schema)), values)}


def _completed(schema: Any, defaults: Any) -> Any:
    """A schema with the values that only the defaults name: releases 0.23 and 0.24 forgot some."""
    if not isinstance(defaults, dict) or "properties" not in schema:
        return schema
    anything = {"x-kubernetes-preserve-unknown-fields": True, "nullable": True}
    known = schema["properties"]
    named = {name: _completed(known.get(name, anything), below) for name, below in defaults.items()}
    return {**schema, "properties": {**known, **named}}


def _as_values(schema: Any, is_free: bool = False) -> Any:
    """A schema of values: null takes a default away, and only free maps take keys that are not named."""
    if not isinstance(schema, dict):
        return schema
    rewritten = {key: value for key, value in schema.items() if key not in ("default", "additionalProperties")}
    if isinstance(schema.get("type"), list):
        (rewritten["type"],) = [name for name in schema["type"] if name != "null"]
    fields = schema.get("properties")
    if fields:
        rewritten["properties"] = {name: _as_values(below, is_free or name in FREE) for name, below in fields.items()}
    if "items" in schema:
        rewritten["items"] = _as_values(schema["items"], is_free)
    if rewritten.get("type") == "object" and (is_free or not fields):
        rewritten["x-kubernetes-preserve-unknown-fields"] = True
    return {**rewritten, "nullable": True}


if __name__ == "__main__":
    main()

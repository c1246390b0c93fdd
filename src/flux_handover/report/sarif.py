"""Findings as SARIF 2.1.0, which code scanning and editors read; the rules are the hazards.

Member names are those of the standard. A finding that has no file names its object as a logical location.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Literal
from urllib.parse import quote

import msgspec

from flux_handover import __version__
from flux_handover.findings import Finding, Severity
from flux_handover.report.escaping import one_line, printable
from flux_handover.report.explanations import Explanation
from flux_handover.report.shapes.common import encoded

Level = Literal["error", "warning", "note"]
_LEVELS: dict[Severity, Level] = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class _Camel(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    pass


class _Text(_Camel, frozen=True):
    text: str


class _Rule(_Camel, frozen=True):
    id: str
    short_description: _Text
    full_description: _Text
    help: _Text
    properties: dict[str, str]


class _Driver(_Camel, frozen=True):
    name: str
    version: str
    rules: tuple[_Rule, ...]


class _Tool(_Camel, frozen=True):
    driver: _Driver


class _Artifact(_Camel, frozen=True):
    uri: str
    uri_base_id: str


class _Region(_Camel, frozen=True):
    start_line: int


class _Physical(_Camel, frozen=True):
    artifact_location: _Artifact
    region: _Region | None = None


class _Logical(_Camel, frozen=True):
    fully_qualified_name: str
    kind: str


class _Place(_Camel, frozen=True):
    physical_location: _Physical | None = None
    logical_locations: tuple[_Logical, ...] = ()


class _Result(_Camel, frozen=True):
    rule_id: str
    rule_index: int
    level: Level
    message: _Text
    locations: tuple[_Place, ...]
    partial_fingerprints: dict[str, str]
    properties: dict[str, str]


class _Run(msgspec.Struct, frozen=True):
    tool: _Tool
    columnKind: Literal["unicodeCodePoints"]
    results: tuple[_Result, ...]


class SarifLog(msgspec.Struct, frozen=True):
    """The document; one run."""

    version: Literal["2.1.0"]
    runs: tuple[_Run, ...]
    schema: str = msgspec.field(name="$schema", default=_SCHEMA)


def sarif(findings: Iterable[Finding], hazards: Sequence[Explanation]) -> str:
    """The findings as a SARIF log, with every hazard as a rule."""
    index = {hazard.code: number for number, hazard in enumerate(hazards)}
    results = tuple(_result(finding, index[finding.hazard]) for finding in findings)
    driver = _Driver("flux-handover", __version__, tuple(_rule(hazard) for hazard in hazards))
    return encoded(SarifLog("2.1.0", (_Run(_Tool(driver), "unicodeCodePoints", results),)))


def _rule(hazard: Explanation) -> _Rule:
    what = _Text(one_line(hazard.what))
    text = "\n\n".join(part for part in (hazard.why, hazard.do) if part)
    return _Rule(hazard.code, what, what, _Text(printable(text)), dict(hazard.facts))


def _result(finding: Finding, rule: int) -> _Result:
    hint = f" Hint: {finding.hint}" if finding.hint else ""
    properties = {"class": finding.grade, "cluster": finding.cluster, "object": finding.subject}
    return _Result(
        rule_id=finding.hazard,
        rule_index=rule,
        level=_LEVELS[finding.severity],
        message=_Text(one_line(f"{finding.message}{hint}")),
        locations=_places(finding),
        partial_fingerprints={"fluxHandover/v1": fingerprint(finding)},
        properties={key: value for key, value in properties.items() if value},
    )


def fingerprint(finding: Finding) -> str:
    """What makes a finding the same in the next run: not its line, which moves."""
    file = finding.where.file if finding.where else ""
    parts = (finding.hazard, finding.cluster, finding.subject, file, finding.message)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _places(finding: Finding) -> tuple[_Place, ...]:
    where = finding.where
    physical = None
    if where:
        artifact = _Artifact(quote(where.file, errors="surrogateescape"), "%SRCROOT%")
        physical = _Physical(artifact, _Region(where.line) if where.line else None)
    logical = (_Logical(finding.subject, "object"),) if finding.subject else ()
    return (_Place(physical, logical),) if physical or logical else ()

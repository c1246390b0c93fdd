"""What all JSON reports share: findings, errors, encoding, schemas."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from flux_handover.errors import HandoverError
from flux_handover.findings import Finding, Location


class FindingShape(msgspec.Struct, frozen=True):
    """One hazard in one place; `line` 0 means the file as a whole."""

    cluster: str
    hazard: str
    severity: str
    grade: str = msgspec.field(name="class")
    message: str
    file: str
    line: int
    hint: str
    object: str


class ErrorShape(msgspec.Struct, frozen=True):
    """Why the tool could not run."""

    message: str
    where: str
    hint: str


class FailureReport(msgspec.Struct, frozen=True):
    """In place of any report: the tool could not run."""

    schema: str
    error: ErrorShape


def finding_shape(finding: Finding) -> FindingShape:
    """The finding for programs."""
    where = finding.where or Location("")
    return FindingShape(
        finding.cluster,
        finding.hazard,
        finding.severity.value,
        finding.grade,
        finding.message,
        where.file,
        where.line,
        finding.hint,
        finding.subject,
    )


def failure_report(verb: str, error: HandoverError) -> FailureReport:
    """The error for programs; `schema` is that of the report which could not be made."""
    return FailureReport(schema_id(verb), ErrorShape(error.message, error.where, error.hint))


def schema_id(verb: str) -> str:
    """The value of a report's `schema`."""
    return f"flux-handover/{verb}/v1"


def encoded(report: msgspec.Struct) -> str:
    """The report as JSON, indented, with a line break at its end."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode() + "\n"


def schema_of(verb: str, report: type[msgspec.Struct]) -> str:
    """The JSON Schema of a report, the failure in its place included."""
    (whole, failure), definitions = msgspec.json.schema_components(
        [report, FailureReport], ref_template="#/$defs/{name}"
    )
    document: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id(verb),
        "title": f"flux-handover {verb} --output json",
        "anyOf": [whole, failure],
        "$defs": dict(sorted(definitions.items())),
    }
    return json.dumps(document, indent=2) + "\n"

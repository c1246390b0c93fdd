"""`explain --output json`."""

from __future__ import annotations

from typing import Literal

import msgspec

from flux_handover.report.explanations import Explanation


class ExplainReport(msgspec.Struct, frozen=True):
    """One code; `facts` are further properties, such as the severity of a hazard."""

    schema: Literal["flux-handover/explain/v1"]
    code: str
    kind: str
    what: str
    why: str
    do: str
    example: str
    facts: dict[str, str]


def explain_report(one: Explanation) -> ExplainReport:
    """The report for programs."""
    schema: Literal["flux-handover/explain/v1"] = "flux-handover/explain/v1"
    return ExplainReport(schema, one.code, one.kind, one.what, one.why, one.do, one.example, dict(one.facts))

"""`doctor --output json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from flux_handover.adapters.machine import Check


class CheckShape(msgspec.Struct, frozen=True):
    """One thing looked for; only what is needed decides the exit status."""

    name: str
    needed: bool
    met: bool
    found: str
    hint: str


class DoctorReport(msgspec.Struct, frozen=True):
    """Everything that was looked for."""

    schema: Literal["flux-handover/doctor/v1"]
    checks: tuple[CheckShape, ...]


def doctor_report(checks: Sequence[Check]) -> DoctorReport:
    """The report for programs."""
    shapes = tuple(CheckShape(one.name, one.is_needed, one.is_met, one.found, one.hint) for one in checks)
    return DoctorReport("flux-handover/doctor/v1", shapes)

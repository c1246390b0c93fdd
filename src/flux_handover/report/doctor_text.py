"""`doctor` for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from rich.console import RenderableType

from flux_handover.adapters.machine import Check
from flux_handover.report.page import Screen, columns, quiet, rendered, text


def doctor_text(checks: Sequence[Check], screen: Screen) -> str:
    """One line for each check, and below it how to get what is missing."""
    missing = sum(check.is_needed and not check.is_met for check in checks)
    closing = "everything that is needed is there" if not missing else f"{missing} of what is needed is missing"
    rows = chain.from_iterable(map(_rows, checks))
    return rendered(screen, (columns(rows), text(""), text(closing)))


def _rows(check: Check) -> Iterator[tuple[RenderableType, ...]]:
    yield _state(check), text(check.name, "bold"), text(check.found)
    if check.hint and not check.is_met:
        yield text(""), text(""), quiet(f"hint: {check.hint}")


def _state(check: Check) -> RenderableType:
    if check.is_met:
        return text("ok", "green")
    return text("missing", "bold red") if check.is_needed else text("note", "yellow")

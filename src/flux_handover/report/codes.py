"""Every code that can be explained: hazards, edges, obligations, phases, waivers."""

from __future__ import annotations

import difflib

from flux_handover.errors import UsageError
from flux_handover.report.edge_explanations import EDGES
from flux_handover.report.explanations import OBLIGATIONS, PHASES, Explanation
from flux_handover.report.hazard_explanations import HAZARDS, UNDECIDED, WAIVER


def explanations() -> tuple[Explanation, ...]:
    """All of them, in the order of the reference pages."""
    return (*HAZARDS, *EDGES, *OBLIGATIONS.values(), *PHASES.values(), WAIVER, UNDECIDED)


def explained(code: str) -> Explanation:
    """What a code means; raises UsageError with the nearest code where there is none."""
    by_code = {one.code.lower(): one for one in explanations()}
    if code.lower() in by_code:
        return by_code[code.lower()]
    near = difflib.get_close_matches(code.lower(), by_code, n=1)
    hint = f"did you mean {by_code[near[0]].code}?" if near else "see the list: flux-handover explain"
    raise UsageError(f"there is nothing called {code!r} to explain", hint=hint)

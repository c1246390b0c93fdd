"""Where a sandbox can run at all, and what to do elsewhere; imports nothing that another system lacks."""

from __future__ import annotations

import sys

from flux_handover.errors import SandboxError

ELSEWHERE = "do the move by hand on a disposable cluster first, for example one made by kind"


def refuse_other_systems() -> None:
    """Raises SandboxError where a control plane cannot run, and says what can be used instead."""
    if sys.platform not in ("linux", "darwin"):
        raise SandboxError(f"the sandbox runs on Linux and macOS, not on {sys.platform}", hint=ELSEWHERE)

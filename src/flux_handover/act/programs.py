"""Programs that a person would run, run for a rehearsal: against the sandbox, and with nothing of our environment."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

COMMAND_SECONDS = 120.0


def ran(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
    given: str | None = None,
    seconds: float = COMMAND_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """What a program did, `given` on its standard input; one that does not end in time has failed."""
    try:
        return subprocess.run(
            tuple(command),
            capture_output=True,
            text=True,
            env=dict(environment),
            cwd=folder,
            input=given,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no end after {seconds:.0f} s")

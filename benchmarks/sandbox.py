"""`python -m benchmarks.sandbox`: how long the demo is rehearsed, and the memory that the sandbox takes at peak."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.__main__ import say
from benchmarks.measuring import Program, run
from flux_handover.adapters.bundled import prepared

TOOL = "from flux_handover.cli.main import main; main()"
LIMIT_SECONDS, SAMPLE_SECONDS = 3600.0, 0.5


def main() -> None:
    """Measure one rehearsal of the bundled repository, forward and back, with everything that it starts."""
    with tempfile.TemporaryDirectory(prefix="flux-handover-bench-") as name:
        demo = prepared(Path(name) / "demo")
        command = (sys.executable, "-c", TOOL, "rehearse", str(demo), "--back", "--journal", f"{name}/journal.jsonl")
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        program = Program(
            "rehearse", command, demo, variables, frozenset({0}), limit=LIMIT_SECONDS, sample=SAMPLE_SECONDS
        )
        measured = run(program)
    say(f"rehearse of the demo: {measured.seconds:.0f} s, {measured.megabytes} MB at peak")


if __name__ == "__main__":
    main()

"""`python -m benchmarks.sandbox`: how long a control plane and a rehearsal of the demo take, and their memory at peak.

The rehearsal is measured with everything that it starts.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from benchmarks.__main__ import say
from benchmarks.measuring import Program, run
from flux_handover.adapters.bundled import prepared

TOOL = "from flux_handover.cli.main import main; main()"
PLANE = """
from flux_handover.adapters.sandbox.binaries.doctor import CONTROL_PLANE
from flux_handover.adapters.sandbox.binaries.providers import Modules, choose, paths
from flux_handover.adapters.sandbox.control.plane import ControlPlane

with ControlPlane(paths(choose(CONTROL_PLANE, (Modules(),)))):
    pass
"""
LIMIT_SECONDS, SAMPLE_SECONDS = 3600.0, 0.5


def main() -> None:
    """Measure an empty control plane, and the bundled repository forward, and forward, back and forward again."""
    with tempfile.TemporaryDirectory(prefix="flux-handover-bench-") as name:
        demo = prepared(Path(name) / "demo")
        rehearse = ("-c", TOOL, "rehearse", str(demo))
        measured("an empty control plane, started and ended", demo, "-c", PLANE)
        measured("rehearse of the demo", demo, *rehearse)
        measured("rehearse --back of the demo", demo, *rehearse, "--back")


def measured(name: str, folder: Path, *arguments: str) -> None:
    """One run, told in a line."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = (sys.executable, *arguments)
    found = run(Program(name, command, folder, variables, frozenset({0}), limit=LIMIT_SECONDS, sample=SAMPLE_SECONDS))
    say(f"{name}: {found.seconds:.0f} s, {found.megabytes} MB at peak")


if __name__ == "__main__":
    main()

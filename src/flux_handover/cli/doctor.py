"""`doctor`: what this machine and a repository lack, and how to get it."""

from __future__ import annotations

from pathlib import Path

from flux_handover.cli.options import TextOrJson, Where


def doctor(path: Where = Path(), /, *, output: TextOrJson = "text") -> int:
    """Say what this machine and a repository lack, and how to get it; use no network.

    Exit status: 0 everything that is needed is there; 2 something is missing.
    """
    from flux_handover.adapters.machine import examined
    from flux_handover.cli.showing import screen
    from flux_handover.cli.writing import write

    checks = examined(path)
    if output == "json":
        from flux_handover.report.shapes.common import encoded
        from flux_handover.report.shapes.doctor import doctor_report

        write(encoded(doctor_report(checks)))
    else:
        from flux_handover.report.doctor_text import doctor_text

        write(doctor_text(checks, screen(False)))
    return 0 if all(check.is_met or not check.is_needed for check in checks) else 2

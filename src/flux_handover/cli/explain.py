"""`explain`: what a code means."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from flux_handover.cli.options import TextOrJson


def explain(
    code: Annotated[
        str, Parameter(name="CODE", show_default=False, help="A code; without one, all of them are listed.")
    ] = "",
    /,
    *,
    output: TextOrJson = "text",
) -> int:
    """Describe a hazard, an edge of a trace, an obligation or a phase: what it says, why it matters, what to do."""
    from flux_handover.cli.showing import screen
    from flux_handover.cli.writing import write
    from flux_handover.report.codes import explained, explanations

    if output == "json":
        from flux_handover.report.shapes.common import encoded
        from flux_handover.report.shapes.explain import explain_report

        write(encoded(explain_report(explained(code))))
    else:
        from flux_handover.report.explain_text import codes_text, explain_text

        write(explain_text(explained(code), screen(False)) if code else codes_text(explanations(), screen(False)))
    return 0

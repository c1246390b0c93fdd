"""`explain` for people and as JSON: one code, what it says, why, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from rich.console import RenderableType

from flux_handover.report.explanations import Explanation
from flux_handover.report.page import Screen, columns, heading, indented, quiet, rendered, text


def explain_text(explanation: Explanation, screen: Screen) -> str:
    """The page of one code."""
    return rendered(screen, _page(explanation))


def codes_text(explanations: Iterable[Explanation], screen: Screen) -> str:
    """The list of all codes."""
    parts: list[RenderableType] = []
    for kind, same in groupby(explanations, key=lambda one: one.kind):
        rows = columns((text(one.code, "bold"), text(one.what)) for one in same)
        parts += [heading(f"{kind}s"), indented(rows), text("")]
    return rendered(screen, parts)


def _page(explanation: Explanation) -> Iterator[RenderableType]:
    yield heading(f"{explanation.code}, {explanation.kind}")
    yield text(explanation.what)
    yield text("")
    facts = (("why", explanation.why), ("do", explanation.do), ("example", explanation.example), *explanation.facts)
    yield columns((quiet(name), text(words)) for name, words in facts if words)

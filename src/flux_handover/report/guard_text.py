"""`guard` for people: what would be deleted first, then what would break, then what is not known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import RenderableType

from flux_handover.findings import Finding, Severity
from flux_handover.objects import ObjectId, first_names
from flux_handover.proof.deletions import Deleted
from flux_handover.proof.guard_report import GuardReport, Safety
from flux_handover.report.findings_text import findings_page
from flux_handover.report.page import Screen, columns, counted, heading, indented, quiet, rendered, state, text

SHOWN = 12
_DELETING = ("O", "V3")


def guard_text(report: GuardReport, screen: Screen) -> str:
    """The page of one step."""
    return rendered(screen, _page(report, screen))


def _page(report: GuardReport, screen: Screen) -> Iterator[RenderableType]:
    yield heading(f"{report.base[:12]} -> {report.revision[:12]}: ").append_text(state(word_of(report.verdict)))
    for part in (_deletes(report, screen), _others(report, screen), _notes(report)):
        yield from (indented(one) for one in part)


def word_of(verdict: Safety) -> str:
    """The verdict as one word."""
    return {Safety.SAFE: "ok", Safety.UNSAFE: "error", Safety.UNKNOWN: "unknown"}[verdict]


def _deletes(report: GuardReport, screen: Screen) -> Iterator[RenderableType]:
    if not report.deletes:
        yield text("deletes nothing")
        return
    expected = [one for one in report.direct if one.expected]
    if report.alarms:
        found = total(report, report.alarms)
        yield text(f"deletes {counted(len(found), 'object')}, not all of them meant:", "bold red")
        yield from _listed(report, report.alarms, screen)
    if expected:
        yield text(f"deletes {counted(len(total(report, expected)), 'object')} that left Git on purpose:")
        yield from _listed(report, expected, screen)


def total(report: GuardReport, direct: Iterable[Deleted]) -> frozenset[ObjectId]:
    """The deleted objects and all that goes along with them."""
    found = {one.id for one in direct}
    waiting = list(found)
    while waiting:
        above = waiting.pop()
        fresh = {one.id for one in report.deletes if one.cascade and one.via == above} - found
        found |= fresh
        waiting.extend(fresh)
    return frozenset(found)


def _listed(report: GuardReport, direct: Sequence[Deleted], screen: Screen) -> Iterator[RenderableType]:
    shown = direct if screen.is_full else direct[:SHOWN]
    # What only waits to be deleted is told of the same objects, after what deletes them.
    codes = {finding.subject: finding.hazard for finding in reversed(report.findings) if _is_deletion(finding)}
    yield indented(columns((_row(report, one, codes) for one in shown), gap=1))
    if len(shown) < len(direct):
        yield indented(quiet(f"and {len(direct) - len(shown)} more; --verbose lists all"))
    if screen.is_full:
        for one in told(report, direct):
            yield from _traced(one)


def _row(report: GuardReport, one: Deleted, codes: Mapping[str, str]) -> tuple[RenderableType, ...]:
    below = total(report, [one]) - {one.id}
    also = f", and with it {brief(below)}" if below else ""
    unknown = "; what its chart installed goes too" if one.takes_along else ""
    again = "; made again later" if one.recreated else ""
    named = f"{one.id} ({codes[one.id.full]})" if one.id.full in codes and not one.expected else str(one.id)
    return state("-"), text(named), text(f"{one.reason}{also}{unknown}{again}")


def brief(ids: Iterable[ObjectId], limit: int = 3) -> str:
    """The first ids, and how many more there are."""
    return first_names(ids, limit)


def told(report: GuardReport, direct: Sequence[Deleted]) -> Iterator[Deleted]:
    """The unexpected deletions whose traces are shown: the direct ones, and one cascade for each other edge."""
    alarms = [one for one in direct if not one.expected]
    yield from alarms
    edges = {one.counterexample.edge for one in alarms} | {""}
    below = total(report, alarms)
    for one in report.deletes:
        if one.cascade and one.id in below and one.counterexample.edge not in edges:
            edges.add(one.counterexample.edge)
            yield one


def _traced(one: Deleted) -> Iterator[RenderableType]:
    edge = f" ({one.counterexample.edge})" if one.counterexample.edge else ""
    yield text(f"how {one.id} is lost{edge}:")
    yield indented(*(text(str(step)) for step in one.counterexample.trace))


def _others(report: GuardReport, screen: Screen) -> Iterator[RenderableType]:
    """Findings that are not already said by the list of deletions."""
    deleted = {one.id.full for one in report.alarms}
    others = [finding for finding in report.findings if not (_is_deletion(finding) and finding.subject in deleted)]
    if screen.is_full:
        yield from findings_page(others)
    else:
        yield from findings_page([finding for finding in others if finding.severity is not Severity.INFO])


def _is_deletion(finding: Finding) -> bool:
    return finding.hazard.startswith(_DELETING) and finding.severity is Severity.ERROR


def _notes(report: GuardReport) -> Iterator[RenderableType]:
    for sentence in dict.fromkeys(report.undecided):
        yield columns([(state("unknown"), text(sentence))])
    for waived in report.waived:
        yield text(
            f"waived by {waived.waiver.where}: {waived.waiver.code} {waived.waiver.object}: {waived.waiver.reason}"
        )
    yield from (quiet(note) for note in report.notes)
    if not report.clusters:
        yield text(_without_cluster(report.candidates))


def _without_cluster(candidates: Sequence[str]) -> str:
    roots = ", ".join(candidates)
    return f"no root is known here; name one with --root: {roots}" if roots else "there is no Flux here to guard"

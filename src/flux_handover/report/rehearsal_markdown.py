"""`rehearse` as Markdown, for a pull request: the verdict, the timeline, the problems, the limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flux_handover.act.execute import Run
from flux_handover.act.proved import worst
from flux_handover.act.rehearse import Rehearsed
from flux_handover.proof.obligations import Verdict
from flux_handover.report.escaping import code, markdown
from flux_handover.report.rehearsal_text import proved_again, title, told
from flux_handover.report.shapes.rehearse import VERDICTS


def rehearsal_markdown(rehearsals: Sequence[Rehearsed]) -> str:
    """The whole document."""
    verdict = VERDICTS[worst(one.verdict for one in rehearsals)]
    lines = (line for one in rehearsals for line in _cluster(one))
    return "\n".join((f"# Rehearsal of the handover: {verdict}", "", *lines)) + "\n"


def _cluster(one: Rehearsed) -> Iterator[str]:
    yield f"Cluster {code(one.cluster)}: {one.objects} objects, {one.seconds:.0f} s on a real control plane."
    yield from ("", "| phase | verdict | seconds | what happened |", "|---|---|---|---|")
    yield from map(_row, one.runs)
    yield from _points("Not as announced", (*one.problems, *_problems(one.runs)))
    yield from _points("Not decided from what was live", tuple(_undecided(one.runs)))
    yield from _timeline(one)
    yield from _points("Versions that ran", tuple(f"{name} {version}" for name, version in one.versions.items()))
    yield from _points("Unknown, since your versions decide otherwise", tuple(map(str, one.differences)))
    lifted = tuple(f"{id}: {reason}" for id, reason in one.lifted.items())
    yield from _points("Lifted out of waits", lifted)
    pretended = tuple(f"{name} was only pretended to run" for name in one.pretended)
    yield from _points("Notes", (*one.notes, *pretended))


def _row(run: Run) -> str:
    return f"| {markdown(title(run))} | {VERDICTS[run.verdict]} | {run.seconds:.0f} | {markdown(told(run))} |"


def _timeline(one: Rehearsed) -> Iterator[str]:
    moments = [(run, moment) for run in one.runs for moment in run.moments]
    if moments:
        yield from ("", "## Timeline", "", "| second | phase | event |", "|---|---|---|")
    for run, moment in moments:
        yield f"| {moment.time - one.began:.0f} | {markdown(title(run))} | {markdown(moment.text)} |"


def _problems(runs: Sequence[Run]) -> Iterator[str]:
    return (f"{title(run)}: {problem}" for run in runs for problem in run.problems)


def _undecided(runs: Sequence[Run]) -> Iterator[str]:
    for run in runs:
        for one in run.judgements:
            if one.verdict is Verdict.UNKNOWN:
                yield f"{title(run)}: {proved_again(one)}"


def _points(name: str, points: Sequence[str]) -> Iterator[str]:
    if points:
        yield from ("", f"## {name}", "")
        yield from (f"- {markdown(point)}" for point in points)

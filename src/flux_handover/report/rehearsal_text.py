"""`rehearse` for people: a timeline of phases, then what was not as announced, then what it does not say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.console import RenderableType

from flux_handover.act.execute import Direction, Moment, Run
from flux_handover.act.rehearse import Rehearsed
from flux_handover.objects import leading_names
from flux_handover.proof.obligations import Judgement, Verdict
from flux_handover.report.page import Screen, columns, counted, heading, indented, quiet, rendered, state, text
from flux_handover.report.shapes.rehearse import VERDICTS

SHOWN = 4
WAYS = {
    Direction.FORWARD: "",
    Direction.BACK: "back from ",
    Direction.AGAIN: "again ",
    Direction.COMMIT: "",
    Direction.BOOTSTRAP: "",
}


def rehearsal_text(rehearsals: Sequence[Rehearsed], screen: Screen) -> str:
    """The whole page."""
    return rendered(screen, (part for one in rehearsals for part in _page(one, screen)))


def _page(one: Rehearsed, screen: Screen) -> Iterator[RenderableType]:
    yield heading(f"{one.cluster}: {VERDICTS[one.verdict]} on a real control plane in {one.seconds:.0f} s")
    yield quiet(f"{counted(one.objects, 'object')} before the first phase, ready after {one.start_seconds:.0f} s")
    yield text("")
    yield columns(map(_row, one.runs))
    yield from (text(problem, "bold red") for problem in one.problems)
    for run in one.runs:
        yield from _details(run, screen)
    if screen.is_full:
        yield from _timeline(one)
    yield text("")
    yield from _limits(one, screen)


def _timeline(one: Rehearsed) -> Iterator[RenderableType]:
    yield text("")
    yield heading("timeline")
    yield columns(_moment(one, run, moment) for run in one.runs for moment in run.moments)


def _moment(one: Rehearsed, run: Run, moment: Moment) -> Iterable[RenderableType]:
    yield quiet(f"{moment.time - one.began:.0f} s")
    yield text(title(run))
    yield text(moment.text)


def _row(run: Run) -> Iterable[RenderableType]:
    yield text(title(run))
    yield state(run.verdict.value)
    yield quiet(f"{run.seconds:.0f} s")
    yield text(told(run))


def title(run: Run) -> str:
    """The phase, with the way it was played."""
    return f"{WAYS[run.direction]}{run.name}"


def told(run: Run) -> str:
    """What a phase did, in one line."""
    if not run.is_pushed:
        return "not pushed"
    happened = run.happened
    parts = [f"deleted {leading_names(happened.deleted, SHOWN)}" if happened.deleted else "deleted nothing"]
    if happened.recreated:
        parts.append(f"made anew {leading_names(happened.recreated, SHOWN)}")
    if happened.created:
        parts.append(f"created {len(happened.created)}")
    started = sorted({restart.program for restart in run.restarts if restart.happening == "started"})
    if started:
        parts.append(f"started {', '.join(started)}")
    return "; ".join(parts)


def _details(run: Run, screen: Screen) -> Iterator[RenderableType]:
    gates = [gate for gate in run.gates if screen.is_full or gate.verdict is not Verdict.HOLDS]
    again = [one for one in run.judgements if screen.is_full or one.verdict is Verdict.UNKNOWN]
    if run.problems or gates or again:
        yield text("")
        yield heading(title(run))
        yield indented(*(text(problem, "red") for problem in run.problems))
        yield indented(*(text(f"gate {gate.gate.id} {gate.verdict.value}: {gate.evidence}") for gate in gates))
        yield indented(*map(text, map(proved_again, again)))


def proved_again(judgement: Judgement) -> str:
    """An obligation as it was decided from what is live, in one line."""
    return f"proved again: {judgement.obligation.value} {judgement.verdict.value}: {'; '.join(judgement.evidence)}"


def _limits(one: Rehearsed, screen: Screen) -> Iterator[RenderableType]:
    versions = ", ".join(f"{name} {version}" for name, version in one.versions.items())
    yield text(f"it ran {versions}")
    if one.differences:
        yield text(f"unknown, since the user's versions differ ({len(one.differences)}):")
        yield indented(*(text(str(difference)) for difference in one.differences))
    if one.pretended:
        yield text(f"only pretended to run: {', '.join(one.pretended)}")
    if one.lifted:
        yield text(f"lifted out of every wait, nothing of them was installed: {leading_names(tuple(one.lifted), 3)}")
    yield from (quiet(note) for note in one.notes)

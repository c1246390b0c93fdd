"""`plan` for people: one short paragraph per phase; with full detail, gates, evidence and the way back too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from rich.console import RenderableType
from rich.text import Text

from flux_handover.act.commit import number_of
from flux_handover.act.describing import describe
from flux_handover.act.observed import observing_line
from flux_handover.act.proved import ProvedPlan
from flux_handover.model.installation import Installation
from flux_handover.objects import names
from flux_handover.plan.phases import Files, Gate, LiveStep, Phase, PhaseName, Plan
from flux_handover.plan.target import SyncStrategy
from flux_handover.proof.obligations import Judgement, Proof, Verdict
from flux_handover.report.findings_text import findings_page
from flux_handover.report.page import (
    COLOURS,
    Screen,
    columns,
    command,
    counted,
    heading,
    indented,
    quiet,
    rendered,
    state,
    text,
)

EMPTY = Files((), (), ())


def plan_text(plans: Sequence[ProvedPlan], screen: Screen) -> str:
    """The whole page, cluster by cluster."""
    return rendered(screen, (part for proved in plans for part in _page(proved, screen)))


def _page(proved: ProvedPlan, screen: Screen) -> Iterator[RenderableType]:
    plan = proved.plan
    yield heading(installed(plan.installation))
    yield text(reached(plan))
    yield text("")
    for phase in plan.phases:
        yield from _phase(plan, phase, proved.proof(phase), screen)
    for sentence in proved.contradicted:
        yield text(f"the cluster contradicts {sentence}")
    yield from _list("Seen in the cluster", proved.observed, screen)
    yield from _list("Taken as true, and seen at the gate of preflight", plan.assumptions, screen)
    if plan.assumptions and screen.is_full:
        yield from _list(
            "To see them, run this line, and plan with --observed observed.txt", (observing_line(),), screen
        )
    yield from _list("Decided", plan.decisions, screen)
    yield from findings_page(plan.findings)
    yield from _verdict(proved)


def installed(installation: Installation) -> str:
    """`Flux v2.6.4 in clusters/a, 6 components, installed by Kustomization/flux-system/flux`."""
    by = str(installation.owner) if installation.owner else "hand"
    components = counted(len(installation.components), "component")
    return f"Flux {installation.version} in {installation.cluster or '.'}, {components}, installed by {by}"


def reached(plan: Plan) -> str:
    """The end, in a line."""
    target = plan.target
    sync = "source and root stay as they are" if target.sync is SyncStrategy.KEEP else f"sync: {target.sync.value}"
    patches = counted(len(target.patches), "patch", "patches")
    return f"becomes {target.instance_id} by flux-operator {target.operator_version}, with {patches}; {sync}"


def _phase(plan: Plan, phase: Phase, proof: Proof, screen: Screen) -> Iterator[RenderableType]:
    yield text(f"{number_of(plan, phase.name)} {phase.name.value:<10} ", "bold").append_text(text(phase.title))
    yield indented(*_brief(phase, screen), *_proved(proof, screen), by=4)
    if screen.is_full:
        yield indented(*_full(phase), by=4)
    yield text("")


def _brief(phase: Phase, screen: Screen) -> Iterator[RenderableType]:
    if phase.operations:
        yield columns(_operations(phase, screen), gap=1)
    if phase.name is PhaseName.PREFLIGHT:
        yield text(f"makes no commit; {counted(len(phase.gates), 'gate')} to see in the cluster")
        return
    yield text(f"deletes {names(phase.removes) if phase.removes else 'nothing'}")
    if phase.gates:
        yield text(f"after {counted(len(phase.gates), 'gate')}")
        yield indented(columns(((text("-"), text(gate.condition)) for gate in phase.gates), gap=1))
    if phase.name is PhaseName.RETIRE:
        yield from notes(phase)


def _operations(phase: Phase, screen: Screen) -> Iterator[tuple[Text, Text]]:
    for operation in phase.operations:
        words = describe(operation)
        yield state(words.sign), text(f"{words.subject}: {words.effect}")
        if screen.is_full and words.why:
            yield text(""), quiet(words.why)


_WORDS = {Verdict.HOLDS: "proved", Verdict.UNKNOWN: "unknown", Verdict.REFUTED: "refuted"}


def _proved(proof: Proof, screen: Screen) -> Iterator[RenderableType]:
    """The obligations by verdict, the worst last, so that its reasons stand at the end."""
    for verdict, word in _WORDS.items():
        found = [judgement for judgement in proof.judgements if judgement.verdict is verdict]
        if found:
            obligations = ", ".join(judgement.obligation.value for judgement in found)
            yield text(word, COLOURS[verdict.value]).append_text(text(f": {obligations}", ""))
            yield from (indented(text(line)) for line in _reasons(found, screen))


def _reasons(same: Sequence[Judgement], screen: Screen) -> Iterator[str]:
    """In full, the evidence of each; in brief, each reason once, and none for what holds."""
    if screen.is_full:
        yield from (f"{one.obligation.value}: {line}" for one in same for line in _evidence(one))
    elif same[0].verdict is not Verdict.HOLDS:
        yield from dict.fromkeys(chain.from_iterable(map(_evidence, same)))


def _evidence(judgement: Judgement) -> Iterator[str]:
    yield from judgement.evidence
    if judgement.counterexample:
        yield f"loses {names(judgement.counterexample.lost)}"
        yield from (f"  {step}" for step in judgement.counterexample.trace)
    if judgement.hint:
        yield f"hint: {judgement.hint}"


def _full(phase: Phase) -> Iterator[RenderableType]:
    files = (("+", phase.files.added), ("~", phase.files.changed), ("-", phase.files.removed))
    rows = [(state(sign), text(path)) for sign, paths in files for path in paths]
    if rows:
        yield quiet("files")
        yield indented(columns(rows, gap=1))
    yield from gates(phase.gates)
    yield from way_back(phase.way_back)
    if phase.name is not PhaseName.RETIRE:
        yield from notes(phase)


def notes(phase: Phase) -> Iterator[RenderableType]:
    """What is left to a person: live steps that no commit can do, and what stays."""
    yield from (text(f"note: {note}") for note in phase.notes)


def gates(all_gates: Iterable[Gate]) -> Iterator[RenderableType]:
    """The gates with their commands and what must be seen."""
    for gate in all_gates:
        yield quiet(f"gate {gate.id}: {gate.condition}")
        yield indented(command(gate.command), *_expected(gate.expect), quiet(gate.why))


def way_back(steps: Sequence[LiveStep]) -> Iterator[RenderableType]:
    """The numbered steps that undo a phase."""
    if steps:
        yield quiet("way back")
    for number, step in enumerate(steps, 1):
        yield indented(text(f"{number}. {step.text}"))
        if step.command:
            yield indented(command(step.command), by=5)
        if step.expect:
            yield indented(*_expected(step.expect), by=5)


def _expected(lines: str) -> Iterator[RenderableType]:
    if "\n" in lines:
        yield from (text("must say"), indented(text(lines)))
    else:
        yield text(f"must say: {lines}")


def _list(title: str, sentences: Sequence[str], screen: Screen) -> Iterator[RenderableType]:
    if not sentences:
        return
    if not screen.is_full:
        yield quiet(f"{title}: {counted(len(sentences), 'thing')}, see --verbose")
        return
    yield heading(title)
    yield indented(columns(((text("-"), text(sentence)) for sentence in sentences), gap=1))
    yield text("")


def _verdict(proved: ProvedPlan) -> Iterator[RenderableType]:
    phases = [phase for phase in proved.plan.phases if phase.files != EMPTY]
    if not phases:
        yield text("nothing is left to do")
        return
    if proved.contradicted:
        yield text("refuted: what the proofs take for true is not so in the cluster")
        return
    good = sum(proved.proof(phase).verdict is Verdict.HOLDS for phase in phases)
    line = text(f"{good} of {counted(len(phases), 'phase')} proved; ")
    if good == len(phases):
        yield line.append_text(text("next: ")).append_text(command("flux-handover commit"))
    else:
        worst = next(phase for phase in phases if proved.proof(phase).verdict is not Verdict.HOLDS)
        yield line.append_text(text(f"resolve phase {worst.name.value} first"))

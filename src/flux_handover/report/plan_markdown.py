"""`plan` as Markdown, for a pull request or a note: the verdict first, each phase folded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TypeVar

from flux_handover.act.commit import deletions, number_of
from flux_handover.act.describing import describe
from flux_handover.act.proved import ProvedPlan, worst
from flux_handover.plan.phases import Gate, LiveStep, Phase, Plan
from flux_handover.proof.obligations import Judgement, Proof, Verdict
from flux_handover.report.escaping import code, code_block, markdown
from flux_handover.report.plan_text import installed, reached

One = TypeVar("One")
_WORDS = {Verdict.HOLDS: "proved", Verdict.REFUTED: "refuted", Verdict.UNKNOWN: "unknown"}


def plan_markdown(plans: Sequence[ProvedPlan]) -> str:
    """The whole document."""
    verdict = _WORDS[worst(proved.verdict for proved in plans)]
    return (
        "\n".join((f"# Handover to the Flux Operator: {verdict}", "", *(x for one in plans for x in _plan(one)))) + "\n"
    )


def _plan(proved: ProvedPlan) -> Iterator[str]:
    plan = proved.plan
    yield from (f"**{markdown(installed(plan.installation))}**", "", markdown(reached(plan)), "")
    yield from ("| phase | what | deletes | proof |", "|---|---|---|---|")
    yield from (_row(plan, phase, proved.proof(phase)) for phase in plan.phases)
    yield ""
    for phase in plan.phases:
        yield from _phase(plan, phase, proved.proof(phase))
    yield from _points("The cluster contradicts", proved.contradicted)
    yield from _points("Seen in the cluster", proved.observed)
    yield from _points("Taken as true", plan.assumptions)
    yield from _points("Decided", plan.decisions)


def _row(plan: Plan, phase: Phase, proof: Proof) -> str:
    deleted = ", ".join(code(str(id)) for id in sorted(phase.removes)) or "nothing"
    cells = (f"{number_of(plan, phase.name)} {phase.name.value}", markdown(phase.title), deleted, _WORDS[proof.verdict])
    return f"| {' | '.join(cells)} |"


def _phase(plan: Plan, phase: Phase, proof: Proof) -> Iterator[str]:
    summary = f"{number_of(plan, phase.name)} {phase.name.value}: {_WORDS[proof.verdict]}"
    yield from ("<details>", f"<summary>{summary}</summary>", "")
    yield from _operations(phase)
    yield from ("", markdown(deletions(phase.removes)), "")
    yield from _each(_gate, phase.gates)
    yield from _each(_judgement, proof.judgements)
    yield from _way_back(phase.way_back)
    yield from ("", "</details>", "")


def _each(lines: Callable[[One], Iterator[str]], ones: Iterable[One]) -> Iterator[str]:
    return chain.from_iterable(map(lines, ones))


def _operations(phase: Phase) -> Iterator[str]:
    for words in map(describe, phase.operations):
        yield f"- `{words.sign}` {code(words.subject)}: {markdown(words.effect)}"


def _way_back(steps: Sequence[LiveStep]) -> Iterator[str]:
    if steps:
        yield from ("", "The way back:", "")
    for number, step in enumerate(steps, 1):
        yield from _step(number, step.text, step.command)


def _gate(gate: Gate) -> Iterator[str]:
    yield f"Before it: {markdown(gate.condition)}."
    yield from ("", code_block(gate.command, "sh"), "", f"must say {code(gate.expect)}", "")


def _judgement(judgement: Judgement) -> Iterator[str]:
    evidence = markdown("; ".join(judgement.evidence))
    yield f"- {judgement.obligation.value} **{judgement.verdict.value}**{': ' if evidence else ''}{evidence}"
    if judgement.counterexample:
        yield from (f"  {step.n}. {markdown(f'{step.actor} {step.event}')}" for step in judgement.counterexample.trace)


def _step(number: int, text: str, command: str) -> Iterator[str]:
    yield f"{number}. {markdown(text)}"
    if command:
        yield from ("", *(f"   {line}" for line in code_block(command, "sh").splitlines()), "")


def _points(title: str, sentences: Sequence[str]) -> Iterator[str]:
    if sentences:
        yield from (f"## {title}", "", *(f"- {markdown(sentence)}" for sentence in sentences), "")

"""A counterexample: what is lost, and the numbered events that lose it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flux_handover.objects import ObjectId


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a trace: who did what, for a person to follow."""

    n: int
    actor: str
    event: str

    def __str__(self) -> str:
        return f"{self.n}. {self.actor} {self.event}"


Trace = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Counterexample:
    """A named way to lose objects; `edge` is E1..E21 of the transition model, or empty for an ordinary deletion."""

    edge: str
    lost: tuple[ObjectId, ...]
    trace: Trace

    def __str__(self) -> str:
        return "\n".join(str(step) for step in self.trace)


def numbered(events: Iterable[tuple[str, str]]) -> Trace:
    """The steps of a trace, counted from 1, from pairs of actor and event."""
    return tuple(Step(n, actor, event) for n, (actor, event) in enumerate(events, 1))


def shape(counterexample: Counterexample) -> Mapping[str, object]:
    """The JSON form that other programs rely on."""
    return {
        "lost": [id.full for id in counterexample.lost],
        "trace": [{"n": step.n, "actor": step.actor, "event": step.event} for step in counterexample.trace],
    }

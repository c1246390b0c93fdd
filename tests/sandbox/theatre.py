"""Where small worlds are played, and what came of each revision."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from sandbox.judging import Outcome, Series, ending_of, outcomes, series_of
from sandbox.playing import Play, differences
from sandbox.worlds import World

from flux_handover.adapters.engine import Engine
from flux_handover.adapters.recorder import Recorder
from flux_handover.adapters.sandbox.session import Sandbox
from flux_handover.proof.world import World as Model

FLUX = "v2.9.4"


@dataclass(frozen=True, slots=True)
class Played:
    """One revision of a world: what the model allows, and what came of it."""

    world: str
    revision: int
    allowed: tuple[Outcome, ...]
    seen: Outcome

    def __str__(self) -> str:
        lines = [f"{self.world} ended revision {self.revision} as the model does not; compared with what it allows:"]
        for allowed in self.allowed:
            more, less = self.seen.deleted - allowed.deleted, allowed.deleted - self.seen.deleted
            gone = f"deleted besides: {sorted(map(str, more))}, not deleted: {sorted(map(str, less))}"
            lines.append(f"- {differences(self.seen.ending, allowed.ending)}; {gone}")
        return "\n".join(lines)


class Stage:
    """Where worlds are played: a sandbox, what is recorded there, and an engine that one thread at a time may ask."""

    def __init__(self, sandbox: Sandbox, recorder: Recorder, engine: Engine) -> None:
        self.sandbox, self._recorder, self._engine = sandbox, recorder, engine
        self._turn = threading.Lock()

    def series(self, world: World) -> Series:
        """A world in the model."""
        with self._turn:
            return series_of(world, self._engine, FLUX)

    def play(self, world: World, series: Series) -> Play:
        """A world in the cluster, at rest at its first revision."""
        play = Play(world, self.sandbox, self._recorder, series.universe)
        play.begin(ending_of(series.start))
        return play

    def played(self, world: World) -> tuple[Played, ...]:
        """All revisions of a world, until one ends where the model does not."""
        series = self.series(world)
        return tuple(_revisions(world, self.play(world, series), series))


def _revisions(world: World, play: Play, series: Series) -> Iterator[Played]:
    starts: frozenset[Model] = frozenset({series.start})
    for number in range(1, len(world.trees)):
        allowed = outcomes(series, starts, number)
        seen = play.outcome(play.push(number), allowed)
        yield Played(world.name, number + 1, tuple(allowed), seen)
        if seen not in allowed:
            return
        starts = allowed[seen]

"""Forces an order on real controllers, and says what came of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import assert_never

from sandbox.judging import Ending, Ids, Outcome
from sandbox.orders import Forced, Withheld, two_orders
from sandbox.playing import Play, Restless
from sandbox.theatre import Played, Stage
from sandbox.turnstile import Pause, Turnstile
from sandbox.worlds import World

from flux_handover.objects import ObjectId

BEGIN_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Twin:
    """A world played once more, in namespaces of its own; what is seen of it is told in the names of the first."""

    world: World
    copy: World

    def theirs(self, id: ObjectId) -> ObjectId:
        """An object of the world, in the copy."""
        return _renamed(id, self.world.namespace, self.copy.namespace)

    def ours(self, outcome: Outcome) -> Outcome:
        """An outcome of the copy, in the names of the world."""
        end = outcome.ending
        return Outcome(Ending(*map(self._all, (end.alive, end.terminating, end.failing))), self._all(outcome.deleted))

    def _all(self, ids: Ids) -> Ids:
        return Ids(_renamed(id, self.copy.namespace, self.world.namespace) for id in ids)


def _renamed(id: ObjectId, old: str, new: str) -> ObjectId:
    return ObjectId(id.group.replace(old, new), id.kind, id.namespace.replace(old, new), id.name.replace(old, new))


def both_orders(world: World, stage: Stage, gate: Turnstile) -> tuple[Played, ...]:
    """Both orders of a world that may end in several ways, each played in a copy of it."""
    orders = enumerate(two_orders(stage.series(world)), 1)
    return tuple(forced(Twin(world, world.again(f"order-{number}")), order, stage, gate) for number, order in orders)


def forced(twin: Twin, order: Forced, stage: Stage, gate: Turnstile) -> Played:
    """What comes of a revision if somebody waits."""
    series = stage.series(twin.copy)
    play = stage.play(twin.copy, series)
    for number in range(1, order.number):
        play.calm(play.push(number), Ids())
    sha = _in_turns(play, twin, order, gate)
    seen = play.outcome(sha, order.allowed, twin.ours)
    return Played(f"{twin.world.name}, where {order.order}", order.number + 1, tuple(order.expected), seen)


def _in_turns(play: Play, twin: Twin, forced: Forced, gate: Turnstile) -> str:
    if forced.order.last is not None:
        play.reconcile(twin.theirs(forced.order.last))
    sha = ""
    for turn in forced.order.turns:
        held = Ids(twin.theirs(ks) for ks in turn.held)
        with _withheld(play, turn.withheld, held, gate):
            sha = sha or play.push(forced.number)
            if turn.withheld is Withheld.END:
                play.once(sha, held)
            else:
                play.calm(sha, held)
    return sha


@contextmanager
def _withheld(play: Play, withheld: Withheld, held: Ids, gate: Turnstile) -> Iterator[None]:
    with ExitStack() as stack:
        pauses = [stack.enter_context(_waiting(play, withheld, ks, gate)) for ks in held]
        yield
    if any(pause.late.is_set() for pause in pauses if pause is not None):
        raise Restless(f"{', '.join(map(str, held))} could not wait so long")


@contextmanager
def _waiting(play: Play, withheld: Withheld, ks: ObjectId, gate: Turnstile) -> Iterator[Pause | None]:
    match withheld:
        case Withheld.ALL:
            with gate.hold(ks):
                yield None
        case Withheld.DELETIONS:
            with gate.keep(ks):
                yield None
        case Withheld.END:
            play.touch(ks)
            with gate.pause(ks) as pause:
                play.request(ks)
                if not pause.reached.wait(BEGIN_SECONDS):
                    raise Restless(f"{ks} does not begin")
                yield pause
        case Withheld.REQUEST:
            yield None
        case _:
            assert_never(withheld)

"""A page that lists every small world: in how many ways each revision may end, and which orders are forced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sandbox.judging import counts, series_of
from sandbox.orders import Order, two_orders
from sandbox.repertoire import GENERATED, WRITTEN
from sandbox.theatre import FLUX
from sandbox.worlds import World

from flux_handover.model.building import Builder

HEAD = f"""# The small worlds

<!-- made by tools/worlds.py; change the worlds or the model, then run `make worlds` -->

Each is a repository in a few revisions, on which the model of the controllers is held against the real ones
([what for](../explanation/sandbox.md)). For each revision after the first the model says in how many ways it may end,
as Flux {FLUX} has it. A world is a race if some revision may end in more than one; then two orders are forced on the
real controllers, which must end differently, each as the model says.

"""


@dataclass(frozen=True, slots=True)
class Listed:
    """A world, in how many ways each revision after the first may end, and two orders of it if it is a race."""

    world: World
    ways: tuple[int, ...]
    orders: tuple[Order, ...]

    @property
    def is_race(self) -> bool:
        """Whether some revision may end in several ways."""
        return max(self.ways) > 1


def listed(world: World, builder: Builder) -> Listed:
    """What the page says of a world."""
    series = series_of(world, builder, FLUX)
    ways = counts(series)
    orders = two_orders(series) if max(ways) > 1 else ()
    return Listed(world, ways, tuple(forced.order for forced in orders))


def page(every: Sequence[Listed]) -> str:
    """The page."""
    return "".join([HEAD, *_shares(every), "\n## Races\n\n", *_races(every), "\n## All others\n\n", *_others(every)])


def single_share(every: Sequence[Listed]) -> float:
    """How many of some worlds can end in one way only."""
    return sum(not one.is_race for one in every) / len(every)


def _shares(every: Sequence[Listed]) -> Iterator[str]:
    yield "| worlds | number | end in one way only | share |\n|---|---|---|---|\n"
    written = [one for one in every if one.world in WRITTEN]
    seeds = [one for one in every if one.world in GENERATED]
    for name, some in (("written", written), ("made from seeds", seeds), ("all", every)):
        single = sum(not one.is_race for one in some)
        yield f"| {name} | {len(some)} | {single} | {single_share(some):.0%} |\n"


def _races(every: Iterable[Listed]) -> Iterator[str]:
    yield "| world | ways to end, by revision | one order | another order |\n|---|---|---|---|\n"
    for one in every:
        if one.is_race:
            orders = " | ".join(map(str, one.orders)) or "cannot be forced |"
            yield f"| {one.world.name} | {_ways(one)} | {orders} |\n"


def _others(every: Iterable[Listed]) -> Iterator[str]:
    yield "| world | ways to end, by revision | what happens |\n|---|---|---|\n"
    for one in every:
        if not one.is_race:
            yield f"| {one.world.name} | {_ways(one)} | {_told(one.world)} |\n"


def _ways(one: Listed) -> str:
    return ", ".join(map(str, one.ways))


def _told(world: World) -> str:
    return (world.scene.__doc__ or "").split("\n")[0]

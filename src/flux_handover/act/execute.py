"""A proved plan, carried out phase by phase: gates seen, tree pushed, rest awaited, everything recorded.

The plan is interpreted, never decided again: which tree, which deletions and which gates stand in the phase.
What the cluster did is compared with what was announced, and the first disagreement ends the series, since
whatever follows would begin from a cluster that nobody proved anything about.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from types import MappingProxyType

from flux_handover.act.commit import gates_before
from flux_handover.act.comparing import Announced, Happenings, disagreements, happenings, is_bookkeeping, replaced
from flux_handover.act.content import NOTHING_WRITTEN, Contents, Written, cleaned, contents, foreign_changes
from flux_handover.act.gates import Observation, View, observed
from flux_handover.act.journal import Journal
from flux_handover.act.observing import Expected, Rest, requested, wait_for_rest
from flux_handover.act.proved import worst
from flux_handover.act.proving_again import proved_again, refuted, seen_now
from flux_handover.adapters.cluster import KubeCluster, Manifest
from flux_handover.adapters.recorder import Change, Happened, Recorder
from flux_handover.model.effective_kept import lost
from flux_handover.model.origin import normal_url
from flux_handover.objects import SOURCE_GROUP, Object, ObjectId, id_of, leading_names, mapping, object_of
from flux_handover.plan.phases import Gate, Phase, Plan
from flux_handover.proof.obligations import Judgement, Verdict
from flux_handover.proof.steps import Step
from flux_handover.tree import Tree

GATE_SECONDS = 90.0
SAME_SECONDS, SHOWN = 1.0, 3


class Direction(Enum):
    """Which way a step of a rehearsal goes."""

    FORWARD = "forward"
    BACK = "back"
    AGAIN = "again"
    COMMIT = "commit"
    BOOTSTRAP = "bootstrap"


@dataclass(frozen=True, slots=True)
class Restart:
    """A controller that started, or ended by itself, and when."""

    program: str
    happening: str
    time: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plan is carried out: the cluster, its record, how a tree is published, and who is told.

    `view` is the cluster as gates see it; `sources` follow the repository, as whatever
    fetches from one of its `addresses` does; `flux` are the objects of Flux, and
    `kept` the same as they were at the beginning: their settings must survive, whichever way one goes.
    Those that are `shared` by several Kustomizations change with whoever was last. `kubectl` is for the steps
    that are commands.
    """

    cluster: KubeCluster
    recorder: Recorder
    view: View
    push: Callable[[Tree, str], str]
    restarts: Callable[[float], tuple[Restart, ...]]
    journal: Journal
    told: Callable[[str], None]
    sources: frozenset[ObjectId]
    flux: frozenset[ObjectId]
    patience: float
    kept: tuple[Object, ...] = ()
    shared: frozenset[ObjectId] = frozenset()
    kubectl: Path | None = None
    addresses: frozenset[str] = frozenset()

    def following(self) -> frozenset[ObjectId]:
        """The sources that follow the repository now: a phase may bring one of another name."""
        found = (id_of(one) for one in self.cluster.list(SOURCE_GROUP, "GitRepository") if self._fetches(one))
        return self.sources.union(found)

    def _fetches(self, source: Manifest) -> bool:
        return normal_url(str(mapping(source.get("spec")).get("url"))) in self.addresses

    @property
    def controllers(self) -> frozenset[ObjectId]:
        """The Deployments of Flux, without which nothing comes to rest."""
        return frozenset(id for id in self.flux if id.kind == "Deployment")


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at a time, in words."""

    time: float
    text: str


@dataclass(frozen=True, slots=True)
class Run:
    """One phase as it went; `problems` say where it did not go as announced, `moments` what happened when.

    `judgements` are what was proved again, from the live cluster, before it was pushed.
    """

    name: str
    direction: Direction
    announced: tuple[ObjectId, ...]
    happened: Happenings
    restarts: tuple[Restart, ...]
    gates: tuple[Observation, ...]
    unready: Mapping[ObjectId, str]
    problems: tuple[str, ...]
    seconds: float
    moments: tuple[Moment, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    is_pushed: bool = True

    @property
    def verdict(self) -> Verdict:
        """Refuted where something was disagreed on, unknown where a gate or an obligation could not be decided."""
        if self.problems:
            return Verdict.REFUTED
        return worst((*(one.verdict for one in self.gates), *(one.verdict for one in self.judgements)))


@dataclass(frozen=True, slots=True)
class Mark:
    """A point in a rehearsal from which on things are compared, and what `written` speaks of as it was then.

    Objects of Flux itself are left out there: it is their settings that count.
    """

    change: int
    time: float
    uids: Mapping[ObjectId, str]
    contents: Contents
    written: Written


def marked(place: Place, written: Written = NOTHING_WRITTEN) -> Mark:
    """Now, before something is written."""
    changes = len(place.recorder.settled())
    found = contents(place.cluster, written.rendered - place.flux)
    return Mark(changes, time.time(), MappingProxyType(dict(place.recorder.current())), found, written)


def settings(place: Place) -> tuple[Object, ...]:
    """The objects of Flux as they are now, as far as somebody sets them."""
    found = (place.cluster.get(id) for id in sorted(place.flux - place.shared))
    return tuple(object_of(cleaned(manifest)) for manifest in found if manifest is not None)


@dataclass(frozen=True, slots=True)
class Leg:
    """A phase to carry out: which way, what may come a second time, what it writes, and the step it was proved by."""

    phase: Phase
    direction: Direction
    step: Step
    returning: frozenset[ObjectId] = frozenset()
    written: Written = NOTHING_WRITTEN


def carried_out(place: Place, plan: Plan, leg: Leg) -> Run:
    """A phase: its gates seen, proved again from what is live, its tree pushed, and what came of it."""
    start, phase = time.monotonic(), leg.phase
    place.journal.write(time.time(), "phase", name=phase.name.value, direction=leg.direction.value)
    gates = awaited_gates(place, gates_before(plan, phase))
    closed = tuple(f"gate {one.gate.id}: {one.evidence}" for one in gates if one.verdict is Verdict.REFUTED)
    judgements = () if closed else judged(place, leg)
    problems = (*closed, *refuted(judgements))
    if problems or worst(one.verdict for one in judgements) is not Verdict.HOLDS:
        return not_pushed(leg, gates, judgements, problems, time.monotonic() - start)
    before = marked(place, leg.written)
    rest = published(place, phase.tree, phase.title)
    announced = Announced(phase.removes, returning=leg.returning)
    run = summed_up(place, phase.name.value, leg.direction, announced, before, rest)
    place.journal.write(time.time(), "done", name=phase.name.value, verdict=run.verdict.value, problems=run.problems)
    return replace(run, gates=gates, judgements=judgements, seconds=time.monotonic() - start)


def judged(place: Place, leg: Leg) -> tuple[Judgement, ...]:
    """The phase proved again from what is live now."""
    place.told(f"proving {leg.phase.name.value} again from what is live")
    judgements = proved_again(leg.step, seen_now(place.cluster, place.view))
    for one in judgements:
        place.journal.write(time.time(), "proof", obligation=one.obligation.value, verdict=one.verdict.value)
    return judgements


def not_pushed(
    leg: Leg,
    gates: tuple[Observation, ...],
    judgements: tuple[Judgement, ...],
    problems: tuple[str, ...],
    seconds: float,
) -> Run:
    """A phase that was stopped before its tree was pushed."""
    nothing = Happenings((), (), (), ())
    return Run(
        leg.phase.name.value,
        leg.direction,
        (),
        nothing,
        (),
        gates,
        {},
        problems,
        seconds,
        judgements=judgements,
        is_pushed=False,
    )


def awaited_gates(place: Place, gates: Sequence[Gate]) -> tuple[Observation, ...]:
    """Every gate as last seen, once all hold or time is up."""
    end = time.monotonic() + GATE_SECONDS
    while True:
        seen = tuple(observed(gate, place.view) for gate in gates)
        closed = [one for one in seen if one.verdict is Verdict.REFUTED]
        if not closed or time.monotonic() > end:
            for one in seen:
                place.journal.write(time.time(), "gate", id=one.gate.id, verdict=one.verdict.value, seen=one.evidence)
            return seen
        place.told(f"waiting at gate {closed[0].gate.id}")
        time.sleep(1)


def published(place: Place, tree: Tree, title: str) -> Rest:
    """Pushes a tree, asks for its reconciliation, and waits until the cluster is at rest."""
    sha = place.push(tree, title)
    place.journal.write(time.time(), "push", sha=sha, title=title)
    sources = place.following()
    requested(place.cluster, sources, sha)
    expected = Expected(sha, sources, place.controllers)
    return wait_for_rest(place.cluster, place.recorder, expected, seconds=place.patience, told=place.told)


def summed_up(
    place: Place,
    name: str,
    direction: Direction,
    announced: Announced,
    before: Mark,
    rest: Rest,
) -> Run:
    """What happened since a moment, and everything about it that was not announced."""
    changes = place.recorder.settled()[before.change :]
    happened, restarts = happenings(changes), place.restarts(before.time)
    problems = (
        *disagreements(happened, announced),
        *(f"{id} is another object than before" for id in other_objects(place, before, happened)),
        *(f"setting: {difference}" for difference in lost(place.kept, settings(place))),
        *(f"changed, but not written by this step: {id} {field}" for id, field in rewritten(place, before)),
        *(f"not at rest: {id}: {reason}" for id, reason in rest.missing.items()),
    )
    crashed = (f"{restart.program} crashed" for restart in restarts if restart.happening == "crashed")
    return Run(
        name,
        direction,
        tuple(sorted(announced.deleted)),
        happened,
        restarts,
        (),
        rest.missing,
        (*problems, *dict.fromkeys(crashed)),
        rest.seconds,
        (Moment(before.time, "begun"), *moments(changes, restarts)),
    )


def rewritten(place: Place, before: Mark) -> Iterator[tuple[ObjectId, str]]:
    """Fields that changed since a mark, and that what was carried out does not write."""
    return foreign_changes(before.contents, contents(place.cluster, before.contents), before.written)


def moments(changes: Sequence[Change], restarts: Sequence[Restart]) -> tuple[Moment, ...]:
    """What came, went and restarted, in order; what came or went at once is one moment."""
    told = [Moment(one.time, f"{one.program} {one.happening}") for one in restarts]
    for happened in (Happened.CREATED, Happened.DELETED, Happened.RECREATED):
        told += groups([one for one in changes if one.happened is happened and not is_bookkeeping(one)])
    return tuple(sorted(told, key=lambda moment: moment.time))


def groups(changes: Sequence[Change]) -> Iterator[Moment]:
    """Changes of one sort, those of the same second together."""
    start = 0
    for end in range(1, len(changes) + 1):
        if end == len(changes) or changes[end].time - changes[start].time > SAME_SECONDS:
            yield Moment(changes[start].time, f"{changes[start].happened.value} {some(changes[start:end])}")
            start = end


def some(changes: Sequence[Change]) -> str:
    """The first few objects of changes, and how many more."""
    ids = list(dict.fromkeys(change.id for change in changes))
    return leading_names(ids, SHOWN)


def other_objects(place: Place, before: Mark, happened: Happenings) -> Iterable[ObjectId]:
    """Objects that kept their name and not their uid, but for those that the record already tells of."""
    told = {*happened.deleted, *happened.recreated, *happened.created}
    settled = {id: uid for id, uid in before.uids.items() if id.kind not in ("Pod", "ReplicaSet", "HelmChart")}
    return (id for id in replaced(settled, place.recorder.current()) if id not in told)

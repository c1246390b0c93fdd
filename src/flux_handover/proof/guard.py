"""Any revisions, one after the other: what each would make Flux delete, break or leave undecided.

A step starts from the cluster that the steps before it left, frozen Kustomizations included; nothing is
compared with a parent commit. The first revision is taken as reconciled, except for Kustomizations that
do not build there: they keep what an earlier revision gave them (contract K8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from flux_handover.findings import Finding
from flux_handover.model.building import Builder
from flux_handover.model.rendering import BuildStatus
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import Object, ObjectId
from flux_handover.proof.deletions import Deleted, deletions_of
from flux_handover.proof.equivalence import is_unchanged
from flux_handover.proof.guard_bases import Base
from flux_handover.proof.guard_clusters import CONTINUED, continued, views
from flux_handover.proof.guard_report import GuardReport, Standing, standing_of
from flux_handover.proof.hazards import findings_between, signs_of
from flux_handover.proof.hazards.losses import coded
from flux_handover.proof.hazards.registry import Pair, Sign, View
from flux_handover.proof.reconcile_cluster import UserStep
from flux_handover.proof.scope import outside
from flux_handover.proof.seen import Sights, as_seen, inventoried, is_of, unlike
from flux_handover.proof.series import Outcome, outcome_of
from flux_handover.proof.stages import Left, Revision, gates_between, stage_of
from flux_handover.proof.staging import Stage, Staged, staged
from flux_handover.proof.world import Live, World
from flux_handover.tree import Tree

Signs = Mapping[str, tuple[Sign, ...]]
ReadRevision = Callable[[Tree, str, Snapshot], Snapshot]
"""Reads a tree under a name; the snapshot before it says what the cluster keeps where something does not build."""


@dataclass(frozen=True, slots=True)
class Point:
    """A revision to judge: its name, for people and for the record, and its files."""

    name: str
    tree: Tree


@dataclass(frozen=True, slots=True)
class Start:
    """The revision that the cluster has; `bases` says whence the inventory of each Kustomization is, by cluster.

    `sights` are Kustomizations of one live cluster, as somebody saw them. `lead` are earlier revisions that the cluster
    went through and whose builds it still has, the oldest first.
    """

    snapshot: Snapshot
    bases: Mapping[str, Mapping[ObjectId, Base]] = field(default_factory=dict)
    sights: Sights = field(default_factory=dict)
    lead: tuple[Snapshot, ...] = ()


@dataclass(frozen=True, slots=True)
class _Carried:
    """One cluster as the steps so far left it; `world` is None before the first.

    `gone` was deleted and does not come back by itself; `doubtful` are Kustomizations whose inventory is not known;
    `sights` are those that were seen before the first step.
    """

    view: View
    stage: Stage
    signs: Signs
    bases: Mapping[ObjectId, Base]
    doubtful: frozenset[ObjectId]
    world: World | None = None
    gone: frozenset[ObjectId] = frozenset()
    sights: Sights = field(default_factory=dict)
    left: Left = field(default_factory=Left)


@dataclass(frozen=True, slots=True)
class _Step:
    """What one cluster's part of a report is made of."""

    carried: _Carried
    deletes: tuple[Deleted, ...]
    standings: tuple[Standing, ...]
    findings: tuple[Finding, ...]
    undecided: tuple[str, ...]


def guard(start: Start, points: Iterable[Point], read: ReadRevision, builder: Builder) -> Iterator[GuardReport]:
    """One report for each revision in turn; each is read only when it is its turn.

    What led to the start is judged too, in silence: what appeared on the way and never worked is not live.
    """
    way = () if start.sights else start.lead
    first, *more = (*way, start.snapshot)
    silent = [Point(snapshot.revision, snapshot.tree) for snapshot in more]
    series = _series(replace(start, snapshot=first), chain(silent, points), read, builder)
    yield from islice(series, len(silent), None)


def _series(start: Start, points: Iterable[Point], read: ReadRevision, builder: Builder) -> Iterator[GuardReport]:
    before = start.snapshot
    carried = {view.cluster.name: _first(view, start, builder) for view in views(before)}
    live = frozenset(carried)
    for point in points:
        after = continued(before, read(point.tree, point.name, before), live, builder)
        steps = [_step(carried[view.cluster.name], view, after, builder) for view in _known(after, carried)]
        fresh = [view for view in views(after) if view.cluster.name not in carried]
        carried |= {step.carried.view.cluster.name: step.carried for step in steps}
        carried |= {view.cluster.name: _first(view, Start(after, start.bases), builder) for view in fresh}
        yield _report(before, after, steps, fresh)
        before = after


def _known(after: Snapshot, carried: Mapping[str, _Carried]) -> Iterator[View]:
    return (view for view in views(after) if view.cluster.name in carried)


def _first(view: View, start: Start, builder: Builder) -> _Carried:
    cluster = view.cluster
    bases = start.bases.get(cluster.name, {})
    stage = stage_of(Revision(start.snapshot.revision, view.tree, cluster), None, builder)
    sights = start.sights if is_of(start.sights, cluster) else {}
    doubtful = frozenset(id for id, base in bases.items() if base.is_unknown) - inventoried(sights)
    return _Carried(view, stage, signs_of(view), bases, doubtful, sights=sights)


def _step(carried: _Carried, view: View, after: Snapshot, builder: Builder) -> _Step:
    if not carried.sights and not carried.left.behind(carried.view.cluster) and _is_same(carried.view, view):
        return _quiet(carried, view)
    before = Revision(carried.stage.revision, carried.view.tree, carried.view.cluster)
    revision = Revision(after.revision, view.tree, view.cluster)
    stage = stage_of(revision, before, builder, carried.left)
    pair, start, outcome = _outcome(carried, stage)
    installation = carried.view.installation
    deletes = deletions_of(outcome, before, revision, carried.stage, pair, installation)
    sides = (replace(carried.view, instance=_instanced(carried.stage)), replace(view, instance=_instanced(stage)))
    compared = coded(Pair(*sides, deletes, outcome.breaches, dict(outcome.frozen)))
    signs = signs_of(view)
    return _Step(
        carried=_next(carried, view, stage, signs, outcome, start),
        deletes=deletes,
        standings=tuple(_standings(carried, view)),
        findings=tuple(findings_between(compared, carried.signs, signs)),
        undecided=(*outcome.undecided, *_doubts(carried, view), *unlike(carried.view.cluster, carried.sights)),
    )


def _instanced(stage: Stage) -> tuple[Object, ...]:
    return tuple(object for id in stage.instances for object in stage.components(id))


def _is_same(before: View, after: View) -> bool:
    """Whether every Kustomization certainly gives what it gave, from the same sources."""
    old, new = before.cluster, after.cluster
    if old.builds.keys() != new.builds.keys() or old.sources != new.sources:
        return False
    return all(is_unchanged(old.builds[id], new.builds[id]) for id in new.builds)


def _quiet(carried: _Carried, view: View) -> _Step:
    """A step that changes nothing Flux reads: the world stays, and only what files alone say can be new."""
    signs = signs_of(view)
    findings = tuple(findings_between(Pair(carried.view, view), carried.signs, signs))
    return _Step(replace(carried, view=view, signs=signs), (), tuple(_standings(carried, view)), findings, ())


def _outcome(carried: _Carried, stage: Stage) -> tuple[Staged, World, Outcome]:
    """What the step does, where nothing that Git never rendered is missing without a reason."""
    view = carried.view
    gates = gates_between(view.installation.version, carried.stage.cluster, stage.cluster)
    pair = staged((carried.stage, stage), gates)
    world = carried.world if carried.world is not None else as_seen(pair.world, carried.sights)
    program = (UserStep(pair.pushes[0]),)
    assumed = outside(world, pair.environment, program) - carried.gone
    start = replace(world, live=type(world.live)({**dict(world.live.items()), **{id: Live() for id in assumed}}))
    return pair, start, outcome_of(start, program, pair.environment)


def _next(carried: _Carried, view: View, stage: Stage, signs: Signs, outcome: Outcome, start: World) -> _Carried:
    live = outcome.world.live
    gone = {id for id in start.live if id not in live} | {id for id in carried.gone if id not in live}
    built = {build.id for build in view.cluster if build.status is BuildStatus.OK}
    left = carried.left.after(carried.view.cluster, outcome.world)
    behind = left.behind(view.cluster)
    return replace(
        carried,
        view=view,
        stage=replace(stage, stale=tuple(build for build in stage.stale if build.id in behind)),
        signs=signs,
        doubtful=carried.doubtful - built,
        world=outcome.world,
        gone=frozenset(gone),
        sights={},
        left=left,
    )


def _doubts(carried: _Carried, view: View) -> Iterator[str]:
    """Kustomizations that prune again, from an inventory that nobody here knows."""
    for id in sorted(carried.doubtful):
        build = view.cluster.builds.get(id)
        if build is None or (build.status is BuildStatus.OK and build.ks.prune):
            event = "is deleted" if build is None else "builds again"
            yield f"{id} {event}, and no revision tells what it applied last"


def _standings(carried: _Carried, view: View) -> Iterator[Standing]:
    old, new = carried.view.cluster, view.cluster
    for id in sorted(old.builds.keys() | new.builds.keys()):
        yield standing_of(new.name, old.builds.get(id), new.builds.get(id), carried.bases.get(id))


def _report(before: Snapshot, after: Snapshot, steps: Iterable[_Step], fresh: Iterable[View]) -> GuardReport:
    parts = tuple(steps)
    return GuardReport(
        base=before.revision,
        revision=after.revision,
        deletes=tuple(chain.from_iterable(part.deletes for part in parts)),
        kustomizations=(*chain.from_iterable(part.standings for part in parts), *_arrived(fresh)),
        findings=tuple(chain.from_iterable(part.findings for part in parts)),
        undecided=tuple(chain.from_iterable(part.undecided for part in parts)),
        notes=tuple(_notes(before, after, fresh)),
        candidates=() if after.clusters else after.candidates,
        clusters=tuple(cluster.name for cluster in after.clusters),
    )


def _arrived(fresh: Iterable[View]) -> Iterator[Standing]:
    for view in fresh:
        yield from (standing_of(view.cluster.name, None, build, None) for build in view.cluster)


def _notes(before: Snapshot, after: Snapshot, fresh: Iterable[View]) -> Iterator[str]:
    for view in fresh:
        yield f"cluster {view.cluster.name} is new: nothing of it is live, so nothing of it can be deleted"
    for cluster in after.clusters:
        if cluster.origin == CONTINUED:
            yield f"cluster {cluster.name} has no root of its own any more; what its live root does is judged"
    if not after.clusters and before.clusters:
        yield "no root is left in this revision"

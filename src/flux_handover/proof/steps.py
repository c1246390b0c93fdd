"""A phase between two revisions, with what the judge found: what every obligation is decided from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from flux_handover.model.building import Builder
from flux_handover.model.rendering import Cluster
from flux_handover.model.snapshot import Snapshot
from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.proof.gates import Gates
from flux_handover.proof.series import Outcome
from flux_handover.proof.stages import Left, Revision, gates_between, stage_of, step
from flux_handover.proof.staging import Stage, Staged
from flux_handover.proof.world import World


@dataclass(frozen=True, slots=True)
class Step:
    """A phase with the two revisions it lies between; `start` is the world that the phases before it left.

    `back` is the revision before once more, as it arrives again where the cluster has the specs of the phase.
    `others` are the other clusters of the repository on both sides, None where one is not there any more.
    """

    plan: Plan
    phase: Phase
    before: Revision
    after: Revision
    stages: tuple[Stage, Stage]
    staged: Staged
    start: World
    outcome: Outcome
    gates: Gates
    back: Stage | None = None
    others: tuple[tuple[Cluster, Cluster | None], ...] = ()


def steps_of(plan: Plan, snapshots: tuple[Snapshot, ...], builder: Builder) -> Iterator[Step]:
    """The steps of a plan; `snapshots` are the revision before it and the one after each phase that commits."""
    world: World | None = None
    names = ("base", *(phase.name.value for phase in committing(plan)))
    revisions = [_revision(plan, name, snapshot) for name, snapshot in zip(names, snapshots, strict=True)]
    stage, left = stage_of(revisions[0], None, builder), Left()
    others = [_others(plan, *pair) for pair in pairwise(snapshots)]
    for phase, before, after, beside in zip(committing(plan), revisions, revisions[1:], others, strict=False):
        arriving = stage_of(after, before, builder, left)
        gates = gates_between(plan.installation.version, before.cluster, after.cluster)
        staged, outcome = step(stage, arriving, gates, world)
        start = world if world is not None else staged.world
        left = left.after(before.cluster, outcome.world)
        back = stage_of(before, after, builder, left)
        yield Step(plan, phase, before, after, (stage, arriving), staged, start, outcome, gates, back, beside)
        stage, world = arriving, outcome.world


def _others(plan: Plan, before: Snapshot, after: Snapshot) -> tuple[tuple[Cluster, Cluster | None], ...]:
    there = {cluster.name: cluster for cluster in after.clusters}
    return tuple((one, there.get(one.name)) for one in before.clusters if one.name != plan.cluster)


def committing(plan: Plan) -> tuple[Phase, ...]:
    """The phases that change the tree; `preflight` only looks."""
    return tuple(phase for phase in plan.phases if phase.name is not PhaseName.PREFLIGHT)


def _revision(plan: Plan, name: str, snapshot: Snapshot) -> Revision:
    installation = plan.installation
    by_hand = installation.live if installation.owner is None else ()
    return Revision(name, snapshot.tree, snapshot.cluster(plan.cluster), by_hand)

"""From a Snapshot to proved plans, for every cluster that needs one (contract K2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flux_handover.act.observed import with_observed
from flux_handover.act.proved import ProvedPlan, worst
from flux_handover.cli.observing import observed_cluster
from flux_handover.cli.reading import Opened, Wanted, tree_reader
from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.snapshot import Snapshot
from flux_handover.plan.clusters import needing
from flux_handover.plan.planner import make_plan
from flux_handover.plan.target import Options
from flux_handover.proof.obligations import Verdict
from flux_handover.proof.prove import prove


def planned(tools: Opened, snapshot: Snapshot, wanted: Wanted, options: Options) -> tuple[ProvedPlan, ...]:
    """The plans of the snapshot's clusters, each phase proved."""
    read = tree_reader(tools, wanted, snapshot.revision)
    plans = []
    names = needing(snapshot)
    for name in names:
        tools.progress(f"planning {name}")
        with _of_one(name, names):
            plan = make_plan(snapshot, name, options, lambda tree: read(tree, None))
        tools.progress(f"proving {name}")
        plans.append(ProvedPlan(plan, prove(plan, snapshot, read, tools.engine)))
    return tuple(plans)


@contextmanager
def _of_one(name: str, names: tuple[str, ...]) -> Iterator[None]:
    """Says of a refusal which cluster it is for, and how the others are planned."""
    try:
        yield
    except UnsupportedInstallation as refusal:
        others = [f"--cluster {other}" for other in names if other != name]
        if not others:
            raise
        message = refusal.message if name in refusal.message else f"{name}: {refusal.message}"
        hint = f"{refusal.hint}; another cluster is planned by {' or '.join(others)}"
        raise UnsupportedInstallation(message, where=refusal.where, hint=hint) from refusal


def seen_in(file: Path | None, plans: tuple[ProvedPlan, ...]) -> tuple[ProvedPlan, ...]:
    """The plans with the facts of a file; as they are where there is none."""
    if file is None:
        return plans
    cluster = observed_cluster(file)
    return tuple(with_observed(proved, cluster) for proved in plans)


def status_of(verdicts: Iterable[Verdict]) -> int:
    """The exit status of a set of verdicts (contract K4)."""
    match worst(verdicts):
        case Verdict.HOLDS:
            return 0
        case Verdict.REFUTED:
            return 1
        case Verdict.UNKNOWN:
            return 2

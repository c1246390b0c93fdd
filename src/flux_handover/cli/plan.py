"""`plan`: the phases, and the proof of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flux_handover.cli.options import (
    AllowNetwork,
    Cluster,
    InstanceAs,
    ObservedFile,
    OperatorVersion,
    PlaceUnder,
    Revision,
    Root,
    SyncAs,
    SyncName,
    TextJsonOrMarkdown,
    Verbose,
    Where,
)

if TYPE_CHECKING:
    from flux_handover.act.proved import ProvedPlan


def plan(
    path: Where = Path(),
    /,
    *,
    revision: Revision = "HEAD",
    cluster: Cluster = "",
    root: Root = "",
    operator_version: OperatorVersion = "",
    instance_as: InstanceAs = "helmrelease",
    place_under: PlaceUnder = "",
    sync: SyncAs = None,
    sync_name: SyncName = "",
    observed: ObservedFile = None,
    allow_network: AllowNetwork = False,
    output: TextJsonOrMarkdown = "text",
    verbose: Verbose = False,
) -> int:
    """Show the phases of the handover, what Flux deletes in each, and the proof; write nothing.

    Exit status: 0 every phase is proved; 1 one is refuted; 2 one is unknown, or it could not run.
    """
    from flux_handover.cli.planning import planned, seen_in, status_of
    from flux_handover.cli.reading import Wanted, opened, snapshot_of
    from flux_handover.cli.writing import write
    from flux_handover.plan.target import InstanceForm, Options, SyncStrategy

    strategy = SyncStrategy(sync) if sync else None
    options = Options(
        operator_version or None, InstanceForm(instance_as), place_under or None, strategy, sync_name or None
    )
    with opened(path) as tools:
        wanted = Wanted(path, revision, cluster, root, allow_network)
        snapshot = snapshot_of(tools, wanted)
        plans = seen_in(observed, planned(tools, snapshot, wanted, options))
    write(_page(snapshot.revision, plans, output, verbose))
    return status_of(proved.verdict for proved in plans)


def _page(revision: str, plans: tuple[ProvedPlan, ...], output: str, verbose: bool) -> str:
    if output == "json":
        from flux_handover.report.shapes.common import encoded
        from flux_handover.report.shapes.plan import plan_report

        return encoded(plan_report(revision, plans))
    if output == "markdown":
        from flux_handover.report.plan_markdown import plan_markdown

        return plan_markdown(plans)
    from flux_handover.cli.showing import screen
    from flux_handover.report.plan_text import plan_text

    return plan_text(plans, screen(verbose))

"""`commit`: the next phase as one commit on a branch of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from flux_handover.cli.options import (
    AllowNetwork,
    Cluster,
    InstanceAs,
    OperatorVersion,
    PlaceUnder,
    Revision,
    Root,
    SyncAs,
    SyncName,
    TextOrJson,
    Where,
)

if TYPE_CHECKING:
    from flux_handover.act.commit import Committed
    from flux_handover.act.proved import ProvedPlan
    from flux_handover.plan.phases import Phase

REMOTE = "origin"


def commit(
    path: Where = Path(),
    /,
    *,
    revision: Revision = "HEAD",
    cluster: Cluster = "",
    root: Root = "",
    branch: Annotated[str, Parameter(help="The first part of the names of new branches.")] = "flux-handover",
    all_phases: Annotated[
        bool, Parameter(name="--all", show_default=False, help="Write every phase, on stacked branches.", negative=())
    ] = False,
    operator_version: OperatorVersion = "",
    instance_as: InstanceAs = "helmrelease",
    place_under: PlaceUnder = "",
    sync: SyncAs = None,
    sync_name: SyncName = "",
    allow_network: AllowNetwork = False,
    output: TextOrJson = "text",
) -> int:
    """Write the next phase of the handover as one Git commit on a new branch; push nothing.

    The work tree and the index stay as they are. A phase whose proof does not hold is not written.
    Exit status: 0 written, or nothing was left to do; 1 refuted; 2 unknown, or it could not run.
    """
    from flux_handover.act.commit import Reach, blocked, drafts
    from flux_handover.act.commit import write as write_commits
    from flux_handover.cli.planning import planned, status_of
    from flux_handover.cli.reading import Wanted, opened, snapshot_of
    from flux_handover.cli.writing import write
    from flux_handover.plan.target import InstanceForm, Options, SyncStrategy

    strategy = SyncStrategy(sync) if sync else None
    options = Options(
        operator_version or None, InstanceForm(instance_as), place_under or None, strategy, sync_name or None
    )
    reach = Reach.ALL if all_phases else Reach.NEXT
    with opened(path) as tools:
        wanted = Wanted(path, revision, cluster, root, allow_network)
        snapshot = snapshot_of(tools, wanted)
        plans = planned(tools, snapshot, wanted, options)
        refused = [(proved, phase) for proved in plans for phase in blocked(proved, reach)]
        commits = () if refused else write_commits(drafts(plans, snapshot.tree, reach, branch), tools.repository)
    write(_page(commits, refused, output))
    return status_of(proved.proof(phase).verdict for proved, phase in refused)


def _page(commits: Sequence[Committed], refused: Sequence[tuple[ProvedPlan, Phase]], output: str) -> str:
    if output == "json":
        from flux_handover.report.shapes.commit import commit_report
        from flux_handover.report.shapes.common import encoded

        return encoded(commit_report(commits, refused, REMOTE))
    from flux_handover.cli.showing import screen
    from flux_handover.report.commit_text import commit_text, refusal_text

    return refusal_text(refused, screen(False)) if refused else commit_text(commits, REMOTE, screen(False))

"""`rehearse`: the plan, or commits made by hand, on a disposable real control plane."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from flux_handover.cli.options import (
    Cluster,
    InstanceAs,
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
    from flux_handover.act.rehearse import Rehearsed

Series = Annotated[
    str, Parameter(show_default=False, help="Commits made by hand instead of the plan, as BASE..HEAD, one by one.")
]
UntilPhase = Annotated[str, Parameter(name="--phase", show_default=False, help="The last phase to play.")]
AndBack = Annotated[
    bool,
    Parameter(
        name="--back", show_default=False, help="Then go back by the printed steps, and forward again.", negative=()
    ),
]
FromEveryPhase = Annotated[
    bool, Parameter(show_default=False, help="Also go back and forward again after every single phase.", negative=())
]
FromNothing = Annotated[
    bool,
    Parameter(
        name="--bootstrap", show_default=False, help="The plan's new bootstrap instead, on a bare cluster.", negative=()
    ),
]
Online = Annotated[
    bool,
    Parameter(show_default=False, help="Fetch what the sandbox lacks, and record it for the next time.", negative=()),
]
JournalFile = Annotated[
    Path | None, Parameter(show_default=False, help="A file to which every step is added as a line of JSON.")
]


def rehearse(
    path: Where = Path(),
    /,
    *,
    revision: Revision = "HEAD",
    cluster: Cluster = "",
    root: Root = "",
    series: Series = "",
    phase: UntilPhase = "",
    back: AndBack = False,
    from_every_phase: FromEveryPhase = False,
    bootstrap: FromNothing = False,
    journal: JournalFile = None,
    operator_version: OperatorVersion = "",
    instance_as: InstanceAs = "helmrelease",
    place_under: PlaceUnder = "",
    sync: SyncAs = None,
    sync_name: SyncName = "",
    allow_network: Online = False,
    output: TextJsonOrMarkdown = "text",
    verbose: Verbose = False,
) -> int:
    """Play the plan on a disposable real control plane, and compare what is deleted with the proof.

    Nothing of your cluster is touched or known; secrets are replaced by placeholders. Exit status: 0 all
    went as announced; 1 something did not; 2 nothing can be said, or it could not run.
    """
    from flux_handover.adapters.sandbox.systems import refuse_other_systems

    refuse_other_systems()
    from flux_handover.act.rehearse import Course
    from flux_handover.cli.planning import status_of
    from flux_handover.cli.reading import Wanted, opened
    from flux_handover.cli.rehearsing import Asked, What, played
    from flux_handover.cli.writing import write
    from flux_handover.plan.target import InstanceForm, Options, SyncStrategy

    strategy = SyncStrategy(sync) if sync else None
    options = Options(
        operator_version or None, InstanceForm(instance_as), place_under or None, strategy, sync_name or None
    )
    with opened(path) as tools:
        wanted = Wanted(path, revision, cluster, root, allow_network)
        course = Course.AND_BACK if back else Course.FORWARD
        course = Course.FROM_EVERY_PHASE if from_every_phase else course
        what = What.BOOTSTRAP if bootstrap else What.PHASES
        rehearsals = played(tools, wanted, Asked(options, series, phase, course, what, journal))
    write(_page(revision, rehearsals, output, verbose))
    return status_of(one.verdict for one in rehearsals)


def _page(revision: str, rehearsals: Sequence[Rehearsed], output: str, verbose: bool) -> str:
    if output == "json":
        from flux_handover.report.shapes.common import encoded
        from flux_handover.report.shapes.rehearse import rehearse_report

        return encoded(rehearse_report(revision, rehearsals))
    if output == "markdown":
        from flux_handover.report.rehearsal_markdown import rehearsal_markdown

        return rehearsal_markdown(rehearsals)
    from flux_handover.cli.showing import screen
    from flux_handover.report.rehearsal_text import rehearsal_text

    return rehearsal_text(rehearsals, screen(verbose))

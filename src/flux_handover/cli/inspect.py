"""`inspect`: how Flux is installed."""

from __future__ import annotations

from pathlib import Path

from flux_handover.cli.options import AllowNetwork, Cluster, Revision, Root, TextOrJson, Verbose, Where


def inspect(
    path: Where = Path(),
    /,
    *,
    revision: Revision = "HEAD",
    cluster: Cluster = "",
    root: Root = "",
    allow_network: AllowNetwork = False,
    output: TextOrJson = "text",
    verbose: Verbose = False,
) -> int:
    """Show how Flux is installed, every setting that must survive, and the tree of Kustomizations.

    Reads the committed files of one revision; writes nothing and asks no cluster.
    """
    from flux_handover.cli.reading import Wanted, opened, snapshot_of
    from flux_handover.cli.showing import screen
    from flux_handover.cli.writing import write
    from flux_handover.proof.guard_clusters import with_hazards

    with opened(path) as tools:
        snapshot = with_hazards(snapshot_of(tools, Wanted(path, revision, cluster, root, allow_network)))
    if output == "json":
        from flux_handover.report.shapes.common import encoded
        from flux_handover.report.shapes.inspect import inspect_report

        write(encoded(inspect_report(snapshot)))
    else:
        from flux_handover.report.inspect_text import inspect_text

        write(inspect_text(snapshot, screen(verbose)))
    return 0 if snapshot.clusters else 2

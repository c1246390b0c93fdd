"""`demo`: everything, on the bundled repository, in a folder of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from flux_handover.cli.options import Verbose

Into = Annotated[
    Path | None,
    Parameter(show_default=False, help="An empty or new folder for the repository; default: a temporary one."),
]


def demo(*, into: Into = None, verbose: Verbose = False) -> int:
    """Run inspect, plan and commit on a bundled repository, in a folder of its own; use no network."""
    from flux_handover.adapters.bundled import prepared
    from flux_handover.cli.commit import commit
    from flux_handover.cli.inspect import inspect
    from flux_handover.cli.plan import plan
    from flux_handover.cli.writing import write

    folder = prepared(into or Path(tempfile.mkdtemp(prefix="flux-handover-demo-")))
    verbs: tuple[tuple[str, Callable[[], int]], ...] = (
        ("inspect", lambda: inspect(folder, verbose=verbose)),
        ("plan", lambda: plan(folder, verbose=verbose)),
        ("commit --all", lambda: commit(folder, all_phases=True)),
    )
    for words, verb in verbs:
        write(f"\n$ flux-handover {words}\n")
        status = verb()
        if status:
            return status
    write(f"\nThe repository is in {folder}; look around with `git -C {folder} log --oneline --graph --all`.\n")
    return 0

"""`sandbox`: a disposable control plane that stays until it is told to end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Action = Annotated[
    Literal["up", "down", "kubeconfig"],
    Parameter(name="ACTION", help="Start it, end it, or print where its kubeconfig is."),
]
Folder = Annotated[
    Path | None, Parameter(name="--folder", show_default=False, help="Its folder; default: one in the user's cache.")
]
Programs = Annotated[
    Path | None, Parameter(show_default=False, help="A folder with its programs, instead of building them.")
]


def sandbox(action: Action, /, *, folder: Folder = None, programs: Programs = None) -> int:
    """Start or end a real control plane without nodes, on loopback; your own cluster is never contacted.

    Exit status: 0 done; 2 it could not run.
    """
    from flux_handover.adapters.sandbox.systems import refuse_other_systems

    refuse_other_systems()
    from flux_handover.adapters.sandbox import supervisor
    from flux_handover.adapters.sandbox.binaries.modules import cache_folder
    from flux_handover.cli.writing import write

    place = folder or cache_folder().with_name("sandbox")
    match action:
        case "up":
            write(f"{supervisor.up(place, directory=programs).kubeconfig}\n")
        case "down":
            supervisor.down(place)
        case "kubeconfig":
            write(f"{supervisor.kubeconfig(place)}\n")
    return 0

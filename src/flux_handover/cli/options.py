"""Arguments that several verbs share, with their one line of help (contract K1)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

Where = Annotated[Path, Parameter(name="PATH", help="The repository, or a directory in it.")]
Revision = Annotated[str, Parameter(help="What to read: a commit, branch or tag; the work tree is never read.")]
Cluster = Annotated[
    str, Parameter(show_default=False, help="One cluster: the path of its root, or an unambiguous last part of it.")
]
Root = Annotated[
    str, Parameter(show_default=False, help="The directory that the root Kustomization applies, where none is found.")
]
AllowNetwork = Annotated[
    bool, Parameter(show_default=False, help="Fetch remote bases; without it such builds are unknown.", negative=())
]
Verbose = Annotated[bool, Parameter(show_default=False, name=("--verbose", "-v"), help="Say everything.", negative=())]
TextOrJson = Annotated[Literal["text", "json"], Parameter(name="--output", help="For people or for programs.")]
TextJsonOrMarkdown = Annotated[
    Literal["text", "json", "markdown"], Parameter(name="--output", help="For people, programs, or a pull request.")
]
OperatorVersion = Annotated[
    str,
    Parameter(
        show_default=False,
        help="The Flux Operator to install; default: the newest that is known to serve the running Flux.",
    ),
]
InstanceAs = Annotated[Literal["helmrelease", "manifest"], Parameter(help="How the FluxInstance reaches the cluster.")]
SyncAs = Annotated[
    Literal["keep", "adopt", "transfer"] | None,
    Parameter(
        name="--sync",
        show_default=False,
        help=(
            "Who applies source and root: keep, as now; adopt, the operator, under their names; "
            "transfer, the operator, under one new name. Default: keep."
        ),
    ),
]
SyncName = Annotated[
    str, Parameter(show_default=False, help="The new name for a transfer; default: the namespace of Flux.")
]
PlaceUnder = Annotated[
    str, Parameter(show_default=False, help="The directory for new files; default: beside their like.")
]
ObservedFile = Annotated[
    Path | None,
    Parameter(
        name="--observed",
        show_default=False,
        help="Facts of the live cluster, in a file that the line `plan --verbose` prints has written.",
    ),
]
FailOn = Annotated[Literal["error", "warning"], Parameter(help="The least severity of a finding that gives exit 1.")]

"""The entry point: help and version at once, everything else through the parser."""

from __future__ import annotations

import gc
import os
import sys
from typing import TextIO

from flux_handover import __version__
from flux_handover.cli.verbs import overview

# A run makes millions of values and hardly a cycle; looking for some after every 700 took a tenth of its time.
VALUES_BETWEEN_COLLECTIONS = 200_000


def main() -> None:
    """Run the command line of this process, and end with its exit status."""
    gc.set_threshold(VALUES_BETWEEN_COLLECTIONS)
    status = run(sys.argv[1:])
    if _is_written(sys.stdout) and _is_written(sys.stderr):
        # Taking millions of values apart one by one is what Python would do now; the system does it at once.
        os._exit(status)
    sys.exit(status)


def _is_written(stream: TextIO | None) -> bool:
    """Whether all that was printed is out; else Python says why not, as it does for every program."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        return False
    return True


def run(arguments: list[str]) -> int:
    """The exit status of one command line."""
    match arguments:
        case [] | ["--help" | "-h" | "help"]:
            print(overview(), end="")
            return 0
        case ["--version"]:
            print(f"flux-handover {__version__}")
            return 0
        case _:
            from flux_handover.cli.dispatch import dispatch

            return dispatch(arguments)

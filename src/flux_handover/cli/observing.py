"""A file with facts of the live cluster, as `plan` and `guard` take it."""

from __future__ import annotations

from pathlib import Path

from flux_handover.act.observed import ObservedCluster, read_observed
from flux_handover.errors import UsageError


def observed_cluster(file: Path) -> ObservedCluster:
    """The cluster that a file shows; raises UsageError where it cannot be read."""
    try:
        return read_observed(file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("the observed facts cannot be read", where=str(file)) from error

"""The revisions that a person names for a comparison: BASE HEAD, BASE..HEAD, or one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from flux_handover.errors import UsageError

DOTS = "..."
"""Between two revisions: from the newest commit that both have, as in Git."""


def named(revisions: Sequence[str]) -> tuple[str, ...]:
    """Each revision by itself; what is left out beside two dots is HEAD."""
    return tuple(chain.from_iterable(map(_ends, revisions)))


def _ends(revision: str) -> tuple[str, ...]:
    if DOTS in revision:
        raise UsageError("three dots are not understood here", hint="write BASE..HEAD, or two revisions")
    base, dots, head = revision.partition("..")
    return (base or "HEAD", head or "HEAD") if dots else (base,)

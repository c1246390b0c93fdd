"""The other clusters of a repository: a phase of one plan changes nothing that they render, so nothing goes there.

What a cluster builds is a function of its inputs. Where those are the same no controller has anything to do; where
they differ and the result does not, it applies what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.proof.equivalence import changes, is_unchanged


def elsewhere_changed(pairs: Iterable[tuple[Cluster, Cluster | None]]) -> Iterator[str]:
    """What a phase changes in clusters that are not its own, as sentences."""
    for before, after in pairs:
        if after is None:
            yield f"cluster {before.name} has no root any more"
            continue
        for change in changes(before, after):
            yield f"cluster {before.name}: {change.id} is {change.kind} by {change.owner}"
        yield from (f"cluster {before.name}: {build.id} does not build any more" for build in _broken(before, after))


def _broken(before: Cluster, after: Cluster) -> Iterator[Build]:
    """Builds whose result is not known any more: what they render then is no change that could be shown."""
    for build in after:
        old = before.builds.get(build.id)
        if build.status is not BuildStatus.OK and not (old and is_unchanged(old, build)):
            yield build

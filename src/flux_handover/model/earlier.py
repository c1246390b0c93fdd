"""The cluster as the revision before left it: looked at only where a revision does not say itself what there is.

Most revisions say everything, so the one before may still be read while this one is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from flux_handover.model.flux import Source
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import Object, ObjectId, by_id


class Earlier:
    """What a cluster has from before; `read` is called once, and only if something is asked for."""

    def __init__(self, read: Callable[[], Cluster | None]) -> None:
        # Not a `cached_property`: before Python 3.12 all values of a class share its lock, and one would wait in it.
        self._cluster = cache(read)
        self._objects = cache(self._all)

    def _all(self) -> Mapping[ObjectId, Object]:
        cluster = self._cluster()
        return by_id(cluster.present()) if cluster else {}

    def object(self, id: ObjectId) -> Object | None:
        """An object that the cluster has."""
        return self._objects().get(id)

    @property
    def builds(self) -> Mapping[ObjectId, Build]:
        """The Kustomizations that the cluster has."""
        cluster = self._cluster()
        return cluster.builds if cluster else {}

    @property
    def sources(self) -> Mapping[ObjectId, Source]:
        """The sources that the cluster has."""
        cluster = self._cluster()
        return cluster.sources if cluster else {}

"""The FluxInstance of a cluster, as far as hazards ask about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.model.rendering import Cluster
from flux_handover.objects import ObjectId, mapping, text_at
from flux_handover.plan import present
from flux_handover.tree import clean_path


@dataclass(frozen=True, slots=True)
class Instance:
    """A FluxInstance that is reachable: the object or release that brings it, and its spec."""

    id: ObjectId
    spec: Mapping[str, Any]
    is_release: bool

    @property
    def version(self) -> Any:
        """`distribution.version` as written."""
        return mapping(self.spec.get("distribution")).get("version")

    @property
    def artifact(self) -> str:
        """`distribution.artifact`, or nothing."""
        return text_at(mapping(self.spec.get("distribution")), "artifact")

    @property
    def has_sync(self) -> bool:
        """Whether it makes a source and a Kustomization."""
        return bool(mapping(self.spec.get("sync")))

    @property
    def sync_name(self) -> str:
        """The name of both; the namespace's where none is given."""
        return str(mapping(self.spec.get("sync")).get("name") or self.id.namespace)

    @property
    def sync_path(self) -> str:
        """The path of the Kustomization."""
        return clean_path(text_at(mapping(self.spec.get("sync")), "path"))

    def targets(self) -> Iterator[tuple[str, str]]:
        """Kind and name that each of its patches aims at; empty where it does not say."""
        for patch in mapping(self.spec.get("kustomize")).get("patches") or ():
            target = mapping(mapping(patch).get("target"))
            yield text_at(target, "kind"), text_at(target, "name")


def instance_of(cluster: Cluster) -> Instance | None:
    """The FluxInstance of a cluster, if it has one."""
    found = present.instance(cluster)
    return Instance(found.found.object.id, found.spec, found.release is not None) if found else None

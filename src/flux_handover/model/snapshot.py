"""Everything that one revision says: its files, and each cluster with its Flux."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flux_handover.findings import Finding
from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Cluster
from flux_handover.tree import Tree


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision, read: `installations` by cluster name; `findings` made while reading (bad YAML, ...)."""

    revision: str
    tree: Tree
    clusters: tuple[Cluster, ...]
    installations: Mapping[str, Installation]
    findings: tuple[Finding, ...]
    candidates: tuple[str, ...] = ()

    def cluster(self, name: str) -> Cluster:
        """The cluster of that name; raises KeyError."""
        for cluster in self.clusters:
            if cluster.name == name:
                return cluster
        raise KeyError(name)

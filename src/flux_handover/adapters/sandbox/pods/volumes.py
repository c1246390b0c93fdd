"""Claims of volumes are said to be bound: a wait on one would never end without a provisioner.

Nothing is stored. The claim's size is what it asked for; there is no volume behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flux_handover.adapters.cluster import Cluster
from flux_handover.objects import id_of, mapping

MANAGER = "flux-handover-sandbox"
Manifest = Mapping[str, Any]


def bind_claims(cluster: Cluster) -> None:
    """Says of every pending claim that it is bound."""
    for claim in cluster.list("", "PersistentVolumeClaim"):
        if mapping(claim.get("status")).get("phase") == "Pending":
            cluster.patch(id_of(claim), bound(claim), field_manager=MANAGER, subresource="status")


def bound(claim: Manifest) -> Manifest:
    """The status of a claim that has its volume."""
    spec = mapping(claim.get("spec"))
    requested = mapping(mapping(spec.get("resources")).get("requests"))
    capacity = {"storage": requested["storage"]} if "storage" in requested else {}
    return {"status": {"phase": "Bound", "accessModes": list(spec.get("accessModes") or ()), "capacity": capacity}}

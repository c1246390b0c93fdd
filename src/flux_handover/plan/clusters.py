"""Which clusters of a repository a plan is made for (contract K2, K3)."""

from __future__ import annotations

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.declared import declarations
from flux_handover.model.installation import Method
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import KUSTOMIZE_GROUP

_SHOWN = 8


def needing(snapshot: Snapshot) -> tuple[str, ...]:
    """The clusters that are not on the operator yet; all of them where every one is.

    A root below which no Flux was found is left out where another one has it: the root above it may not
    build here, and what it applies looks like a root of its own. Raises UnsupportedInstallation without any root.
    """
    if not snapshot.clusters:
        raise _rootless(snapshot)
    return (
        _installed_but_by(snapshot, Method.OPERATOR, Method.UNKNOWN)
        or _installed_but_by(snapshot, Method.OPERATOR)
        or _installed_but_by(snapshot)
    )


def _installed_but_by(snapshot: Snapshot, *methods: Method) -> tuple[str, ...]:
    """The clusters that have Flux in another way than these."""
    names = (cluster.name for cluster in snapshot.clusters)
    return tuple(name for name in names if snapshot.installations[name].method not in methods)


def _rootless(snapshot: Snapshot) -> UnsupportedInstallation:
    """Kustomizations are declared and nothing here says which of them a cluster begins with."""
    first = next(declarations(snapshot.tree).of(KUSTOMIZE_GROUP, "Kustomization"), None)
    names = ", ".join(snapshot.candidates[:_SHOWN]) + (", ..." if len(snapshot.candidates) > _SHOWN else "")
    subject = f"{first.object.id} is declared, and" if first else "Kustomizations are declared, and"
    return UnsupportedInstallation(
        f"{subject} no file of this repository shows the root that applies it",
        where=str(first.where) if first else "",
        hint=f"name the directory that the root Kustomization applies with --root; others apply {names}",
    )

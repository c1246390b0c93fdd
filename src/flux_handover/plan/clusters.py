"""Which clusters of a repository a plan is made for (contract K2, K3)."""

from __future__ import annotations

from collections.abc import Iterator

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.declared import declarations
from flux_handover.model.detection_bootstrap import managed_places
from flux_handover.model.detection_terraform import Block, terraform_blocks
from flux_handover.model.installation import Method
from flux_handover.model.rendering import Cluster
from flux_handover.model.snapshot import Snapshot
from flux_handover.model.terraform_flux import BOOTSTRAP, RENDERING
from flux_handover.objects import KUSTOMIZE_GROUP
from flux_handover.tree import Tree

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
    found = (cluster for cluster in snapshot.clusters if snapshot.installations[cluster.name].method not in methods)
    return tuple(cluster.name for cluster in found if not _is_beside(cluster, snapshot))


def _is_beside(cluster: Cluster, snapshot: Snapshot) -> bool:
    """Whether a root without a Flux of its own is declared, with the same source, beside the root that has one."""
    if snapshot.installations[cluster.name].owner is not None:
        return False
    root = cluster.builds[cluster.root]
    others = (other for other in snapshot.clusters if snapshot.installations[other.name].owner is not None)
    beside = (other.builds[other.root] for other in others)
    return any(
        root.where and other.where and root.where.file == other.where.file and root.ks.source == other.ks.source
        for other in beside
    )


def _elsewhere(tree: Tree) -> Iterator[UnsupportedInstallation]:
    """Who installs Flux without a root that the repository shows."""
    for where in managed_places(tree):
        yield UnsupportedInstallation(
            "the cloud installs and upgrades this Flux, and would go on doing so beside the operator",
            where=str(where),
            hint="install the same Flux by `flux bootstrap` and take the cloud's extension out first, then plan again",
        )
    yield from (_unknown_path(block) for block in terraform_blocks(tree) if block.type in (BOOTSTRAP, *RENDERING))


def _unknown_path(block: Block) -> UnsupportedInstallation:
    attribute = "path" if "path" in block.attributes else "target_path"
    written = block.attributes.get(attribute)
    return UnsupportedInstallation(
        f"{block.address} installs Flux, and what it syncs is no directory that is known here: "
        f"{written.value if written else 'it names none'}",
        where=str(block.line_of(attribute)),
        hint="name the directory with --root, or write its path as a plain text",
    )


def _rootless(snapshot: Snapshot) -> UnsupportedInstallation:
    """Nothing here says where a cluster begins: a cloud or Terraform does elsewhere, or a person did by hand."""
    told = next(_elsewhere(snapshot.tree), None)
    if told is not None:
        return told
    first = next(declarations(snapshot.tree).of(KUSTOMIZE_GROUP, "Kustomization"), None)
    names = ", ".join(snapshot.candidates[:_SHOWN]) + (", ..." if len(snapshot.candidates) > _SHOWN else "")
    subject = f"{first.object.id} is declared, and" if first else "Kustomizations are declared, and"
    return UnsupportedInstallation(
        f"{subject} no file of this repository shows the root that applies it",
        where=str(first.where) if first else "",
        hint=f"name the directory that the root Kustomization applies with --root; others apply {names}",
    )

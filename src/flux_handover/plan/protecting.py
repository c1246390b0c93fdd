"""Phase `protect`: nothing that will leave Git can be deleted by it, and nothing injected can undo the instance.

Decided per owner (rules.md R9): one that applies nothing but Flux stops pruning; one that applies
anything else must go on pruning, so exactly the ids that leave opt out. Defaults that parents
give to every Kustomization are undone for ours one phase before ours exist: parent and child of
one commit are reconciled in any order (semantics 7.6, E20).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.installation import Installation, Method
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId, ids_of
from flux_handover.plan import basing, releasing
from flux_handover.plan.components import opt_outs
from flux_handover.plan.layout import AppFiles
from flux_handover.plan.listings import document_of
from flux_handover.plan.manifests import text_of
from flux_handover.plan.operations import AppendElement, DisablePrune, Operation
from flux_handover.plan.phases import PhaseDraft
from flux_handover.plan.sharing import patched
from flux_handover.tree import Tree

_DELETING_POLICIES = ("Delete", "WaitForTermination")


@dataclass(frozen=True, slots=True)
class Override:
    """Fields that a parent's defaults would set on one of our Kustomizations, with the values we need."""

    app: AppFiles
    parent: ObjectId
    spec: tuple[tuple[str, Any], ...]
    why: str


def protect(
    cluster: Cluster, installation: Installation, tree: Tree, overrides: tuple[Override, ...] = ()
) -> PhaseDraft:
    """What must be true in the cluster before anything new is added."""
    suspension = releasing.suspension(installation, cluster, tree)
    operations = (*suspension, *_owner(cluster, installation, tree), *_overrides(cluster, tree, overrides))
    notes = ("hold Renovate and automerge for Flux, flux-operator and flux-instance until the last phase",)
    return PhaseDraft(operations, notes if operations else ())


def leaving(cluster: Cluster, installation: Installation) -> frozenset[ObjectId]:
    """Objects of the distribution that their owner applies today and will not apply in the end."""
    build = cluster.build(installation.owner)
    flux = ids_of(installation.plain)
    if installation.method is Method.REMOTE_BASE:
        flux |= ids_of(installation.live)
    return frozenset(build.ids & flux) if build else frozenset()


def is_dedicated(cluster: Cluster, installation: Installation) -> bool:
    """Whether the owner applies Flux and nothing else."""
    build = cluster.build(installation.owner)
    return build is not None and build.ids == leaving(cluster, installation)


def _owner(cluster: Cluster, installation: Installation, tree: Tree) -> Iterator[Operation]:
    build = cluster.build(installation.owner)
    if build is None or not _deletes(build):
        return
    if installation.method is Method.BOOTSTRAP:
        yield from opt_outs(cluster, build, leaving(cluster, installation), installation, tree)
        return
    if installation.method is Method.REMOTE_BASE:
        yield from basing.opt_outs(cluster, build, leaving(cluster, installation), installation, tree)
        return
    if not is_dedicated(cluster, installation):
        raise UnsupportedInstallation(
            f"{build.id} applies Flux and other objects too",
            where=str(build.where or ""),
            hint="move the other objects to a Kustomization of their own first, with prune off while they move",
        )
    if build.where is None:
        raise UnsupportedInstallation(
            f"{build.id} is not written in this repository", hint="set its spec.prune to false where it is written"
        )
    if build.where.file in installation.shared:
        fields = {"prune": False} | ({"deletionPolicy": None} if build.ks.deletion_policy in _DELETING_POLICIES else {})
        yield patched(build.id, fields, build.where.file, installation.shared, cluster, tree)
    else:
        yield DisablePrune(build.id, build.where)


def _deletes(build: Build) -> bool:
    return build.ks.prune or build.ks.deletion_policy in _DELETING_POLICIES


def _overrides(cluster: Cluster, tree: Tree, overrides: tuple[Override, ...]) -> Iterator[Operation]:
    for override in overrides:
        parent = cluster.builds[override.parent]
        document = document_of(tree, parent.where.file, parent.id) if parent.where else None
        if document is None:
            raise UnsupportedInstallation(
                f"{parent.id} changes {override.app.ks} in a way that is not safe, and is not written as a document",
                where=str(parent.where or ""),
                hint="use --instance-as manifest, or leave the new Kustomization out of its patches",
            )
        yield AppendElement(document.path, document.index, ("spec", "patches"), _entry(override), override.why)


def _entry(override: Override) -> Mapping[str, Any]:
    """A patch for one Kustomization, after the defaults; null removes what they set."""
    patch = {
        "apiVersion": f"{KUSTOMIZE_GROUP}/v1",
        "kind": "Kustomization",
        "metadata": {"name": override.app.ks.name},
        "spec": dict(override.spec),
    }
    target = {"group": KUSTOMIZE_GROUP, "kind": "Kustomization", "name": override.app.ks.name}
    return {"patch": text_of(patch), "target": target}

"""Method `remote-base`: Flux's own manifests, taken from its repository by a kustomization.yaml (rules.md R27).

The base names six objects otherwise than a FluxInstance does: three cluster roles, two bindings and the quota
(semantics 5.3). The operator therefore adopts the others only. What a Kustomization applies opts out of pruning as far
as it is adopted; the six go with `retire`, which says so, because their successors are there by then. What a person
applied belongs to nobody: the six stay until a person deletes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from flux_handover.catalogue import distributions
from flux_handover.catalogue.manifests import install_manifests
from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.detection_remote import RemoteBase, remote_bases
from flux_handover.model.installation import Installation, Method
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import Object, ObjectId, ids_of, object_of
from flux_handover.plan.components import check_fields, opting_out
from flux_handover.plan.listings import Listing, live_listings
from flux_handover.plan.operations import Operation, RemoveFile, UnlistResource
from flux_handover.plan.phases import PhaseDraft
from flux_handover.plan.removing import removed_documents, useless_patches
from flux_handover.plan.sharing import taken, untaken
from flux_handover.tree import Tree

_BINDS_ADMIN = "cluster-reconciler"
_WHY = "the operator installs Flux now"


def leftovers(installation: Installation) -> frozenset[ObjectId]:
    """Running objects of the distribution that a FluxInstance renders under another name, or not at all."""
    if installation.method is not Method.REMOTE_BASE or not distributions.has(installation.version):
        return frozenset()
    manifests = install_manifests(installation.version, installation.components, installation.namespace)
    distributed = ids_of(installation.live) & ids_of(installation.plain)
    return distributed - ids_of(map(object_of, manifests))


def adopted(installation: Installation) -> tuple[Object, ...]:
    """Running objects that the operator takes over."""
    left = leftovers(installation)
    return tuple(object for object in installation.live if object.id not in left)


def with_successors(installation: Installation) -> Installation:
    """The installation, the names that its six objects have afterwards among those that changed."""
    left = sorted(leftovers(installation))
    pairs = tuple((id, ObjectId(id.group, id.kind, id.namespace, f"{id.name}-{installation.namespace}")) for id in left)
    return replace(installation, renamed=(*installation.renamed, *pairs)) if pairs else installation


def opt_outs(
    cluster: Cluster, owner: Build, leaving: frozenset[ObjectId], installation: Installation, tree: Tree
) -> Iterator[Operation]:
    """Patches beside the base that keep from being pruned what the operator adopts."""
    base = _base(owner, installation, tree)
    kept = leaving - leftovers(installation)
    if base.file.path in installation.shared:
        own = taken(base.file.path, installation.shared, cluster, tree).listing
        yield from opting_out(own.path, 0, owner, kept)
    else:
        yield from opting_out(base.file.path, base.file.document.index, owner, kept)


def removal(cluster: Cluster, leaving: frozenset[ObjectId], installation: Installation, tree: Tree) -> PhaseDraft:
    """The base leaves the list; a Kustomization that applied nothing else leaves Git with it."""
    owner = cluster.build(installation.owner)
    if owner is None:
        return PhaseDraft()
    base = _base(owner, installation, tree)
    gone = leaving & leftovers(installation)
    if owner.ids <= leaving:
        operations = tuple(_without_owner(owner, cluster, installation, tree))
        if base.file.path not in installation.shared and not any(
            base.file.path in build.reads for build in cluster if build.id != owner.id
        ):
            operations += (RemoveFile(base.file.path, (), "it would install Flux over the operator's"),)
        return PhaseDraft(operations, removes=gone | {owner.id})
    if base.file.path in installation.shared:
        unlisted = next(untaken(leaving, [base.file.path], installation.shared, cluster, tree))
        listing = next(one for one in live_listings(cluster, tree) if one.path == unlisted.path)
        return PhaseDraft((unlisted, *useless_patches(listing, owner, leaving, tree)), removes=gone)
    check_fields(base.file.path, tree)
    listing = _listing(base, cluster, tree)
    unlisted = UnlistResource(base.file.path, "resources", base.reference, _WHY, drops=tuple(sorted(leaving)))
    operations = (unlisted, *useless_patches(listing, owner, leaving, tree))
    return PhaseDraft(operations, removes=gone)


def by_hand(installation: Installation) -> Iterator[str]:
    """What nobody owns once the operator has taken over what a person applied, as commands."""
    left = sorted(leftovers(installation)) if installation.owner is None else []
    if not left:
        return
    for kind in sorted({id.kind for id in left}):
        named = [id for id in left if id.kind == kind]
        place = f"-n {named[0].namespace} " if named[0].namespace else ""
        names = " ".join(id.name for id in named)
        yield (
            f"live step, once the FluxInstance is Ready: nobody owns these, and the operator has its own: "
            f"kubectl {place}delete {kind.lower()} {names}"
        )
    if any(id.name == _BINDS_ADMIN for id in left):
        yield f"if it is kept, ClusterRoleBinding/{_BINDS_ADMIN} goes on binding two service accounts to cluster-admin"


def _base(owner: Build, installation: Installation, tree: Tree) -> RemoteBase:
    """The only base that the owner reads."""
    paths = [path for path in installation.files if path in owner.reads and path in tree]
    found = list(remote_bases(tree, paths))
    if len(found) != 1:
        where = str(found[1].where) if found else installation.place
        raise UnsupportedInstallation(
            f"{owner.id} takes Flux from {len(found)} remote bases",
            where=where,
            hint="list one base, `github.com/fluxcd/flux2/manifests/install?ref=VERSION`, in one kustomization.yaml",
        )
    return found[0]


def _listing(base: RemoteBase, cluster: Cluster, tree: Tree) -> Listing:
    return next(one for one in live_listings(cluster, tree) if one.path == base.file.path)


def _without_owner(owner: Build, cluster: Cluster, installation: Installation, tree: Tree) -> Iterator[Operation]:
    if owner.where is None or owner.id == cluster.root:
        raise UnsupportedInstallation(
            f"{owner.id} applies nothing but Flux and is not written in this repository",
            where=str(owner.where or ""),
            hint="let another Kustomization apply Flux first",
        )
    yield from removed_documents([(owner.id, owner.where.file)], cluster, tree, _WHY, installation.shared)

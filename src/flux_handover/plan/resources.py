"""The kinds of Flux as kubectl takes them: with their group, so that no other kind of the name is meant."""

from __future__ import annotations

from flux_handover.objects import ObjectId

KUSTOMIZATIONS = "kustomizations.kustomize.toolkit.fluxcd.io"
HELM_RELEASES = "helmreleases.helm.toolkit.fluxcd.io"
OCI_REPOSITORIES = "ocirepositories.source.toolkit.fluxcd.io"
SOURCES = {
    "GitRepository": "gitrepositories.source.toolkit.fluxcd.io",
    "OCIRepository": OCI_REPOSITORIES,
    "Bucket": "buckets.source.toolkit.fluxcd.io",
}
INSTANCES = "fluxinstances.fluxcd.controlplane.io"


def plural(id: ObjectId) -> str:
    """The resource of an object as kubectl takes it, with its group, so that no other kind of the name is meant."""
    known = {"Kustomization": KUSTOMIZATIONS, "FluxInstance": INSTANCES, **SOURCES}
    return known.get(id.kind, f"{id.kind.lower()}.{id.group}" if id.group else id.kind.lower())

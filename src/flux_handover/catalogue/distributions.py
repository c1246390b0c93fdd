"""Which Flux versions there are, and the objects that each release is made of.

A distribution is what `fluxcd/flux2:manifests/scripts/bundle.sh` publishes: the objects of each
component, the roles and the network policies, before names, labels or settings of an
installation are put in.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from flux_handover.catalogue.archive import entry
from flux_handover.catalogue.versions import number

COMPONENTS = (
    "source-controller",
    "kustomize-controller",
    "helm-controller",
    "notification-controller",
    "image-reflector-controller",
    "image-automation-controller",
    "source-watcher",
)
"""Every controller that Flux has had since 2.2, in the order its own tools list them."""

_ARCHIVE = "distributions.zip"

Manifest = Mapping[str, Any]


@cache
def versions() -> tuple[str, ...]:
    """Flux versions whose facts are known, oldest first."""
    return tuple(sorted(_index(), key=number))


def has(version: str) -> bool:
    """Whether the facts of a Flux version are known."""
    return version in _index()


@cache
def components(version: str) -> tuple[str, ...]:
    """Controllers that a Flux version has; raises KeyError for a version that is not known."""
    return tuple(name for name in COMPONENTS if name in _index()[version])


@cache
def objects_of(version: str, part: str) -> tuple[Manifest, ...]:
    """Objects of a component, of `rbac` or of `policies`, in the order of the release."""
    return tuple(entry(_ARCHIVE, name) for name in _index()[version][part])


@cache
def controller_version(version: str, component: str) -> str:
    """The tag of a controller's image in a Flux version, as `v1.6.1`."""
    for manifest in objects_of(version, component):
        if manifest["kind"] == "Deployment":
            image: str = manifest["spec"]["template"]["spec"]["containers"][0]["image"]
            return image.rpartition(":")[2]
    raise KeyError(component)


@cache
def flux_versions_of(component: str, tag: str) -> tuple[str, ...]:
    """Flux versions in which a controller has that image tag, oldest first."""
    return tuple(
        version
        for version in versions()
        if component in components(version) and controller_version(version, component) == tag
    )


@cache
def crds(version: str) -> Mapping[tuple[str, str], Manifest]:
    """CustomResourceDefinitions of a Flux version by group and kind."""
    return {
        (manifest["spec"]["group"], manifest["spec"]["names"]["kind"]): manifest
        for component in components(version)
        for manifest in objects_of(version, component)
        if manifest["kind"] == "CustomResourceDefinition"
    }


@cache
def served_api_versions(version: str) -> Mapping[tuple[str, str], tuple[str, ...]]:
    """API versions that the API server accepts, by group and kind."""
    return {
        key: tuple(entry["name"] for entry in crd["spec"]["versions"] if entry["served"])
        for key, crd in crds(version).items()
    }


@cache
def storage_api_versions(version: str) -> Mapping[tuple[str, str], str]:
    """The API version in which objects are stored, by group and kind."""
    return {
        key: next(entry["name"] for entry in crd["spec"]["versions"] if entry["storage"])
        for key, crd in crds(version).items()
    }


@cache
def _index() -> Mapping[str, Mapping[str, list[str]]]:
    index: Mapping[str, Mapping[str, list[str]]] = entry(_ARCHIVE, "versions.json")
    return index

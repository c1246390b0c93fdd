"""Which Flux version something means, exactly or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterable

from flux_handover import catalogue
from flux_handover.objects import Object
from flux_handover.workloads import images_of

VERSION_LABEL = "app.kubernetes.io/version"

_EXACT = re.compile(r"v?(\d+\.\d+\.\d+)(?:@sha256:[0-9a-f]+)?")
_HEADER = re.compile(rb"^#\s*Flux [Vv]ersion:\s*v?(\d+\.\d+\.\d+)\s*$", re.MULTILINE)


def exact(text: str) -> str:
    """`2.6.4` and `v2.6.4` as `v2.6.4`; ranges, branches and anything else as the empty string."""
    match = _EXACT.fullmatch(text.strip())
    return f"v{match[1]}" if match else ""


def of_header(content: bytes) -> str:
    """The version that `flux install --export` writes as a comment above its manifests."""
    match = _HEADER.search(content[:4096])
    return f"v{match[1].decode()}" if match else ""


def of_objects(objects: Iterable[Object]) -> str:
    """The version of controllers: by their version label, else the only one whose images they all have."""
    controllers = tuple(object for object in objects if component_of(object))
    labels = {exact(str(object.labels.get(VERSION_LABEL, ""))) for object in controllers}
    return (labels.pop() if len(labels) == 1 else "") or _of_images(controllers)


def _of_images(controllers: tuple[Object, ...]) -> str:
    possible = [set(catalogue.flux_versions_of(component_of(o), image_tag(o))) for o in controllers]
    common = set.intersection(*possible) if possible else set()
    return common.pop() if len(common) == 1 else ""


def component_of(object: Object) -> str:
    """The Flux controller that a Deployment runs, by its image; empty for everything else."""
    if object.id.kind != "Deployment":
        return ""
    names = (image.partition("@")[0].rpartition("/")[2].partition(":")[0] for image in images_of(object))
    return next((name for name in names if name in catalogue.COMPONENTS), "")


def image_tag(object: Object) -> str:
    """The tag of the controller's image."""
    component = component_of(object)
    found = (image.partition("@")[0].rpartition("/")[2].partition(":") for image in images_of(object))
    return next((tag for name, _, tag in found if name == component), "")

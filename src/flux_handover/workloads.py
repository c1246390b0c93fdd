"""What a workload says of the pods that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flux_handover.objects import Object, mapping, mappings, text_at, texts


def pod_of(workload: Object) -> Mapping[str, Any]:
    """The spec of the pods; empty for what makes none."""
    return mapping(mapping(workload.spec.get("template")).get("spec"))


def containers_of(workload: Object) -> tuple[Mapping[str, Any], ...]:
    """The containers of the pods, without those that only prepare them."""
    return mappings(pod_of(workload).get("containers"))


def main_container(workload: Object) -> Mapping[str, Any]:
    """The container `manager`, as every Flux controller has one, else the first; a patch may put others before it."""
    containers = containers_of(workload)
    usual = containers[0] if containers else {}
    return next((container for container in containers if container.get("name") == "manager"), usual)


def images_of(workload: Object) -> tuple[str, ...]:
    """The images of the containers, as written."""
    return tuple(text_at(container, "image") for container in containers_of(workload))


def arguments_of(workload: Object) -> tuple[str, ...]:
    """The arguments of all containers."""
    return tuple(argument for container in containers_of(workload) for argument in texts(container.get("args")))

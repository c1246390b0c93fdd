"""What a workload says of its pods, also where it is half empty or written badly."""

from __future__ import annotations

from typing import Any

import pytest

from flux_handover.objects import Object, object_of
from flux_handover.workloads import arguments_of, containers_of, images_of, main_container, pod_of

SIDECAR = {"name": "proxy", "image": "registry.test/proxy:1", "args": ["--quiet"]}
MANAGER = {"name": "manager", "image": "registry.test/manager:2", "args": ["--level", 3]}


def deployment(*containers: Any) -> Object:
    pod = {"serviceAccountName": "runner", "containers": list(containers)}
    return object_of({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": pod}}})


def test_the_pod_of_a_workload_is_what_its_template_says() -> None:
    assert pod_of(deployment())["serviceAccountName"] == "runner"


@pytest.mark.parametrize("spec", [None, {}, {"template": None}, {"template": {"spec": []}}])
def test_what_makes_no_pods_has_none(spec: object) -> None:
    workload = object_of({"kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})

    assert (dict(pod_of(workload)), containers_of(workload), dict(main_container(workload))) == ({}, (), {})


def test_images_and_arguments_are_those_of_every_container() -> None:
    workload = deployment(SIDECAR, "no container", MANAGER)

    assert images_of(workload) == ("registry.test/proxy:1", "registry.test/manager:2")
    assert arguments_of(workload) == ("--quiet", "--level", "3")


@pytest.mark.parametrize(
    ("containers", "name"), [((SIDECAR, MANAGER), "manager"), ((SIDECAR,), "proxy"), ((MANAGER, SIDECAR), "manager")]
)
def test_the_main_container_is_the_manager_else_the_first(containers: tuple[Any, ...], name: str) -> None:
    assert main_container(deployment(*containers))["name"] == name

"""What a FluxInstance renders keeps all that the CLI installs, for every version, CRDs included."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from model.detecting import engine

from flux_handover import catalogue
from flux_handover.model.building import Builder
from flux_handover.model.effective_kept import lost
from flux_handover.model.instance import render_instance
from flux_handover.objects import Object, object_of

OPERATOR = "v0.58.1"


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    with engine() as one:
        yield one


def rendered(builder: Builder, version: str, **cluster: object) -> tuple[Object, ...]:
    spec = {
        "distribution": {"version": version.removeprefix("v"), "registry": "ghcr.io/fluxcd"},
        "components": list(catalogue.DEFAULT_COMPONENTS),
        "cluster": {"networkPolicy": True, **cluster},
    }
    metadata = {"name": "flux", "namespace": "flux-system"}
    instance = {"apiVersion": "fluxcd.controlplane.io/v1", "kind": "FluxInstance", "metadata": metadata, "spec": spec}
    return render_instance(instance, builder, operator_version=OPERATOR)


def installed(version: str) -> tuple[Object, ...]:
    return tuple(object_of(m) for m in catalogue.install_manifests(version, catalogue.DEFAULT_COMPONENTS))


@pytest.mark.parametrize("version", ["v2.3.0", "v2.6.4", "v2.9.4"])
def test_only_the_permission_to_create_tokens_must_be_decided(builder: Builder, version: str) -> None:
    differences = lost(installed(version), rendered(builder, version))
    since_gate = {"/serviceaccounts/token"} if version != "v2.3.0" else set()

    assert {difference.about.key for difference in differences} == since_gate


def test_a_policy_that_the_instance_leaves_out_is_lost(builder: Builder) -> None:
    differences = lost(installed("v2.6.4"), rendered(builder, "v2.6.4", networkPolicy=False))

    assert sum(difference.about.target.kind == "NetworkPolicy" for difference in differences) == 3


def test_a_size_that_nobody_asked_for_is_gained(builder: Builder) -> None:
    differences = lost(installed("v2.6.4"), rendered(builder, "v2.6.4", size="medium"))

    assert any(d.about.key == "--concurrent" and d.before is None for d in differences)


def test_an_instance_is_equal_to_itself(builder: Builder) -> None:
    objects = rendered(builder, "v2.6.4")

    assert lost(objects, reversed(objects)) == ()

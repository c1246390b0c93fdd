from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from flux_handover.adapters.sandbox.pods.containers import (
    MissingReference,
    amount,
    arguments_of,
    environment_of,
    expanded,
    program_of,
)
from flux_handover.objects import ObjectId

Manifest = Mapping[str, Any]
SETTINGS = {"data": {"LEVEL": "debug", "MODE": "fast"}}
KEYS = {"data": {"TOKEN": base64.b64encode(b"abc").decode()}}
STORED = {
    ObjectId("", "ConfigMap", "apps", "settings"): SETTINGS,
    ObjectId("", "Secret", "apps", "keys"): KEYS,
}


def pod(**container: Any) -> Manifest:
    return {
        "metadata": {"name": "web-1", "namespace": "apps", "uid": "u1"},
        "spec": {"serviceAccountName": "web", "containers": [{"name": "main", **container}]},
    }


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("ghcr.io/fluxcd/kustomize-controller:v1.9.4", "kustomize-controller"),
        ("ghcr.io/fluxcd/kustomize-controller:v1.9.4@sha256:0a", "kustomize-controller"),
        ("registry.example.org:5000/mirror/source-controller", "source-controller"),
        ("nginx", "nginx"),
    ],
)
def test_a_program_is_known_by_the_last_part_of_its_image(image: str, expected: str) -> None:
    assert program_of(pod(image=image)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--ns=$(NS)", "--ns=apps"),
        ("$(NS)/$(NS)", "apps/apps"),
        ("--x=$(UNKNOWN)", "--x=$(UNKNOWN)"),
        ("--x=$$(NS)", "--x=$(NS)"),
        ("--x=$NS", "--x=$NS"),
    ],
)
def test_arguments_name_variables_as_the_kubelet_reads_them(text: str, expected: str) -> None:
    assert expanded(text, {"NS": "apps"}) == expected


def test_arguments_use_the_declared_environment() -> None:
    manifest = pod(args=["--ns=$(NS)"], env=[{"name": "NS", "value": "apps"}])

    assert arguments_of(manifest, environment_of(manifest, STORED.get)) == ("--ns=apps",)


def test_a_later_value_may_name_an_earlier_one() -> None:
    manifest = pod(env=[{"name": "A", "value": "x"}, {"name": "B", "value": "$(A)y"}])

    assert environment_of(manifest, STORED.get)["B"] == "xy"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("metadata.namespace", "apps"),
        ("metadata.name", "web-1"),
        ("spec.serviceAccountName", "web"),
        ("status.podIP", "127.0.0.1"),
        ("metadata.nothing", ""),
    ],
)
def test_fields_of_the_pod_are_values(path: str, expected: str) -> None:
    manifest = pod(env=[{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}])

    assert environment_of(manifest, STORED.get) == {"X": expected}


@pytest.mark.parametrize(
    ("resource", "divisor", "expected"),
    [
        ("limits.memory", None, str(2**30)),
        ("limits.memory", "1Mi", "1024"),
        ("limits.cpu", "0", "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.cpu", None, ""),
    ],
)
def test_limits_are_values_in_the_unit_of_their_divisor(resource: str, divisor: str | None, expected: str) -> None:
    reference = {"resource": resource, **({"divisor": divisor} if divisor else {})}
    limits = {"limits": {"memory": "1Gi", "cpu": "1500m"}}
    manifest = pod(resources=limits, env=[{"name": "X", "valueFrom": {"resourceFieldRef": reference}}])

    assert environment_of(manifest, STORED.get) == {"X": expected}


@pytest.mark.parametrize(
    ("quantity", "expected"), [("1", 1), ("250m", 0.25), ("1Ki", 1024), ("2M", 2e6), ("1.5Gi", 1.5 * 2**30)]
)
def test_quantities_are_numbers(quantity: str, expected: float) -> None:
    assert amount(quantity) == expected


def test_keys_of_config_maps_and_secrets_are_values() -> None:
    manifest = pod(
        env=[
            {"name": "L", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "LEVEL"}}},
            {"name": "T", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "TOKEN"}}},
        ]
    )

    assert environment_of(manifest, STORED.get) == {"L": "debug", "T": "abc"}


def test_whole_config_maps_come_with_their_prefix() -> None:
    manifest = pod(envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "P_"}])

    assert environment_of(manifest, STORED.get) == {"P_LEVEL": "debug", "P_MODE": "fast"}


@pytest.mark.parametrize(
    "reference",
    [
        {"configMapKeyRef": {"name": "settings", "key": "ABSENT"}},
        {"secretKeyRef": {"name": "absent", "key": "TOKEN"}},
    ],
)
def test_what_is_required_and_absent_stops_the_container(reference: Manifest) -> None:
    with pytest.raises(MissingReference):
        environment_of(pod(env=[{"name": "X", "valueFrom": reference}]), STORED.get)


def test_what_is_optional_and_absent_is_left_out() -> None:
    reference = {"secretKeyRef": {"name": "absent", "key": "TOKEN", "optional": True}}
    manifest = pod(
        env=[{"name": "X", "valueFrom": reference}],
        envFrom=[{"secretRef": {"name": "absent", "optional": True}}],
    )

    assert environment_of(manifest, STORED.get) == {}


def test_a_missing_reference_says_no_value() -> None:
    with pytest.raises(MissingReference) as caught:
        environment_of(
            pod(env=[{"name": "X", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "B"}}}]), STORED.get
        )

    assert "abc" not in str(caught.value)

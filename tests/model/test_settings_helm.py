"""Values of chart flux2, one by one."""

from __future__ import annotations

from typing import Any

import pytest

from flux_handover.findings import Location
from flux_handover.model.settings_helm import ChartValues, Path, chart_settings, enabled
from flux_handover.objects import ObjectId

RELEASE = ObjectId("helm.toolkit.fluxcd.io", "HelmRelease", "gitops", "flux")


def place(path: Path) -> Location:
    return Location("/".join(str(part) for part in path), 1)


def found(values: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    settings = chart_settings(ChartValues(RELEASE, "gitops", values, place))
    return [(s.target.name, s.kind.value, s.key, s.value, s.where.file) for s in settings]


def test_no_values_are_no_settings() -> None:
    assert found({}) == []
    assert found({"installCRDs": True, "helmController": {}}) == []


def test_source_watcher_is_off_until_it_is_asked_for() -> None:
    assert "source-watcher" not in enabled({})
    assert "source-watcher" in enabled({"sourceWatcher": {"create": True}})
    assert "helm-controller" not in enabled({"helmController": {"create": False}})
    assert found({"sourceWatcher": {"create": False}}) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"container": {"additionalArgs": ["--a=1", "--b=2"]}}, ("argument", "--b", "2", "container/additionalArgs/1")),
        ({"resources": {"limits": {"cpu": "2"}}}, ("limit", "cpu", "2", "resources/limits/cpu")),
        ({"resources": {"requests": {"cpu": "2"}}}, ("request", "cpu", "2", "resources/requests/cpu")),
        ({"nodeSelector": {"zone": "a"}}, ("scheduling", "nodeSelector.zone", "a", "nodeSelector")),
        ({"priorityClassName": "high"}, ("scheduling", "priorityClassName", "high", "priorityClassName")),
        ({"replicas": 2}, ("scheduling", "replicas", "2", "replicas")),
        ({"extraEnv": [{"name": "A", "value": "b"}]}, ("env", "A", "b", "extraEnv")),
        ({"tag": "v9"}, ("image", "image", "ghcr.io/fluxcd/helm-controller:v9", "tag")),
        ({"image": "mirror.example.org/hc"}, ("image", "image", "mirror.example.org/hc", "image")),
        ({"imagePullPolicy": "Always"}, ("image", "imagePullPolicy", "Always", "imagePullPolicy")),
        ({"annotations": {"a.b/c": "d"}}, ("metadata", "template.annotations.a.b/c", "d", "annotations/a.b/c")),
        ({"labels": {"a": "d"}}, ("metadata", "template.labels.a", "d", "labels/a")),
        ({"volumes": [{"name": "v", "emptyDir": {}}]}, ("volume", "v", '{"emptyDir":{}}', "volumes")),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, ("volume", "/v", '{"name":"v"}', "volumeMounts")),
    ],
)
def test_a_value_of_a_controller_becomes_its_field(values: dict[str, Any], expected: tuple[str, ...]) -> None:
    kind, key, value, where = expected

    assert ("helm-controller", kind, key, value, f"helmController/{where}") in found({"helmController": values})


def test_a_controller_that_is_off_has_no_other_settings() -> None:
    values = {"create": False, "priorityClassName": "high"}

    assert [row[1:4] for row in found({"imageReflectionController": values})] == [
        ("component", "image-reflector-controller", "removed")
    ]


def test_common_values_reach_every_controller_that_runs() -> None:
    rows = found({"watchAllNamespaces": False, "imageAutomationController": {"create": False}})

    assert {row[0] for row in rows if row[1] == "argument"} == set(
        enabled({"imageAutomationController": {"create": False}})
    )
    assert {row[3] for row in rows if row[1] == "argument"} == {"false"}


def test_tenancy_locks_the_controllers_that_it_locks_in_the_chart() -> None:
    rows = found({"multitenancy": {"enabled": True, "defaultServiceAccount": "tenant"}})
    impersonating = {row[0] for row in rows if row[2] == "--default-service-account"}
    locked = {row[0] for row in rows if row[2] == "--no-cross-namespace-refs"}

    assert impersonating == {"kustomize-controller", "helm-controller"}
    assert "source-controller" not in locked
    assert impersonating < locked
    assert found({"multitenancy": {"enabled": False}}) == []


def test_policies_are_deleted_only_when_they_are_switched_off() -> None:
    assert len(found({"policies": {"create": False}})) == 3
    assert found({"policies": {"create": True}}) == []


def test_a_value_without_a_field_in_flux_is_named_but_not_shown() -> None:
    assert found({"extraObjects": [{"kind": "Secret", "stringData": {"a": "hidden"}}], "rbac": {"create": True}}) == [
        ("flux", "metadata", "values.extraObjects", "list", "extraObjects"),
        ("flux", "metadata", "values.rbac", "dict", "rbac"),
    ]
    assert found({"helmController": {"webhook": True}}) == [
        ("flux", "metadata", "values.helmController.webhook", "true", "helmController/webhook")
    ]

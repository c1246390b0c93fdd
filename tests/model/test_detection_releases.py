"""Charts of Flux and FluxInstances: who installs them, and what their values change."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from builders import repo
from model.detecting import ROOT, artifact_site, detected, engine, found, methods, places, site

from flux_handover.model.building import Builder
from flux_handover.model.detection_charts import FLUX_OF_CHART, merged
from flux_handover.model.installation import Method

RELEASE = """
    apiVersion: source.toolkit.fluxcd.io/v1
    kind: HelmRepository
    metadata:
      name: community
      namespace: flux-system
    spec:
      interval: 1h
      url: https://fluxcd-community.github.io/helm-charts
    ---
    apiVersion: helm.toolkit.fluxcd.io/v2
    kind: HelmRelease
    metadata:
      name: machinery
      namespace: flux-system
    spec:
      interval: 1h
      chart:
        spec:
          chart: flux2
          version: 2.16.4
          sourceRef:
            kind: HelmRepository
            name: community
      values:
        helmController:
          container:
            additionalArgs:
              - --concurrent=6
              - --feature-gates=OOMWatch=true
          resources:
            limits:
              memory: 3Gi
        imageAutomationController:
          create: false
        sourceController:
          serviceAccount:
            annotations:
              iam.example.org/role: reader
          tolerations:
            - operator: Exists
        policies:
          create: false
        prometheus:
          podMonitor:
            create: true
    """
INSTANCE = """
    apiVersion: fluxcd.controlplane.io/v1
    kind: FluxInstance
    metadata:
      name: flux
      namespace: flux-system
    spec:
      distribution:
        version: 2.6.4
        registry: ghcr.io/fluxcd
      components: [source-controller, kustomize-controller]
    """
HELMFILE = """
    repositories:
      - name: community
        url: https://fluxcd-community.github.io/helm-charts
    releases:
      - name: other
        chart: elsewhere/thing
      - name: flux
        namespace: flux-system
        chart: community/flux2
        version: 2.18.3
        values:
          - logLevel: debug
            imageReflectionController:
              create: false
            imageAutomationController:
              create: false
          - values/flux.yaml
    """


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    with engine() as one:
        yield one


def test_a_live_release_of_the_chart_is_the_owner(builder: Builder) -> None:
    installation = detected(site("sites/north/machinery.yaml", RELEASE), builder)

    assert installation.method is Method.HELM_CHART
    assert installation.version == "v2.6.4"
    assert str(installation.owner) == "HelmRelease/flux-system/machinery"
    assert installation.components == (
        "helm-controller",
        "image-reflector-controller",
        "kustomize-controller",
        "notification-controller",
        "source-controller",
    )


def test_each_value_becomes_the_field_of_its_controller(builder: Builder) -> None:
    installation = detected(site("sites/north/machinery.yaml", RELEASE), builder)

    assert found(installation) == {
        ("helm-controller", "argument", "--concurrent"): "6",
        ("helm-controller", "gate", "OOMWatch"): "true",
        ("helm-controller", "limit", "memory"): "3Gi",
        ("image-automation-controller", "component", "image-automation-controller"): "removed",
        ("source-controller", "metadata", "annotations.iam.example.org/role"): "reader",
        ("source-controller", "scheduling", "tolerations"): '[{"operator":"Exists"}]',
        ("allow-egress", "deletion", "object"): "deleted",
        ("allow-scraping", "deletion", "object"): "deleted",
        ("allow-webhooks", "deletion", "object"): "deleted",
        ("machinery", "metadata", "values.prometheus"): "dict",
    }


def test_each_value_is_placed_at_its_own_line(builder: Builder) -> None:
    where = places(detected(site("sites/north/machinery.yaml", RELEASE), builder))

    assert where["helm-controller", "--concurrent"] == "sites/north/machinery.yaml:28"
    assert where["helm-controller", "OOMWatch"] == "sites/north/machinery.yaml:29"
    assert where["helm-controller", "memory"] == "sites/north/machinery.yaml:32"
    assert where["allow-egress", "object"] == "sites/north/machinery.yaml:42"


def test_values_from_a_generated_config_map_are_read_where_they_are_written(builder: Builder) -> None:
    release = (
        RELEASE.partition("      values:\n")[0]
        + "      valuesFrom:\n        - kind: ConfigMap\n          name: values\n"
    )
    kustomization = """
        namespace: flux-system
        resources: [machinery.yaml]
        generatorOptions: {disableNameSuffixHash: true}
        configMapGenerator:
          - name: values
            files: [values.yaml=settings.yaml]
        """
    values = "kustomizeController:\n  priorityClassName: high\n"
    tree = site(
        *("sites/north/parts/kustomization.yaml", kustomization),
        *("sites/north/parts/machinery.yaml", release),
        *("sites/north/parts/settings.yaml", values),
    )
    installation = detected(tree, builder)

    assert found(installation) == {("kustomize-controller", "scheduling", "priorityClassName"): "high"}
    assert places(installation) == {("kustomize-controller", "priorityClassName"): "sites/north/parts/settings.yaml:2"}
    assert "sites/north/parts/settings.yaml" in installation.files


def test_a_release_in_a_helmfile_counts_where_no_live_one_is(builder: Builder) -> None:
    values = "sourceWatcher:\n  create: true\n"
    installation = detected(site("boot/releases.yaml", HELMFILE, "boot/values/flux.yaml", values), builder)

    assert installation.method is Method.HELM_CHART
    assert installation.owner is None
    assert installation.version == "v2.8.5"
    assert "source-watcher" in installation.components
    assert found(installation)["helm-controller", "argument", "--log-level"] == "debug"
    assert places(installation)["source-watcher", "source-watcher"] == "boot/values/flux.yaml:2"
    assert places(installation)["helm-controller", "--log-level"] == "boot/releases.yaml:12"


def test_a_chart_version_that_is_not_known_gives_no_flux_version(builder: Builder) -> None:
    installation = detected(site("sites/north/machinery.yaml", RELEASE.replace("2.16.4", "9.9.9")), builder)

    assert installation.version == ""
    assert any("is not known" in note for note in installation.notes)


def test_a_live_instance_means_the_operator(builder: Builder) -> None:
    installation = detected(site("sites/north/instance.yaml", INSTANCE), builder)

    assert installation.method is Method.OPERATOR
    assert installation.version == "v2.6.4"
    assert installation.components == ("kustomize-controller", "source-controller")
    assert str(installation.owner) == "Kustomization/flux-system/estate"


def test_an_instance_that_follows_a_range_has_no_exact_version(builder: Builder) -> None:
    installation = detected(site("sites/north/instance.yaml", INSTANCE.replace("2.6.4", "2.x")), builder)

    assert (installation.method, installation.version) == (Method.OPERATOR, "")
    assert any("not exact" in note for note in installation.notes)


def test_an_instance_beside_the_old_owner_is_half_a_handover(builder: Builder) -> None:
    tree = artifact_site().with_file("sites/north/instance.yaml", repo("x", INSTANCE).read("x"))
    installation = detected(tree, builder)

    assert installation.method is Method.OCI_KUSTOMIZATION
    assert any(note.startswith("also operator v2.6.4") for note in installation.notes)
    # What brings the new Flux does not install the old one, and does not leave with it.
    assert installation.files == ("sites/north/engine-room.yaml",)


def test_the_operator_without_an_instance_is_told_apart(builder: Builder) -> None:
    operator = RELEASE.partition("      values:\n")[0].replace("chart: flux2", "chart: flux-operator")
    installation = detected(site("sites/north/operator.yaml", operator), builder)

    assert installation.method is Method.UNKNOWN
    assert any("there is no FluxInstance" in note for note in installation.notes)


def test_a_released_instance_is_read_from_its_values(builder: Builder) -> None:
    values = "      values:\n        instance:\n          distribution:\n            version: v2.6.4\n"
    release = RELEASE.partition("      values:\n")[0].replace("chart: flux2", "chart: flux-instance") + values
    installation = detected(site("sites/north/instance.yaml", release), builder)

    assert (installation.method, installation.version) == (Method.OPERATOR, "v2.6.4")


def test_an_instance_that_only_a_helmfile_brings_belongs_to_the_nearest_cluster(builder: Builder) -> None:
    helmfile = (
        "releases:\n  - name: flux-instance\n    namespace: flux-system\n    chart: oci://r.example.org/flux-instance\n"
    )
    south = ROOT.replace("sites/north", "sites/south/live").replace("name: estate", "name: south")
    tree = repo(
        *("sites/north/root.yaml", ROOT),
        *("sites/south/live/root.yaml", south),
        *("sites/south/boot/helmfile.yaml", helmfile),
    )
    seen = methods(tree, builder)

    assert seen == {"sites/north": Method.UNKNOWN, "sites/south/live": Method.OPERATOR}


def test_values_are_laid_over_each_other_as_helm_does() -> None:
    assert merged({"a": {"b": 1, "c": 2}, "l": [1]}, {"a": {"c": 3}, "l": [2]}) == {"a": {"b": 1, "c": 3}, "l": [2]}


def test_charts_that_brought_two_versions_are_left_out() -> None:
    assert "2.12.0" not in FLUX_OF_CHART
    assert all(version.startswith("v") for version in FLUX_OF_CHART.values())

"""Flux from files of the repository, wherever they lie and whatever they are called."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from builders import repo
from model.detecting import ROOT, bootstrap_site, detected, engine, exported, found, places

from flux_handover.model.building import Builder
from flux_handover.model.installation import Method

PLAIN = """
    resources:
      - everything.yaml
      - root.yaml
    """
PATCHED = """
    resources:
      - everything.yaml
      - root.yaml
    patches:
      - target: {kind: Deployment, name: (kustomize|helm)-controller}
        patch: |
          - op: add
            path: /spec/template/spec/containers/0/args/-
            value: --concurrent=12
      - path: memory.yaml
        target: {kind: Deployment, labelSelector: app.kubernetes.io/part-of=flux}
    """
MEMORY = """
    # More room for everything.
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: all
    spec:
      template:
        spec:
          containers:
            - name: manager
              resources:
                limits:
                  memory: 4Gi
    """


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    with engine() as one:
        yield one


def test_written_manifests_without_changes_have_no_settings(builder: Builder) -> None:
    installation = detected(bootstrap_site(PLAIN), builder)

    assert installation.method is Method.BOOTSTRAP
    assert installation.version == "v2.6.4"
    assert str(installation.owner) == "Kustomization/flux-system/estate"
    assert installation.components == (
        "helm-controller",
        "kustomize-controller",
        "notification-controller",
        "source-controller",
    )
    assert installation.settings == ()
    assert "sites/north/machinery/everything.yaml" in installation.files


def test_inline_patches_and_patch_files_have_places_of_their_own(builder: Builder) -> None:
    installation = detected(bootstrap_site(PATCHED, "sites/north/machinery/memory.yaml", MEMORY), builder)

    assert found(installation)["helm-controller", "argument", "--concurrent"] == "12"
    assert len(installation.settings) == 2 + 4
    assert places(installation)["helm-controller", "--concurrent"] == "sites/north/machinery/kustomization.yaml:9"
    assert places(installation)["source-controller", "memory"] == "sites/north/machinery/memory.yaml:13"
    assert len(installation.patches) == 2


def test_a_patch_two_levels_away_is_found(builder: Builder) -> None:
    tree = repo(
        *("sites/north/kustomization.yaml", "resources: [root.yaml, ../../shared]\n"),
        *("sites/north/root.yaml", ROOT),
        *("shared/kustomization.yaml", "resources: [base]\nreplicas:\n  - name: helm-controller\n    count: 3\n"),
        *("shared/base/kustomization.yaml", PATCHED.replace("      - root.yaml\n", "")),
        *("shared/base/memory.yaml", MEMORY),
        *("shared/base/everything.yaml", exported("v2.6.4")),
    )
    installation = detected(tree, builder)

    assert installation.method is Method.BOOTSTRAP
    assert found(installation)["helm-controller", "scheduling", "replicas"] == "3"
    assert places(installation)["helm-controller", "replicas"].startswith("shared/kustomization.yaml:")
    assert places(installation)["helm-controller", "--concurrent"].startswith("shared/base/kustomization.yaml:")
    assert places(installation)["helm-controller", "memory"] == "shared/base/memory.yaml:13"


def test_a_component_that_changes_flux_is_followed(builder: Builder) -> None:
    part = """
        apiVersion: kustomize.config.k8s.io/v1alpha1
        kind: Component
        images:
          - name: ghcr.io/fluxcd/source-controller
            newName: mirror.example.org/source-controller
        """
    tree = bootstrap_site(
        f"{PLAIN.rstrip()}\n    components: [../../../parts/mirror]\n", "parts/mirror/kustomization.yaml", part
    )
    installation = detected(tree, builder)

    assert found(installation) == {
        ("source-controller", "image", "image"): "mirror.example.org/source-controller:v1.6.2"
    }
    assert places(installation)["source-controller", "image"] == "parts/mirror/kustomization.yaml:5"


def test_what_the_cli_was_told_is_placed_in_the_manifests(builder: Builder) -> None:
    manifests = exported("v2.6.4").replace('"--log-level=info"', '"--log-level=debug"', 1)
    installation = detected(bootstrap_site(PLAIN, manifests=manifests), builder)

    ((target, kind, key), value) = next(iter(found(installation).items()))
    assert (target, kind, key, value) == ("source-controller", "argument", "--log-level", "debug")
    line = int(places(installation)[target, key].rpartition(":")[2])
    assert "--log-level=debug" in manifests.splitlines()[line - 1]


def test_another_namespace_is_read_from_the_manifests(builder: Builder) -> None:
    manifests = exported("v2.6.4", namespace="gitops")
    installation = detected(bootstrap_site(PLAIN, manifests=manifests), builder)

    assert installation.namespace == "gitops"
    assert installation.settings == ()


def test_chosen_components_are_no_settings(builder: Builder) -> None:
    manifests = exported("v2.6.4", "source-controller", "kustomize-controller", "image-reflector-controller")
    installation = detected(bootstrap_site(PLAIN, manifests=manifests), builder)

    assert installation.components == ("image-reflector-controller", "kustomize-controller", "source-controller")
    assert installation.settings == ()


@pytest.mark.parametrize("placeholder", ["# written by flux bootstrap\n", ""])
def test_placeholders_say_what_is_changed_but_not_what_runs(builder: Builder, placeholder: str) -> None:
    tree = bootstrap_site(PATCHED, "sites/north/machinery/memory.yaml", MEMORY)
    path = "sites/north/machinery/everything.yaml"
    installation = detected(tree.with_file(path, placeholder.encode()) if placeholder else tree.without(path), builder)

    assert installation.method is Method.BOOTSTRAP
    assert (installation.version, installation.components, installation.live) == ("", (), ())
    assert found(installation)["helm-controller", "argument", "--concurrent"] == "12"
    assert places(installation)["helm-controller", "--concurrent"] == "sites/north/machinery/kustomization.yaml:9"
    assert any("not in Git or empty" in note for note in installation.notes)


def test_a_missing_file_beside_no_root_and_no_controller_is_no_flux(builder: Builder) -> None:
    tree = repo(
        *("sites/north/root.yaml", ROOT),
        *("sites/north/shop/kustomization.yaml", "resources: [deployment.yaml]\n"),
    )
    installation = detected(tree, builder)

    assert installation.method is Method.UNKNOWN


@pytest.mark.parametrize(
    "reference",
    [
        "github.com/fluxcd/flux2/manifests/install?ref=v2.6.4",
        "github.com/fluxcd/flux2//manifests/install?ref=v2.6.4",
        "https://github.com/fluxcd/flux2//manifests/install?ref=v2.6.4",
        "https://github.com/fluxcd/flux2.git//manifests/install?timeout=120&ref=v2.6.4",
    ],
)
def test_a_reconciled_remote_base_is_read_from_the_catalogue(builder: Builder, reference: str) -> None:
    kustomization = PATCHED.replace("everything.yaml", reference)
    installation = detected(bootstrap_site(kustomization, "sites/north/machinery/memory.yaml", MEMORY), builder)

    assert installation.method is Method.REMOTE_BASE
    assert installation.version == "v2.6.4"
    assert str(installation.owner) == "Kustomization/flux-system/estate"
    assert len(installation.components) == 6
    assert found(installation)["helm-controller", "argument", "--concurrent"] == "12"
    assert places(installation)["helm-controller", "--concurrent"] == "sites/north/machinery/kustomization.yaml:9"
    assert {o.id.name for o in installation.plain} >= {"crd-controller", "cluster-reconciler"}


@pytest.mark.parametrize(
    "reference", ["github.com/fluxcd/flux2/manifests/install?ref=main", "github.com/fluxcd/flux2/manifests/install"]
)
def test_a_remote_base_that_floats_is_not_guessed(builder: Builder, reference: str) -> None:
    installation = detected(bootstrap_site(PLAIN.replace("everything.yaml", reference)), builder)

    assert installation.method is Method.REMOTE_BASE
    assert (installation.version, installation.settings) == ("", ())
    assert any("no version that is known" in note for note in installation.notes)


def test_a_copy_of_the_manifests_that_is_not_live_installs_nothing(builder: Builder) -> None:
    tree = repo(*("sites/north/root.yaml", ROOT), *("archive/flux-system/gotk-components.yaml", exported("v2.5.1")))
    installation = detected(tree, builder)

    assert installation.method is Method.UNKNOWN

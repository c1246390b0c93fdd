"""Flux that a person, Terraform or the cloud puts on a bare cluster."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from builders import repo
from model.detecting import ROOT, artifact_site, bootstrap_site, detected, engine, found, methods, places, site

from flux_handover.model.building import Builder
from flux_handover.model.installation import Method
from flux_handover.tree import Tree

BY_HAND = """
    resources:
      - https://git.example.org/other
      - github.com/fluxcd/flux2/manifests/install?ref=v2.6.4
    patches:
      - target: {kind: ClusterRole, name: crd-controller}
        patch: |
          - op: replace
            path: /metadata/name
            value: crd-controller-flux-system
      - target: {kind: Deployment, name: helm-controller}
        patch: |
          - op: add
            path: /spec/template/spec/containers/0/args/-
            value: --concurrent=4
    """
TERRAFORM = """
    resource "flux_bootstrap_git" "north" {
      path             = "sites/north"
      version          = "v2.6.4"
      components_extra = ["image-reflector-controller"]
      network_policy   = false
      log_level        = "debug"
    }
    """
PLAIN = "resources:\n  - everything.yaml\n  - root.yaml\n"


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    with engine() as one:
        yield one


def by_hand(*more: str) -> Tree:
    return site("boot/north/kustomization.yaml", BY_HAND.replace("      - https://git.example.org/other\n", ""), *more)


def test_a_remote_base_that_nothing_else_installs_is_the_method(builder: Builder) -> None:
    installation = detected(by_hand("Makefile", "boot:\n\tkubectl apply -k boot/north\n"), builder)

    assert installation.method is Method.REMOTE_BASE
    assert installation.owner is None
    assert installation.version == "v2.6.4"
    assert len(installation.components) == 6
    assert found(installation) == {("helm-controller", "argument", "--concurrent"): "4"}
    assert places(installation) == {("helm-controller", "--concurrent"): "boot/north/kustomization.yaml:13"}
    assert [(old.name, new.name) for old, new in installation.renamed] == [
        ("crd-controller", "crd-controller-flux-system")
    ]
    assert any(note.endswith("by Makefile:2") for note in installation.notes)


def test_a_remote_base_that_no_step_applies_says_so(builder: Builder) -> None:
    assert any("no step that applies it was found" in note for note in detected(by_hand(), builder).notes)


def test_a_remote_base_beside_a_live_owner_is_its_bootstrap(builder: Builder) -> None:
    tree = artifact_site().with_file("boot/north/kustomization.yaml", by_hand().read("boot/north/kustomization.yaml"))
    installation = detected(tree, builder)

    assert installation.method is Method.OCI_KUSTOMIZATION
    assert "boot/north/kustomization.yaml" in installation.files
    assert found(installation) == {}


def test_each_cluster_has_the_bootstrap_that_lies_nearest(builder: Builder) -> None:
    east = ROOT.replace("sites/north", "sites/east/live").replace("name: estate", "name: east")
    tree = repo(
        *("sites/north/root.yaml", ROOT),
        *("sites/east/live/root.yaml", east),
        *("sites/east/boot/kustomization.yaml", "resources: [github.com/fluxcd/flux2/manifests/install?ref=v2.6.4]\n"),
    )

    assert methods(tree, builder) == {"sites/north": Method.UNKNOWN, "sites/east/live": Method.REMOTE_BASE}


def test_terraform_that_wrote_the_manifests_is_the_method(builder: Builder) -> None:
    installation = detected(bootstrap_site(PLAIN, "infra/flux.tf", TERRAFORM), builder)

    assert installation.method is Method.TERRAFORM
    assert installation.version == "v2.6.4"
    assert installation.owner is not None
    # What the manifests in Git hold is what runs, whatever the arguments say by now.
    assert installation.settings == ()
    assert {"infra/flux.tf", "sites/north/machinery/everything.yaml"} <= set(installation.files)


def test_terraform_without_manifests_in_git_is_read_from_its_arguments(builder: Builder) -> None:
    installation = detected(site("infra/flux.tf", TERRAFORM), builder)

    assert installation.method is Method.TERRAFORM
    assert installation.version == "v2.6.4"
    assert "image-reflector-controller" in installation.components
    assert found(installation)["allow-egress", "deletion", "object"] == "deleted"
    assert found(installation)["helm-controller", "argument", "--log-level"] == "debug"
    assert places(installation)["helm-controller", "--log-level"] == "infra/flux.tf:6"


def test_terraform_for_another_path_is_another_cluster(builder: Builder) -> None:
    other = TERRAFORM.replace("sites/north", "apps")
    installation = detected(site("infra/flux.tf", other, "apps/page.txt", "x"), builder, root="sites/north")

    assert installation.method is Method.UNKNOWN


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ('data "flux_install" "main" {\n  target_path = "x"\n  version = "v2.6.4"\n}\n', Method.TERRAFORM),
        ('resource "helm_release" "flux" {\n  chart = "flux2"\n  version = "2.16.4"\n}\n', Method.HELM_CHART),
        ('resource "helm_release" "i" {\n  chart = "oci://r.example.org/flux-instance"\n}\n', Method.OPERATOR),
        ('resource "helm_release" "x" {\n  chart = "ingress"\n}\n', Method.UNKNOWN),
    ],
)
def test_older_patterns_and_releases_in_terraform(builder: Builder, text: str, method: Method) -> None:
    assert detected(site("infra/main.tf", text), builder).method is method


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("infra/aks.tf", 'resource "x" "flux" {\n  extension_type = "microsoft.flux"\n}\n'),
        ("infra/aks.bicep", "properties: {\n  extensionType: 'microsoft.flux'\n}\n"),
        ("infra/aks.tf", 'resource "azurerm_kubernetes_flux_configuration" "this" {\n}\n'),
    ],
)
def test_a_flux_of_the_cloud_is_managed(builder: Builder, file: str, text: str) -> None:
    installation = detected(site(file, text), builder)

    assert installation.method is Method.MANAGED
    assert any("cannot take it over" in note for note in installation.notes)

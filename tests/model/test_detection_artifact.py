"""Flux from the OCI artifact: what is detected, and every spelling of a setting."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from model.detecting import ARTIFACT, artifact_site, detected, engine, found, places, site

from flux_handover.model.building import Builder
from flux_handover.model.installation import Method


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    with engine() as one:
        yield one


def test_a_live_kustomization_of_the_artifact_is_the_owner(builder: Builder) -> None:
    installation = detected(artifact_site(), builder)

    assert installation.method is Method.OCI_KUSTOMIZATION
    assert installation.version == "v2.6.4"
    assert str(installation.owner) == "Kustomization/flux-system/engine-room"
    assert str(installation.source) == "OCIRepository/flux-system/distribution"
    assert installation.files == ("sites/north/engine-room.yaml",)
    assert len(installation.components) == 6
    assert installation.settings == ()
    assert installation.plain == installation.live


def test_a_file_that_no_root_reaches_installs_nothing(builder: Builder) -> None:
    installation = detected(site("elsewhere/flux-system/gotk-components.yaml", ARTIFACT), builder)

    assert installation.method is Method.UNKNOWN
    assert installation.notes


@pytest.mark.parametrize("ref", ["semver: 2.6.4", "semver: v2.6.4", "tag: 2.6.4"])
def test_an_exact_version_is_read_in_any_spelling(builder: Builder, ref: str) -> None:
    installation = detected(artifact_site(artifact=ARTIFACT.replace("tag: v2.6.4", ref)), builder)

    assert installation.version == "v2.6.4"


@pytest.mark.parametrize("ref", ['semver: "2.6.x"', 'semver: ">=2.6.4"', "tag: latest", "digest: sha256:00"])
def test_a_version_that_floats_is_not_guessed(builder: Builder, ref: str) -> None:
    installation = detected(artifact_site(artifact=ARTIFACT.replace("tag: v2.6.4", ref)), builder)

    assert installation.method is Method.OCI_KUSTOMIZATION
    assert installation.version == ""
    assert any("names no exact version" in note for note in installation.notes)


ARGUMENT = [
    """
    patches:
      - target: {kind: Deployment, name: helm-controller}
        patch: |
          - op: add
            path: /spec/template/spec/containers/0/args/-
            value: --concurrent=7
    """,
    """
    patches:
      - target: {labelSelector: "app.kubernetes.io/component=helm-controller", kind: Deployment}
        patch: |
          - op: add
            path: /spec/template/spec/containers/0/args/5
            value: --concurrent=7
    """,
    """
    patches:
      - target: {kind: Deployment, name: "(helm-.*)"}
        patch: |
          - {op: add, path: /spec/template/spec/containers/0/args/-, value: --concurrent=3}
          - {op: add, path: /spec/template/spec/containers/0/args/-, value: --concurrent=7}
    """,
    """
    patches:
      - patch: |
          apiVersion: apps/v1
          kind: Deployment
          metadata:
            name: helm-controller
            namespace: flux-system
          spec:
            template:
              spec:
                containers:
                  - name: manager
                    args:
                      - --events-addr=http://notification-controller.flux-system.svc.cluster.local./
                      - --watch-all-namespaces=true
                      - --log-level=info
                      - --log-encoding=json
                      - --enable-leader-election
                      - --concurrent=7
    """,
]


@pytest.mark.parametrize("patches", ARGUMENT)
def test_every_spelling_of_an_argument_is_the_same_setting(builder: Builder, patches: str) -> None:
    installation = detected(artifact_site(patches), builder)

    assert found(installation) == {("helm-controller", "argument", "--concurrent"): "7"}


def test_each_setting_has_the_line_that_gives_its_last_value(builder: Builder) -> None:
    patches = """
        patches:
          - target: {kind: Deployment, name: "(helm|source)-controller"}
            patch: |
              - op: add
                path: /spec/template/spec/containers/0/args/-
                value: --concurrent=3
              - op: add
                path: /spec/template/spec/containers/0/args/-
                value: --kube-api-qps=90
          - target: {kind: Deployment, name: source-controller}
            patch: |
              - op: add
                path: /spec/template/spec/containers/0/args/-
                value: --concurrent=9
        """
    installation = detected(artifact_site(patches), builder)

    assert places(installation) == {
        ("helm-controller", "--concurrent"): "sites/north/engine-room.yaml:29",
        ("helm-controller", "--kube-api-qps"): "sites/north/engine-room.yaml:32",
        ("source-controller", "--kube-api-qps"): "sites/north/engine-room.yaml:32",
        ("source-controller", "--concurrent"): "sites/north/engine-room.yaml:37",
    }


def test_limits_gates_policies_volumes_and_accounts_are_settings(builder: Builder) -> None:
    patches = """
        patches:
          - target: {kind: NetworkPolicy}
            patch: |
              $patch: delete
              apiVersion: networking.k8s.io/v1
              kind: NetworkPolicy
              metadata:
                name: any
          - target: {kind: Deployment, name: kustomize-controller}
            patch: |
              apiVersion: apps/v1
              kind: Deployment
              metadata:
                name: any
              spec:
                template:
                  spec:
                    tolerations:
                      - operator: Exists
                    volumes:
                      - name: temp
                        emptyDir:
                          medium: Memory
                    containers:
                      - name: manager
                        env:
                          - name: AWS_REGION
                            value: eu-north-1
                        resources:
                          requests:
                            memory: 256Mi
                          limits:
                            memory: 3Gi
          - target: {kind: Deployment, name: helm-controller}
            patch: |
              - op: add
                path: /spec/template/spec/containers/0/args/-
                value: --feature-gates=OOMWatch=true,DetectDrift=false
          - target: {kind: ServiceAccount, name: kustomize-controller}
            patch: |
              - op: add
                path: /metadata/annotations
                value:
                  iam.example.org/role: reader
        """
    installation = detected(artifact_site(patches), builder)

    assert found(installation) == {
        ("allow-egress", "deletion", "object"): "deleted",
        ("allow-scraping", "deletion", "object"): "deleted",
        ("allow-webhooks", "deletion", "object"): "deleted",
        ("kustomize-controller", "scheduling", "tolerations"): '[{"operator":"Exists"}]',
        ("kustomize-controller", "volume", "temp"): '{"emptyDir":{"medium":"Memory"}}',
        ("kustomize-controller", "env", "AWS_REGION"): "eu-north-1",
        ("kustomize-controller", "request", "memory"): "256Mi",
        ("kustomize-controller", "limit", "memory"): "3Gi",
        ("helm-controller", "gate", "OOMWatch"): "true",
        ("helm-controller", "gate", "DetectDrift"): "false",
        ("kustomize-controller", "metadata", "annotations.iam.example.org/role"): "reader",
    }
    lines = {(s.kind.value, s.key): s.where.line for s in installation.settings}
    assert (lines["request", "memory"], lines["limit", "memory"]) == (54, 56)
    assert (lines["gate", "OOMWatch"], lines["env", "AWS_REGION"]) == (61, 50)


def test_a_removed_controller_is_a_component_and_its_account_a_deletion(builder: Builder) -> None:
    patches = """
        patches:
          - target: {kind: "(Deployment|ServiceAccount)", name: image-.*-controller}
            patch: |
              $patch: delete
              apiVersion: apps/v1
              kind: Deployment
              metadata:
                name: any
        """
    installation = detected(artifact_site(patches), builder)

    assert len(installation.components) == 4
    assert found(installation) == {
        ("image-automation-controller", "component", "image-automation-controller"): "removed",
        ("image-automation-controller", "deletion", "object"): "deleted",
        ("image-reflector-controller", "component", "image-reflector-controller"): "removed",
        ("image-reflector-controller", "deletion", "object"): "deleted",
    }


def test_a_renamed_role_is_no_setting(builder: Builder) -> None:
    patches = """
        patches:
          - target: {kind: ClusterRole, name: crd-controller-flux-system}
            patch: |
              - op: replace
                path: /metadata/name
                value: crd-controller-flux-system-north
        """
    installation = detected(artifact_site(patches), builder)

    assert [(old.name, new.name) for old, new in installation.renamed] == [
        ("crd-controller-flux-system", "crd-controller-flux-system-north")
    ]
    assert installation.settings == ()


def test_images_and_metadata_of_the_kustomization_are_placed_at_their_fields(builder: Builder) -> None:
    patches = """
        images:
          - name: ghcr.io/fluxcd/helm-controller
            newName: mirror.example.org/helm-controller
        """
    installation = detected(artifact_site(patches), builder)

    assert found(installation) == {("helm-controller", "image", "image"): "mirror.example.org/helm-controller:v1.3.0"}
    assert places(installation)["helm-controller", "image"] == "sites/north/engine-room.yaml:26"


def test_patches_are_listed_in_order_with_target_and_place(builder: Builder) -> None:
    installation = detected(artifact_site(ARGUMENT[1]), builder)

    (patch,) = installation.patches
    assert patch.target == (("kind", "Deployment"), ("labelSelector", "app.kubernetes.io/component=helm-controller"))
    assert "--concurrent=7" in patch.patch
    assert str(patch.where) == "sites/north/engine-room.yaml:25"


def test_what_sync_has_no_field_for_is_a_setting_of_the_root(builder: Builder) -> None:
    tree = artifact_site()
    text = tree.read("sites/north/root.yaml").decode()
    extended = text + "  decryption:\n    provider: sops\n  wait: false\n"
    installation = detected(tree.with_file("sites/north/root.yaml", extended.encode()), builder)

    assert found(installation) == {("estate", "sync", "spec.decryption.provider"): "sops"}
    assert places(installation) == {("estate", "spec.decryption.provider"): "sites/north/root.yaml:23"}

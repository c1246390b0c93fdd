"""Typed views of Flux objects: defaults and names as the API has them."""

from __future__ import annotations

from typing import Any

import pytest

from flux_handover.model.flux import helm_release_of, kustomization_of, source_of
from flux_handover.objects import HELM_GROUP, KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId, object_of


def made(group: str, kind: str, **spec: Any) -> Any:
    metadata = {"name": "web", "namespace": "team"}
    return object_of({"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, "spec": spec})


def test_an_empty_kustomization_has_the_defaults_of_the_api() -> None:
    ks = kustomization_of(made(KUSTOMIZE_GROUP, "Kustomization"))

    assert (ks.prune, ks.suspend, ks.wait, ks.decrypts, ks.has_post_build) == (False, False, False, False, False)
    assert (ks.deletion_policy, ks.path, ks.depends_on) == ("MirrorPrune", "", ())


def test_references_without_namespace_are_local() -> None:
    ks = kustomization_of(
        made(
            KUSTOMIZE_GROUP,
            "Kustomization",
            sourceRef={"kind": "GitRepository", "name": "fleet"},
            dependsOn=[{"name": "db"}, {"name": "net", "namespace": "infra"}],
            decryption={"provider": "sops", "secretRef": {"name": "age"}},
            postBuild={
                "substituteFrom": [{"kind": "Secret", "name": "s", "optional": True}],
                "substitute": {"A": True},
            },
        )
    )

    assert ks.source == ObjectId(SOURCE_GROUP, "GitRepository", "team", "fleet")
    assert [id.namespace for id in ks.depends_on] == ["team", "infra"]
    assert ks.decryption_secret == ObjectId("", "Secret", "team", "age")
    assert (ks.substitute_from[0].optional, ks.substitute["A"]) == (True, "true")


@pytest.mark.parametrize("prune", ["true", 1, None])
def test_only_the_boolean_true_prunes(prune: Any) -> None:
    assert not kustomization_of(made(KUSTOMIZE_GROUP, "Kustomization", prune=prune)).prune


@pytest.mark.parametrize(
    ("spec", "name", "namespace", "storage"),
    [
        ({}, "web", "team", "team"),
        ({"targetNamespace": "prod"}, "prod-web", "prod", "team"),
        ({"targetNamespace": "prod", "releaseName": "x"}, "x", "prod", "team"),
        ({"storageNamespace": "store"}, "web", "team", "store"),
    ],
)
def test_a_release_is_named_as_helm_controller_names_it(
    spec: dict[str, str], name: str, namespace: str, storage: str
) -> None:
    release = helm_release_of(made(HELM_GROUP, "HelmRelease", **spec))

    assert (release.release_name, release.release_namespace, release.storage_namespace) == (name, namespace, storage)


def test_a_chart_comes_by_reference_or_by_name() -> None:
    by_ref = helm_release_of(made(HELM_GROUP, "HelmRelease", chartRef={"kind": "OCIRepository", "name": "c"}))
    by_name = helm_release_of(made(HELM_GROUP, "HelmRelease", chart={"spec": {"chart": "app", "version": 1.10}}))

    assert by_ref.chart_ref == ObjectId(SOURCE_GROUP, "OCIRepository", "team", "c")
    assert (by_name.chart_ref, by_name.chart, by_name.chart_version) == (None, "app", "1.1")


def test_a_bucket_has_an_endpoint_for_a_url() -> None:
    source = source_of(made(SOURCE_GROUP, "Bucket", endpoint="minio.example.org", bucketName="x"))

    assert source.url == "minio.example.org"


def test_a_half_written_manifest_is_no_error() -> None:
    ks = kustomization_of(made(KUSTOMIZE_GROUP, "Kustomization", sourceRef=None, postBuild=None, dependsOn="x"))

    assert (ks.source.name, ks.depends_on, ks.has_post_build) == ("", (), False)

"""Live references: each relation, its target and its line, and which lead to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from builders import repo
from model.detecting import ROOT, engine

from flux_handover.model.building import Builder
from flux_handover.model.detection import detect
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.model.references import Need, Reference, Relation, naming, references, unresolved
from flux_handover.model.rendering import Cluster
from flux_handover.objects import ObjectId
from flux_handover.tree import Tree

CHILD = """
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata:
      name: shop
      namespace: flux-system
    spec:
      interval: 5m
      path: ./apps/shop
      prune: true
      sourceRef:
        kind: GitRepository
        name: estate
      dependsOn:
        - name: storage
      decryption:
        provider: sops
        secretRef:
          name: key-ring
      postBuild:
        substituteFrom:
          - kind: ConfigMap
            name: facts
          - kind: Secret
            name: extras
            optional: true
    """
NOTICES = """
    apiVersion: notification.toolkit.fluxcd.io/v1beta3
    kind: Alert
    metadata:
      name: everything
      namespace: flux-system
    spec:
      providerRef:
        name: chat
      eventSources:
        - kind: Kustomization
          name: "*"
        - kind: OCIRepository
          name: distribution
    ---
    apiVersion: notification.toolkit.fluxcd.io/v1
    kind: Receiver
    metadata:
      name: hook
      namespace: flux-system
    spec:
      type: generic
      secretRef:
        name: hook-token
      resources:
        - apiVersion: kustomize.toolkit.fluxcd.io/v1
          kind: Kustomization
          name: shop
          namespace: flux-system
    """
RELEASE = """
    apiVersion: helm.toolkit.fluxcd.io/v2
    kind: HelmRelease
    metadata:
      name: cart
      namespace: shop
    spec:
      interval: 5m
      chartRef:
        kind: OCIRepository
        name: cart
      dependsOn:
        - name: queue
          namespace: storage
      valuesFrom:
        - kind: Secret
          name: cart-values
    """
MADE = """
    apiVersion: external-secrets.io/v1
    kind: ExternalSecret
    metadata:
      name: cart
      namespace: shop
    spec:
      target:
        name: cart-values
    """


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    with engine() as one:
        yield one


def tree_of(**texts: str) -> Tree:
    files = [part for name, text in texts.items() for part in (f"sites/north/{name}.yaml", text)]
    app = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: page, namespace: shop}\n"
    return repo("sites/north/root.yaml", ROOT, "apps/shop/page.yaml", app, *files)


def cluster_of(tree: Tree, builder: Builder) -> Cluster:
    (cluster,) = take_snapshot(tree, "HEAD", builder, detect, Reading()).clusters
    return cluster


def read(builder: Builder, **texts: str) -> tuple[Reference, ...]:
    tree = tree_of(**texts)
    return references(cluster_of(tree, builder), tree)


def summary(found: tuple[Reference, ...], holder: str) -> Mapping[tuple[str, str], str]:
    return {(r.relation.value, str(r.target)): str(r.where) for r in found if r.holder.name == holder}


def test_a_kustomization_names_source_dependencies_variables_and_key(builder: Builder) -> None:
    found = read(builder, shop=CHILD)

    assert summary(found, "shop") == {
        ("source", "GitRepository/flux-system/estate"): "sites/north/shop.yaml:10",
        ("depends on", "Kustomization/flux-system/storage"): "sites/north/shop.yaml:14",
        ("decryption", "Secret/flux-system/key-ring"): "sites/north/shop.yaml:17",
        ("variables", "ConfigMap/flux-system/facts"): "sites/north/shop.yaml:21",
        ("variables", "Secret/flux-system/extras"): "sites/north/shop.yaml:23",
    }


def test_a_release_names_its_chart_its_values_and_another_namespace(builder: Builder) -> None:
    found = read(builder, release=RELEASE)

    assert dict(summary(found, "cart").keys()) == {
        "chart": "OCIRepository/shop/cart",
        "depends on": "HelmRelease/storage/queue",
        "values": "Secret/shop/cart-values",
    }


def test_alerts_and_receivers_name_what_they_watch(builder: Builder) -> None:
    found = read(builder, notices=NOTICES)

    assert summary(found, "everything")["notifies of", "Kustomization/flux-system/*"] == "sites/north/notices.yaml:10"
    assert summary(found, "hook")["notifies of", "Kustomization/flux-system/shop"] == "sites/north/notices.yaml:25"
    assert ("credentials", "Secret/flux-system/hook-token") in summary(found, "hook")


def test_a_star_means_every_object_of_its_kind_and_namespace(builder: Builder) -> None:
    found = read(builder, notices=NOTICES)
    shop = ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "shop")
    elsewhere = ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "shop", "shop")

    assert {r.holder.name for r in naming(found, [shop])} == {"everything", "hook"}
    assert naming(found, [elsewhere]) == ()


def test_the_group_of_a_named_kind_is_known_without_its_api_version(builder: Builder) -> None:
    found = read(builder, notices=NOTICES)
    source = ObjectId("source.toolkit.fluxcd.io", "OCIRepository", "flux-system", "distribution")

    assert [r.relation for r in naming(found, [source])] == [Relation.NOTIFICATION]


def test_a_reference_to_nothing_says_who_could_bring_it(builder: Builder) -> None:
    tree = tree_of(shop=CHILD)
    lost = {str(u.reference.target): u.why for u in unresolved(cluster_of(tree, builder), tree)}

    assert lost.keys() == {
        "Kustomization/flux-system/storage",
        "Secret/flux-system/key-ring",
        "ConfigMap/flux-system/facts",
    }
    assert lost["Secret/flux-system/key-ring"].startswith("a bootstrap step or a person must create it")
    assert lost["Kustomization/flux-system/storage"].startswith("nothing that is live renders it")


def test_an_optional_reference_is_never_unresolved(builder: Builder) -> None:
    found = read(builder, shop=CHILD)

    assert {r.need for r in found if r.target.name == "extras"} == {Need.OPTIONAL}


def test_a_secret_that_a_controller_makes_is_there(builder: Builder) -> None:
    tree = tree_of(release=RELEASE, made=MADE)
    lost = {str(u.reference.target) for u in unresolved(cluster_of(tree, builder), tree)}

    assert "Secret/shop/cart-values" not in lost
    assert "OCIRepository/shop/cart" in lost


def test_a_source_that_only_the_root_knows_is_there(builder: Builder) -> None:
    tree = tree_of()

    assert unresolved(cluster_of(tree, builder), tree) == ()

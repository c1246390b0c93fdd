"""Real repositories, where they are there: none of their text is part of this project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from builders import unpacked
from model.detecting import detected, engine, methods

from flux_handover.model.building import Builder
from flux_handover.model.installation import Method

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is absent")


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    with engine() as one:
        yield one


def test_the_first_users_flux_is_read_completely(builder: Builder) -> None:
    installation = detected(unpacked(CORPUS / "flux-talos-0-base.tar.xz"), builder)

    assert (installation.method, installation.version) == (Method.OCI_KUSTOMIZATION, "v2.6.4")
    assert len(installation.components) == 6
    assert str(installation.owner) == "Kustomization/flux-system/flux"
    kinds = Counter(setting.kind.value for setting in installation.settings if setting.kind.value != "sync")
    # Three policies; four flags and two limits on three controllers; a gate and its two flags on one.
    assert kinds == {"deletion": 3, "argument": 3 * 4 + 2, "limit": 3 * 2, "gate": 1}
    assert all(setting.where.line for setting in installation.settings)
    assert len(installation.patches) == 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("archive", "root", "expected"),
    [
        ("d1-fleet", "clusters/prod-eu", Method.BOOTSTRAP),
        ("flux2-multi-tenancy", "clusters/production", Method.BOOTSTRAP),
        ("yesid-lopez-homelab", "clusters/production", Method.BOOTSTRAP),
        ("xunholy-k8s-gitops", "kubernetes/clusters/cluster-0", Method.BOOTSTRAP),
        ("nce-oci-free-cloud-k8s", "gitops/flux", Method.TERRAFORM),
        ("ankhmorpork", "k8s/flux/platform", Method.HELM_CHART),
        ("adampetrovic-home-ops", "kubernetes/flux", Method.OCI_KUSTOMIZATION),
        ("gabe565-home-ops", "kubernetes/tennant/cluster", Method.OCI_KUSTOMIZATION),
        ("kochhaus-home", "kubernetes/registry/flux", Method.OCI_KUSTOMIZATION),
        ("nklmilojevic-home", "kubernetes/flux", Method.OCI_KUSTOMIZATION),
        ("onedr0p-home-ops", "kubernetes/main/flux", Method.OCI_KUSTOMIZATION),
    ],
)
def test_every_method_is_recognised(builder: Builder, archive: str, root: str, expected: Method) -> None:
    installation = detected(unpacked(CORPUS / f"{archive}.tar.xz"), builder, root)

    assert installation.method is expected
    assert all(setting.where.file for setting in installation.settings)


def test_manifests_of_the_cli_are_those_of_the_catalogue(builder: Builder) -> None:
    installation = detected(unpacked(CORPUS / "yesid-lopez-homelab.tar.xz"), builder, "clusters/production")

    assert installation.settings == ()
    assert len(installation.plain) == len(installation.live)


def test_each_cluster_of_a_repository_has_its_own_settings(builder: Builder) -> None:
    tree = unpacked(CORPUS / "gabe565-home-ops.tar.xz")
    deleted = {
        root: sum(s.target.kind == "NetworkPolicy" for s in detected(tree, builder, root).settings)
        for root in ("kubernetes/tennant/cluster", "kubernetes/gabernetes/cluster")
    }

    assert sorted(deleted.values()) == [0, 3]


@pytest.mark.slow
def test_a_repository_with_three_clusters_has_three_installations(builder: Builder) -> None:
    found = methods(unpacked(CORPUS / "kochhaus-home.tar.xz"), builder)

    assert list(found.values()) == [Method.OCI_KUSTOMIZATION] * 3

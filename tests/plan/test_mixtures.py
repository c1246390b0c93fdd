"""Repositories that are several things at once: the one that applies Flux decides, the others are told or refused."""

from __future__ import annotations

from typing import Any

import pytest
from bootstrapped import HOME, LIST, NEST, SYNC, aviary, components
from builders import documents_of, repo, text_of
from installed import ARTIFACT
from planning import Reader, names_of

from flux_handover.catalogue.manifests import DEFAULT_COMPONENTS, install_manifests
from flux_handover.errors import UnsupportedInstallation
from flux_handover.plan.clusters import needing
from flux_handover.plan.planner import make_plan
from flux_handover.plan.target import Options
from flux_handover.proof.obligations import Verdict
from flux_handover.tree import Tree

OPERATOR = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {name: flux-operator, namespace: flux-system}
spec: {interval: 1h, url: "oci://ghcr.io/controlplaneio-fluxcd/charts/flux-operator", ref: {tag: 0.40.0}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: flux-operator, namespace: flux-system}
spec: {interval: 1h, chartRef: {kind: OCIRepository, name: flux-operator}}
"""
CHILD = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: operators, namespace: flux-system}
spec: {interval: 1h, path: ./operators, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}
"""
INSTANCE = """
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {name: flux, namespace: flux-system}
spec:
  distribution: {version: 2.6.4, registry: ghcr.io/fluxcd}
  sync: {kind: GitRepository, url: "ssh://git@git.example.org/aviary.git", ref: refs/heads/main, path: clusters/burrow}
"""


def by_hand(*kinds: tuple[str, ...]) -> Tree:
    """The components in one file for each group of kinds, and one for the rest, as somebody would sort them."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for one in documents_of(components()):
        group = next((number for number, names in enumerate(kinds) if one["kind"] in names), len(kinds))
        parts.setdefault(f"part-{group}.yaml", []).append(one)
    tree = aviary().without(f"{HOME}/gotk-components.yaml")
    listed = LIST.lstrip().replace("- gotk-components.yaml\n", "".join(f"- {name}\n" for name in sorted(parts)))
    for name, manifests in parts.items():
        tree = tree.with_file(f"{HOME}/{name}", text_of(manifests).encode())
    return tree.with_file(f"{HOME}/kustomization.yaml", listed.encode())


BY_HAND = by_hand(("CustomResourceDefinition",), ("ClusterRole", "ClusterRoleBinding"), ("Deployment",))
SYNC_KEPT = (
    aviary(**{f"{HOME}/kustomization.yaml": LIST.lstrip().replace("gotk-components", "flux")})
    .without(f"{HOME}/gotk-components.yaml")
    .with_file(f"{HOME}/flux.yaml", ARTIFACT.encode())
)
NOT_LIVE = aviary(
    **{
        "templates/cluster/gotk-sync.yaml.j2": SYNC.replace("aviary", "{{ name }}"),
        "tmpl/flux.yaml": ARTIFACT,
        "attic/gotk-components.yaml": components("v2.7.5"),
        "attic/kustomization.yaml": "resources: [gotk-components.yaml]\n",
        "off/aviary/flux.yaml": ARTIFACT,
    }
)
ELSEWHERE = repo(
    *("clusters/aviary/gitops/kustomization.yaml", LIST.lstrip()),
    *(
        "clusters/aviary/gitops/gotk-components.yaml",
        text_of(install_manifests("v2.6.4", DEFAULT_COMPONENTS, "gitops")),
    ),
    *("clusters/aviary/gitops/gotk-sync.yaml", SYNC.lstrip().replace(": flux-system", ": gitops")),
    *("clusters/aviary/nest.yaml", NEST),
)
SHAPES = {"hand-written": BY_HAND, "sync kept": SYNC_KEPT, "not live": NOT_LIVE, "another namespace": ELSEWHERE}


@pytest.mark.parametrize("tree", SHAPES.values(), ids=SHAPES)
def test_a_mixture_is_handed_over_and_nothing_is_left(tree: Tree, reader: Reader) -> None:
    plan = reader.plan(tree)

    assert {proof.phase: proof.verdict for proof in reader.proofs(tree)} == dict.fromkeys(names_of(plan), Verdict.HOLDS)
    assert plan.target.flux_version == "v2.6.4"
    assert names_of(reader.plan(plan.phases[-1].tree)) == []


def test_every_file_of_hand_written_components_leaves(reader: Reader) -> None:
    end = reader.plan(BY_HAND).phases[-1].tree

    assert [path for path in end if "/part-" in path] == []


def test_what_is_not_live_stays_as_it_is(reader: Reader) -> None:
    end = reader.plan(NOT_LIVE).phases[-1].tree

    assert [path for path in NOT_LIVE if path.startswith(("templates", "tmpl", "attic")) and path not in end] == []


def test_flux_in_another_namespace_stays_there(reader: Reader) -> None:
    plan = reader.plan(ELSEWHERE)

    assert plan.target.namespace == "gitops"
    assert plan.target.instance_id.namespace == "gitops"


def test_a_cluster_on_the_operator_is_left_out_beside_one_that_is_not(reader: Reader) -> None:
    tree = aviary(**{"clusters/burrow/flux.yaml": INSTANCE, "clusters/burrow/nest.yaml": NEST})
    snapshot = reader(tree)

    assert [cluster.name for cluster in snapshot.clusters] == ["clusters/aviary", "clusters/burrow"]
    assert needing(snapshot) == ("clusters/aviary",)
    plan = make_plan(snapshot, "clusters/aviary", Options(), reader)
    touched = {path for p in plan.phases for path in (*p.files.added, *p.files.changed, *p.files.removed)}
    assert not [path for path in touched if path.startswith("clusters/burrow")]


@pytest.mark.parametrize(
    ("files", "where", "message"),
    [
        ({"clusters/aviary/operator.yaml": OPERATOR}, "clusters/aviary/operator.yaml:6", "is applied by"),
        (
            {"clusters/aviary/operators.yaml": CHILD, "operators/all.yaml": OPERATOR},
            "operators/all.yaml:6",
            "waits for Kustomization/flux-system/flux-operator",
        ),
        (
            {
                "clusters/aviary/operators.yaml": CHILD,
                "operators/all.yaml": OPERATOR.replace("namespace: flux-system", "namespace: operators"),
            },
            "operators/all.yaml:6",
            "the operator and the FluxInstance share one",
        ),
    ],
    ids=["by the root", "beside others", "in another namespace"],
)
def test_an_operator_without_an_instance_must_be_where_the_instance_waits_for_it(
    files: dict[str, str], where: str, message: str, reader: Reader
) -> None:
    with pytest.raises(UnsupportedInstallation, match=message) as refusal:
        reader.plan(aviary(**{path: text.lstrip() for path, text in files.items()}))

    assert refusal.value.where == where
    assert "take the operator out of Git" in refusal.value.hint


MANAGED = (
    'resource "azurerm_kubernetes_cluster_extension" "flux" {\n  name = "flux"\n'
    '  extension_type = "microsoft.flux"\n}\n'
)
VARIABLE = 'resource "flux_bootstrap_git" "aviary" {\n  version = "v2.6.4"\n  path = "clusters/${var.name}"\n}\n'


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [(MANAGED, 3, "the cloud installs and upgrades this Flux"), (VARIABLE, 3, "what it syncs is no directory")],
    ids=["managed", "a path that only Terraform knows"],
)
def test_a_repository_without_a_root_is_told_who_has_it(text: str, line: int, message: str, reader: Reader) -> None:
    tree = repo("infra/main.tf", text, "apps/nest.yaml", NEST)

    with pytest.raises(UnsupportedInstallation, match=message) as refusal:
        needing(reader(tree))

    assert refusal.value.where == f"infra/main.tf:{line}"
    assert refusal.value.hint

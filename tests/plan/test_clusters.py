"""Which clusters are planned, and what is said where none can be told."""

from __future__ import annotations

import pytest
from builders import repo
from installed import ARTIFACT as FLUX
from planning import Reader

from flux_handover.errors import UnsupportedInstallation
from flux_handover.plan.clusters import needing
from flux_handover.plan.phases import PhaseName

DECLARED = """
# one of many
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: larder
  namespace: flux-system
spec:
  interval: 10m
  path: ./larder
  prune: true
  sourceRef:
    kind: GitRepository
    name: house
"""
SOURCE = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: house
  namespace: flux-system
spec:
  interval: 1m
  url: https://git.example.org/house.git
  ref:
    branch: main
"""


def root(name: str, path: str) -> str:
    return DECLARED.replace("name: larder", f"name: {name}").replace("./larder", f"./{path}")


def test_without_a_root_the_refusal_names_a_declared_kustomization_and_the_candidates(reader: Reader) -> None:
    tree = repo(
        "house/larder.yaml", DECLARED, "larder/jam.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: jam}\n"
    )

    with pytest.raises(UnsupportedInstallation) as refusal:
        needing(reader(tree))

    assert refusal.value.where == "house/larder.yaml:3"
    assert "Kustomization/flux-system/larder" in refusal.value.message
    assert "--root" in refusal.value.hint
    assert "larder" in refusal.value.hint


def test_a_root_without_flux_is_left_out_where_another_has_it(reader: Reader) -> None:
    """A Kustomization that applies itself may belong to a root that does not build here."""
    tree = repo(
        "house/source.yaml",
        SOURCE,
        "house/root.yaml",
        root("house", "house"),
        "house/flux.yaml",
        FLUX,
        "shed/root.yaml",
        root("shed", "shed"),
    )

    snapshot = reader(tree)

    assert [cluster.name for cluster in snapshot.clusters] == ["house", "shed"]
    assert needing(snapshot) == ("house",)


BASE_BY_HAND = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - github.com/fluxcd/flux2/manifests/install?ref=v2.6.4
"""


@pytest.mark.parametrize(
    ("file", "planned"), [("house/roots.yaml", ("house",)), ("other/cellar.yaml", ("house", "shed"))]
)
def test_a_second_root_of_a_cluster_is_no_cluster_to_plan(reader: Reader, file: str, planned: tuple[str, ...]) -> None:
    """Both are declared in one file, from one source; an install manifest in an archive lies nearer to the second."""
    files = {
        "house/source.yaml": SOURCE,
        "house/flux.yaml": FLUX,
        "house/roots.yaml": root("house", "house"),
        "house/kustomization.yaml": "resources: [source.yaml, flux.yaml]\n",
        "shed/rake.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: rake}\n",
        "shed.old/flux/kustomization.yaml": BASE_BY_HAND,
        "setup.sh": f"kubectl apply -f house/roots.yaml\nkubectl apply -f {file}\nkubectl apply -k shed.old/flux\n",
    }
    files[file] = f"{files.get(file, '')}---{root('shed', 'shed')}"
    snapshot = reader(repo(*(part for pair in files.items() for part in pair)))

    assert [cluster.name for cluster in snapshot.clusters] == ["house", "shed"]
    assert needing(snapshot) == planned


def test_roots_without_flux_are_planned_where_none_has_it(reader: Reader) -> None:
    tree = repo("shed/source.yaml", SOURCE, "shed/root.yaml", root("shed", "shed"))

    assert needing(reader(tree)) == ("shed",)


def test_a_neighbour_on_another_repository_is_no_example(reader: Reader) -> None:
    """Files of ours are in this repository, so their Kustomizations must not copy the source of that neighbour."""
    attic = SOURCE.replace("name: house", "name: attic").replace("house.git", "attic.git")
    on_attic = root("boxes", "boxes").replace("name: house", "name: attic")
    lists = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
    tree = repo(
        "house/kustomization.yaml",
        lists + "- source.yaml\n- root.yaml\n- flux.yaml\n- loft.yaml\n",
        "house/source.yaml",
        SOURCE,
        "house/root.yaml",
        root("house", "house"),
        "house/flux.yaml",
        FLUX,
        "house/loft.yaml",
        root("loft", "loft"),
        "loft/kustomization.yaml",
        lists + "- attic.yaml\n- boxes.yaml\nnamespace: flux-system\n",
        "loft/attic.yaml",
        attic,
        "loft/boxes.yaml",
        on_attic,
    )

    plan = reader.plan(tree)

    added = (
        reader(next(p.tree for p in plan.phases if p.name is PhaseName.OPERATOR))
        .clusters[0]
        .builds[plan.target.layout.operator.ks]
    )
    assert added.ks.source.name == "house"

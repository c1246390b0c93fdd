"""Kustomizations and releases for another cluster, by `kubeConfig`: what they apply is none of this cluster's."""

from __future__ import annotations

import pytest
from bootstrapped import HOME, LIST, NEST, SYNC, aviary, components
from planning import Reader, names_of

from flux_handover.objects import ObjectId, elsewhere
from flux_handover.plan.phases import PhaseName
from flux_handover.proof.obligations import Verdict
from flux_handover.tree import Tree

FAR = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: far
  namespace: flux-system
spec:
  interval: 10m
  path: ./far
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
  kubeConfig:
    secretRef:
      name: far
"""
RELEASE = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: community, namespace: flux-system}
spec: {interval: 1h, url: https://fluxcd-community.github.io/helm-charts}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: far-flux, namespace: flux-system}
spec:
  interval: 1h
  kubeConfig: {secretRef: {name: far}}
  chart:
    spec:
      chart: flux2
      version: 2.16.4
      sourceRef: {kind: HelmRepository, name: community}
"""
CHECKED = "  healthChecks:\n  - {apiVersion: v1, kind: ConfigMap, name: nest, namespace: default}\n"
AFTER = FAR.replace("name: far\n  namespace", "name: after\n  namespace").replace("./far", "./after").partition(
    "  kubeConfig"
)[0] + ("  dependsOn:\n  - name: far\n")


def with_far(far: str = FAR, **files: str) -> Tree:
    return aviary(**{"clusters/aviary/far.yaml": far, **files})


SAME_OBJECT = with_far(**{"far/nest.yaml": NEST})
OTHER_FLUX = with_far(**{"far/flux.yaml": components("v2.7.5")})
CHECKS = with_far(
    FAR + CHECKED + "---" + AFTER, **{"far/nest.yaml": NEST, "after/nest.yaml": NEST.replace("nest", "b")}
)


def test_an_object_of_another_cluster_has_an_id_of_its_own() -> None:
    id = ObjectId("", "ConfigMap", "default", "nest")

    assert str(elsewhere(id, "far@flux-system")) == "far@flux-system:ConfigMap/default/nest"
    assert elsewhere(elsewhere(id, "far@flux-system"), "far@flux-system") == elsewhere(id, "far@flux-system")
    assert elsewhere(id, "") == id


@pytest.mark.parametrize("tree", [SAME_OBJECT, OTHER_FLUX, CHECKS], ids=["object", "flux", "checks"])
def test_a_handover_is_proved_beside_what_goes_to_another_cluster(tree: Tree, reader: Reader) -> None:
    plan = reader.plan(tree)

    proofs = reader.proofs(tree)

    assert {proof.phase: proof.verdict for proof in proofs} == dict.fromkeys(names_of(plan), Verdict.HOLDS)
    assert not any(path.startswith("far/") for phase in plan.phases for path in phase.files.changed)


def test_one_object_in_two_clusters_has_one_owner_in_each(reader: Reader) -> None:
    (cluster,) = reader(SAME_OBJECT).clusters

    nest = ObjectId("", "ConfigMap", "default", "nest")
    owners = cluster.owners()
    assert [id.name for id in owners[nest]] == ["flux-system"]
    assert [id.name for id in owners[elsewhere(nest, "far@flux-system")]] == ["far"]


def test_a_flux_in_another_cluster_is_told_and_is_not_the_installation(reader: Reader) -> None:
    snapshot = reader(OTHER_FLUX)

    installation = snapshot.installations["clusters/aviary"]
    assert installation.version == "v2.6.4"
    told = "Kustomization/flux-system/far installs Flux v2.7.5 in another cluster, which is none of this one's"
    assert told in installation.notes


def test_a_release_for_another_cluster_is_not_the_installation(reader: Reader) -> None:
    tree = with_far(RELEASE)

    assert reader(tree).installations["clusters/aviary"].method.value == "bootstrap"
    assert [note for note in reader(tree).installations["clusters/aviary"].notes if "helm-chart" in note] == []
    assert "protect" in names_of(reader.plan(tree))


def test_variables_are_not_taken_from_another_cluster(reader: Reader) -> None:
    reading = AFTER.replace("dependsOn:\n  - name: far", "postBuild:\n    substituteFrom: [{kind: ConfigMap, name: v}]")
    variables = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: v, namespace: flux-system}\ndata: {word: far}\n"
    text = NEST + "data: {word: '${word}'}\n"
    tree = with_far(FAR + "---" + reading, **{"far/v.yaml": variables, "after/nest.yaml": text})

    (cluster,) = reader(tree).clusters
    build = next(one for one in cluster if one.id.name == "after")
    assert [object.data.get("data") for object in build.objects] != [{"word": "far"}]


def test_new_files_do_not_copy_the_source_of_a_neighbour_on_fluxs_own_artifact(reader: Reader) -> None:
    """Its Kustomization is a neighbour in the list, and no example: it would look for our files in the artifact."""
    artifact = (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\n"
        "metadata: {name: manifests, namespace: flux-system}\n"
        "spec: {interval: 1h, url: oci://ghcr.io/fluxcd/flux-manifests, ref: {tag: v2.6.4}}\n"
    )
    on_artifact = (
        FAR.replace("./far", "./")
        .replace("GitRepository", "OCIRepository")
        .replace("    name: flux-system", "    name: manifests")
    )
    flux = on_artifact.partition("  kubeConfig")[0].replace("name: far\n  namespace", "name: flux\n  namespace")
    listed = LIST.lstrip().replace("gotk-components", "manifests").replace("gotk-sync", "sync")
    own = aviary()
    tree = own.without(f"{HOME}/gotk-components.yaml").without(f"{HOME}/gotk-sync.yaml")
    for name, text in {
        "kustomization": listed.replace("- sync.yaml", "- sync.yaml\n- flux.yaml\n- far.yaml"),
        "sync": SYNC.lstrip(),
        "manifests": artifact,
        "flux": flux.lstrip(),
        "far": on_artifact.lstrip(),
    }.items():
        tree = tree.with_file(f"{HOME}/{name}.yaml", text.encode())

    plan = reader.plan(tree)

    assert plan.target.layout.manners.spec["sourceRef"] == {"kind": "GitRepository", "name": "flux-system"}
    (retire,) = (phase for phase in plan.phases if phase.name is PhaseName.RETIRE)
    assert [id.name for id in retire.removes] == ["flux"]

"""Chart `flux2-sync`: its values say where the cluster begins, and its release is never uninstalled."""

from __future__ import annotations

import pytest
from bootstrapped import NEST, SYNC
from builders import repo
from installed import CHART as FLUX
from planning import Reader, names_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId
from flux_handover.plan.phases import PhaseName
from flux_handover.proof.obligations import Verdict
from flux_handover.tree import Tree

HOME = "clusters/aviary"
RELEASE = """
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: begin, namespace: flux-system}
spec:
  interval: 1h
  releaseName: aviary
  chart:
    spec:
      chart: flux2-sync
      version: 1.13.0
      sourceRef: {kind: HelmRepository, name: community}
  values:
    gitRepository:
      spec:
        url: ssh://git@git.example.org/aviary.git
        ref: {branch: main}
        secretRef: {name: deploy}
        ignore: ""
    kustomization:
      spec:
        path: ./clusters/aviary
        decryption: {provider: sops, secretRef: {name: age}}
        dependsOn: []
"""
HELMFILE = """
repositories:
- name: community
  url: https://fluxcd-community.github.io/helm-charts
releases:
- name: aviary
  namespace: flux-system
  chart: community/flux2-sync
  version: 1.13.0
  values:
  - gitRepository:
      spec:
        url: ssh://git@git.example.org/aviary.git
        ref: {branch: main}
    kustomization:
      name: everything
      spec:
        path: clusters/aviary
        prune: false
"""
TERRAFORM = """
resource "helm_release" "sync" {
  name      = "aviary"
  namespace = "flux-system"
  chart     = "flux2-sync"
  values = [<<-EOT
    gitRepository:
      spec:
        url: ssh://git@git.example.org/aviary.git
    kustomization:
      spec:
        path: clusters/aviary
  EOT
  ]
}
"""
LIST = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- flux.yaml\n- nest.yaml\n"
WRITTEN = (
    SYNC.lstrip()
    .replace("name: flux-system\n  namespace", "name: aviary\n  namespace")
    .replace("kind: GitRepository\n    name: flux-system", "kind: GitRepository\n    name: aviary")
)
SUSPENDED = RELEASE.replace("  interval: 1h\n  rel", "  interval: 1h\n  suspend: true\n  rel")


def home(*more: str, flux: str = FLUX, listed: str = LIST) -> Tree:
    own = (f"{HOME}/kustomization.yaml", listed, f"{HOME}/flux.yaml", flux, f"{HOME}/nest.yaml", NEST)
    return repo(*own, *more)


def test_the_values_of_a_helm_release_say_where_the_cluster_begins(reader: Reader) -> None:
    (cluster,) = reader(home(flux=FLUX + "---" + RELEASE)).clusters

    assert (cluster.name, cluster.origin) == (HOME, "chart flux2-sync")
    assert cluster.root == ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "aviary")
    root = cluster.builds[cluster.root].ks
    source = cluster.sources[root.source]
    assert (root.prune, root.decryption_secret) == (True, ObjectId("", "Secret", "flux-system", "age"))
    assert source.id == ObjectId(SOURCE_GROUP, "GitRepository", "flux-system", "aviary")
    assert (source.secret, source.ref) == (ObjectId("", "Secret", "flux-system", "deploy"), {"branch": "main"})
    assert "ignore" not in source.object.spec


@pytest.mark.parametrize(
    ("path", "text", "root", "prune"),
    [
        ("up/sync.yaml", HELMFILE, "everything", False),
        ("infra/main.tf", TERRAFORM, "aviary", True),
    ],
    ids=["helmfile", "terraform"],
)
def test_so_do_those_of_other_tools(path: str, text: str, root: str, prune: bool, reader: Reader) -> None:
    (cluster,) = reader(home(path, text)).clusters

    assert (cluster.name, cluster.root.name, cluster.builds[cluster.root].ks.prune) == (HOME, root, prune)
    assert cluster.builds[cluster.root].ks.source.name == "aviary"


def test_values_that_only_terraform_can_evaluate_say_nothing(reader: Reader) -> None:
    text = TERRAFORM.replace("path: clusters/aviary", "path: ${var.path}")

    assert reader(home("infra/main.tf", text)).clusters == ()


def test_a_release_that_is_not_suspended_is_refused_with_its_line(reader: Reader) -> None:
    with pytest.raises(UnsupportedInstallation, match="installs the source and the root") as refusal:
        reader.plan(home(flux=FLUX + "---" + RELEASE))

    assert refusal.value.where == f"{HOME}/flux.yaml:17"
    assert "suspend this release" in refusal.value.hint


@pytest.fixture
def lifted() -> Tree:
    """The same repository after the smallest change that the refusal names."""
    return home(f"{HOME}/root.yaml", WRITTEN, flux=FLUX + "---" + SUSPENDED, listed=LIST + "- root.yaml\n")


def test_what_the_refusal_asks_for_lifts_it(lifted: Tree, reader: Reader) -> None:
    plan = reader.plan(lifted)

    assert names_of(plan) == ["preflight", "protect", "operator", "instance", "bootstrap", "retire"]
    assert {proof.verdict for proof in reader.proofs(lifted)} == {Verdict.HOLDS}
    assert names_of(reader.plan(plan.phases[-1].tree)) == []


def test_a_suspended_release_without_the_root_in_git_is_refused(reader: Reader) -> None:
    with pytest.raises(UnsupportedInstallation, match="installs the source and the root"):
        reader.plan(home(flux=FLUX + "---" + SUSPENDED))


def test_both_releases_are_forgotten_together(lifted: Tree, reader: Reader) -> None:
    plan = reader.plan(lifted)

    retire = next(phase for phase in plan.phases if phase.name is PhaseName.RETIRE)
    assert sorted(id.name for id in retire.removes) == ["begin", "community", "engine"]
    assert any("owner=helm,name=aviary" in note for note in retire.notes)


def test_preflight_takes_only_these_for_suspended(lifted: Tree, reader: Reader) -> None:
    gates = {gate.id: gate for gate in reader.plan(lifted).phases[0].gates}

    assert gates["none-suspended"].condition == "nothing but HelmRelease/flux-system/begin is suspended"


def test_a_helmfile_of_its_own_goes_on_making_the_root(reader: Reader) -> None:
    """Flux by one helmfile, the root by another: nothing reconciles either, so only the first one goes."""
    flux = HELMFILE.partition("- name: aviary")[0] + (
        "- name: engine\n  namespace: flux-system\n  chart: community/flux2\n  version: 2.16.4\n"
    )
    lines = "up:\n\thelmfile -f up/flux.yaml apply\n\thelmfile -f up/sync.yaml apply\n"
    child = WRITTEN.partition("---\napiVersion: kust")[2].replace(
        "name: aviary\n  namespace", "name: shop\n  namespace"
    )
    tree = repo(
        *(f"{HOME}/kustomization.yaml", LIST.replace("flux.yaml", "shop.yaml")),
        *(f"{HOME}/shop.yaml", f"apiVersion: kust{child}".replace("./clusters/aviary", "./shop")),
        *(f"{HOME}/nest.yaml", NEST, "shop/nest.yaml", NEST.replace("nest", "shop")),
        *("up/flux.yaml", flux, "up/sync.yaml", HELMFILE, "Makefile", lines),
    )

    plan = reader.plan(tree)

    assert {proof.verdict for proof in reader.proofs(tree)} == {Verdict.HOLDS}
    end = plan.phases[-1].tree
    assert "up/flux.yaml" not in end
    assert end.files["up/sync.yaml"] == tree.files["up/sync.yaml"]
    assert names_of(reader.plan(end)) == []

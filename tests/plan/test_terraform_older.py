"""Terraform before `flux_bootstrap_git`, and beside other ways: whatever holds Flux in its state forgets it first."""

from __future__ import annotations

import pytest
from bootstrapped import HOME, aviary, components
from builders import repo, yaml_text
from planning import Reader, names_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.plan.phases import Phase, PhaseName
from flux_handover.plan.planner import make_plan
from flux_handover.plan.target import Options
from flux_handover.proof.obligations import Verdict
from flux_handover.tree import Tree

FILE = "infra/main.tf"
VERSIONS = 'terraform {\n  required_version = ">= 1.9"\n}\n'
RENDERED = """
data "flux_install" "main" {
  target_path = "clusters/aviary"
  version     = "v2.6.4"
}
data "flux_sync" "main" {
  target_path = "clusters/aviary"
  url         = "ssh://git@git.example.org/aviary.git"
}
data "kubectl_file_documents" "install" {
  content = data.flux_install.main.content
}
locals {
  install = [for v in data.kubectl_file_documents.install.documents : v]
  region  = "north"
}
resource "kubectl_manifest" "install" {
  for_each  = { for v in local.install : sha1(v) => v }
  yaml_body = each.value
}
resource "github_repository_file" "sync" {
  repository = "aviary"
  file       = data.flux_sync.main.path
  content    = data.flux_sync.main.content
}
resource "kubernetes_secret" "main" {
  metadata {
    name      = data.flux_sync.main.secret
    namespace = data.flux_sync.main.namespace
  }
}
"""
READ = """
data "kubectl_file_documents" "install" {
  content = file("../clusters/aviary/flux-system/gotk-components.yaml")
}
resource "kubectl_manifest" "install" {
  for_each  = data.kubectl_file_documents.install.manifests
  yaml_body = each.value
}
resource "kubernetes_namespace" "shop" {
  metadata {
    name = "shop"
  }
}
"""
BUILT = """
data "kustomization_build" "flux" {
  path = "${path.module}/../clusters/aviary/flux-system"
}
resource "kustomization_resource" "all" {
  for_each = data.kustomization_build.flux.ids
  manifest = data.kustomization_build.flux.manifests[each.value]
}
"""
COMMANDED = """
resource "null_resource" "flux" {
  provisioner "local-exec" {
    command = "flux bootstrap git --url=ssh://git@git.example.org/aviary.git --path=clusters/aviary"
  }
}
"""
PATTERNS = {"rendered": RENDERED, "read": READ, "built": BUILT, "commanded": COMMANDED}


def terraformed(text: str) -> Tree:
    return aviary(**{FILE: VERSIONS + text})


def state(tree: Tree, reader: Reader) -> Phase:
    return next(phase for phase in reader.plan(tree).phases if phase.name is PhaseName.STATE)


@pytest.mark.parametrize(
    ("text", "forgotten", "kept"),
    [
        (
            RENDERED,
            ["kubectl_manifest.install", "github_repository_file.sync"],
            ['data "flux_sync" "main"', 'resource "kubernetes_secret" "main"', 'region  = "north"'],
        ),
        (READ, ["kubectl_manifest.install"], ['resource "kubernetes_namespace" "shop"']),
        (BUILT, ["kustomization_resource.all"], []),
        (COMMANDED, ["null_resource.flux"], []),
    ],
    ids=PATTERNS,
)
def test_what_holds_flux_in_its_state_is_forgotten(
    text: str, forgotten: list[str], kept: list[str], reader: Reader
) -> None:
    written = state(terraformed(text), reader).tree.read(FILE).decode()

    found = [line.split()[2] for line in written.splitlines() if line.startswith("  from = ")]
    assert found == forgotten
    assert written.count("destroy = false") == len(forgotten)
    assert [words for words in kept if words not in written] == []


@pytest.mark.parametrize("text", [READ, BUILT], ids=["read", "built"])
def test_a_block_that_reads_files_which_leave_git_leaves_too(text: str, reader: Reader) -> None:
    """Terraform stops with an error where `file` names nothing, so nothing at all could be applied."""
    assert 'data "' not in state(terraformed(text), reader).tree.read(FILE).decode()


@pytest.mark.parametrize("text", PATTERNS.values(), ids=PATTERNS)
def test_nothing_is_left_after_the_last_phase(text: str, reader: Reader) -> None:
    plan = reader.plan(terraformed(text))

    assert names_of(plan) == ["preflight", "state", "protect", "operator", "instance", "bootstrap", "retire"]
    assert names_of(reader.plan(plan.phases[1].tree)) == names_of(plan)[2:]
    assert names_of(reader.plan(plan.phases[-1].tree)) == []


@pytest.mark.parametrize("text", [RENDERED, READ], ids=["rendered", "read"])
def test_every_phase_is_proved(text: str, reader: Reader) -> None:
    tree = terraformed(text)

    assert {proof.verdict for proof in reader.proofs(tree)} == {Verdict.HOLDS}


def test_the_phases_after_it_wait_for_each_state(reader: Reader) -> None:
    plan = reader.plan(terraformed(RENDERED))

    gates = {gate.id for phase in plan.phases if phase.name is PhaseName.PROTECT for gate in phase.gates}
    assert {"state-without-kubectl_manifest-install", "state-without-github_repository_file-sync"} <= gates


def test_a_namespace_that_terraform_keeps_is_told(reader: Reader) -> None:
    text = READ + 'resource "kubernetes_namespace" "flux" {\n  metadata {\n    name = "flux-system"\n  }\n}\n'

    notes = [note for note in state(terraformed(text), reader).notes if "owns the Namespace" in note]

    line = (VERSIONS + text).splitlines().index('resource "kubernetes_namespace" "flux" {') + 1
    assert [note.partition(": ")[0] for note in notes] == [f"{FILE}:{line}"]


def test_the_way_back_names_each_address(reader: Reader) -> None:
    steps = [step.command for step in state(terraformed(RENDERED), reader).way_back]

    assert "terraform import kubectl_manifest.install ID" in steps


def test_a_resource_that_waits_for_flux_is_told_with_its_line(reader: Reader) -> None:
    waiting = 'resource "kubernetes_secret" "key" {\n  depends_on = [kubectl_manifest.install]\n}\n'
    text = READ + waiting

    with pytest.raises(UnsupportedInstallation, match=r"kubectl_manifest\.install is named elsewhere") as refusal:
        reader.plan(terraformed(text))

    line = (VERSIONS + text).splitlines().index("  depends_on = [kubectl_manifest.install]") + 1
    assert refusal.value.where == f"{FILE}:{line}"


def test_a_value_that_reads_flux_for_others_is_told_with_its_line(reader: Reader) -> None:
    text = 'locals {\n  flux = file("../clusters/aviary/flux-system/gotk-components.yaml")\n}\n' + (
        'resource "kubectl_manifest" "install" {\n  yaml_body = local.flux\n}\n'
    )

    with pytest.raises(UnsupportedInstallation, match=r"local\.flux reads Flux's manifests") as refusal:
        reader.plan(terraformed(text))

    assert refusal.value.where == f"{FILE}:{VERSIONS.count(chr(10)) + 2}"


def test_terraform_that_only_makes_other_things_is_left_alone(reader: Reader) -> None:
    text = """
    resource "kubernetes_config_map" "settings" {
      data = {
        path = "../clusters/aviary/flux-system"
        note = file("../clusters/aviary/nest.yaml")
      }
    }
    """

    assert "state" not in names_of(reader.plan(terraformed(yaml_text(text))))


def test_manifests_that_terraform_alone_applies_are_named(reader: Reader) -> None:
    text = VERSIONS + (
        'resource "kubernetes_manifest" "flux" {\n'
        '  for_each = { for i, d in split("---", file("${path.module}/flux.yaml")) : i => d }\n'
        "  manifest = yamldecode(each.value)\n}\n"
    )
    bare = aviary()
    tree = repo(
        *(f"{HOME}/sync.yaml", bare.read(f"{HOME}/gotk-sync.yaml").decode()),
        *("clusters/aviary/nest.yaml", bare.read("clusters/aviary/nest.yaml").decode()),
        *("infra/flux.yaml", components()),
        *(FILE, text),
    )

    with pytest.raises(UnsupportedInstallation, match=r"infra/flux\.yaml are applied by Terraform alone") as refusal:
        reader.plan(tree)

    assert refusal.value.where == f"{FILE}:4"
    assert "list infra/flux.yaml in a kustomization.yaml" in refusal.value.hint


def test_older_data_sources_name_the_root_where_git_has_nothing_of_flux(reader: Reader) -> None:
    tree = repo("clusters/aviary/nest.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n", FILE, RENDERED)

    with pytest.raises(UnsupportedInstallation, match="no manifest of Flux is in Git") as refusal:
        reader.plan(tree)

    assert refusal.value.where == f"{FILE}:1"


def test_each_cluster_has_its_own_blocks(reader: Reader) -> None:
    one, other = terraformed(RENDERED), RENDERED.replace("aviary", "burrow")
    burrow = {
        path.replace("aviary", "burrow"): one.read(path).decode().replace("aviary", "burrow")
        for path in one
        if path != FILE
    }
    tree = aviary(**{"infra/aviary/main.tf": VERSIONS + RENDERED, "infra/burrow/main.tf": VERSIONS + other, **burrow})
    snapshot = reader(tree)

    plan = make_plan(snapshot, "clusters/burrow", Options(), reader)

    (changed,) = next(phase for phase in plan.phases if phase.name is PhaseName.STATE).files.changed
    assert changed == "infra/burrow/main.tf"


def test_a_release_of_terraform_is_forgotten_beside_the_helm_release_that_adopted_it(reader: Reader) -> None:
    """The refusal of a `helm_release` alone asks for this; Terraform would go on upgrading what Flux has by then."""
    release = (
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\n"
        "metadata: {name: community, namespace: flux-system}\n"
        "spec: {interval: 1h, url: https://fluxcd-community.github.io/helm-charts}\n---\n"
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: flux2, namespace: flux-system}\n"
        "spec:\n  interval: 1h\n  chart:\n    spec:\n      chart: flux2\n      version: 2.16.4\n"
        "      sourceRef: {kind: HelmRepository, name: community}\n"
    )
    block = 'resource "helm_release" "flux" {\n  name = "flux2"\n  chart = "flux2"\n  version = "2.16.4"\n}\n'
    own = aviary()
    tree = repo(
        *("clusters/aviary/kustomization.yaml", "resources: [root.yaml, nest.yaml, flux.yaml]\n"),
        *("clusters/aviary/root.yaml", own.read(f"{HOME}/gotk-sync.yaml").decode()),
        *("clusters/aviary/nest.yaml", own.read("clusters/aviary/nest.yaml").decode()),
        *("clusters/aviary/flux.yaml", release, FILE, VERSIONS + block),
    )

    assert names_of(reader.plan(tree))[:3] == ["preflight", "state", "protect"]
    assert "from = helm_release.flux #" in state(tree, reader).tree.read(FILE).decode()

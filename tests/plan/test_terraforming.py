"""Flux by Terraform: the state is handed over first, then everything is as after `flux bootstrap` (rules.md R29)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import repo, yaml_text
from model.detecting import ROOT, exported
from planning import Reader, names_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.plan.operations import AddFile, ReplaceText
from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.plan.terraforming import forgotten
from flux_handover.proof.obligations import Obligation, Verdict
from flux_handover.proof.prove import prove
from flux_handover.tree import Tree

FILE = "infra/flux/main.tf"
BLOCK = """
    resource "flux_bootstrap_git" "north" {
      path    = "sites/north"
      version = "v2.6.4"
    }
    """
NEW = 'terraform {\n  required_version = ">= 1.9"\n}\n'
OLD = 'terraform {\n  required_version = ">= 1.3, < 2.0"\n}\n'
KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"


def terraformed(block: str = BLOCK, *more: str, versions: str = NEW) -> Tree:
    """A repository whose manifests Terraform wrote, with a neighbour to learn from."""
    return repo(
        *("sites/north/kustomization.yaml", f"{KUSTOMIZATION}  - machinery\n  - shop.yaml\n"),
        *("sites/north/machinery/kustomization.yaml", f"{KUSTOMIZATION}  - everything.yaml\n  - root.yaml\n"),
        *("sites/north/machinery/everything.yaml", exported("v2.6.4")),
        *("sites/north/machinery/root.yaml", ROOT),
        *("sites/north/shop.yaml", shop()),
        *("apps/shop/kustomization.yaml", f"{KUSTOMIZATION}  - settings.yaml\n"),
        *("apps/shop/settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n"),
        *(FILE, block),
        *("infra/versions.tf", versions),
        *more,
    )


def shop() -> str:
    (_, root) = yaml_text(ROOT).split("---\n")
    return root.replace("name: estate\n  namespace", "name: shop\n  namespace").replace("./sites/north", "./apps/shop")


def phase(plan: Plan, name: PhaseName) -> Phase:
    return next(one for one in plan.phases if one.name is name)


def gates_of(plan: Plan, name: PhaseName) -> dict[str, str]:
    return {gate.id: gate.command for phase in plan.phases if phase.name is name for gate in phase.gates}


def test_the_state_is_handed_over_before_anything_else(reader: Reader) -> None:
    plan = reader.plan(terraformed())

    assert names_of(plan) == ["preflight", "state", "protect", "operator", "instance", "bootstrap", "retire"]
    assert plan.phases[1].files.changed == (FILE,)


def test_every_phase_is_proved(reader: Reader) -> None:
    tree = terraformed()
    plan = reader.plan(tree)

    proofs = reader.proofs(tree)

    assert {proof.phase: proof.verdict for proof in proofs} == dict.fromkeys(names_of(plan), Verdict.HOLDS)
    assert all(not phase.removes for phase in plan.phases)


def test_a_terraform_that_knows_removed_blocks_gets_one(reader: Reader) -> None:
    written = reader.plan(terraformed()).phases[1].tree.read(FILE).decode()

    assert "removed {\n  from = flux_bootstrap_git.north\n\n  lifecycle {\n    destroy = false\n  }\n}\n" in written
    assert "resource" not in written


@pytest.mark.parametrize("versions", ["", OLD, 'terraform {\n  required_version = "~> 1.6"\n}\n'])
def test_an_older_or_unknown_one_is_told_to_use_state_rm(versions: str, reader: Reader) -> None:
    written = reader.plan(terraformed(versions=versions)).phases[1].tree.read(FILE).decode()

    assert written == "# forgotten: flux_bootstrap_git.north, by `state rm` before this file is applied again\n"


def test_opentofu_is_told_to_use_state_rm(reader: Reader) -> None:
    tree = terraformed(BLOCK, "infra/other.tofu", "locals {}\n")

    assert reader.plan(tree).phases[1].tree.read(FILE).startswith(b"# forgotten: ")


def test_nothing_follows_until_terraform_has_forgotten(reader: Reader) -> None:
    plan = reader.plan(terraformed())

    for name in (PhaseName.PROTECT, PhaseName.OPERATOR):
        gates = gates_of(plan, name)
        assert gates["state-without-flux_bootstrap_git-north"] == "terraform -chdir=infra/flux state list"
        assert gates["no-plan-for-flux_bootstrap_git-north"].endswith("plan -detailed-exitcode")


@pytest.mark.parametrize("versions", [NEW, OLD])
def test_after_the_hand_over_the_phases_after_it_are_left(versions: str, reader: Reader) -> None:
    plan = reader.plan(terraformed(versions=versions))
    left = reader.plan(plan.phases[1].tree)

    assert names_of(left) == names_of(plan)[2:]
    assert "state-without-flux_bootstrap_git-north" in gates_of(left, PhaseName.PROTECT)


def test_after_the_last_phase_nothing_is_left(reader: Reader) -> None:
    assert names_of(reader.plan(reader.plan(terraformed()).phases[-1].tree)) == []


def test_the_way_back_says_that_terraform_must_import(reader: Reader) -> None:
    steps = reader.plan(terraformed()).phases[1].way_back

    assert any("terraform import flux_bootstrap_git" in step.command for step in steps)


def test_only_the_block_changes(reader: Reader) -> None:
    tree = terraformed(
        '# keep\nlocals {\n  a = "b"\n}\n\n' + yaml_text(BLOCK) + '\noutput "x" {\n  value = local.a\n}\n'
    )

    operation, page = reader.plan(tree).phases[1].operations

    assert isinstance(operation, ReplaceText)
    assert isinstance(page, AddFile)
    assert (
        reader.plan(tree).phases[1].tree.read(FILE).decode().startswith('# keep\nlocals {\n  a = "b"\n}\n\nremoved {')
    )


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ('output "id" {\n  value = flux_bootstrap_git.north.id\n}\n', f"{FILE}:6"),
        ('resource "x" "y" {\n  depends_on = [flux_bootstrap_git.north]\n}\n', f"{FILE}:6"),
    ],
)
def test_a_block_that_others_name_is_refused_at_their_line(more: str, line: str, reader: Reader) -> None:
    with pytest.raises(UnsupportedInstallation, match="is named elsewhere") as refusal:
        reader.plan(terraformed(yaml_text(BLOCK) + more))

    assert refusal.value.where == line


def test_a_comment_that_names_it_is_no_reference(reader: Reader) -> None:
    tree = terraformed(yaml_text(BLOCK) + "# see flux_bootstrap_git.north\n")

    assert names_of(reader.plan(tree))[1] == "state"


def test_a_block_for_several_clusters_is_refused(reader: Reader) -> None:
    with pytest.raises(UnsupportedInstallation, match="several instances"):
        reader.plan(terraformed(yaml_text(BLOCK).replace("  path ", "  count = 2\n  path ")))


def test_flux_that_is_not_in_git_at_all_is_said_so(reader: Reader) -> None:
    tree = repo("sites/north/root.yaml", ROOT, FILE, BLOCK)

    with pytest.raises(UnsupportedInstallation, match="no manifest of Flux is in Git") as refusal:
        reader.plan(tree)

    assert refusal.value.where == f"{FILE}:1"


def test_a_repository_without_terraform_has_nothing_to_forget() -> None:
    assert forgotten(repo("a.yaml", "a: b\n")) == ()


def test_a_page_says_how_a_bare_cluster_is_built_meanwhile(reader: Reader) -> None:
    plan = reader.plan(terraformed())
    (page,) = phase(plan, PhaseName.STATE).files.added

    text = phase(plan, PhaseName.STATE).tree.read(page).decode()
    assert "flux install --version=v2.6.4 --namespace=flux-system --components=" in text
    assert "kubectl apply --server-side --kustomize sites/north/machinery" in text
    assert page in phase(plan, PhaseName.BOOTSTRAP).files.removed


def test_forgetting_without_the_page_is_refuted(reader: Reader) -> None:
    """Nothing else would install Flux on a bare cluster until phase `bootstrap`."""
    tree = terraformed()
    plan = reader.plan(tree)
    state = phase(plan, PhaseName.STATE)
    bare = Tree({path: file for path, file in state.tree.files.items() if path not in state.files.added})
    hasty = replace(plan, phases=(replace(state, tree=bare),))

    (proof,) = prove(hasty, reader(tree), lambda after, _: reader(after), reader.engine)

    (judgement,) = (one for one in proof.judgements if one.obligation is Obligation.BOOTSTRAP_COMPLETE)
    assert judgement.verdict is Verdict.REFUTED
    assert f"as {FILE}:1 did" in judgement.evidence[0]


def test_a_secret_that_terraform_made_is_on_the_page(reader: Reader) -> None:
    root = yaml_text(ROOT).replace("  url: https", "  secretRef:\n    name: deploy\n  url: https")
    plan = reader.plan(terraformed().with_file("sites/north/machinery/root.yaml", root.encode()))

    (page,) = phase(plan, PhaseName.STATE).files.added
    text = phase(plan, PhaseName.STATE).tree.read(page).decode()
    assert "kubectl --namespace flux-system create secret generic deploy --from-file=" in text


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ('data "flux_install" "main" {\n  target_path = "sites/north"\n}\n', "no manifest of Flux is in Git"),
        (
            'resource "helm_release" "flux" {\n  name = "flux"\n  chart = "flux2"\n  version = "2.16.4"\n}\n',
            "no HelmRelease and no helmfile in Git installs Flux",
        ),
    ],
)
def test_older_patterns_are_refused_with_their_place(block: str, message: str, reader: Reader) -> None:
    tree = repo("sites/north/root.yaml", ROOT, "sites/north/infra/flux.tf", block)

    with pytest.raises(UnsupportedInstallation, match=message) as refusal:
        reader.plan(tree)

    assert refusal.value.where.startswith("sites/north/infra/flux.tf")
    assert refusal.value.hint

"""Flux by a remote base: what is adopted opts out, the six other names are decided in words (rules.md R27)."""

from __future__ import annotations

import pytest
from builders import repo, yaml_text
from lanes import slow_but
from model.detecting import ROOT
from planning import Reader, names_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.installation import Method
from flux_handover.objects import ObjectId
from flux_handover.plan.basing import adopted, leftovers
from flux_handover.plan.gates import before_references
from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.proof.obligations import Verdict
from flux_handover.tree import Tree

LIST = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"
REFERENCE = "github.com/fluxcd/flux2/manifests/install?ref=v2.6.4"
PATCHES = """
    patches:
      - target:
          kind: Deployment
          name: (kustomize-controller|helm-controller)
        patch: |
          - op: add
            path: /spec/template/spec/containers/0/args/-
            value: --concurrent=9
    """
RBAC = "rbac.authorization.k8s.io"
SIX = {
    ObjectId("", "ResourceQuota", "flux-system", "critical-pods"),
    ObjectId(RBAC, "ClusterRole", "", "crd-controller"),
    ObjectId(RBAC, "ClusterRole", "", "flux-edit"),
    ObjectId(RBAC, "ClusterRole", "", "flux-view"),
    ObjectId(RBAC, "ClusterRoleBinding", "", "cluster-reconciler"),
    ObjectId(RBAC, "ClusterRoleBinding", "", "crd-controller"),
}
ENGINE = ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "engine")
BY_HAND = "up:\n\tkubectl apply --server-side -k machinery\n\tkubectl apply -f sites/north/root.yaml\n"


def kustomization(name: str, path: str) -> str:
    (_, root) = yaml_text(ROOT).split("---\n")
    return root.replace("name: estate\n  namespace", f"name: {name}\n  namespace").replace("./sites/north", f"./{path}")


def base(*entries: str, patches: str = PATCHES) -> str:
    return LIST + "".join(f"  - {entry}\n" for entry in (REFERENCE, *entries)) + yaml_text(patches)


def site(listed: str, *more: str) -> Tree:
    """A repository with an application, and what the root lists besides."""
    return repo(
        *("sites/north/kustomization.yaml", f"{LIST}  - root.yaml\n  - shop.yaml\n{listed}"),
        *("sites/north/root.yaml", ROOT),
        *("sites/north/shop.yaml", kustomization("shop", "apps/shop")),
        *("apps/shop/kustomization.yaml", f"{LIST}  - settings.yaml\n"),
        *("apps/shop/settings.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n"),
        *more,
    )


def owned(text: str = "") -> Tree:
    """Flux by a Kustomization that applies nothing else."""
    files = ("sites/north/engine.yaml", kustomization("engine", "machinery"))
    return site("  - engine.yaml\n", *files, "machinery/kustomization.yaml", text or base())


def mixed() -> Tree:
    """Flux by the root itself."""
    return site(f"  - {REFERENCE}\n")


def by_hand() -> Tree:
    """Flux by a person alone."""
    return site("", "machinery/kustomization.yaml", base(), "Makefile", BY_HAND)


SITES = {"owned": owned, "mixed": mixed, "by hand": by_hand}


def phase(plan: Plan, name: PhaseName) -> Phase:
    return next(one for one in plan.phases if one.name is name)


@pytest.mark.slow
@pytest.mark.parametrize("layout", SITES)
def test_every_phase_is_proved(layout: str, reader: Reader) -> None:
    tree = SITES[layout]()
    plan = reader.plan(tree)

    proofs = reader.proofs(tree)

    assert plan.installation.method is Method.REMOTE_BASE
    assert {proof.phase: proof.verdict for proof in proofs} == dict.fromkeys(names_of(plan), Verdict.HOLDS)


@pytest.mark.parametrize("layout", slow_but({"by hand"}, SITES))
def test_after_each_phase_the_phases_after_it_are_left(layout: str, reader: Reader) -> None:
    plan = reader.plan(SITES[layout]())

    names = names_of(plan)
    for number, one in enumerate(plan.phases[1:], start=2):
        assert names_of(reader.plan(one.tree)) == names[number:]


def test_six_objects_have_other_names_afterwards(reader: Reader) -> None:
    installation = reader.plan(owned()).installation

    assert leftovers(installation) == SIX
    assert len(adopted(installation)) == len(installation.live) - len(SIX)


def test_the_six_go_with_the_owner(reader: Reader) -> None:
    plan = reader.plan(owned())

    assert phase(plan, PhaseName.RETIRE).removes == {*SIX, ENGINE}
    assert phase(plan, PhaseName.RETIRE).files.removed == ("machinery/kustomization.yaml", "sites/north/engine.yaml")


def test_an_owner_of_other_things_stays_and_prunes_the_six(reader: Reader) -> None:
    retired = phase(reader.plan(mixed()), PhaseName.RETIRE)

    assert retired.removes == SIX
    assert "fluxcd/flux2" not in retired.tree.read("sites/north/kustomization.yaml").decode()


def test_exactly_what_is_adopted_opts_out_first(reader: Reader) -> None:
    """The owner never stops pruning: what leaves it meanwhile would be orphaned."""
    plan = reader.plan(owned())

    cluster = reader(phase(plan, PhaseName.PROTECT).tree).clusters[0]
    marked = {o.id for o in cluster.builds[ENGINE].objects if o.annotations.get("kustomize.toolkit.fluxcd.io/prune")}
    assert marked == {object.id for object in adopted(plan.installation)}
    assert cluster.builds[ENGINE].ks.prune


def test_what_a_person_applied_is_named_for_a_person_to_delete(reader: Reader) -> None:
    plan = reader.plan(by_hand())
    notes = "\n".join(phase(plan, PhaseName.RETIRE).notes)

    assert names_of(plan) == ["preflight", "operator", "instance", "bootstrap", "retire"]
    assert phase(plan, PhaseName.RETIRE).removes == frozenset()
    assert "kubectl delete clusterrole crd-controller flux-edit flux-view" in notes
    assert "kubectl delete clusterrolebinding cluster-reconciler crd-controller" in notes
    assert "kubectl -n flux-system delete resourcequota critical-pods" in notes
    assert "goes on binding two service accounts to cluster-admin" in notes


def test_an_instance_at_another_version_is_not_half_a_handover(reader: Reader) -> None:
    instance = phase(reader.plan(by_hand()), PhaseName.INSTANCE).tree
    moved = instance.with_file("machinery/kustomization.yaml", base().replace("v2.6.4", "v2.5.1").encode())

    (installation,) = reader(moved).installations.values()

    assert installation.method is Method.OPERATOR


def test_gates_for_the_six_name_no_namespace_where_there_is_none() -> None:
    commands = {gate.object: gate.command for gate in before_references(SIX) if gate.object in SIX}

    assert len(commands) == len(SIX)
    assert all(("-n flux-system" in command) == bool(id and id.namespace) for id, command in commands.items())


@pytest.mark.parametrize("field", ["replicas", "namePrefix"])
def test_fields_that_need_the_components_are_refused_at_their_line(field: str, reader: Reader) -> None:
    value = "\n  - name: helm-controller\n    count: 1" if field == "replicas" else " x-"
    tree = site(
        "  - machinery\n",
        "machinery/kustomization.yaml",
        base("extra.yaml") + f"{field}:{value}\n",
        "machinery/extra.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: default}\n",
    )

    with pytest.raises(UnsupportedInstallation) as refusal:
        reader.plan(tree)

    assert refusal.value.where


def test_an_archived_base_of_another_version_is_left_alone(reader: Reader) -> None:
    """No step applies it and it is not what runs: it is no install manifest of this cluster."""
    old = LIST + f"  - {REFERENCE.replace('v2.6.4', 'v2.2.3')}\n"
    plan = reader.plan(owned().with_file("sites/archive/kustomization.yaml", old.encode()))

    assert "sites/archive/kustomization.yaml" in phase(plan, PhaseName.RETIRE).tree

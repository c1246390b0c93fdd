"""Flux by chart `flux2`: the release is suspended, then forgotten, and nothing of Flux changes (rules.md R28)."""

from __future__ import annotations

import re

import pytest
from builders import repo, yaml_text
from planning import Reader, names_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.effective_kept import lost
from flux_handover.model.instance import render_instance
from flux_handover.objects import ObjectId
from flux_handover.plan.edits import edited
from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.plan.releasing import OVERRIDE
from flux_handover.plan.releasing_chart import merge_patch
from flux_handover.plan.target import Options
from flux_handover.proof.obligations import Obligation, Verdict
from flux_handover.proof.stages import Revision, gates_between, stage_of, step
from flux_handover.tree import Tree

RELEASE = "estate/machinery/release.yaml"
HELM_RELEASE = ObjectId("helm.toolkit.fluxcd.io", "HelmRelease", "flux-system", "engines")
REPOSITORY = ObjectId("source.toolkit.fluxcd.io", "HelmRepository", "flux-system", "community")

VALUES = """
    kustomizeController:
      container:
        additionalArgs:
          - --concurrent=8
          - --requeue-dependency=5s
      resources:
        limits:
          memory: 3Gi
    helmController:
      container:
        additionalArgs:
          - --feature-gates=OOMWatch=true
      extraEnv:
        - name: HTTPS_PROXY
          value: http://proxy.example.org:3128
      volumes:
        - name: cache
          emptyDir:
            medium: Memory
      volumeMounts:
        - name: cache
          mountPath: /cache
      priorityClassName: system-cluster-critical
    imageAutomationController:
      create: false
    sourceController:
      serviceAccount:
        annotations:
          iam.example.org/role: reader
      tolerations:
        - operator: Exists
      nodeSelector:
        example.org/pool: infra
    notificationController:
      annotations:
        example.org/team: platform
    policies:
      create: false
    logLevel: debug
    """

ROOT = """
    apiVersion: source.toolkit.fluxcd.io/v1
    kind: GitRepository
    metadata:
      name: estate
      namespace: flux-system
    spec:
      interval: 5m
      url: ssh://git@git.example.org/estate
    ---
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata:
      name: estate
      namespace: flux-system
    spec:
      interval: 5m
      path: ./estate
      prune: true
      sourceRef:
        kind: GitRepository
        name: estate
    """

CHART = """
    apiVersion: source.toolkit.fluxcd.io/v1
    kind: HelmRepository
    metadata:
      name: community
    spec:
      interval: 1h
      url: https://fluxcd-community.github.io/helm-charts
    ---
    apiVersion: helm.toolkit.fluxcd.io/v2
    kind: HelmRelease
    metadata:
      name: engines
    spec:
      interval: 1h
      chart:
        spec:
          chart: {chart}
          version: {version}
          sourceRef:
            kind: HelmRepository
            name: community
      values:
    """


def listing(*resources: str, namespace: str = "") -> str:
    head = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    place = f"namespace: {namespace}\n" if namespace else ""
    return head + place + "resources:\n" + "".join(f"  - {name}\n" for name in resources)


def kustomization(name: str, path: str) -> str:
    return f"""
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata:
      name: {name}
      namespace: flux-system
    spec:
      interval: 5m
      path: ./{path}
      prune: true
      sourceRef:
        kind: GitRepository
        name: estate
    """


def site(values: str = VALUES, version: str = "2.16.4", chart: str = "flux2") -> Tree:
    """A repository whose Flux manages the release that installs it."""
    release = yaml_text(CHART).format(chart=chart, version=version)
    release += re.sub(r"(?m)^(?=.)", "    ", yaml_text(values)) or "    {}\n"
    return repo(
        "estate/kustomization.yaml",
        listing("root.yaml", "machinery.yaml", "shop.yaml"),
        "estate/root.yaml",
        ROOT,
        "estate/machinery.yaml",
        kustomization("machinery", "estate/machinery"),
        "estate/machinery/kustomization.yaml",
        listing("release.yaml", namespace="flux-system"),
        RELEASE,
        release,
        "estate/shop.yaml",
        kustomization("shop", "estate/shop"),
        "estate/shop/kustomization.yaml",
        listing("settings.yaml"),
        "estate/shop/settings.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: default\n",
    )


def phase(plan: Plan, name: PhaseName) -> Phase:
    return next(one for one in plan.phases if one.name is name)


def test_every_phase_is_proved(reader: Reader) -> None:
    tree = site()
    plan = reader.plan(tree)

    proofs = reader.proofs(tree)

    assert names_of(plan) == ["preflight", "protect", "operator", "instance", "bootstrap", "retire"]
    assert {proof.phase: proof.verdict for proof in proofs} == dict.fromkeys(names_of(plan), Verdict.HOLDS)
    assert phase(plan, PhaseName.RETIRE).removes == {HELM_RELEASE, REPOSITORY}


def test_a_release_that_is_not_suspended_takes_flux_along(reader: Reader) -> None:
    tree = site()
    plan = reader.plan(tree)
    retired = edited(tree, phase(plan, PhaseName.RETIRE).operations)
    before, after = (Revision(name, one, reader(one).clusters[0]) for name, one in (("a", tree), ("b", retired)))
    stages = stage_of(before, None, reader.engine), stage_of(after, before, reader.engine)

    _, outcome = step(*stages, gates_between("v2.6.4", before.cluster, after.cluster))

    lost_ids = {loss.id for loss in outcome.losses}
    assert ObjectId("apps", "Deployment", "flux-system", "source-controller") in lost_ids
    assert ObjectId("", "Namespace", "", "flux-system") not in lost_ids


def test_it_is_suspended_first_and_seen_so_before_the_operator_comes(reader: Reader) -> None:
    plan = reader.plan(site())

    protected = phase(plan, PhaseName.PROTECT).tree.read(RELEASE).decode()
    gates = {gate.id: gate for gate in phase(plan, PhaseName.OPERATOR).gates}

    assert "  suspend: true\n" in protected
    assert gates["release-is-suspended"].object == HELM_RELEASE
    assert gates["release-is-suspended"].looks_for is not None


def test_its_own_suspension_does_not_stop_the_plan_later(reader: Reader) -> None:
    plan = reader.plan(site())
    left = reader.plan(phase(plan, PhaseName.PROTECT).tree)

    gates = {gate.id: gate for gate in left.phases[0].gates}

    assert names_of(left) == ["operator", "instance", "bootstrap", "retire"]
    assert gates["none-suspended"].expect == "HelmRelease/flux-system/engines"


def test_another_domain_of_the_cluster_is_a_field(reader: Reader) -> None:
    plan = reader.plan(site("clusterDomain: cluster.example\n"))

    assert plan.target.cluster["domain"] == "cluster.example"


def test_the_operator_takes_over_what_helm_controller_wrote(reader: Reader) -> None:
    plan = reader.plan(site())

    assert plan.target.operator.values["extraArgs"] == [OVERRIDE]


def test_what_no_commit_can_do_is_said(reader: Reader) -> None:
    notes = "\n".join(phase(reader.plan(site()), PhaseName.RETIRE).notes)

    assert "kubectl -n flux-system delete secrets -l owner=helm,name=engines" in notes
    assert "kubectl delete clusterrole crd-controller flux-edit flux-view" in notes
    assert "kubectl delete clusterrolebinding cluster-reconciler crd-controller" in notes


def test_after_the_last_phase_nothing_is_left(reader: Reader) -> None:
    plan = reader.plan(site())

    assert names_of(reader.plan(plan.phases[-1].tree)) == []


MANY_KINDS = [
    pytest.param("", id="no values"),
    pytest.param("logLevel: error\nwatchAllNamespaces: false\n", id="all controllers"),
    pytest.param("multitenancy:\n  enabled: true\n  defaultServiceAccount: tenant\n", id="tenancy"),
    pytest.param("clusterDomain: cluster.example\n", id="domain"),
    pytest.param("sourceWatcher:\n  create: false\nimageReflectionController:\n  create: false\n", id="components"),
    pytest.param("rbac:\n  createAggregation: false\n", id="aggregation"),
    pytest.param("kustomizeController:\n  envFrom:\n    secret:\n      name: keys\n", id="environment"),
    pytest.param("helmController:\n  resources:\n    limits:\n      cpu: 2\n      memory: 2Gi\n", id="limits"),
    pytest.param("helmController:\n  labels:\n    team: red\n  replicas: 2\n", id="labels"),
    pytest.param("imagePullSecrets:\n  - name: pull\n", id="pull secrets"),
    pytest.param(VALUES, id="many"),
]
NEWEST, OLDER = "2.18.3", ("2.16.4", "2.17.2")


@pytest.mark.parametrize(
    ("version", "values"),
    [
        *(pytest.param(NEWEST, *one.values, id=f"{NEWEST}-{one.id}") for one in MANY_KINDS),
        *(pytest.param(version, VALUES, id=f"{version}-many") for version in OLDER),
        *(
            pytest.param(version, *one.values, id=f"{version}-{one.id}", marks=pytest.mark.slow)
            for version in OLDER
            for one in MANY_KINDS[:-1]
        ),
    ],
)
def test_the_instance_runs_what_the_release_ran(values: str, version: str, reader: Reader) -> None:
    plan = reader.plan(site(values, version))
    instance = {
        "apiVersion": "fluxcd.controlplane.io/v1",
        "kind": "FluxInstance",
        "metadata": {"name": "flux", "namespace": "flux-system"},
        "spec": dict(plan.target.spec),
    }

    rendered = render_instance(instance, reader.engine, operator_version=plan.target.operator_version)

    assert [str(one) for one in lost(plan.installation.live, rendered)] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("installCRDs: false\n", "installCRDs is false"),
        ("rbac:\n  create: false\n", "rbac.create is false"),
        ("multitenancy:\n  enabled: true\n  privileged: false\n", "multitenancy.privileged is false"),
        ("distro:\n  openshift: true\n", "distro.openshift is true"),
        ("helmController:\n  serviceAccount:\n    create: false\n", "ServiceAccount of helmController"),
        ("rbac:\n  roleRef:\n    name: narrow\n", "bound to narrow"),
        ("sourceController:\n  service:\n    labels:\n      a: b\n", "sourceController.service is not translated"),
    ],
)
def test_what_cannot_be_kept_is_refused_at_its_line(values: str, message: str, reader: Reader) -> None:
    with pytest.raises(UnsupportedInstallation, match=message) as refusal:
        reader.plan(site(values))

    assert re.fullmatch(rf"{re.escape(RELEASE)}:\d+", refusal.value.where)


def test_a_chart_whose_flux_is_not_known_is_refused(reader: Reader) -> None:
    with pytest.raises(UnsupportedInstallation, match="version of Flux that runs cannot be read"):
        reader.plan(site(version="2.99.0"))


def test_an_operator_that_leaves_fields_behind_is_refused(reader: Reader) -> None:
    with pytest.raises(UnsupportedInstallation, match="leaves behind"):
        reader.plan(site(), Options(operator_version="v0.37.0"))


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {}, {"a": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}),
        (
            {"env": [{"name": "A"}]},
            {"env": [{"name": "B"}]},
            {"env": [{"name": "B"}, {"name": "A", "$patch": "delete"}]},
        ),
        ({"tolerations": [1]}, {"tolerations": [2]}, {"tolerations": [2]}),
    ],
)
def test_a_patch_is_the_difference(before: dict[str, object], after: dict[str, object], patch: object) -> None:
    assert merge_patch(before, after) == patch


def test_the_proof_speaks_of_settings(reader: Reader) -> None:
    tree = site()
    plan = reader.plan(tree)

    proofs = reader.proofs(tree)
    kept = [j for proof in proofs for j in proof.judgements if j.obligation is Obligation.SETTINGS_KEPT]

    assert len(kept) == len(plan.phases) - 1
    assert all("settings are effective as before" in judgement.evidence[0] for judgement in kept)


HELMFILE = "bring-up/helmfile.yaml"


def by_helmfile(values: str = "", *others: str) -> Tree:
    """A repository whose Flux a person installs by a helmfile."""
    written = re.sub(r"(?m)^(?=.)", "        ", yaml_text(values)) or "        {}\n"
    release = "  - name: engines\n    namespace: flux-system\n    chart: community/flux2\n    version: 2.16.4\n"
    tree = site()
    files = {path: file for path, file in tree.files.items() if not path.startswith("estate/machinery")}
    tree = Tree(files).with_file("estate/kustomization.yaml", listing("root.yaml", "shop.yaml").encode())
    text = f"releases:\n{release}    values:\n      -\n{written}" + "".join(others)
    tree = tree.with_file(HELMFILE, text.encode())
    runner = f"up:\n\thelmfile --file {HELMFILE} sync\n\tkubectl apply -f estate/root.yaml\n"
    return tree.with_file("Makefile", runner.encode())


def test_a_release_of_a_helmfile_is_proved_in_every_phase(reader: Reader) -> None:
    tree = by_helmfile(VALUES)
    plan = reader.plan(tree)

    proofs = reader.proofs(tree)

    assert names_of(plan) == ["preflight", "operator", "instance", "bootstrap", "retire"]
    assert {proof.phase: proof.verdict for proof in proofs} == dict.fromkeys(names_of(plan), Verdict.HOLDS)
    assert phase(plan, PhaseName.RETIRE).removes == frozenset()
    assert HELMFILE in phase(plan, PhaseName.RETIRE).files.removed


def test_after_each_phase_of_a_helmfile_the_phases_after_it_are_left(reader: Reader) -> None:
    plan = reader.plan(by_helmfile())

    names = names_of(plan)
    for number, one in enumerate(plan.phases[1:], start=2):
        assert names_of(reader.plan(one.tree)) == names[number:]


def test_the_values_of_a_helmfile_are_carried(reader: Reader) -> None:
    text = "\n".join(patch.patch for patch in reader.plan(by_helmfile(VALUES)).target.patches)

    assert "--concurrent=8" in text
    assert "extraArgs" not in reader.plan(by_helmfile()).target.operator.values


def test_a_person_is_told_not_to_sync_it_meanwhile(reader: Reader) -> None:
    assert any("sync the helmfile of Flux no more" in note for note in reader.plan(by_helmfile()).target.notes)


def test_a_helmfile_with_other_releases_is_refused_at_the_line_of_flux(reader: Reader) -> None:
    other = "  - name: dns\n    namespace: kube-system\n    chart: example/dns\n    version: 1.0.0\n"

    with pytest.raises(UnsupportedInstallation, match="installs dns too") as refusal:
        reader.plan(by_helmfile("", other))

    assert refusal.value.where == f"{HELMFILE}:2"


def test_values_that_helmfile_renders_are_refused_at_their_line(reader: Reader) -> None:
    values = """
        logLevel: "{{ env `LEVEL` }}"
        """

    with pytest.raises(UnsupportedInstallation, match="rendered by helmfile") as refusal:
        reader.plan(by_helmfile(values))

    assert refusal.value.where == f"{HELMFILE}:8"

"""Two clusters that take Flux from one base: each is handed over by its own list, and the other renders the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bootstrapped import NEST, PATCHES, SYNC, components
from builders import repo
from installed import ARTIFACT as PLAIN
from installed import CHART
from planning import Reader, names_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.rendering import BuildStatus
from flux_handover.plan.phases import PhaseName, Plan
from flux_handover.plan.planner import make_plan
from flux_handover.plan.target import Options
from flux_handover.proof.obligations import Obligation, Proof, Verdict
from flux_handover.proof.prove import prove
from flux_handover.tree import Tree

ONE, OTHER = "clusters/aviary", "clusters/burrow"
HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
ARTIFACT = PLAIN.replace("prune: true", "prune: true\n  deletionPolicy: Delete")


def listing(*entries: str, more: str = "") -> str:
    return HEAD + "resources:\n" + "".join(f"- {entry}\n" for entry in entries) + more.lstrip()


def clusters(*entries: str, **base: str) -> Tree:
    """Two clusters whose own list takes the entries, and the files that both take."""
    parts = [(f"base/{path}", text) for path, text in base.items()]
    for name in (ONE, OTHER):
        parts += [
            (f"{name}/kustomization.yaml", listing(*entries, "root.yaml", "nest.yaml")),
            (f"{name}/root.yaml", SYNC.lstrip().replace("clusters/aviary", name)),
            (f"{name}/nest.yaml", NEST),
        ]
    return repo(*(part for pair in parts for part in pair))


MANIFESTS = clusters(
    "../../base/flux", **{"flux/kustomization.yaml": listing("all.yaml", more=PATCHES), "flux/all.yaml": components()}
)
DEEP = clusters(
    "../../base/region",
    **{
        "region/kustomization.yaml": listing("../flux", more=PATCHES),
        "flux/kustomization.yaml": listing("all.yaml"),
        "flux/all.yaml": components(),
    },
)
ONE_FILE = clusters("../../base/all.yaml", **{"all.yaml": components()})
FROM_ARTIFACT = clusters(
    "../../base/flux", **{"flux/kustomization.yaml": listing("flux.yaml"), "flux/flux.yaml": ARTIFACT}
)
FROM_CHART = clusters("../../base/flux", **{"flux/kustomization.yaml": listing("flux.yaml"), "flux/flux.yaml": CHART})
REMOTE = clusters(
    "../../base/flux",
    **{"flux/kustomization.yaml": listing("github.com/fluxcd/flux2/manifests/install?ref=v2.6.4", more=PATCHES)},
)
SHAPES = {
    "manifests": MANIFESTS,
    "two levels": DEEP,
    "one file": ONE_FILE,
    "artifact": FROM_ARTIFACT,
    "chart": FROM_CHART,
    "remote base": REMOTE,
}


def plan_of(tree: Tree, cluster: str, reader: Reader) -> Plan:
    return make_plan(reader(tree), cluster, Options(), reader)


def proofs_of(plan: Plan, tree: Tree, reader: Reader) -> tuple[Proof, ...]:
    return prove(plan, reader(tree), lambda after, _: reader(after), reader.engine)


@pytest.mark.parametrize("tree", SHAPES.values(), ids=SHAPES)
def test_the_base_stays_until_no_cluster_takes_it(tree: Tree, reader: Reader) -> None:
    base = [path for path in tree if path.startswith("base/")]

    first = plan_of(tree, ONE, reader).phases[-1].tree
    last = plan_of(first, OTHER, reader).phases[-1].tree

    assert [path for path in base if first.files[path] != tree.files[path]] == []
    assert "components" not in "".join(path for path in last if path.startswith("base/"))
    assert b"github.com/fluxcd/flux2" not in b"".join(last.read(path) for path in last if path.startswith("base/"))
    for name in (ONE, OTHER):
        assert names_of(plan_of(last, name, reader)) == []
        assert {build.status for build in reader(last).cluster(name)} == {BuildStatus.OK}


@pytest.mark.parametrize("tree", SHAPES.values(), ids=SHAPES)
def test_the_other_cluster_renders_the_same_after_every_phase(tree: Tree, reader: Reader) -> None:
    before = list(reader(tree).cluster(OTHER).present())

    for phase in plan_of(tree, ONE, reader).phases:
        assert list(reader(phase.tree).cluster(OTHER).present()) == before


@pytest.mark.parametrize("tree", [MANIFESTS, FROM_ARTIFACT], ids=["manifests", "artifact"])
def test_every_phase_is_proved_and_says_so_of_the_other_cluster(tree: Tree, reader: Reader) -> None:
    plan = plan_of(tree, ONE, reader)

    proofs = proofs_of(plan, tree, reader)

    assert {proof.phase: proof.verdict for proof in proofs} == dict.fromkeys(names_of(plan), Verdict.HOLDS)
    told = [line for proof in proofs[1:] for one in proof.judgements for line in one.evidence if OTHER in line]
    assert told == [f"{OTHER} renders the same, so nothing is deleted there"] * (len(proofs) - 1)


def test_a_phase_that_changes_the_other_cluster_is_refuted(reader: Reader) -> None:
    plan = plan_of(FROM_ARTIFACT, ONE, reader)
    (retire,) = (phase for phase in plan.phases if phase.name is PhaseName.RETIRE)
    shared = "base/flux/flux.yaml"
    text = FROM_ARTIFACT.read(shared).replace(b"prune: true", b"prune: false")
    hasty = replace(plan, phases=(replace(plan.phases[1], tree=plan.phases[1].tree.with_file(shared, text)),))

    (proof,) = proofs_of(hasty, FROM_ARTIFACT, reader)

    (kept,) = (one for one in proof.judgements if one.obligation is Obligation.CONTENT_KEPT)
    assert kept.verdict is Verdict.REFUTED
    assert kept.evidence[0].startswith(f"cluster {OTHER}: Kustomization/flux-system/engine is changed by")
    assert retire.removes


def test_only_the_cluster_that_is_left_loses_what_the_base_brought(reader: Reader) -> None:
    plan = plan_of(FROM_ARTIFACT, ONE, reader)

    protect = next(phase for phase in plan.phases if phase.name is PhaseName.PROTECT)
    assert protect.files.changed == (f"{ONE}/kustomization.yaml",)
    engine = next(b for b in reader(protect.tree).cluster(ONE) if b.id.name == "engine")
    assert (engine.ks.prune, engine.ks.deletion_policy) == (False, "MirrorPrune")


def test_a_base_with_other_things_is_refused_with_the_first_of_them(reader: Reader) -> None:
    files = {
        "flux/kustomization.yaml": listing("flux.yaml", "other.yaml"),
        "flux/flux.yaml": ARTIFACT,
        "flux/other.yaml": "# mine\n---\n" + NEST.replace("nest", "burrow"),
    }

    with pytest.raises(UnsupportedInstallation, match="ConfigMap/default/burrow stays") as refusal:
        plan_of(clusters("../../base/flux", **files), ONE, reader)

    assert refusal.value.where == "base/flux/other.yaml:3"
    assert "base of its own" in refusal.value.hint


def test_a_directory_that_two_clusters_build_themselves_is_refused(reader: Reader) -> None:
    """Nothing of one cluster alone lists the file: both have a Kustomization for the directory."""
    child = (
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
        "metadata: {name: base, namespace: flux-system}\n"
        "spec: {interval: 1h, path: ./base/flux, prune: true, sourceRef: {kind: GitRepository, name: flux-system}}\n"
    )
    tree = clusters("base.yaml", **{"flux/kustomization.yaml": listing("flux.yaml"), "flux/flux.yaml": ARTIFACT})
    for name in (ONE, OTHER):
        tree = tree.with_file(f"{name}/base.yaml", child.encode())

    with pytest.raises(UnsupportedInstallation, match=r"no kustomization\.yaml of this cluster alone") as refusal:
        plan_of(tree, ONE, reader)

    assert refusal.value.where == "base/flux/flux.yaml:1"
    assert ONE in refusal.value.hint


def test_a_repository_of_charts_that_others_list_stays(reader: Reader) -> None:
    """The release is each cluster's own; its repository stands in a list that all of them take."""
    source, release = CHART.split("---\n", 1)
    tree = clusters(
        "../../base/charts",
        "release.yaml",
        **{"charts/kustomization.yaml": listing("community.yaml"), "charts/community.yaml": source},
    )
    for name in (ONE, OTHER):
        tree = tree.with_file(f"{name}/release.yaml", release.encode())

    plan = plan_of(tree, ONE, reader)
    retire = next(phase for phase in plan.phases if phase.name is PhaseName.RETIRE)

    assert [id.kind for id in retire.removes] == ["HelmRelease"]
    assert "HelmRepository/flux-system/community stays: other clusters read its file too" in retire.notes
    assert retire.tree.files["base/charts/community.yaml"] == tree.files["base/charts/community.yaml"]
    assert {proof.verdict for proof in proofs_of(plan, tree, reader)} == {Verdict.HOLDS}

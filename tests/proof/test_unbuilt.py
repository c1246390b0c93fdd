"""What a Kustomization is taken for that does not build, or whose source left Git."""

from __future__ import annotations

import pytest
from proof.fleets import Files, Judge, config, fleet, ks, listing

from flux_handover.findings import Severity
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.proof.gates import gates_of
from flux_handover.proof.guard_report import Safety
from flux_handover.proof.stages import Revision, stage_of
from flux_handover.proof.staging import Staged, staged
from flux_handover.proof.world import Build as Outcome
from flux_handover.proof.world import BuildFailed, Built, KustomizationSpec, RenderTable

MORE = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "more")
BROKEN: Files = {"clusters/main/more.yaml": ks("more", "./more"), "more/kustomization.yaml": listing("nowhere.yaml")}
REMOTE: Files = {**BROKEN, "more/kustomization.yaml": listing("https://example.org/one.yaml")}


def series(judge: Judge, *files: Files) -> Staged:
    snapshots = [judge.read(fleet(one), str(number)) for number, one in enumerate(files)]
    revisions = [Revision(one.revision, one.tree, one.clusters[0]) for one in snapshots]
    pairs = zip(revisions, (None, *revisions), strict=False)
    return staged([stage_of(one, before, judge.engine) for one, before in pairs], gates_of("v2.9.4"))


def built(series: Staged, id: ObjectId) -> set[type[Outcome]]:
    renders = series.environment.renders
    assert isinstance(renders, RenderTable)
    return {type(build) for (owner, _, _), build in renders.builds.items() if owner == id}


def test_a_new_kustomization_that_does_not_build_fails(judge: Judge) -> None:
    made = series(judge, {}, BROKEN)

    assert built(made, MORE) == {BuildFailed}
    assert made.opaque == frozenset()


@pytest.mark.parametrize("same", [BROKEN, REMOTE], ids=["fails", "is not known"])
def test_one_that_never_built_is_left_as_it_was(judge: Judge, same: Files) -> None:
    made = series(judge, same, {**same, "README.md": "words"})

    assert built(made, MORE) == {Built}
    assert made.opaque == {MORE}


def test_a_new_one_whose_build_is_not_known_is_left_open(judge: Judge) -> None:
    assert series(judge, {}, REMOTE).opaque == {MORE}


def test_what_left_git_is_still_built_from_its_source(judge: Judge) -> None:
    other = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: other, namespace: flux-system}
spec: {interval: 1h, url: "https://git.example.org/ada/fleet.git", ref: {branch: main}}
"""
    before: Files = {"clusters/main/apps.yaml": ks("apps", "./apps", source="other"), "clusters/main/other.yaml": other}
    made = series(judge, before, {**before, "clusters/main/other.yaml": None})

    apps = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "apps")
    live = made.world.live[apps].spec
    assert isinstance(live, KustomizationSpec)
    assert isinstance(made.environment.renders.kustomization(apps, live, "1"), Built)


FOREIGN = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: charts, namespace: flux-system}
spec: {interval: 1h, url: "https://git.example.net/eve/charts.git", ref: {tag: v1.0.0}}
"""


def elsewhere(extra: str) -> Files:
    """A Kustomization of another repository, and one that waits for it."""
    waits = "  dependsOn: [{name: charts}]\n"
    return {
        "clusters/main/charts.yaml": FOREIGN + ks("charts", "./crds", extra, source="charts"),
        "clusters/main/more.yaml": ks("more", "./more", waits),
        "more/kustomization.yaml": listing(),
    }


def test_what_another_repository_renders_is_unknown_and_not_a_source_that_is_missing(judge: Judge) -> None:
    (report,) = judge.reports(fleet(elsewhere("")), fleet(elsewhere("  force: true\n  targetNamespace: notes\n")))

    assert report.verdict is Safety.UNKNOWN
    assert not [finding for finding in report.findings if finding.severity is Severity.ERROR]
    assert any("git.example.net/eve/charts" in reason for reason in report.undecided)


def patched(value: str) -> Files:
    """A child of the root that gives its own children a variable by a patch."""
    extra = f"""  patches:
  - target: {{kind: Kustomization}}
    patch: |
      apiVersion: kustomize.toolkit.fluxcd.io/v1
      kind: Kustomization
      metadata: {{name: any}}
      spec: {{postBuild: {{substitute: {{WORD: {value}}}}}}}
"""
    return {"clusters/main/more.yaml": ks("more", "./more", extra)}


def test_a_parent_that_is_late_gives_its_children_specs_that_no_revision_has(judge: Judge) -> None:
    leaf = {"leaf/kustomization.yaml": listing("page.yaml"), "leaf/page.yaml": config("page", data='{page: "${WORD}"}')}
    before = {**patched("one"), **leaf, "more/leaf.yaml": ks("leaf", "./leaf")}
    after = {**patched("two"), **leaf, "more/leaf.yaml": ks("leaf", "./leaf", "  wait: true\n")}
    made = series(judge, before, after)

    renders = made.environment.renders
    assert isinstance(renders, RenderTable)
    leaves = {spec for id, spec, revision in renders.builds if id.name == "leaf" and revision == "1"}
    assert len(leaves) == 3
    assert built(made, ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "leaf")) == {Built}

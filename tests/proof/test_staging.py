"""From rendered revisions to a world: what is live, whose it is, what a push brings, what is only assumed."""

from __future__ import annotations

from proof.fleets import ROOT, Files, Judge, config, fleet, instance, ks, listing
from proof.worlds import config as config_id
from proof.worlds import ks as ks_id
from proof.worlds import secret, source

from flux_handover.model.rendering import Cluster
from flux_handover.proof.stages import Revision, gates_between, operator_version, stage_of
from flux_handover.proof.staging import FIXED, Stage, Staged, staged
from flux_handover.proof.world import BuildFailed, Built, KustomizationSpec, Unknown
from flux_handover.tree import Tree

NEEDS = "  postBuild: {substituteFrom: [{kind: Secret, name: outside}]}\n"


def revision(judge: Judge, name: str, tree: Tree) -> Revision:
    (cluster,) = judge.read(tree, name).clusters
    return Revision(name, tree, cluster)


def stages(judge: Judge, *trees: Tree) -> tuple[Stage, ...]:
    revisions = [revision(judge, f"r{number}", tree) for number, tree in enumerate(trees)]
    before = [None, *revisions]
    return tuple(stage_of(one, old, judge.engine) for one, old in zip(revisions, before, strict=False))


def world_of(judge: Judge, *trees: Tree) -> Staged:
    made = stages(judge, *trees)
    return staged(made, gates_between("v2.6.4", made[0].cluster, made[-1].cluster))


def test_the_first_revision_is_live_with_the_labels_of_its_owners(judge: Judge) -> None:
    world = world_of(judge, fleet()).world

    assert world.live[config_id("notes", "notes")].owner == ks_id("apps")
    assert world.live[ks_id("apps")].owner == ks_id("fleet")
    assert world.records[ks_id("apps")].inventory == {config_id("notes", "notes"), config_id("memos", "notes")}
    assert (world.records[ks_id("apps")].applied, world.artifacts[source()]) == ("r0", "r0")


def test_a_root_that_no_file_holds_is_live_without_an_owner(judge: Judge) -> None:
    apart: Files = {
        "clusters/main/root.yaml": None,
        "README.md": "flux bootstrap git --path=clusters/main\n",
        "clusters/main/apps.yaml": ks("apps", "./apps", source="flux-system"),
    }

    live = world_of(judge, fleet(apart)).world.live[ks_id("flux-system")]

    assert isinstance(live.spec, KustomizationSpec)
    assert (live.spec.path, live.owner) == ("clusters/main", None)


def test_what_nothing_in_git_renders_is_taken_to_be_there(judge: Judge) -> None:
    (stage,) = stages(judge, fleet({"clusters/main/apps.yaml": ks("apps", "./apps", NEEDS)}))

    assert secret("outside") in staged((stage,), gates_between("v2.6.4", stage.cluster, stage.cluster)).world.live


def test_a_push_brings_the_revision_to_the_repository_and_to_nothing_else(judge: Judge) -> None:
    other = ks("other", "./x", source="charts") + SOURCE_OF_CHARTS
    (push,) = world_of(judge, fleet({"clusters/main/o.yaml": other}), fleet({"clusters/main/o.yaml": other})).pushes

    assert dict(push.heads) == {
        "https://git.example.org/ada/fleet.git@name=refs/heads/main": "r1",
        "https://git.example.org/ada/charts.git@name=refs/heads/main": FIXED,
    }


SOURCE_OF_CHARTS = """---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: charts, namespace: flux-system}
spec: {interval: 1h, url: "https://git.example.org/ada/charts.git", ref: {branch: main}}
"""


def test_a_push_to_a_repository_with_a_new_address_arrives_at_both(judge: Judge) -> None:
    moved = fleet({"clusters/main/root.yaml": ROOT.replace("ada/fleet", "ada/estate")})
    (push,) = world_of(judge, fleet(), moved).pushes

    assert dict(push.heads) == {
        "https://git.example.org/ada/fleet.git@name=refs/heads/main": "r1",
        "https://git.example.org/ada/estate.git@name=refs/heads/main": "r1",
    }


def test_specs_that_change_or_leave_are_built_on_the_files_that_arrive(judge: Judge) -> None:
    changed = fleet({"clusters/main/apps.yaml": ks("apps", "./other"), "other/x.yaml": config("x")})
    gone = fleet({"clusters/main/apps.yaml": None})

    for after in (changed, gone):
        _, stage = stages(judge, fleet(), after)
        assert [(build.id, build.ks.path) for build in stage.stale] == [(ks_id("apps"), "apps")]
        assert {object.id.name for object in stage.stale[0].objects} == {"notes", "memos"}


def test_a_revision_without_changes_has_nothing_stale(judge: Judge) -> None:
    _, stage = stages(judge, fleet(), fleet({"README.md": "words"}))

    assert stage.stale == ()


def test_a_build_that_fails_the_same_way_on_both_sides_is_opaque(judge: Judge) -> None:
    remote: Files = {"apps/kustomization.yaml": listing("notes.yaml", "https://example.org/one.yaml")}
    made = world_of(judge, fleet(remote), fleet({**remote, "README.md": "words"}))

    assert made.opaque == {ks_id("apps")}


def test_a_build_that_breaks_is_recorded_as_the_cluster_meets_it(judge: Judge) -> None:
    broken = fleet({"apps/kustomization.yaml": listing("notes.yaml", "nowhere.yaml")})
    made = world_of(judge, fleet(), broken)
    spec = made.world.live[ks_id("apps")].spec
    assert isinstance(spec, KustomizationSpec)

    assert isinstance(made.environment.renders.kustomization(ks_id("apps"), spec, "r0"), Built)
    assert isinstance(made.environment.renders.kustomization(ks_id("apps"), spec, "r1"), BuildFailed)
    assert isinstance(made.environment.renders.kustomization(ks_id("apps"), spec, "r2"), Unknown)


def test_a_flux_instance_is_rendered_only_for_an_operator_that_git_brings(judge: Judge) -> None:
    raw = fleet({"apps/kustomization.yaml": listing("notes.yaml", "i.yaml"), "apps/i.yaml": instance("{}")})
    (stage,) = stages(judge, raw)

    assert operator_version(stage.cluster) == ""
    assert stage.instances == {}


def test_the_version_that_runs_decides_the_rules(judge: Judge) -> None:
    cluster: Cluster = revision(judge, "r0", fleet()).cluster

    assert not gates_between("v2.6.4", cluster, cluster).prune_honours_ssa_ignore
    assert gates_between("v2.8.8", cluster, cluster).prune_honours_ssa_ignore

"""Roots wherever they lie: at the top, deep down, from another kind of source, two in one repository."""

from __future__ import annotations

import pytest
import yaml
from bootstrapped import HOME, SYNC, aviary, components
from builders import repo
from planning import Reader, names_of

from flux_handover.model.rendering import BuildStatus, Cluster
from flux_handover.plan.clusters import needing
from flux_handover.plan.planner import make_plan
from flux_handover.plan.target import Options
from flux_handover.tree import Tree

PHASES = ["preflight", "protect", "operator", "instance", "bootstrap", "retire"]


def moved(tree: Tree, directory: str, path: str) -> dict[str, str]:
    """The files with the root in another directory, its path as it is written."""
    return {
        file.replace("clusters/aviary", directory).lstrip("/"): tree.read(file)
        .decode()
        .replace("path: ./clusters/aviary", f"path: {path}")
        for file in tree
    }


def tree_of(files: dict[str, str]) -> Tree:
    return repo(*(part for pair in files.items() for part in pair))


def from_oci() -> Tree:
    documents = [document for document in yaml.safe_load_all(SYNC) if document]
    documents[0]["kind"] = documents[1]["spec"]["sourceRef"]["kind"] = "OCIRepository"
    documents[0]["spec"] = {"interval": "1m", "url": "oci://registry.example.org/aviary", "ref": {"tag": "latest"}}
    return aviary(**{f"{HOME}/gotk-sync.yaml": yaml.safe_dump_all(documents)})


def broken(cluster: Cluster) -> list[str]:
    return [f"{build.id}: {build.failure}" for build in cluster if build.status is not BuildStatus.OK]


@pytest.mark.parametrize(
    ("tree", "name"),
    [
        pytest.param(tree_of(moved(aviary(), "", "./")), ".", id="top"),
        pytest.param(tree_of(moved(aviary(), "", ".")), ".", id="dot", marks=pytest.mark.slow),
        pytest.param(tree_of(moved(aviary(), "a/b/c/d", "a/b/c/d/")), "a/b/c/d", id="deep", marks=pytest.mark.slow),
        pytest.param(from_oci(), "clusters/aviary", id="oci"),
    ],
)
def test_a_root_is_handed_over_wherever_it_lies(tree: Tree, name: str, reader: Reader) -> None:
    plan = reader.plan(tree)

    assert plan.cluster == name
    assert names_of(plan) == PHASES
    assert [problem for phase in plan.phases for problem in broken(reader(phase.tree).clusters[0])] == []
    assert names_of(reader.plan(plan.phases[-1].tree)) == []


def test_a_helmfile_below_a_directory_that_flux_builds_whole_is_no_yaml_file(reader: Reader) -> None:
    plan = reader.plan(tree_of(moved(aviary(), "", "./")))

    added = [path for phase in plan.phases for path in phase.files.added if "helmfile" in path]

    assert added == ["bootstrap/helmfile.yaml.gotmpl"]


def test_two_clusters_have_a_plan_each_at_their_own_version(reader: Reader) -> None:
    newer = aviary(**{f"{HOME}/gotk-components.yaml": components("v2.7.5")})
    tree = tree_of(
        {**moved(aviary(), "clusters/one", "./clusters/one"), **moved(newer, "clusters/two", "./clusters/two")}
    )
    snapshot = reader(tree)

    plans = [make_plan(snapshot, name, Options(), reader) for name in needing(snapshot)]

    assert [(plan.cluster, plan.target.flux_version) for plan in plans] == [
        ("clusters/one", "v2.6.4"),
        ("clusters/two", "v2.7.5"),
    ]
    for plan, other in zip(plans, reversed(plans), strict=True):
        touched = {path for p in plan.phases for path in (*p.files.added, *p.files.changed, *p.files.removed)}
        assert not [path for path in touched if path.startswith(other.cluster)]
        end = reader(plan.phases[-1].tree).cluster(other.cluster)
        assert [object for _, object in end.objects()] == [o for _, o in snapshot.cluster(other.cluster).objects()]

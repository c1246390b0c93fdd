"""Sync strategy `transfer`: a root of another name takes over, in five phases, with every field of the old one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import yaml
from bootstrapped import aviary
from planning import Reader, names_of
from transferred import (
    NEW_ROOT,
    NEW_SOURCE,
    NOTICES,
    OLD_ROOT,
    OLD_SOURCE,
    RELEASE,
    ROOT_FILE,
    TRANSFER,
    parted,
    phase_of,
    quay,
    replaced,
    rich,
)

from flux_handover.errors import HandoverError, UnsupportedInstallation, UsageError
from flux_handover.model.effective_kept import lost
from flux_handover.model.flux import source_of
from flux_handover.model.origin import reference_of
from flux_handover.model.rendering import Cluster
from flux_handover.objects import Object, ObjectId, mapping
from flux_handover.plan.phases import PhaseName
from flux_handover.plan.planner import make_plan
from flux_handover.plan.target import InstanceForm, Options, SyncStrategy
from flux_handover.tree import Tree

PHASES = ["suspend", "transfer", "settle", "follow", "sync"]
LIST = "clusters/quay/kustomization.yaml"
Change = Callable[[Tree], Tree]


def pair_of(cluster: Cluster, root: ObjectId, source: ObjectId) -> tuple[Object, ...]:
    """A root and its source, as if both had the new names."""
    found = cluster.builds[root].ks.object
    spec = {key: value for key, value in found.spec.items() if key != "suspend"}
    spec["sourceRef"] = {**mapping(spec["sourceRef"]), "name": NEW_SOURCE.name}
    old = cluster.sources[source].object
    ref = {"ref": dict(reference_of(source_of(old)))}
    return named(found, NEW_ROOT, spec), named(old, NEW_SOURCE, {**old.spec, **ref})


def named(object: Object, id: ObjectId, spec: object) -> Object:
    metadata = {**mapping(object.data.get("metadata")), "name": id.name}
    return Object(id, {**object.data, "metadata": metadata, "spec": spec})


def test_the_phases_come_after_everything_else(reader: Reader) -> None:
    plan = reader.plan(quay(), TRANSFER)

    assert names_of(plan)[-6:] == ["retire", *PHASES]
    assert [phase_of(plan, PhaseName(name)).removes for name in PHASES[:-1]] == [frozenset()] * 4
    assert phase_of(plan, PhaseName.SYNC).removes == {OLD_ROOT, OLD_SOURCE}


@pytest.mark.parametrize("tree", [quay(), rich()], ids=["plain", "rich"])
def test_the_new_pair_equals_the_old_one_in_the_end(tree: Tree, reader: Reader) -> None:
    before = reader(tree).clusters[0]

    end = reader(reader.plan(tree, TRANSFER).phases[-1].tree).clusters[0]

    assert end.root == NEW_ROOT
    assert not {OLD_ROOT, OLD_SOURCE} & {*end.builds, *end.sources}
    assert lost(pair_of(before, OLD_ROOT, OLD_SOURCE), pair_of(end, NEW_ROOT, NEW_SOURCE)) == ()
    gone = {OLD_ROOT, OLD_SOURCE, ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "upstream")}
    assert {id for id in before.builds[OLD_ROOT].ids - end.builds[NEW_ROOT].ids if id.kind != "OCIRepository"} == gone


def test_the_new_root_neither_prunes_nor_waits_before_its_time(reader: Reader) -> None:
    plan = reader.plan(rich(), TRANSFER)
    seen = {}
    for name in PHASES[1:]:
        root = reader(phase_of(plan, PhaseName(name)).tree).clusters[0].builds[NEW_ROOT].ks
        seen[name] = (root.prune, root.wait, root.decrypts)

    assert seen == {
        "transfer": (False, False, True),
        "settle": (True, False, True),
        "follow": (True, False, True),
        "sync": (True, True, True),
    }


def test_a_suspended_root_is_still_rendered_by_the_new_one(reader: Reader) -> None:
    plan = reader.plan(quay(), TRANSFER)
    cluster = reader(phase_of(plan, PhaseName.TRANSFER).tree).clusters[0]

    assert OLD_ROOT in cluster.builds[NEW_ROOT].ids
    assert cluster.builds[OLD_ROOT].ks.suspend
    assert set(cluster.owners()[ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "web")]) == {
        NEW_ROOT
    }


def test_everything_that_names_the_old_ones_follows(reader: Reader) -> None:
    plan = reader.plan(rich(), TRANSFER)
    follow = phase_of(plan, PhaseName.FOLLOW)

    notices = follow.tree.read("clusters/quay/notices.yaml").decode()
    assert notices == NOTICES.replace("harbourmaster", "flux-system").replace("name: quay\n", "name: flux-system\n")
    naming = [path for path in follow.tree if b"name: harbourmaster" in follow.tree.read(path)]
    assert naming == [ROOT_FILE]
    assert set(follow.files.changed) == {
        f"clusters/quay/{name}.yaml" for name in ("flux-instance", "flux-operator", "notices", "storage", "web")
    }


def test_a_source_that_a_patch_names_stays(reader: Reader) -> None:
    entry = """- patch: |
    - op: replace
      path: /spec/sourceRef/name
      value: harbourmaster
  target: {kind: Kustomization, name: web}
"""
    tree = replaced(quay(), LIST, "- web.yaml\n", f"- web.yaml\npatches:\n{entry}")
    tree = replaced(tree, "clusters/quay/web.yaml", "name: harbourmaster", "name: elsewhere")

    plan = reader.plan(tree, TRANSFER)

    sync = phase_of(plan, PhaseName.SYNC)
    assert sync.removes == {OLD_ROOT}
    assert [note for note in sync.notes if "GitRepository/flux-system/harbourmaster stays" in note]
    assert b"harbourmaster" in sync.tree.read(ROOT_FILE)
    assert b"kind: Kustomization" not in sync.tree.read(ROOT_FILE)


@pytest.mark.parametrize("form", list(InstanceForm))
def test_nothing_of_the_instance_waits_for_the_root(form: InstanceForm, reader: Reader) -> None:
    plan = reader.plan(quay(), replace(TRANSFER, instance_as=form))

    ks = yaml.safe_load(plan.phases[-1].tree.read(plan.target.layout.instance.ks_file))

    assert "FluxInstance" not in [check["kind"] for check in ks["spec"].get("healthChecks", ())]
    assert names_of(plan)[-5:] == PHASES


def test_a_page_says_how_a_bare_cluster_goes_on_while_the_root_is_suspended(reader: Reader) -> None:
    plan = reader.plan(quay(), TRANSFER)
    page = "clusters/quay/quay-is-suspended.md"

    assert phase_of(plan, PhaseName.SUSPEND).files.added == (page,)
    assert phase_of(plan, PhaseName.TRANSFER).files.removed == (page,)


@pytest.mark.parametrize("done", [PhaseName.RETIRE, PhaseName.SUSPEND, PhaseName.TRANSFER, PhaseName.FOLLOW])
def test_planning_goes_on_from_content(done: PhaseName, reader: Reader) -> None:
    plan = reader.plan(rich(), TRANSFER)
    names = names_of(plan)
    options = TRANSFER if done is PhaseName.RETIRE else Options()

    left = reader.plan(phase_of(plan, done).tree, options)

    assert names_of(left) == names[names.index(done.value) + 1 :]
    assert left.phases[-1].tree == plan.phases[-1].tree


@pytest.mark.parametrize("options", [Options(), TRANSFER])
def test_nothing_is_left_after_the_last_phase(options: Options, reader: Reader) -> None:
    assert names_of(reader.plan(reader.plan(quay(), TRANSFER).phases[-1].tree, options)) == []


def test_another_name_is_kept_until_the_sync_says_it(reader: Reader) -> None:
    named = replace(TRANSFER, sync_name="pilot")
    plan = reader.plan(quay(), named)

    left = reader.plan(phase_of(plan, PhaseName.TRANSFER).tree)

    assert plan.target.transfer is not None
    assert plan.target.transfer.new_root == OLD_ROOT._replace(name="pilot")
    assert left.phases[-1].tree == plan.phases[-1].tree


def test_commands_name_the_new_ones_once_the_old_are_gone(reader: Reader) -> None:
    text = "#!/bin/sh\nflux reconcile source git harbourmaster\nflux reconcile kustomization quay --with-source\n"
    tree = quay().with_file("hack/sync.sh", text.encode())

    plan = reader.plan(tree, TRANSFER)

    new = text.replace("git harbourmaster", "git flux-system").replace(
        "kustomization quay", "kustomization flux-system"
    )
    assert phase_of(plan, PhaseName.SYNC).tree.read("hack/sync.sh").decode() == new
    assert phase_of(plan, PhaseName.FOLLOW).tree.read("hack/sync.sh").decode() == text


def root(old: str, new: str) -> Change:
    return lambda tree: replaced(tree, ROOT_FILE, old, new)


def taken(tree: Tree) -> Tree:
    return replaced(tree, "clusters/quay/web.yaml", "  name: web\n", "  name: flux-system\n")


def dependent(tree: Tree) -> Tree:
    return replaced(tree, "clusters/quay/web.yaml", "  - name: storage\n", "  - name: storage\n  - name: quay\n")


REFUSED = [
    (root("  prune: true\n", "  prune: false\n"), "does not prune", f"{ROOT_FILE}:12"),
    (root("  prune: true\n", "  prune: true\n  deletionPolicy: Delete\n"), "deletionPolicy Delete", f"{ROOT_FILE}:12"),
    (root("  interval: 1h\n", "  interval: 1h\n  suspend: true\n"), "harbourmaster is suspended", f"{ROOT_FILE}:13"),
    (root("name: harbourmaster", "name: quay"), "--sync adopt", f"{ROOT_FILE}:12"),
    (taken, "is taken by Kustomization/flux-system/flux-system", "clusters/quay/web.yaml:1"),
    (dependent, "Kustomization/flux-system/web waits for it", "clusters/quay/web.yaml:1"),
]


@pytest.mark.parametrize(("change", "said", "where"), REFUSED)
def test_what_cannot_be_transferred_is_refused_with_its_place(
    change: Change, said: str, where: str, reader: Reader
) -> None:
    with pytest.raises(UnsupportedInstallation) as refusal:
        reader.plan(change(quay()), TRANSFER)

    assert said in f"{refusal.value.message}; {refusal.value.hint}"
    assert refusal.value.where == where


def test_what_can_be_adopted_is_not_transferred(reader: Reader) -> None:
    with pytest.raises(UnsupportedInstallation, match="one name") as refusal:
        reader.plan(aviary(), TRANSFER)

    assert refusal.value.hint == "use --sync adopt"


@pytest.mark.parametrize("strategy", [None, SyncStrategy.KEEP, SyncStrategy.ADOPT])
def test_a_name_alone_says_nothing(strategy: SyncStrategy | None, reader: Reader) -> None:
    with pytest.raises(HandoverError) as refusal:
        reader.plan(quay(), Options(sync=strategy, sync_name="pilot"))

    assert isinstance(refusal.value, UsageError) or strategy is SyncStrategy.ADOPT


def test_the_release_says_the_sync_once(reader: Reader) -> None:
    plan = reader.plan(rich(), TRANSFER)
    before = yaml.safe_load(phase_of(plan, PhaseName.SUSPEND).tree.read(RELEASE))["spec"]["values"]["instance"]
    after = yaml.safe_load(plan.phases[-1].tree.read(RELEASE))["spec"]["values"]["instance"]

    assert "sync" not in before
    assert after["sync"]["name"] == "flux-system"
    targets = [
        patch["target"] for patch in after["kustomize"]["patches"] if patch["target"].get("name") == "flux-system"
    ]
    assert sorted(target["kind"] for target in targets) == ["GitRepository", "Kustomization"]


def test_a_finished_cluster_whose_root_waits_for_the_instance_is_refused(reader: Reader) -> None:
    finished = reader.plan(quay()).phases[-1].tree

    with pytest.raises(UnsupportedInstallation, match="which would wait for it"):
        reader.plan(root("  prune: true\n", "  prune: true\n  wait: true\n")(finished), TRANSFER)

    assert names_of(reader.plan(finished, TRANSFER)) == PHASES


def test_a_source_of_two_roots_is_not_taken_away(reader: Reader) -> None:
    pier = """apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: pier
  namespace: flux-system
spec:
  interval: 10m
  path: clusters/pier
  prune: true
  sourceRef:
    kind: GitRepository
    name: harbourmaster
"""
    snapshot = reader(quay().with_file("clusters/pier/pier.yaml", pier.encode()))

    with pytest.raises(UnsupportedInstallation, match="root of clusters/pier takes its files") as refusal:
        make_plan(snapshot, "clusters/quay", TRANSFER, reader)

    assert refusal.value.where == "clusters/pier/pier.yaml:1"


def test_a_bootstrapped_root_whose_source_has_another_name_is_transferred_too(reader: Reader) -> None:
    tree = parted()

    with pytest.raises(UnsupportedInstallation, match="name of the new one is taken"):
        reader.plan(tree, TRANSFER)
    plan = reader.plan(tree, replace(TRANSFER, sync_name="perch"))

    assert names_of(plan)[-5:] == PHASES
    end = reader(plan.phases[-1].tree).clusters[0]
    assert end.root.name == "perch"
    assert ObjectId("", "ConfigMap", "default", "nest") in end.builds[end.root].ids

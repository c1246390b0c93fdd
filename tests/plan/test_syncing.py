"""Sync strategy `adopt`: the operator makes source and root under their names, and every field comes back."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from bootstrapped import HOME, PATCHES, ROOT, SOURCE, SYNC, aviary
from planning import Reader, names_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.effective_kept import lost
from flux_handover.model.flux import source_of
from flux_handover.model.instance import render_instance
from flux_handover.model.origin import reference_of
from flux_handover.model.rendering import Cluster
from flux_handover.objects import OPERATOR_GROUP, Object, ObjectId
from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.plan.syncing import difference
from flux_handover.plan.target import InstanceForm, Options, SyncStrategy, Target
from flux_handover.tree import Tree

ADOPT = Options(sync=SyncStrategy.ADOPT)
SYNC_FILE = f"{HOME}/gotk-sync.yaml"
ROOT_FIELDS = """
  timeout: 3m0s
  retryInterval: 2m0s
  wait: true
  decryption:
    provider: sops
    secretRef:
      name: nest-key
  postBuild:
    substitute:
      BIRD: wren
    substituteFrom:
    - kind: Secret
      name: feathers
  patches:
  - patch: |
      - op: add
        path: /metadata/labels
        value: {season: spring}
    target:
      kind: Namespace
"""
SOURCE_FIELDS = """
  ignore: |
    /*
    !/clusters
  timeout: 90s
  recurseSubmodules: true
  verify:
    mode: HEAD
    secretRef:
      name: signers
"""


def synced(root: str = "", source: str = "") -> str:
    """The sync file, with more fields in the root and in the source."""
    text = SYNC.replace("  path: ./clusters/aviary\n", f"  path: ./clusters/aviary\n{root.lstrip(chr(10))}")
    return text.replace("  url: ssh", f"{source.lstrip(chr(10))}  url: ssh")


def tree_with(sync: str, list_more: str = "", **files: str) -> Tree:
    return aviary(list_more, **{SYNC_FILE: sync, **files})


def phase_of(plan: Plan, name: PhaseName) -> Phase:
    return next(phase for phase in plan.phases if phase.name is name)


def pair_of(cluster: Cluster) -> tuple[Object, ...]:
    root = cluster.builds[cluster.root].ks
    return root.object, spelled(cluster.sources[root.source].object)


def spelled(source: Object) -> Object:
    """A source with its reference in one spelling."""
    return Object(source.id, {**source.data, "spec": {**source.spec, "ref": reference_of(source_of(source))}})


def rendered(target: Target, reader: Reader) -> tuple[Object, ...]:
    """The root and the source as the operator would write them."""
    metadata = {"name": "flux", "namespace": target.namespace}
    instance = {
        "apiVersion": f"{OPERATOR_GROUP}/v1",
        "kind": "FluxInstance",
        "metadata": metadata,
        "spec": dict(target.spec),
    }
    objects = render_instance(instance, reader.engine, operator_version=target.operator_version)
    found = [o for o in objects if o.id.name == "flux-system" and o.id.kind != "Namespace"]
    return tuple(spelled(o) if o.id.kind != "Kustomization" else o for o in found)


@pytest.mark.parametrize(
    ("root", "source"),
    [
        (ROOT_FIELDS, SOURCE_FIELDS),
        pytest.param("  interval: 1h0m0s\n", "  interval: 5m0s\n", marks=pytest.mark.slow),
        ("  deletionPolicy: Orphan\n", "  proxySecretRef:\n    name: proxy\n"),
        pytest.param("  retryInterval: 1m0s\n", "  provider: azure\n", marks=pytest.mark.slow),
        ("  dependsOn:\n  - name: other\n  serviceAccountName: keeper\n", "  suspend: true\n"),
        (
            "  force: true\n  healthChecks:\n  - {apiVersion: v1, kind: Secret, name: a, namespace: b}\n",
            "  sparseCheckout:\n  - clusters\n",
        ),
    ],
)
def test_every_field_comes_back(root: str, source: str, reader: Reader) -> None:
    own = synced(root, source)
    own = own.replace("  interval: 10m0s\n", "") if "interval" in root else own
    own = own.replace("  interval: 1m0s\n", "") if "interval" in source else own
    tree = tree_with(own)

    plan = reader.plan(tree, ADOPT)

    assert lost(pair_of(reader(tree).clusters[0]), rendered(plan.target, reader)) == ()


@pytest.mark.parametrize(
    ("reference", "sync_ref", "is_patched"),
    [
        ("branch: main", "refs/heads/main", False),
        pytest.param("tag: v3", "refs/tags/v3", False, marks=pytest.mark.slow),
        pytest.param("name: refs/pull/3/head", "refs/pull/3/head", False, marks=pytest.mark.slow),
        ('semver: ">=1.0.0"', "refs/heads/main", True),
        ("branch: nest\n    commit: 0123456789abcdef0123456789abcdef01234567", "refs/heads/nest", True),
    ],
)
def test_a_reference_goes_on_meaning_the_same(reference: str, sync_ref: str, is_patched: bool, reader: Reader) -> None:
    tree = tree_with(SYNC.replace("branch: main", reference))

    plan = reader.plan(tree, ADOPT)

    assert plan.target.synced["ref"] == sync_ref
    assert any("ref:" in patch.patch for patch in plan.target.patches) is is_patched
    assert lost(pair_of(reader(tree).clusters[0]), rendered(plan.target, reader)) == ()


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("OCIRepository", {"url": "oci://registry.example.org/aviary", "ref": {"tag": "latest"}}),
        ("OCIRepository", {"url": "oci://registry.example.org/aviary", "ref": {"semver": "1.x"}, "insecure": True}),
        ("Bucket", {"endpoint": "minio.example.org", "bucketName": "aviary", "provider": "generic", "region": "north"}),
    ],
)
def test_roots_from_other_sources_are_adopted_too(kind: str, fields: dict[str, Any], reader: Reader) -> None:
    documents = [document for document in yaml.safe_load_all(SYNC) if document]
    documents[0]["kind"] = kind
    documents[0]["spec"] = {"interval": "1m0s", **fields}
    documents[1]["spec"]["sourceRef"]["kind"] = kind
    tree = tree_with(yaml.safe_dump_all(documents))

    plan = reader.plan(tree, ADOPT)

    assert plan.target.synced["kind"] == kind
    assert lost(pair_of(reader(tree).clusters[0]), rendered(plan.target, reader)) == ()


def test_a_patch_of_the_root_in_the_list_comes_back_and_leaves(reader: Reader) -> None:
    patched = (
        PATCHES
        + """
- patch: |
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata:
      name: flux-system
      namespace: flux-system
    spec:
      decryption:
        provider: sops
""".lstrip("\n")
    )
    tree = aviary(patched)

    plan = reader.plan(tree, ADOPT)

    assert lost(pair_of(reader(tree).clusters[0]), rendered(plan.target, reader)) == ()
    left = yaml.safe_load(phase_of(plan, PhaseName.SYNC).tree.read(f"{HOME}/kustomization.yaml"))
    assert "patches" not in left


def test_the_files_leave_in_a_phase_of_their_own_after_both_were_seen(reader: Reader) -> None:
    plan = reader.plan(tree_with(synced(ROOT_FIELDS, SOURCE_FIELDS)), ADOPT)

    assert names_of(plan)[-2:] == ["retire", "sync"]
    assert SYNC_FILE in phase_of(plan, PhaseName.RETIRE).tree
    sync = phase_of(plan, PhaseName.SYNC)
    assert sync.files.removed == (SYNC_FILE,)
    assert sync.removes == frozenset()
    seen = {gate.object for gate in sync.gates if gate.id.startswith(("synced-", "restored-"))}
    assert seen == {ROOT, SOURCE}


def test_nothing_of_the_instance_waits_for_what_waits_for_the_root(reader: Reader) -> None:
    for form in InstanceForm:
        plan = reader.plan(aviary(), Options(sync=SyncStrategy.ADOPT, instance_as=form))

        ks = yaml.safe_load(plan.phases[-1].tree.read(plan.target.layout.instance.ks_file))

        assert ks["spec"]["wait"] is False
        assert "FluxInstance" not in [check["kind"] for check in ks["spec"].get("healthChecks", ())]


@pytest.mark.parametrize("done", [PhaseName.INSTANCE, PhaseName.RETIRE])
def test_planning_goes_on_without_being_told_again(done: PhaseName, reader: Reader) -> None:
    plan = reader.plan(aviary(), ADOPT)
    names = names_of(plan)

    left = reader.plan(phase_of(plan, done).tree)

    assert names_of(left) == names[names.index(done.value) + 1 :]
    assert left.phases[-1].tree == plan.phases[-1].tree


def test_nothing_is_left_after_the_last_phase(reader: Reader) -> None:
    assert names_of(reader.plan(reader.plan(aviary(), ADOPT).phases[-1].tree)) == []


def test_the_root_goes_on_with_all_its_fields_where_only_the_instance_has_them(reader: Reader) -> None:
    tree = tree_with(synced(ROOT_FIELDS, SOURCE_FIELDS))
    end = reader(reader.plan(tree, ADOPT).phases[-1].tree).clusters[0]
    before = reader(tree).clusters[0]

    assert end.root == before.root
    assert lost(pair_of(before), pair_of(end)) == ()
    nest = ObjectId("", "ConfigMap", "default", "nest")
    assert nest in end.builds[end.root].ids


def test_a_script_that_applied_the_files_does_not_any_more(reader: Reader) -> None:
    script = f"#!/bin/sh\nset -e\nkubectl apply -f {SYNC_FILE}\necho done\n"

    plan = reader.plan(tree_with(SYNC, **{"hack/start.sh": script}), ADOPT)

    assert phase_of(plan, PhaseName.SYNC).tree.read("hack/start.sh").decode() == "#!/bin/sh\nset -e\necho done\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "kind: GitRepository\nmetadata:\n  name: flux-system",
            "kind: GitRepository\nmetadata:\n  name: other",
            "one name",
        ),
        ("  url: ssh://git@git.example.org/aviary.git\n", "", "address"),
    ],
)
def test_what_a_sync_cannot_make_is_refused_with_its_place(old: str, new: str, said: str, reader: Reader) -> None:
    text = SYNC.replace(old, new)
    text = (
        text.replace("kind: GitRepository\n    name: flux-system", "kind: GitRepository\n    name: other")
        if "other" in new
        else text
    )

    with pytest.raises(UnsupportedInstallation) as refusal:
        reader.plan(tree_with(text), ADOPT)

    assert said in refusal.value.message
    assert refusal.value.where.startswith(SYNC_FILE)
    assert "--sync" in refusal.value.hint


@pytest.mark.parametrize(
    ("template", "wanted", "expected"),
    [
        ({"interval": "10m0s"}, {"interval": "10m"}, {}),
        ({"interval": "10m0s"}, {"interval": "1h"}, {"interval": "1h"}),
        ({"prune": True}, {"prune": False}, {"prune": False}),
        ({}, {"wait": False, "force": True}, {"force": True}),
        ({"provider": "aws"}, {}, {"provider": None}),
        ({"path": "./"}, {}, {}),
        ({"ref": {"name": "refs/heads/main"}}, {"ref": {"semver": "1"}}, {"ref": {"semver": "1", "name": None}}),
        ({"ref": {"name": "refs/heads/main"}}, {}, {}),
        ({"secretRef": {"name": "a"}}, {"secretRef": {"name": "a"}}, {}),
    ],
)
def test_a_merge_patch_says_only_what_differs(
    template: dict[str, Any], wanted: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert difference(template, wanted) == expected

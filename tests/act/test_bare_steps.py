"""What the repository's own steps do for Flux on a bare cluster."""

from __future__ import annotations

import pytest
from planning import CASES, DEMO, Reader, tree_of

from flux_handover.act.bare_steps import ApplyPath, CreateObject, Deed, Deeds, SyncHelmfile, deeds_of, is_template
from flux_handover.proof.steps import committing
from flux_handover.tree import Tree

TASKS = "Taskfile.yaml"


@pytest.fixture(scope="module")
def done(reader: Reader) -> Tree:
    """The demo repository after the last phase."""
    return committing(reader.plan(tree_of(DEMO)))[-1].tree


def deeds(reader: Reader, tree: Tree) -> Deeds:
    return deeds_of(reader(tree).clusters[0], tree)


def told(deed: Deed) -> str:
    match deed:
        case CreateObject(id=id):
            return f"create {id}"
        case ApplyPath(path=path):
            return f"apply {path}"
        case SyncHelmfile(path=path, releases=releases):
            return f"sync {path}: {', '.join(releases)}"


def edited(tree: Tree, path: str, old: str, new: str) -> Tree:
    text = tree.read(path).decode()
    assert old in text
    return tree.with_file(path, text.replace(old, new).encode())


def test_the_steps_of_a_runner_are_done_in_its_own_order(reader: Reader, done: Tree) -> None:
    found = deeds(reader, done)

    assert [told(deed) for deed in found.done] == [
        "create Namespace/flux-system",
        "create Secret/flux-system/sops-age",
        "apply homelab/bootstrap/flux/lighthouse-deploy-key.sops.yaml",
        "apply homelab/flux/vars/harbour-secrets.sops.yaml",
        "apply homelab/flux/vars/harbour-settings.yaml",
        "sync bootstrap/helmfile.d/02-flux.yaml: flux-operator, flux-instance",
        "apply homelab/flux/config",
    ]
    lines = [deed.where.line for deed in found.done]
    assert lines == sorted(lines)


def test_what_flux_does_not_need_is_left(reader: Reader, done: Tree) -> None:
    (left,) = deeds(reader, done).left

    assert "01-base.yaml" in done.read(TASKS).decode().splitlines()[left.line - 1]


def test_a_step_that_is_missing_is_not_done_for_the_repository(reader: Reader, done: Tree) -> None:
    line = next(line for line in done.read(TASKS).decode().splitlines() if "create secret generic sops-age" in line)

    found = deeds(reader, edited(done, TASKS, f"{line}\n", ""))

    assert not any("sops-age" in told(deed) for deed in found.done)


def test_a_wrong_order_stays_wrong(reader: Reader, done: Tree) -> None:
    lines = done.read(TASKS).decode().splitlines()
    namespace = next(line for line in lines if "create namespace" in line)
    key = next(line for line in lines if "create secret generic sops-age" in line)

    found = deeds(reader, edited(done, TASKS, f"{namespace}\n{key}", f"{key}\n{namespace}"))

    assert [told(deed) for deed in found.done[:2]] == [
        "create Secret/flux-system/sops-age",
        "create Namespace/flux-system",
    ]


def test_of_two_runners_the_one_that_brings_most_is_followed(reader: Reader, done: Tree) -> None:
    lines = done.read(TASKS).decode().splitlines()
    sync = next(line.strip() for line in lines if "02-flux.yaml" in line)
    script = f"#!/bin/sh\n{sync.removeprefix('- ')}\n".replace("{{.ROOT_DIR}}/", "").encode()

    found = deeds(reader, done.with_file("a-first.sh", script))

    assert found.done == deeds(reader, done).done
    assert "a-first.sh" in {where.file for where in found.left}


def test_a_page_for_people_is_followed_where_there_is_no_runner(reader: Reader) -> None:
    plan = reader.plan(tree_of(CASES / "plan-namespace-directories" / "before"))

    found = deeds(reader, committing(plan)[-1].tree)

    assert {deed.where.file for deed in found.done} == {"fleet/install/README.md"}
    assert [told(deed) for deed in found.done] == [
        "create Namespace/flux-system",
        "create Secret/flux-system/meadow-key",
        "sync fleet/install/helmfile.yaml: flux-operator, flux-instance",
        "apply fleet/cluster",
    ]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("key.yaml", "kind: Secret", False),
        ("key.yaml.j2", "kind: Secret", True),
        ("key.yaml", "name: {{ name }}", True),
    ],
)
def test_a_template_cannot_be_applied(path: str, text: str, expected: bool) -> None:
    tree = Tree({}).with_file(path, text.encode())

    assert is_template(path, tree) is expected

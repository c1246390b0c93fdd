"""What a build read, and that it decides the build (rule R8)."""

from __future__ import annotations

import pytest
from builders import repo

from flux_handover.adapters.engine import Engine
from flux_handover.model.building import BuildRequest, inputs_digest
from flux_handover.tree import Tree

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\n"
GENERATED = repo(
    "farm/apple.yaml", CONFIG_MAP.format("apple"), "farm/pears/pear.yaml", CONFIG_MAP.format("pear"), "barn/x.txt", "x"
)
LISTED = repo(
    "farm/kustomization.yaml", "resources: [apple.yaml, ../barn]\n", "farm/apple.yaml", CONFIG_MAP.format("apple"),
    "barn/kustomization.yaml", "resources: [hay.yaml]\n", "barn/hay.yaml", CONFIG_MAP.format("hay"),
    "farm/notes.yaml", "anything",
)  # fmt: skip
REMOTE = repo(
    "farm/kustomization.yaml", "resources: [https://example.org/x.yaml, apple.yaml, ../barn]\n",
    "farm/apple.yaml", CONFIG_MAP.format("apple"),
    "barn/kustomization.yaml", "configMapGenerator: [{name: hay, files: [hay.txt]}]\n", "barn/hay.txt", "hay",
)  # fmt: skip


def digest(engine: Engine, tree: Tree, after: Tree) -> tuple[str, str]:
    (before,) = engine.build(tree, [BuildRequest("farm", {"spec": {"path": "./farm"}})])
    return inputs_digest(tree, before.reads), inputs_digest(after, before.reads)


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        (GENERATED, "farm/apple.yaml"),
        (GENERATED, "farm/new.yaml"),
        (GENERATED, "farm/pears/kustomization.yaml"),
        (GENERATED, "farm/pears/deep/new.yaml"),
        (GENERATED, "farm/kustomization.yml"),
        (LISTED, "farm/apple.yaml"),
        (LISTED, "farm/kustomization.yml"),
        (LISTED, "barn/hay.yaml"),
        (LISTED, "barn/Kustomization"),
        (REMOTE, "farm/apple.yaml"),
        (REMOTE, "barn/hay.txt"),
    ],
)
def test_whatever_decides_a_build_is_among_its_inputs(engine: Engine, tree: Tree, path: str) -> None:
    before, after = digest(engine, tree, tree.with_file(path, b"# changed\n"))

    assert before != after


@pytest.mark.parametrize(
    ("tree", "path"), [(GENERATED, "barn/x.txt"), (LISTED, "farm/notes.yaml"), (LISTED, "farm/new.yaml")]
)
def test_what_a_build_does_not_read_is_not(engine: Engine, tree: Tree, path: str) -> None:
    before, after = digest(engine, tree, tree.with_file(path, b"# changed\n"))

    assert before == after

"""Nothing is decided by a name: a renamed repository gets the renamed plan (contract K21)."""

from __future__ import annotations

import random
import re
from types import MappingProxyType

import pytest
import yaml
from lanes import slow_but
from planning import CASES, DEMO, Reader, shown, tree_of

from flux_handover.documents import read_documents
from flux_handover.tree import File, Tree, blob_digest

REPOSITORIES = {
    "demo": (DEMO, "homelab harbour lighthouse flux-addons welcome config vars flux-manifests"),
    "directories": (
        CASES / "plan-namespace-directories" / "before",
        "fleet orchard meadow applications pasture barn toolkit toolkit-manifests alerts webhooks manifests",
    ),
    "flat": (CASES / "plan-flat-list" / "before", "clusters quay harbourmaster upstream workloads storage"),
    "injected": (CASES / "plan-injected-defaults" / "before", "base trunk forest services birds nest"),
}
KEPT = re.compile(r"oci://\S+|\S*github\.com\S*")


@pytest.mark.parametrize("name", REPOSITORIES)
@pytest.mark.parametrize("seed", slow_but({0}, range(3)))
def test_a_renamed_repository_gets_the_renamed_plan(name: str, seed: int, reader: Reader) -> None:
    directory, words = REPOSITORIES[name]
    names = invented(words.split(), seed)
    tree = tree_of(directory)

    plan, renamed = reader.plan(tree), reader.plan(renamed_tree(tree, names))

    assert operations(shown(renamed)) == operations(renamed_text(shown(plan), names))
    end, expected = renamed.phases[-1].tree, renamed_tree(plan.phases[-1].tree, names)
    assert set(end) == set(expected)
    for path in end:
        assert meaning(end, path) == meaning(expected, path), path


def operations(text: str) -> list[str]:
    """All lines but those of gates, whose names join words; lists have the order of the names.

    A name alone in prose is looked for only where it is hardly a word of the language, so what is
    probably a mention is not compared.
    """
    lines = (line for line in text.splitlines() if not line.startswith("  gate "))
    return sorted(line for line in lines if not line.endswith(", probable)"))


def invented(words: list[str], seed: int) -> dict[str, str]:
    chooser = random.Random(seed)
    return {word: "".join(chooser.choices("bcdfghjklm", k=9)) for word in words}


def renamed_text(text: str, names: dict[str, str]) -> str:
    words = "|".join(sorted((re.escape(name) for name in names), key=len, reverse=True))
    parts = re.split(f"({KEPT.pattern})", text)
    swap = re.compile(rf"(?<![\w.:-])({words})(?![\w-])|(?<=[\w]/)({words})(?![\w-])")
    return "".join(
        part if KEPT.fullmatch(part) else swap.sub(lambda found: names[found.group()], part) for part in parts
    )


def renamed_tree(tree: Tree, names: dict[str, str]) -> Tree:
    files = {}
    for path in tree:
        content = renamed_text(tree.read(path).decode(), names).encode()
        renamed = "/".join(renamed_part(part, names) for part in path.split("/"))
        files[renamed] = File(content, blob_digest(content))
    return Tree(MappingProxyType(files))


def renamed_part(part: str, names: dict[str, str]) -> str:
    stem, dot, rest = part.partition(".")
    return f"{names.get(stem, stem)}{dot}{rest}"


def meaning(tree: Tree, path: str) -> object:
    """The content without the order of `resources`, which is that of the names."""
    if not path.endswith(".yaml"):
        return tree.read(path)
    documents = [document.content for document in read_documents(path, tree.read(path)).documents]
    return [ordered(document) for document in documents]


def ordered(document: object) -> object:
    if isinstance(document, dict) and isinstance(document.get("resources"), list):
        return {**document, "resources": sorted(document["resources"], key=yaml.safe_dump)}
    return document

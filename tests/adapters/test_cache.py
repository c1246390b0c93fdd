"""A remembered result is the result: in one run, in the next, and whatever was edited in between."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from builders import repo
from hypothesis import given, settings
from hypothesis import strategies as st

from flux_handover.adapters.cache import CachedBuilder
from flux_handover.adapters.cache_records import holds_secret_values
from flux_handover.adapters.cache_store import Store
from flux_handover.adapters.engine import Engine
from flux_handover.model.building import (
    NOTHING,
    BuildRequest,
    BuildResult,
    Network,
    SubstitutionRequest,
    SubstitutionResult,
)
from flux_handover.objects import object_of
from flux_handover.tree import File, Tree

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {}\ndata:\n  size: ${{size}}\n"
SECRET = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: seed\nstringData:\n  key: {}\n"


class Counting(Engine):
    """The real engine, with a record of what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def build(
        self,
        tree: Tree,
        builds: Sequence[BuildRequest],
        *,
        network: Network = Network.DENIED,
        known: Mapping[str, Tree] = NOTHING,
    ) -> tuple[BuildResult, ...]:
        self.asked.extend(request.key for request in builds)
        return super().build(tree, builds, network=network, known=known)

    def substitute(self, sets: Sequence[SubstitutionRequest]) -> tuple[SubstitutionResult, ...]:
        self.asked.extend(f"variables of {request.key}" for request in sets)
        return super().substitute(sets)


@pytest.fixture(scope="module")
def engine() -> Iterator[Counting]:
    with Counting() as engine:
        yield engine


def request(path: str, **spec: object) -> BuildRequest:
    return BuildRequest(path, {"kind": "Kustomization", "spec": {"path": f"./{path}", **spec}})


def asked(engine: Counting, builder: CachedBuilder, tree: Tree, *requests: BuildRequest) -> list[str]:
    engine.asked.clear()
    builder.build(tree, requests)
    return list(engine.asked)


TREE = repo(
    "farm/apple.yaml", CONFIG_MAP.format("apple"),
    "barn/kustomization.yaml", "resources: [hay.yaml]\n", "barn/hay.yaml", CONFIG_MAP.format("hay"),
)  # fmt: skip


def test_the_same_build_is_asked_for_once(engine: Counting) -> None:
    builder = CachedBuilder(engine, None)

    assert asked(engine, builder, TREE, request("farm"), request("barn")) == ["farm", "barn"]
    assert asked(engine, builder, TREE, request("farm"), request("barn")) == []
    assert asked(engine, builder, TREE.with_file("barn/hay.yaml", b"a: b"), request("farm"), request("barn")) == [
        "barn"
    ]


def test_threads_that_want_the_same_share_one_build(engine: Counting) -> None:
    builder = CachedBuilder(engine, None)
    changed = TREE.with_file("barn/hay.yaml", CONFIG_MAP.format("straw").encode())
    engine.asked.clear()

    with ThreadPoolExecutor(6) as pool:
        both = request("farm"), request("barn")
        results = list(pool.map(lambda tree: builder.build(tree, both), [TREE, changed] * 6))

    assert sorted(engine.asked) == ["barn", "barn", "farm"]
    assert results == [engine.build(tree, both) for tree in (TREE, changed)] * 6


def test_when_and_by_whom_it_is_applied_is_no_other_build(engine: Counting) -> None:
    builder = CachedBuilder(engine, None)
    asked(engine, builder, TREE, request("farm", prune=True, interval="1h"))

    assert asked(engine, builder, TREE, request("farm", prune=False, dependsOn=[{"name": "barn"}])) == []
    assert asked(engine, builder, TREE, request("farm", targetNamespace="field")) == ["farm"]
    assert asked(engine, builder, TREE, request("farm", postBuild={"substitute": {"size": "1"}})) == ["farm"]


def test_another_run_finds_it_on_disk(engine: Counting, tmp_path: Path) -> None:
    first = CachedBuilder(engine, Store(tmp_path, "1"))
    expected = first.build(TREE, [request("farm"), request("barn")])
    second = CachedBuilder(engine, Store(tmp_path, "1"))

    engine.asked.clear()
    assert second.build(TREE, [request("farm"), request("barn")]) == expected
    assert engine.asked == []


def test_a_failed_build_is_remembered_with_its_place(engine: Counting, tmp_path: Path) -> None:
    broken = TREE.with_file("barn/kustomization.yaml", b"resources:\n  - absent.yaml\n")
    (expected,) = CachedBuilder(engine, Store(tmp_path, "1")).build(broken, [request("barn")])

    (again,) = CachedBuilder(engine, Store(tmp_path, "1")).build(broken, [request("barn")])

    assert expected.error is not None
    assert expected.error.line == 2
    assert again == expected


def test_a_directory_is_remembered_too(engine: Counting, tmp_path: Path) -> None:
    expected = CachedBuilder(engine, Store(tmp_path, "1")).kustomize(TREE, "barn")

    again = CachedBuilder(engine, Store(tmp_path, "1")).kustomize(TREE, "barn")
    changed = CachedBuilder(engine, Store(tmp_path, "1")).kustomize(TREE.with_file("barn/hay.yaml", b""), "barn")

    assert expected.objects
    assert again == expected
    assert changed != expected


def test_a_substitution_is_remembered(engine: Counting, tmp_path: Path) -> None:
    (built,) = engine.build(TREE, [request("farm")])
    wanted = SubstitutionRequest("farm", built.objects, {"size": "1"}, open=True)
    (expected,) = CachedBuilder(engine, Store(tmp_path, "1")).substitute([wanted])
    builder = CachedBuilder(engine, Store(tmp_path, "1"))

    engine.asked.clear()
    assert builder.substitute([wanted]) == (expected,)
    assert engine.asked == []
    builder.substitute([SubstitutionRequest("farm", built.objects, {"size": "2"}, open=True)])
    assert engine.asked == ["variables of farm"]


def test_a_damaged_record_is_as_if_it_were_not_there(engine: Counting, tmp_path: Path) -> None:
    (expected,) = CachedBuilder(engine, Store(tmp_path, "1")).build(TREE, [request("farm")])
    for path in tmp_path.rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:20])

    (again,) = CachedBuilder(engine, Store(tmp_path, "1")).build(TREE, [request("farm")])

    assert again == expected


def test_a_file_that_was_not_read_is_not_the_same_file(engine: Counting, tmp_path: Path) -> None:
    whole = CachedBuilder(engine, Store(tmp_path, "1"))
    whole.build(TREE, [request("farm")])
    unread = File(None, TREE.files["farm/apple.yaml"].digest, omitted="too large")

    (result,) = whole.build(Tree({**TREE.files, "farm/apple.yaml": unread}), [request("farm")])

    assert result.error is not None
    assert result.error.code == "file-omitted"


def test_no_value_of_a_secret_reaches_the_disk(engine: Counting, tmp_path: Path) -> None:
    value = "correct-horse-battery"
    tree = TREE.with_file("farm/seed.yaml", SECRET.format(value).encode())
    builder = CachedBuilder(engine, Store(tmp_path, "1"))

    (built,) = builder.build(tree, [request("farm")])
    builder.substitute([SubstitutionRequest("farm", built.objects, {"size": "1"})])
    builder.build(tree, [request("barn")])

    contents = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(contents) == 1
    assert not any(value.encode() in content for content in contents)


@pytest.mark.parametrize(
    ("fields", "is_open"),
    [
        ({"stringData": {"a": "ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]"}}, False),
        ({"stringData": {"a": "${PASSWORD}"}}, False),
        ({"stringData": {"a": "prefix ${PASSWORD}"}}, True),
        ({"data": {"a": base64.b64encode(b"ENC[AES256_GCM,data:x]").decode()}}, False),
        ({"data": {"a": base64.b64encode(b"open").decode()}}, True),
        ({"data": {"a": "not base64"}}, True),
        ({"data": {"a": None}}, False),
        ({"data": None}, False),
        ({}, False),
    ],
)
def test_a_secret_is_open_where_a_value_is_neither_encrypted_nor_a_variable(
    fields: dict[str, object], *, is_open: bool
) -> None:
    secret = object_of({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "seed"}, **fields})

    assert holds_secret_values([secret]) is is_open


FILES = (
    "farm/a.yaml",
    "farm/b.yaml",
    "farm/kustomization.yaml",
    "barn/kustomization.yaml",
    "barn/c.yaml",
    "barn/d/e.yaml",
)
CONTENTS = (
    CONFIG_MAP.format("one"),
    CONFIG_MAP.format("two"),
    SECRET.format("open"),
    "resources: [a.yaml]\n",
    "resources: [c.yaml, ../farm]\n",
    "resources: [d]\nnamePrefix: x-\n",
    "not: an object\n",
    "broken: [\n",
    "",
)
edits = st.lists(st.tuples(st.sampled_from(FILES), st.none() | st.sampled_from(CONTENTS)), min_size=1, max_size=3)


def test_a_directory_that_is_gone_is_not_one_without_a_list(engine: Counting, tmp_path: Path) -> None:
    store = Store(tmp_path, "1")
    there = edited(TREE, [("barn/kustomization.yaml", CONTENTS[5]), ("barn/d/e.yaml", CONTENTS[0])])
    gone = there.without("barn/d/e.yaml")

    (first,) = CachedBuilder(engine, store).build(there, [request("barn")])
    (second,) = CachedBuilder(engine, store).build(gone, [request("barn")])

    assert first.error is not None
    assert (second,) == engine.build(gone, [request("barn")])
    assert second.error != first.error


@given(st.lists(edits, min_size=2, max_size=8))
@settings(max_examples=60, deadline=None)
def test_a_remembered_build_is_the_fresh_one_whatever_was_edited(
    engine: Counting, tmp_path_factory: pytest.TempPathFactory, revisions: list[list[tuple[str, str | None]]]
) -> None:
    directory = tmp_path_factory.mktemp("cache")
    in_run = CachedBuilder(engine, Store(directory, "1"))
    tree = TREE
    wanted = [request("farm"), request("barn", postBuild={}), request("farm", targetNamespace="field")]

    for revision in revisions:
        tree = edited(tree, revision)
        fresh = engine.build(tree, wanted)
        across_runs = CachedBuilder(engine, Store(directory, "1")).build(tree, wanted)

        assert in_run.build(tree, wanted) == fresh
        assert across_runs == fresh


def edited(tree: Tree, edits: list[tuple[str, str | None]]) -> Tree:
    for path, content in edits:
        if content is not None:
            tree = tree.with_file(path, content.encode())
        elif path in tree:
            tree = tree.without(path)
    return tree

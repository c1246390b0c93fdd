from __future__ import annotations

from typing import Any

import pytest
from builders import yaml_text

from flux_handover import splice
from flux_handover.documents import read_documents
from flux_handover.splice import UneditableYaml

KS = """
    ---
    # yaml-language-server: $schema=https://example.org/kustomization.json
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata:
      name: &app web  # the one name
      namespace: flux-system
    spec:
      commonMetadata:
        labels:
          app.kubernetes.io/name: *app

      interval: 30m  # not too often
      path: "./apps/web"
      # Never turn this on
      prune: true

      dependsOn:
      - name: db
      - name: cache
    """


def file(text: str) -> bytes:
    return yaml_text(text).encode()


def changed(before: bytes, after: bytes) -> tuple[list[str], list[str]]:
    """The lines taken out and put in, once what is common at both ends is left away."""
    old, new = before.decode().split("\n"), after.decode().split("\n")
    while old and new and old[0] == new[0]:
        old, new = old[1:], new[1:]
    while old and new and old[-1] == new[-1]:
        old, new = old[:-1], new[:-1]
    return old, new


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("spec", "prune"), False, ["  prune: true"], ["  prune: false"]),
        (("spec", "interval"), "1h", ["  interval: 30m  # not too often"], ["  interval: 1h  # not too often"]),
        (("spec", "path"), "./apps/b", ['  path: "./apps/web"'], ['  path: "./apps/b"']),
        (("spec", "path"), 5, ['  path: "./apps/web"'], ["  path: 5"]),
        (("spec", "interval"), "1.10", ["  interval: 30m  # not too often"], ['  interval: "1.10"  # not too often']),
        (("spec", "dependsOn", 1, "name"), "queue", ["  - name: cache"], ["  - name: queue"]),
        (("spec", "wait"), True, [], ["  wait: true"]),
        (("metadata", "annotations"), {"a/b": "c"}, [], ["  annotations:", "    a/b: c"]),
        (
            ("spec", "commonMetadata", "annotations", "x"),
            "z",
            [],
            ["    annotations:", "      x: z"],
        ),
        (("spec", "dependsOn"), [], ["  dependsOn:", "  - name: db", "  - name: cache"], ["  dependsOn: []"]),
        (
            ("spec", "healthChecks"),
            [{"kind": "Job", "name": "x"}],
            [],
            ["  healthChecks:", "  - kind: Job", "    name: x"],
        ),
        (
            ("spec", "interval"),
            {"a": {"b": 1}},
            ["  interval: 30m  # not too often"],
            ["  interval:  # not too often", "    a:", "      b: 1"],
        ),
        (
            ("spec", "interval"),
            "one\n\ntwo\n",
            ["  interval: 30m  # not too often"],
            ["  interval: |  # not too often", "    one", "", "    two"],
        ),
    ],
)
def test_setting_a_field_changes_its_lines_only(path: Any, value: Any, old: list[str], new: list[str]) -> None:
    before = file(KS)

    after = splice.set_field(before, 0, path, value)

    assert changed(before, after) == (old, new)


def test_a_new_key_goes_to_its_place_among_sorted_keys() -> None:
    before = file("""
        spec:
          a: 1
          # about c
          c: 1
          d: 1
        """)

    assert changed(before, splice.set_field(before, 0, ("spec", "b"), 2)) == ([], ["  b: 2"])
    first = splice.set_field(before, 0, ("spec", "B"), 2).decode().split("\n")
    assert first[1] == "  B: 2"


def test_the_head_of_a_manifest_stays_first() -> None:
    before = file("""
        apiVersion: v1
        kind: Kustomization
        namespace: apps
        patches: []
        resources:
          - ./a
        """)

    for key, line in (("components", 3), ("images", 3), ("replacements", 5), ("transformers", 7)):
        after = splice.set_field(before, 0, (key,), ["x"]).decode().split("\n")
        assert after.index(f"{key}:") + 1 == line


def test_a_mapping_is_changed_field_by_field() -> None:
    before = file(KS)

    after = splice.set_field(before, 0, ("metadata",), {"name": "web", "namespace": "apps", "labels": {"a": "b"}})

    assert changed(before, after) == (["  namespace: flux-system"], ["  namespace: apps", "  labels:", "    a: b"])


def test_the_value_that_is_there_already_changes_nothing() -> None:
    before = file("a: 0x10\nb: 'yes'\nc: [ 1,2 ]\n")

    for path, value in ((("a",), 16), (("b",), "yes"), (("c",), [1, 2])):
        assert splice.set_field(before, 0, path, value) == before


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("a:\n", ("a",), 1, "a: 1\n"),
        ("a:\nb: 1\n", ("a", "x"), 1, "a:\n  x: 1\nb: 1\n"),
        ("a: {}\n", ("a", "x"), 1, "a: {x: 1}\n"),
        ("a: { x: 1 }\n", ("a", "z"), "b, c", 'a: { x: 1, z: "b, c" }\n'),
        ("a: {x: 1}\n", ("a", "x"), {"z": [1]}, "a: {x: {z: [1]}}\n"),
        ("a: [x, y]\n", ("a", 1), "z", "a: [x, z]\n"),
        ("- a\n- b\n", (1,), "c", "- a\n- c\n"),
        ("a:\n  - x: 1\n    y: 2\n", ("a", 0, "y"), 3, "a:\n  - x: 1\n    y: 3\n"),
        ("a:\n  - x: 1\n", ("a", 0, "z"), 3, "a:\n  - x: 1\n    z: 3\n"),
        ("a:\n  - x: 1\n", ("a", 0, "y"), 3, 'a:\n  - x: 1\n    "y": 3\n'),
        ("a: |\n  one\n  two\n\nb: 1\n", ("a",), "x", "a: x\n\nb: 1\n"),
        ("a: |\n  one\n  two\n\nb: 1\n", ("a",), "x\ny\n", "a: |\n  x\n  y\n\nb: 1\n"),
        ("a:\n  - |-\n    one\n    two\n", ("a", 0), "x\ny", "a:\n  - |-\n    x\n    y\n"),
        ("a: b\n  c\nd: 1\n", ("a",), "x", "a: x\nd: 1\n"),
        ("a: 1", ("b",), 2, "a: 1\nb: 2"),
        ("a: 1", ("b",), "x\ny\n", "a: 1\nb: |\n  x\n  y\n"),
        ("a: 1\n...\n", ("b",), 2, "a: 1\nb: 2\n...\n"),
        ("a: 1\r\nb: 2\r\n", ("c",), {"d": [1]}, "a: 1\r\nb: 2\r\nc:\r\n  d:\r\n    - 1\r\n"),
        ("\ufeffa: 1\n", ("a",), 2, "\ufeffa: 2\n"),
        ("a: &x 1\n", ("a",), 2, "a: &x 2\n"),
        ("a: &x\n  b: 1\n", ("a",), [1], "a: &x\n  - 1\n"),
        ("a: 1 # é\nb: ü\n", ("b",), "ö", "a: 1 # é\nb: ö\n"),
        ("a: 1\n# the end\n", ("b",), 2, "a: 1\nb: 2\n# the end\n"),
        ("a:\n  b: 1\n  # more\n\nc: 1\n", ("a", "x"), 2, "a:\n  b: 1\n  x: 2\n  # more\n\nc: 1\n"),
        ("a:\n    b: 1\n", ("a", "c"), {"d": 1}, "a:\n    b: 1\n    c:\n      d: 1\n"),
        ("a: x\n", ("a",), "yes", 'a: "yes"\n'),
    ],
)
def test_layouts(text: str, path: Any, value: Any, expected: str) -> None:
    assert splice.set_field(text.encode(), 0, path, value).decode() == expected


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("a: 1\nb: 2\nc: 3\n", ("b",), "a: 1\nc: 3\n"),
        ("a: 1\nb:\n  - x\n  - y\nc: 3\n", ("b",), "a: 1\nc: 3\n"),
        ("a: 1\n\n# about b\nb: 2\n\nc: 3\n", ("b",), "a: 1\n\n\nc: 3\n"),
        ("a: 1\n# heading\nb: 2\nc: 3\n", ("b",), "a: 1\n# heading\nc: 3\n"),
        ("a: 1\nb: 2", ("b",), "a: 1"),
        ("a: 1\nb: |\n  x\n\n  y\nc: 1\n", ("b",), "a: 1\nc: 1\n"),
        ("a:\n  b: 1\nc: 1\n", ("a", "b"), "a: {}\nc: 1\n"),
        ("a:\n  # about b\n  b: 1\nc: 1\n", ("a", "b"), "a:\n  # about b\n  {}\nc: 1\n"),
        ("a:\n  - b: 1\n    c: 2\n", ("a", 0, "b"), "a:\n  - c: 2\n"),
        ("a:\n  - b: 1\n    c: 2\n", ("a", 0, "c"), "a:\n  - b: 1\n"),
        ("a: {b: 1, c: 2}\n", ("a", "b"), "a: {c: 2}\n"),
        ("a: {b: 1, c: 2}\n", ("a", "c"), "a: {b: 1}\n"),
        ("a: {b: 1}\n", ("a", "b"), "a: {}\n"),
        ("a: 1\r\nb: 2\r\nc: 3\r\n", ("b",), "a: 1\r\nc: 3\r\n"),
        ("# schema\na: 1\n# c\nb: 1\n", ("a",), "# schema\n# c\nb: 1\n"),
    ],
)
def test_removing_a_field(text: str, path: Any, expected: str) -> None:
    assert splice.remove_field(text.encode(), 0, path).decode() == expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("r:\n  - ./a\n  - ./c\n", "./b", "r:\n  - ./a\n  - ./b\n  - ./c\n"),
        ("r:\n- ./b\n- ./c\n", "./a", "r:\n- ./a\n- ./b\n- ./c\n"),
        ("r:\n  # heading\n  - ./b\n  - ./c\n", "./a", "r:\n  - ./a\n  # heading\n  - ./b\n  - ./c\n"),
        ("r:\n  - ./c\n  - ./a  # first\nx: 1\n", "./b", "r:\n  - ./c\n  - ./a  # first\n  - ./b\nx: 1\n"),
        ("r: []\n", "./b", "r:\n  - ./b\n"),
        ("r:\n", "./b", "r:\n  - ./b\n"),
        ("x: 1\n", "./b", "x: 1\nr:\n  - ./b\n"),
        ("r: [./a, ./c]\n", "./b", "r: [./a, ./b, ./c]\n"),
        ("r: [./b, ./c]\n", "./a", "r: [./a, ./b, ./c]\n"),
        ("r:\n  - a: 1\n    b: 2\n", {"a": 3, "b": [4]}, "r:\n  - a: 1\n    b: 2\n  - a: 3\n    b:\n      - 4\n"),
        ("r:\n  -\n    a: 1\n", {"a": 2}, "r:\n  -\n    a: 1\n  - a: 2\n"),
        ("r:\n  - - a\n    - b\n", ["c"], "r:\n  - - a\n    - b\n  - - c\n"),
    ],
)
def test_inserting_an_element(text: str, value: Any, expected: str) -> None:
    assert splice.insert_element(text.encode(), 0, ("r",), value).decode() == expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("resources:\n  - ./a.yaml\n", "b.yaml", "resources:\n  - ./a.yaml\n  - ./b.yaml\n"),
        ("resources:\n  - a.yaml\n", "./b.yaml", "resources:\n  - a.yaml\n  - b.yaml\n"),
        ("resources:\n  - ../x\n  - ./a\n", "b", "resources:\n  - ../x\n  - ./a\n  - ./b\n"),
        ("resources:\n  - https://e.org/x\n  - ./a\n", "b", "resources:\n  - https://e.org/x\n  - ./a\n  - ./b\n"),
        ("resources: []\n", "./b", "resources:\n  - ./b\n"),
        ("resources: []\n", "b", "resources:\n  - b\n"),
        ("resources:\n  - ./z\n  - ./a\n", "../b", "resources:\n  - ./z\n  - ./a\n  - ../b\n"),
    ],
)
def test_a_resource_is_written_as_its_neighbours_are(text: str, name: str, expected: str) -> None:
    assert splice.insert_resource(text.encode(), 0, ("resources",), name).decode() == expected


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("r:\n  - a\n  - b # second\n  - c\n", "b", "r:\n  - a\n  - c\n"),
        ("r:\n  # heading\n  - a\n  - b\n", "a", "r:\n  # heading\n  - b\n"),
        ("r:\n  - a\n  # about b\n  - b\n", "b", "r:\n  - a\n"),
        ("r:\n  - a\n  # about b\n  - b\n  # about c\n  - c\n", "b", "r:\n  - a\n  # about c\n  - c\n"),
        ("r:\n  - a\nx: 1\n", "a", "r: []\nx: 1\n"),
        ("r: [a, b]\n", "a", "r: [b]\n"),
        ("r:\n  - {name: a}\n  - name: b\n    x: 1\n", {"name": "b", "x": 1}, "r:\n  - {name: a}\n"),
    ],
)
def test_removing_an_element(text: str, value: Any, expected: str) -> None:
    assert splice.remove_element(text.encode(), 0, ("r",), value).decode() == expected


@pytest.mark.parametrize("value", ["absent", "twice", 1.0])
def test_an_element_must_be_there_exactly_once(value: Any) -> None:
    with pytest.raises(UneditableYaml, match="elements have the value"):
        splice.remove_element(b"r: [twice, twice, 1]\n", 0, ("r",), value)


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        ("a: &x {b: 1}\nc: *x\n", ("c", "b"), r"an alias \(\*x\)"),
        ("a: &x {b: 1}\nc: *x\n", ("c",), r"an alias \(\*x\)"),
        ("a: &x {b: 1}\nc: *x\n", ("a", "b"), "through an anchor"),
        ("a: &x 1\nc: *x\n", ("a",), "through an anchor"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  d: 1\n", ("c", "b"), "merge"),
        ("a: 1\n", ("a", "b"), "not a mapping"),
        ("a: [1]\n", ("a", 3), "not a mapping"),
    ],
)
def test_an_edit_that_would_reach_more_is_refused(text: str, path: Any, reason: str) -> None:
    with pytest.raises(UneditableYaml, match=reason) as error:
        splice.set_field(text.encode(), 0, path, 9)
    assert error.value.hint


@pytest.mark.parametrize("content", [b"a: {{ x }}\n", b"a: 1\na: 2\n", b"\xff", b"a: 1\n---\nb: [\n"])
def test_a_file_that_cannot_be_read_is_not_edited(content: bytes) -> None:
    with pytest.raises(UneditableYaml):
        splice.set_field(content, 0, ("b",), 1)


def test_removing_what_is_not_there_is_refused() -> None:
    for path in (("b",), ("a", "b"), ()):
        with pytest.raises(UneditableYaml):
            splice.remove_field(b"a: 1\n", 0, path)


def test_only_the_named_document_is_edited() -> None:
    before = file("""
        kind: A
        ---
        # second
        kind: B
        ...
        ---
        kind: C
        """)

    after = splice.set_field(before, 1, ("kind",), "X")

    assert changed(before, after) == (["kind: B"], ["kind: X"])
    with pytest.raises(UneditableYaml, match="none with index 3"):
        splice.set_field(before, 3, ("kind",), "X")


THREE = "---\n# one\nkind: A\n---\n# two\nkind: B\n---\nkind: C\n"


@pytest.mark.parametrize(
    ("text", "index", "expected"),
    [
        (THREE, 0, "---\n# two\nkind: B\n---\nkind: C\n"),
        (THREE, 1, "---\n# one\nkind: A\n---\nkind: C\n"),
        (THREE, 2, "---\n# one\nkind: A\n---\n# two\nkind: B\n"),
        ("kind: A\n---\nkind: B\n", 0, "kind: B\n"),
        ("kind: A\n---\nkind: B\n", 1, "kind: A\n"),
        ("\ufeffkind: A\r\n---\r\nkind: B\r\n", 0, "\ufeffkind: B\r\n"),
        ("kind: A\n...\n---\nkind: B\n", 1, "kind: A\n...\n"),
    ],
)
def test_removing_a_document(text: str, index: int, expected: str) -> None:
    assert splice.remove_document(text.encode(), index).decode() == expected


def test_the_only_document_is_not_removed() -> None:
    with pytest.raises(UneditableYaml) as error:
        splice.remove_document(b"---\na: 1\n---\n# nothing\n", 0)
    assert error.value.hint == "remove the file instead"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kind: A\n", "kind: A\n---\nkind: B\n"),
        ("kind: A", "kind: A\n---\nkind: B\n"),
        ("kind: A\r\n", "kind: A\r\n---\r\nkind: B\r\n"),
        ("kind: A\n...\n", "kind: A\n...\n---\nkind: B\n"),
        ("", "---\nkind: B\n"),
    ],
)
@pytest.mark.parametrize("text_to_add", ["kind: B\n", "---\nkind: B\n"])
def test_appending_a_document(text: str, expected: str, text_to_add: str) -> None:
    assert splice.append_document(text.encode(), text_to_add).decode() == expected


def test_lines_of_any_file_are_replaced_where_they_stand_once() -> None:
    before = b"set -e\nkubectl apply -k boot\r\nkubectl wait\n"
    plain = b"a = 1\nb = 2\nc = 3\n"

    assert splice.replace_lines(plain, "b = 2\n", "x = 1\ny = 2\n") == b"a = 1\nx = 1\ny = 2\nc = 3\n"
    assert splice.replace_lines(plain, "b = 2\nc = 3", "") == b"a = 1\n"
    assert splice.replace_lines(b"a\r\nb\r\n", "b", "c\nd") == b"a\r\nc\r\nd\r\n"
    for text, old in ((plain, "b = "), (b"a\na\n", "a"), (plain, ""), (before, "absent")):
        with pytest.raises(UneditableYaml, match="not once"):
            splice.replace_lines(text, old, "x")


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, True, False),
        (1, 1.0, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1, 2], [2, 1], False),
        (float("nan"), float("nan"), True),
        ({"a": [0]}, {"a": [False]}, False),
    ],
)
def test_values_are_compared_with_their_types(one: Any, other: Any, equal: bool) -> None:
    assert splice.same(one, other) is equal


def test_an_edit_leaves_a_file_that_still_reads() -> None:
    after = splice.set_field(
        file(KS), 0, ("spec", "patches"), [{"patch": "- op: add\n  path: /x\n", "target": {"kind": "A"}}]
    )
    (document,) = read_documents("ks.yaml", after).documents

    assert document.embedded("spec", "patches", 0, "patch").documents[0].content == [{"op": "add", "path": "/x"}]

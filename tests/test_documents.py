from __future__ import annotations

import time

import pytest
from builders import yaml_text

from flux_handover import content, documents
from flux_handover.documents import Document, Documents, read_documents, value_at


def read(text: str) -> Documents:
    return read_documents("apps/web.yaml", yaml_text(text).encode())


def only(text: str) -> Document:
    (document,) = read(text).documents
    return document


def test_each_document_has_its_index_and_line() -> None:
    found = read("""
        # a file

        ---
        # yaml-language-server: $schema=https://example.org/x.json
        kind: A
        ---
        ---
        # nothing here
        ---
        kind: B
        ...
        kind: C
        """)

    assert [(d.index, d.line, d.content) for d in found.documents] == [
        (0, 5, {"kind": "A"}),
        (1, 10, {"kind": "B"}),
        (2, 12, {"kind": "C"}),
    ]


def test_lines_of_fields_elements_and_what_is_missing() -> None:
    document = only("""
        kind: A
        spec:
          # a comment
          interval: 5m

          patches:
            - target: {kind: Deployment, name: web}
            -
              target:
                kind: Job
        """)

    assert document.line_of("spec", "interval") == 4
    assert document.line_of("spec", "patches", 0, "target", "name") == 7
    assert document.line_of("spec", "patches", 1) == 9
    assert document.line_of("spec", "patches", 1, "target", "kind") == 10
    assert document.line_of("spec", "patches", -1, "target", "kind") == 10
    assert document.line_of("spec", "absent", "deeper") == 2
    assert document.line_of() == 1


def test_lines_are_those_of_the_file_in_later_documents_and_with_windows_breaks() -> None:
    text = "a: 1\r\n---\r\nü: é\r\nb:\r\n  c: 2\r\n"
    first, second = read_documents("x", text.encode()).documents

    assert (first.line, second.line) == (1, 3)
    assert second.line_of("b", "c") == 5


def test_an_aliased_field_lies_where_it_is_written() -> None:
    document = only("""
        defaults: &defaults
          cpu: 1
        web:
          <<: *defaults
          memory: 2
        copy: *defaults
        """)

    assert document.content["web"] == {"memory": 2, "cpu": 1}
    assert document.line_of("web", "cpu") == 2
    assert document.line_of("web", "memory") == 5
    assert document.line_of("copy", "cpu") == 2
    assert document.line_of("copy") == 6


def test_yaml_in_a_literal_block_has_the_lines_of_its_file() -> None:
    document = only("""
        spec:
          patches:
            - patch: |

                - op: add
                  path: /spec/x
                ---
                kind: B
                spec: {}
              target: {}
        """)

    first, second = document.embedded("spec", "patches", 0, "patch").documents

    assert first.line_of(0, "path") == 6
    assert (second.line, second.line_of("spec")) == (8, 9)


@pytest.mark.parametrize("written", ['"a: 1\\nb: 2"', ">\n    a: 1\n\n    b: 2", "|-\n    a: 1\n    b: {"])
def test_yaml_in_other_strings_has_the_line_of_the_string(written: str) -> None:
    document = only(f"x: 0\nspec:\n  patch: {written}\n")

    embedded = document.embedded("spec", "patch")

    lines = [d.line_of("b") for d in embedded.documents] + [p.line for p in embedded.problems]
    assert lines == [5 if written.startswith("|") else 3]


def test_what_is_no_string_holds_no_documents() -> None:
    document = only("a: 1\nb: {c: 2}\n")

    assert document.embedded("a") == document.embedded("b") == document.embedded("absent") == Documents((), ())


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("On", "On"),
        ("off", "off"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("0x1F", 31),
        ("0o17", 15),
        ("017", 15),
        ("-017", -15),
        ("08", 8.0),
        ("0b101", 5),
        ("1_000", 1000),
        ("+5", 5),
        ("1.10", 1.1),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1:20", "1:20"),
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ("v1.2.3", "v1.2.3"),
        ("1.2.3", "1.2.3"),
        ("5m", "5m"),
        ("18446744073709551615", 18446744073709551615),
        ("18446744073709551616", 18446744073709551616.0),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        ("'5'", "5"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ('!!int "5"', 5),
        ("!secret name", "name"),
        ("<<", "<<"),
    ],
)
def test_scalars_mean_what_they_mean_to_kustomize(written: str, value: object) -> None:
    found = only(f"a: {written}\n").content["a"]

    assert (found, type(found)) == (value, type(value))


def test_keys_are_text() -> None:
    assert only("1: a\ntrue: b\nnull: c\n").content == {"1": "a", "true": "b", "null": "c"}


def test_explicit_keys_win_over_merged_ones_and_earlier_merges_over_later() -> None:
    merged = only("""
        a: &a {x: 1, y: 1}
        b: &b {y: 2, z: 2}
        c: {<<: [*a, *b], x: 3}
        """)

    assert merged.content["c"] == {"x": 3, "y": 1, "z": 2}


def test_a_document_that_cannot_be_read_does_not_hide_the_others() -> None:
    found = read("""
        kind: A
        ---
        kind: [B
        ---
        kind: C
        """)

    assert [(d.index, d.content["kind"]) for d in found.documents] == [(0, "A"), (2, "C")]
    assert [(p.file, p.line) for p in found.problems] == [("apps/web.yaml", 4)]


def test_every_duplicate_key_is_found_with_its_line() -> None:
    found = read("""
        kind: A
        spec:
          a: 1
          b: 2
          a: 3
        kind: B
        """)

    assert found.documents == ()
    assert [(p.line, p.message) for p in found.problems] == [
        (5, "the key 'a' is given twice"),
        (6, "the key 'kind' is given twice"),
    ]
    assert "keep one" in found.problems[0].hint


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a:\n\t- b\n", 2, "cannot start any token"),
        ("a: *b\n", 1, "is not defined"),
        ("a: &a [*a]\n", 1, "inside itself"),
        ("a: 1\nb: {<<: 3}\n", 2, "not a mapping"),
        ("a: 1\n? [x]\n: b\n", 2, "as a key"),
        ("a: \x00\n", 1, "control character"),
        ("a: 1\nb: 'x\n", 3, "end of stream"),
        ("a: b: c\n", 1, "not allowed"),
        ("%YAML 9.9\n---\na: 1\n", 1, "incompatible"),
        ("a: 1\n  b: 2\n", 2, "not valid YAML"),
    ],
)
def test_what_is_wrong_is_a_problem_with_its_line(text: str, line: int, message: str) -> None:
    (problem,) = read_documents("a.yaml", text.encode()).problems

    assert problem.line == line
    assert message in problem.message


def test_a_tab_gets_a_hint() -> None:
    (problem,) = read_documents("a.yaml", b"a:\n\tb: 1\n").problems

    assert "not with tabs" in problem.hint


@pytest.mark.parametrize("text", ["a: {{ .Values.x }}\n", "{% if x %}\na: 1\n{% endif %}\n", "{{- range . }}\na: 1\n"])
def test_a_template_is_recognised(text: str) -> None:
    found = read_documents("a.yaml", text.encode())

    assert "template" in found.problems[0].hint


@pytest.mark.parametrize("content_bytes", [b"a: \xff\n", "a: 1\n".encode("utf-16")])
def test_a_file_that_is_not_utf8_is_a_problem(content_bytes: bytes) -> None:
    assert [p.message for p in read_documents("a.yaml", content_bytes).problems] == ["the file is not UTF-8"]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n---\n# x\n", "\ufeff", "~\n"])
def test_an_empty_file_has_neither_documents_nor_problems(text: str) -> None:
    assert read_documents("a.yaml", text.encode()) == Documents((), ())


def test_a_byte_order_mark_is_no_content() -> None:
    (document,) = read_documents("a.yaml", "\ufeffa: 1\nb: 2\n".encode()).documents

    assert (document.content, document.line_of("b")) == ({"a": 1, "b": 2}, 2)


def test_directives_belong_to_the_document_after_them() -> None:
    assert only("%YAML 1.1\n# comment\n---\na: 1\n").content == {"a": 1}


def test_dashes_inside_a_block_do_not_end_the_document() -> None:
    assert only("a: |\n  x\n  ---\n  y\n").content == {"a": "x\n---\ny\n"}


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "once aliases are expanded"),
        ("[" * 1_000_000, "nest"),
        ("- " * 500_000 + "a", "nest"),
        ("".join(" " * depth + "a:\n" for depth in range(1000)), "nest"),
        ("{a: " * 500_000, "nest"),
        ("a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 1000)), "nest"),
        ("- a\n" * (content.MAX_NODES + 1), "once aliases are expanded"),
    ],
    ids=["aliases", "brackets", "dashes", "indents", "braces", "alias-depth", "many"],
)
def test_a_bomb_is_a_problem_soon(text: str, message: str) -> None:
    """What is nested too deep is refused by us, or by newer versions of libyaml before us."""
    started = time.process_time()
    found = read_documents("a.yaml", text.encode())

    assert message in found.problems[0].message
    assert not found.documents
    assert time.process_time() - started < 20


def test_aliases_below_the_limit_share_their_value() -> None:
    document = only("a: &a [1, 2]\nb: [*a, *a]\n")

    assert document.content["b"] == [[1, 2], [1, 2]]


def test_a_huge_file_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 10)

    assert read_documents("a.yaml", b"a: 1234567").documents
    (problem,) = read_documents("a.yaml", b"a: 12345678").problems
    assert "11 bytes" in problem.message


def test_deep_but_allowed_nesting_is_read() -> None:
    depth = content.MAX_DEPTH - 2
    (document,) = read_documents("a.yaml", ("[" * depth + "]" * depth).encode()).documents

    assert document.line_of(*([0] * (depth - 1))) == 1


def test_a_document_never_shows_its_content() -> None:
    document = only("kind: Secret\nstringData: {password: hunter2}\n")

    assert "hunter2" not in repr(document)
    assert "hunter2" not in repr(Documents((document,), ()))


def test_problems_never_show_values() -> None:
    for text in ("password: hunter2\npassword: hunter2\n", "password: hunter2: x\n", "password: 'hunter2\n"):
        assert "hunter2" not in str(read_documents("a.yaml", text.encode()).problems[0])


def test_values_are_found_by_path() -> None:
    tree = {"a": [{"b": None}, 2]}

    assert value_at(tree, ("a", 1)) == value_at(tree, ("a", -1)) == 2
    assert value_at(tree, ("a", 0, "b", "c")) is None
    assert value_at(tree, ("a", 5)) is None
    assert value_at(tree, ("a", "b")) is None


def test_a_mapping_is_empty_for_other_content() -> None:
    assert only("- a\n").mapping == {}
    assert only("a: 1\n").mapping == {"a": 1}

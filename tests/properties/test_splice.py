"""Laws of editing, on generated files and on the real ones where they are at hand."""

from __future__ import annotations

import random
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from flux_handover import splice
from flux_handover.documents import read_documents
from flux_handover.emit import Style, block_lines, dump, flow_text
from flux_handover.splice import UneditableYaml, same

CORPUS = Path(__file__).parents[3] / "shared/corpus"

KEYS = st.one_of(
    st.sampled_from(["name", "spec", "resources", "yes", "1", "a b", "x.y/z", "", "<<", "- a", "null"]),
    st.text(max_size=8),
)
TEXTS = st.one_of(
    st.sampled_from(
        ["yes", "1.10", "0x1f", "a: b", "# c", " x ", "l1\nl2\n", "l1\n\n l2", "{{ x }}", "~", "*a", "2026-01-01"]
    ),
    st.text(max_size=20),
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False), TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
MAPPINGS = st.dictionaries(KEYS, VALUES, min_size=1, max_size=5)
STYLES = st.builds(Style, document_start=st.booleans(), indented_lists=st.booleans())


def storable(value: Any) -> bool:
    """Whether YAML can hold every character; surrogates are no characters."""
    return all(not 0xD800 <= ord(character) <= 0xDFFF for character in repr(value)) and "\\ud" not in repr(value)


def only(content: bytes) -> Any:
    found = read_documents("a.yaml", content)
    assert found.problems == ()
    (document,) = found.documents
    return document.content


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    children: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        children = iter(value.items())
    elif isinstance(value, list):
        children = iter(enumerate(value))
    for key, child in children:
        yield (*path, key), child
        yield from paths(child, (*path, key))


def outside(before: bytes, after: bytes) -> tuple[int, int]:
    """How many lines at the top and at the bottom are the same in both."""
    old, new = before.split(b"\n"), after.split(b"\n")
    shorter = min(len(old), len(new))
    top = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    bottom = next((n for n in range(shorter - top) if old[-1 - n] != new[-1 - n]), shorter - top)
    return top, bottom


@settings(max_examples=50, deadline=None)
@given(MAPPINGS, STYLES)
def test_what_is_dumped_is_read_back(value: dict[str, Any], style: Style) -> None:
    assume(storable(value))

    text = dump(value, style)

    assert same(only(text.encode()), value)
    assert list(only(text.encode())) == list(value)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_flow_and_block_style_say_the_same(value: Any) -> None:
    assume(storable(value))

    block = "\n".join(block_lines([value]))

    assert same(only(f"- {flow_text(value)}\n".encode()), [value])
    assert same(only(f"{block}\n".encode()), [value])


@settings(max_examples=50, deadline=None)
@given(MAPPINGS, STYLES, SCALARS, st.randoms(use_true_random=False))
def test_set_then_get_and_set_back(value: dict[str, Any], style: Style, new: Any, choice: random.Random) -> None:
    assume(storable(value) and storable(new))
    before = dump(value, style).encode()
    path, _ = choice.choice(list(paths(value)))

    after = splice.set_field(before, 0, path, new)

    found = read_documents("a.yaml", after).documents[0]
    current: Any = found.content
    for part in path:
        current = current[part]
    assert same(current, new)


@settings(max_examples=50, deadline=None)
@given(MAPPINGS, STYLES, st.randoms(use_true_random=False))
def test_remove_then_absent_and_the_rest_is_kept(value: dict[str, Any], style: Style, choice: random.Random) -> None:
    assume(storable(value))
    before = dump(value, style).encode()
    key = choice.choice(list(value))

    after = splice.remove_field(before, 0, (key,))

    rest = {other: child for other, child in value.items() if other != key}
    assert same(only(after), rest)
    assert sum(outside(before, after)) >= len(before.split(b"\n")) - len(dump({key: value[key]}, style).split("\n"))


@settings(max_examples=50, deadline=None)
@given(MAPPINGS, STYLES, VALUES)
def test_a_new_field_is_put_in_and_taken_out_again(value: dict[str, Any], style: Style, new: Any) -> None:
    assume(storable(value) and storable(new) and "new key" not in value)
    before = dump(value, style).encode()

    after = splice.set_field(before, 0, ("new key",), new)

    assert same(only(after), {**value, "new key": new})
    assert splice.remove_field(after, 0, ("new key",)) == before


@settings(max_examples=30, deadline=None)
@given(st.lists(MAPPINGS, min_size=1, max_size=4), st.integers(0, 3), st.booleans())
def test_documents_do_not_touch_each_other(values: list[dict[str, Any]], index: int, windows: bool) -> None:
    assume(storable(values) and index < len(values))
    parts = [dump(value) for value in values]
    before = "".join(parts)
    parts[index] = dump({**values[index], "zz": "new"})
    expected = "".join(parts)
    if windows:
        before, expected = before.replace("\n", "\r\n"), expected.replace("\n", "\r\n")

    found = read_documents("a.yaml", splice.set_field(before.encode(), index, ("zz",), "new")).documents

    wanted = read_documents("a.yaml", expected.encode()).documents
    assert same([d.content for d in found], [d.content for d in wanted])


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True), st.sampled_from("ijk"))
def test_an_element_is_put_in_and_taken_out_again(names: list[str], new: str) -> None:
    before = dump({"resources": [f"./{name}.yaml" for name in names]}).encode()

    after = splice.insert_resource(before, 0, ("resources",), f"{new}.yaml")

    assert f"  - ./{new}.yaml" in after.decode().split("\n")
    assert splice.remove_element(after, 0, ("resources",), f"./{new}.yaml") == before


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_text_crashes_the_reader(text: str) -> None:
    content = text.encode("utf-8", "surrogatepass")
    found = read_documents("a.yaml", content)

    for document in found.documents:
        assert 1 <= document.line_of("a", 0) <= text.count("\n") + 1
    for problem in found.problems:
        assert 1 <= problem.line <= text.count("\n") + 1


WRITTEN = (
    "a: 1|b:|  c: 2|  - d|- e|    f: {g: h}|# i||---|...|  k|l: [m,|  n]|o: 'p|  q'|r: &s 1|t: *s|<<: *s|\tu: 1",
    "  v: 2  # w|x: >-|  - y: 1|    z: 2",
)
LINES = st.sampled_from([*"|".join(WRITTEN).split("|"), "j: |"])


@given(st.lists(LINES, max_size=9), st.sampled_from(["\n", "\r\n"]), st.booleans())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_an_edit_of_any_text_is_exact_or_refused(lines: list[str], newline: str, final: bool) -> None:
    content = (newline.join(["first: 0", *lines]) + (newline if final else "")).encode()
    documents = read_documents("a.yaml", content).documents
    assume(documents and isinstance(documents[0].content, dict))

    try:
        after = splice.set_field(content, 0, ("new",), "x")
    except UneditableYaml:
        return

    assert same(read_documents("a.yaml", after).documents[0].content, {**documents[0].content, "new": "x"})
    top, bottom = outside(content, after)
    assert top + bottom >= content.count(b"\n")


def corpus_files() -> list[tuple[str, bytes]]:
    """The YAML files of the real repositories that can be read, each content once."""
    found: dict[bytes, str] = {}
    for archive in sorted(CORPUS.glob("*.tar.xz")):
        with tarfile.open(archive) as members:
            for member in members:
                file = members.extractfile(member) if member.name.endswith((".yaml", ".yml")) else None
                if file is not None:
                    found.setdefault(file.read(), member.name)
    return [(name, content) for content, name in found.items()]


def edits_undone(content: bytes, choice: random.Random) -> Iterator[tuple[bytes, bytes]]:
    """Pairs that must be equal: the file, and the file after an edit and its opposite."""
    for document in read_documents("a.yaml", content).documents:
        every = list(paths(document.content))
        for path, value in choice.sample(every, min(2, len(every))):
            yield content, splice.set_field(content, document.index, path, value)
            if isinstance(value, dict) and value:
                added = splice.set_field(content, document.index, (*path, "zz-new"), ["x"])
                yield content, splice.remove_field(added, document.index, (*path, "zz-new"))
            elif isinstance(value, list) and value:
                added = splice.insert_element(content, document.index, path, "zz-new")
                yield content, splice.remove_element(added, document.index, path, "zz-new")


@pytest.mark.slow
def test_edits_of_real_files_are_undone_to_the_byte() -> None:
    files = corpus_files()
    if not files:
        pytest.skip("the real repositories are not at hand")
    choice = random.Random(1)

    wrong: list[str] = []
    refused, edits = 0, 0
    for name, content in files:
        if read_documents(name, content).problems:
            continue
        pairs = edits_undone(content, choice)
        try:
            for before, after in pairs:
                edits += 1
                wrong += [name] if before != after else []
        except UneditableYaml as error:
            refused += 1
            # An anchor may be shared, and a literal block at the end may lack its line break.
            wrong += [f"{name}: {error}"] if b"&" not in content and content.endswith(b"\n") else []

    assert wrong == []
    assert edits > 5 * refused

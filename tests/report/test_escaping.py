from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flux_handover.report.escaping import code, code_block, markdown, one_line, printable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain \u00e9 text", "plain \u00e9 text"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\rb", "a\\rb"),
        ("bell\x07", "bell\\x07"),
        ("right\u202eleft", "right\\u202eleft"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("lines\nstay", "lines\nstay"),
        ("lone \udcff surrogate", "lone \\udcff surrogate"),
    ],
)
def test_what_a_terminal_would_obey_is_written_out(text: str, expected: str) -> None:
    assert printable(text) == expected


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    shown = printable(text)

    assert all(char == "\n" or unicodedata.category(char)[0] != "C" for char in shown)


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@given(st.text())
def test_escaping_twice_is_escaping_once(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(st.text(alphabet="abw`*_[]()<>#+-!|~@&:/.1 \\\n"))
def test_markdown_renders_as_the_text_itself(text: str) -> None:
    wanted = one_line(text)

    tokens = MarkdownIt("commonmark").parse(f"x{markdown(text)}x")

    inline = tokens[1].children or []
    assert {token.type for token in inline} <= {"text", "text_special"}
    assert "".join(token.content for token in inline) == f"x{wanted}x".replace("@", "@\u200b")


@given(st.text(alphabet="ab` \n"))
def test_a_code_span_holds_any_backticks(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(f"x {code(text)} x")

    spans = [token.content.strip() for token in tokens[1].children or [] if token.type == "code_inline"]
    assert spans == ([one_line(text).strip()] if one_line(text).strip() else spans)


@given(st.text(alphabet="ab`\n"))
def test_a_code_block_holds_any_fences(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(code_block(text))

    assert [token.type for token in tokens] == ["fence"]
    assert tokens[0].content.rstrip("\n") == printable(text).rstrip()

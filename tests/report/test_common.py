from __future__ import annotations

import json

import jsonschema_rs
import pytest
from msgspec import Struct

from flux_handover.errors import UsageError
from flux_handover.report.page import Screen, columns, command, counted, indented, rendered, shortened, text
from flux_handover.report.shapes.commit import CommitReport
from flux_handover.report.shapes.common import encoded, failure_report, schema_of
from flux_handover.report.shapes.doctor import DoctorReport
from flux_handover.report.shapes.explain import ExplainReport
from flux_handover.report.shapes.inspect import InspectReport
from flux_handover.report.shapes.plan import PlanReport

REPORTS: list[tuple[str, type[Struct]]] = [
    ("inspect", InspectReport),
    ("plan", PlanReport),
    ("commit", CommitReport),
    ("doctor", DoctorReport),
    ("explain", ExplainReport),
]


@pytest.mark.parametrize(("verb", "report"), REPORTS)
def test_a_failure_is_valid_in_place_of_any_report(verb: str, report: type[Struct]) -> None:
    failure = failure_report(verb, UsageError("no such cluster", where="lab", hint="say another"))

    jsonschema_rs.validate(json.loads(schema_of(verb, report)), json.loads(encoded(failure)))


@pytest.mark.parametrize(("verb", "report"), REPORTS)
def test_a_schema_is_itself_valid_and_refuses_nonsense(verb: str, report: type[Struct]) -> None:
    schema = json.loads(schema_of(verb, report))

    assert jsonschema_rs.meta.is_valid(schema)
    assert not jsonschema_rs.is_valid(schema, {"schema": f"flux-handover/{verb}/v1"})


def test_lines_have_no_blanks_at_their_ends() -> None:
    page = rendered(Screen(), [columns([(text("a"), text("b")), (text("long"), text(""))])])

    assert page == "a     b\nlong\n"


def test_long_cells_wrap_and_short_ones_do_not() -> None:
    page = rendered(Screen(width=70), [columns([(text("x" * 30), text("short"), text("one two three " * 9))])])

    assert page.splitlines()[0].startswith("x")
    assert "short" in page
    assert max(map(len, page.splitlines())) <= 70


def test_commands_are_never_wrapped() -> None:
    typed = f"kubectl {'x' * 300}"

    assert rendered(Screen(width=40), [indented(command(typed))]) == f"  {typed}\n"


def test_prose_is_wrapped_where_it_is_indented() -> None:
    page = rendered(Screen(width=12), [indented(indented(text("one two three")))])

    assert page == "    one two\n    three\n"


@pytest.mark.parametrize(("number", "expected"), [(0, "0 patches"), (1, "1 patch"), (2, "2 patches")])
def test_a_count_agrees_with_its_noun(number: int, expected: str) -> None:
    assert counted(number, "patch", "patches") == expected


@pytest.mark.parametrize(("words", "expected"), [("a  b\nc", "a b c"), ("x" * 9, "xxxxx..."), ("", "")])
def test_long_words_are_cut(words: str, expected: str) -> None:
    assert shortened(words, 8) == expected

from __future__ import annotations

import io
import sys

import pytest

from flux_handover.cli import progress
from flux_handover.cli.progress import Progress, note
from flux_handover.cli.showing import PLAIN_WIDTH, screen
from flux_handover.cli.writing import write
from flux_handover.report.page import Detail


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def test_without_a_terminal_lines_are_long_and_plain() -> None:
    assert (screen(False).width, screen(False).colour) == (PLAIN_WIDTH, False)


def test_a_terminal_has_colours_unless_they_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "93")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert (screen(False).width, screen(False).colour) == (93, True)

    monkeypatch.setenv("NO_COLOR", "1")
    assert screen(False).colour is False


def test_a_dumb_terminal_has_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "dumb")

    assert screen(False).colour is False


@pytest.mark.parametrize(("verbose", "detail"), [(False, Detail.BRIEF), (True, Detail.FULL)])
def test_verbose_is_full_detail(verbose: bool, detail: Detail) -> None:
    assert screen(verbose).detail is detail


def test_what_the_terminal_cannot_show_is_written_as_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))

    write("tree └── x\n")

    assert raw.getvalue() == b"tree \\u2514\\u2500\\u2500 x\n"


def test_notes_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    note("only \x07 this")

    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "note: only \\x07 this\n")


def test_progress_is_silent_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as say:
        say("working")

    assert capsys.readouterr().err == ""


def test_progress_is_silent_while_things_are_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    with Progress() as say:
        say("working")

    assert terminal.getvalue() == ""


def test_progress_says_what_is_done_and_cleans_up(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "PATIENCE_SECONDS", 0.01)

    with Progress() as say:
        say("working")
        while "working" not in terminal.getvalue():
            pass

    assert terminal.getvalue().endswith("\r\x1b[2K")

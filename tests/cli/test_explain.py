from __future__ import annotations

import json

import pytest

from flux_handover.cli.main import run


def test_a_code_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "nothing-lost"]) == 0
    assert "nothing-lost, obligation" in capsys.readouterr().out


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 0

    shown = capsys.readouterr().out
    assert "way-back" in shown
    assert "preflight" in shown


def test_an_unknown_code_is_an_error_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "nothing-list", "--output", "json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["hint"] == "did you mean nothing-lost?"

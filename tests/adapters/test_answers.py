"""Answers that are remembered: found for the same question only, and never instead of a broken one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flux_handover.adapters.answers import Answer, Answers, program_mark, question
from flux_handover.adapters.cache_store import Store

ANSWER = Answer("all is well: ü\nnext line\n", 1)


@pytest.fixture
def kept(tmp_path: Path) -> Answers:
    return Answers(Store(tmp_path, "one"))


def test_an_answer_is_found_as_it_was_kept(kept: Answers) -> None:
    kept.keep(question(["a"]), ANSWER)

    assert kept.find(question(["a"])) == ANSWER
    assert kept.find(question(["b"])) is None


def test_an_empty_page_is_an_answer(kept: Answers) -> None:
    kept.keep(question(["a"]), Answer("", 0))

    assert kept.find(question(["a"])) == Answer("", 0)


def test_another_program_has_answers_of_its_own(tmp_path: Path, kept: Answers) -> None:
    kept.keep(question(["a"]), ANSWER)

    assert Answers(Store(tmp_path, "two")).find(question(["a"])) is None


def test_without_a_store_nothing_is_known() -> None:
    nowhere = Answers(None)
    nowhere.keep(question(["a"]), ANSWER)

    assert nowhere.find(question(["a"])) is None


@pytest.mark.parametrize("content", [b"", b"0", b"7\npage", b"x\npage", b"0\n\xff"])
def test_a_broken_file_is_no_answer(content: bytes, tmp_path: Path) -> None:
    store = Store(tmp_path, "one")
    store.write(question(["a"]), content)

    assert Answers(store).find(question(["a"])) is None


def test_no_two_questions_share_a_key() -> None:
    asked: list[list[object]] = [["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""], ["a", ["b"]]]
    asked += [["a", None], ["a", "None"]]

    assert len({question(parts) for parts in asked}) == len(asked)


def test_a_program_is_another_when_any_of_its_files_is(tmp_path: Path) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "code.py").write_text("one")
    first = program_mark(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "code.pyc").write_text("compiled")
    compiled = program_mark(tmp_path)
    os.utime(tmp_path / "part" / "code.py", ns=(1, 1))

    assert compiled == first
    assert program_mark(tmp_path) != first

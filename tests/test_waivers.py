"""Waivers: read, matched, complained about."""

from __future__ import annotations

from datetime import date

import pytest
from builders import repo

from flux_handover.errors import UnreadableRepository
from flux_handover.findings import Finding, Location, Severity
from flux_handover.waivers import FILE, UNKNOWN, Waiver, applied, complaints, read_waivers

TODAY = date(2026, 6, 1)
MEMOS = "ConfigMap.example.org/notes/memos"


def waiver(code: str = "O1", object: str = MEMOS, until: date | None = None) -> Waiver:
    return Waiver(code, object, "by hand", until, Location(FILE, 1))


def finding(code: str = "O1", subject: str = MEMOS, file: str = "") -> Finding:
    return Finding(code, Severity.ERROR, "S0", "gone", Location(file, 3) if file else None, subject=subject)


def test_waivers_are_read_with_their_lines() -> None:
    text = """
    [[waive]]
    code = "O1"
    object = "ConfigMap/notes/memos"
    reason = "by hand"

    [[waive]]
    code = "O13"
    object = "PersistentVolumeClaim/notes/paper"
    reason = "empty"
    until = 2030-01-31
    """

    first, second = read_waivers(repo(FILE, text))

    assert (first.code, first.object, first.reason, first.until) == ("O1", "ConfigMap/notes/memos", "by hand", None)
    assert (second.until, second.where) == (date(2030, 1, 31), Location(FILE, 6))


def test_no_file_is_no_waiver() -> None:
    assert read_waivers(repo("a.txt", "a")) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[waive", "not TOML"),
        ("waive = 1", "not a list"),
        ("waive = [1]", "not a table"),
        ("[[waive]]\ncode='O1'\nobject='x'", "lacks 'reason'"),
        ("[[waive]]\ncode='O1'\nobject='x'\nreason=' '", "lacks 'reason'"),
        ("[[waive]]\ncode='O1'\nobject='x'\nreason='y'\nfor='z'", "does not know 'for'"),
        ("[[waive]]\ncode='O1'\nobject='x'\nreason='y'\nuntil='soon'", "not a date"),
    ],
)
def test_what_is_no_waiver_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(UnreadableRepository, match=words) as refused:
        read_waivers(repo(FILE, text))

    assert refused.value.where.startswith(FILE)


@pytest.mark.parametrize("spelling", [MEMOS, "ConfigMap/notes/memos"])
def test_a_waiver_covers_its_object_in_either_spelling(spelling: str) -> None:
    left = applied([waiver(object=spelling)], [finding()], [], TODAY)

    assert left.findings == ()
    assert [one.message for one in left.waived] == ["gone"]


@pytest.mark.parametrize(
    "other", [waiver(code="O2"), waiver(object="ConfigMap/notes/others"), waiver(until=date(2026, 5, 31))]
)
def test_a_waiver_covers_nothing_else(other: Waiver) -> None:
    assert applied([other], [finding()], [], TODAY).findings == (finding(),)


def test_a_finding_without_an_object_is_waived_by_its_file() -> None:
    found = finding("B8", subject="", file="ci.yaml")

    assert applied([waiver("B8", "ci.yaml")], [found], [], TODAY).findings == ()


def test_a_waiver_holds_on_its_last_day() -> None:
    assert applied([waiver(until=TODAY)], [finding()], [], TODAY).findings == ()


def test_what_is_unknown_is_waived_by_that_word_only() -> None:
    sentence = "Kustomization/flux-system/apps cannot be built here: no network"
    named = waiver(UNKNOWN, "Kustomization/flux-system/apps")

    assert applied([named], [], [sentence], TODAY).undecided == ()
    assert applied([waiver("O1", named.object)], [], [sentence], TODAY).undecided == (sentence,)


def test_a_waiver_that_is_not_used_is_complained_about() -> None:
    used, unused, over = waiver(), waiver("O2"), waiver("O3", until=date(2020, 1, 1))

    found = complaints([used, unused, over], [used], TODAY)

    assert [(one.hazard, one.severity) for one in found] == [("waiver", Severity.WARNING)] * 2
    assert "matches nothing" in found[0].message
    assert "ended on 2020-01-01" in found[1].message

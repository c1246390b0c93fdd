"""What the guard's pages say of one step, built by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import jsonschema_rs
import pytest

from flux_handover.findings import Finding, Location, Severity
from flux_handover.model.rendering import BuildStatus
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.proof.deletions import Deleted
from flux_handover.proof.guard_bases import Base
from flux_handover.proof.guard_report import GuardReport, Standing
from flux_handover.proof.trace import Counterexample, numbered
from flux_handover.report.guard_markdown import guard_markdown
from flux_handover.report.guard_sarif import guard_sarif
from flux_handover.report.guard_text import guard_text
from flux_handover.report.page import Detail, Screen
from flux_handover.report.shapes.common import encoded, schema_of
from flux_handover.report.shapes.guard import GuardShape, guard_report
from flux_handover.waivers import Waived, Waiver

APPS = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "apps")
TRACE = numbered((("user", "pushes revision two"), ("kustomize-controller", "deletes ConfigMap/notes/memos")))
NASTY = "memos</summary>|`@everyone`<img src=x>\x1b[2J"
WIDE = Screen(200, False, Detail.FULL)


def config(name: str) -> ObjectId:
    return ObjectId("", "ConfigMap", "notes", name)


def deleted(name: str, *, expected: bool = False, via: ObjectId | None = None) -> Deleted:
    id = config(name)
    reason = f"goes along with {via}" if via else f"left the build of {APPS}"
    told = Counterexample("E1", (id,), TRACE)
    precious = () if expected or via else ("it is still needed",)
    return Deleted(id, "clusters/main", APPS, reason, via is not None, via, False, expected, precious, "", told)


def finding(code: str = "O1", message: str = "Flux deletes it", severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code, severity, "S0", message, Location("apps/memos.yaml", 4), "put it back", config("memos").full)


def step(*deletes: Deleted, findings: tuple[Finding, ...] = (), **more: object) -> GuardReport:
    standing = Standing("clusters/main", APPS, BuildStatus.OK, BuildStatus.OK, "", 2, 1, Base("one", assumed=False))
    report = GuardReport("one", "two", deletes, (standing,), findings, (), clusters=("clusters/main",))
    return replace(report, **more)  # type: ignore[arg-type]


def test_text_lists_what_nobody_meant_before_what_was_meant() -> None:
    page = guard_text(step(deleted("cards", expected=True), deleted("memos"), findings=(finding(),)), Screen(120))

    assert page.splitlines()[0] == "one -> two: error"
    assert page.index("not all of them meant") < page.index("ConfigMap/notes/memos")
    assert page.index("ConfigMap/notes/memos") < page.index("ConfigMap/notes/cards")


def test_text_says_what_goes_along() -> None:
    report = step(deleted("memos"), deleted("cards", via=config("memos")), findings=(finding(),))

    assert "deletes 2 objects" in guard_text(report, Screen(120))
    assert "and with it ConfigMap/notes/cards" in guard_text(report, WIDE)


def test_text_keeps_a_long_list_short_unless_everything_is_wanted() -> None:
    many = step(*(deleted(f"memo-{n:02}") for n in range(30)))

    assert "and 18 more" in guard_text(many, Screen(120))
    assert "memo-29" in guard_text(many, WIDE)


def test_text_prints_traces_only_on_demand() -> None:
    assert "1. user pushes" not in guard_text(step(deleted("memos")), Screen(120))
    assert "1. user pushes revision two" in guard_text(step(deleted("memos")), WIDE)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (step(), "deletes nothing"),
        (step(undecided=("Kustomization/a cannot be built here",)), "unknown"),
        (step(clusters=(), candidates=("apps",)), "name one with --root: apps"),
        (step(clusters=()), "there is no Flux here to guard"),
        (step(notes=("cluster b is new",)), "cluster b is new"),
        (step(findings=(finding("G7", "it does not build"),)), "it does not build"),
    ],
)
def test_text_says_what_there_is_to_say(report: GuardReport, words: str) -> None:
    assert words in guard_text(report, Screen(120))


def test_a_note_is_shown_only_on_demand() -> None:
    quiet = step(findings=(finding("O12", "it is exposed", Severity.INFO),))

    assert "it is exposed" not in guard_text(quiet, Screen(120))
    assert "it is exposed" in guard_text(quiet, WIDE)


def test_nothing_of_a_repository_moves_the_cursor() -> None:
    page = guard_text(step(deleted(NASTY), findings=(finding(message=NASTY),)), WIDE)

    assert "\x1b" not in page


def test_markdown_is_one_screen_with_everything_folded() -> None:
    many = [finding(message=f"Flux deletes memo {n}") for n in range(30)]
    page = guard_markdown("one", [step(*(deleted(f"m{n}") for n in range(30)), findings=tuple(many))])

    head, _, folded = page.partition("<details>")
    assert page.startswith("### Flux guard: unsafe\n")
    assert len(head.splitlines()) < 25
    assert "and 22 more errors" in head
    assert "memo 29" in folded


def test_markdown_escapes_everything() -> None:
    page = guard_markdown("one", [step(deleted(NASTY), findings=(finding(message=NASTY),), undecided=(NASTY,))])

    outside = re.sub(r"(`+)[^`].*?\1", "", page)
    assert not re.search(r"(?<!\\)<img", outside)
    assert page.count("\n</details>") == page.count("<details>") == 1
    assert "@everyone" not in outside
    assert "\x1b" not in page


def test_markdown_of_a_safe_change_is_short() -> None:
    page = guard_markdown("one", [step(deleted("cards", expected=True))])

    assert page.startswith("### Flux guard: safe")
    assert "1 object left Git on purpose" in page


def test_a_waiver_is_printed_in_every_format() -> None:
    waiver = Waiver("O1", "ConfigMap/notes/memos", "moved by hand", None, Location(".flux-handover.toml", 1))
    report = step(waived=(Waived(waiver, "Flux deletes it"),))

    assert "moved by hand" in guard_text(report, Screen(120))
    assert "moved by hand" in guard_markdown("one", [report])
    assert guard_report("one", [report]).waived[0].reason == "moved by hand"


def test_json_is_what_its_schema_says_and_holds_every_commit() -> None:
    steps = [
        step(deleted("memos"), findings=(finding(),)),
        replace(step(deleted("cards", expected=True)), revision="three"),
    ]

    shape = json.loads(encoded(guard_report("one", steps)))

    jsonschema_rs.validate(json.loads(schema_of("guard", GuardShape)), shape)
    assert (shape["verdict"], shape["base"], shape["head"]) == ("unsafe", "one", "three")
    assert [one["sha"] for one in shape["deletes"]] == ["two", "three"]
    assert [one["verdict"] for one in shape["commits"]] == ["unsafe", "safe"]
    assert shape["deletes"][0]["counterexample"]["trace"][0] == {
        "n": 1,
        "actor": "user",
        "event": "pushes revision two",
    }
    assert shape["deletes"][1]["counterexample"] is None
    assert shape["kustomizations"][0]["base"] == {"sha": "one", "assumed": False}


def test_a_kustomization_that_left_is_gone() -> None:
    left = replace(step().kustomizations[0], after=None)

    assert guard_report("one", [step(kustomizations=(left,))]).kustomizations[0].build == "gone"


def test_sarif_says_each_thing_once_and_what_is_unknown_too() -> None:
    twice = [step(findings=(finding(),), undecided=("it is not known",)), step(findings=(finding(),))]

    results = json.loads(guard_sarif(twice))["runs"][0]["results"]

    assert [result["ruleId"] for result in results] == ["O1", "unknown"]

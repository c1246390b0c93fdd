from __future__ import annotations

import json
from dataclasses import replace

import jsonschema_rs
import pytest
from report_values import finding, setting, snapshot

from flux_handover.findings import Severity
from flux_handover.report.inspect_text import inspect_text, together
from flux_handover.report.page import Detail, Screen
from flux_handover.report.shapes.common import encoded, schema_of
from flux_handover.report.shapes.inspect import InspectReport, inspect_report


def test_the_json_obeys_its_schema() -> None:
    report = json.loads(encoded(inspect_report(snapshot(finding()))))

    jsonschema_rs.validate(json.loads(schema_of("inspect", InspectReport)), report)


def test_every_entry_names_its_cluster() -> None:
    report = json.loads(encoded(inspect_report(snapshot(finding()))))

    entries = [*report["installations"], *report["kustomizations"], *report["findings"]]
    assert {entry["cluster"] for entry in entries} == {"lab"}


def test_ids_are_written_in_full() -> None:
    report = inspect_report(snapshot())

    assert report.installations[0].owner == "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/flux"
    assert report.installations[0].settings[0].target == "Deployment.apps/flux-system/helm-controller"


def test_a_finding_is_seven_words_and_a_class() -> None:
    report = json.loads(encoded(inspect_report(snapshot(finding()))))

    assert report["findings"][0] == {
        "cluster": "lab",
        "hazard": "O6",
        "severity": "error",
        "class": "S0",
        "message": "two owners",
        "file": "lab/flux.yaml",
        "line": 12,
        "hint": "keep one",
        "object": "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/flux",
    }


def test_a_failed_build_says_why() -> None:
    report = inspect_report(snapshot(failure="no such file"))
    flux = next(one for one in report.kustomizations if one.id.endswith("/flux"))

    assert (flux.build, flux.error) == ("failed", "no such file")


def test_the_page_shows_installation_settings_and_tree() -> None:
    page = inspect_text(snapshot(finding()), Screen())

    assert "Flux v2.6.4 in lab" in page
    assert "12  argument  --concurrent  12  helm-, source-controller" in page
    assert "  harbour  lab  2 objects\n  └── flux  .  0 objects  does not prune\n" in page
    assert "Findings: 1 error" in page


def test_equal_settings_at_different_lines_have_a_row_each() -> None:
    elsewhere = setting("kustomize-controller")
    here = snapshot()
    lab = replace(
        here.installations["lab"], settings=(setting(), replace(elsewhere, where=replace(elsewhere.where, line=40)))
    )
    page = inspect_text(replace(here, installations={"lab": lab}), Screen())

    assert page.count("--concurrent") == 2


def test_without_a_root_the_page_names_candidates() -> None:
    page = inspect_text(replace(snapshot(), clusters=(), candidates=("a", "b")), Screen())

    assert "flux-handover inspect --root a" in page


def test_the_worst_finding_comes_first() -> None:
    page = inspect_text(snapshot(finding("small", Severity.INFO), finding("large", Severity.ERROR)), Screen())

    assert page.index("large") < page.index("small")


def test_a_page_without_colour_has_no_escape_characters() -> None:
    page = inspect_text(snapshot(finding("\x1b[2Jgone"), failure="\x9b0m"), Screen(colour=False))

    assert "\x1b" not in page
    assert "\x9b" not in page
    assert "\\x1b[2Jgone" in page


def test_colour_only_adds_to_the_words() -> None:
    plain, coloured = (inspect_text(snapshot(finding()), Screen(colour=colour)) for colour in (False, True))

    assert "\x1b[" in coloured
    assert plain != coloured


def test_full_detail_shows_where_a_kustomization_stands() -> None:
    brief, full = (inspect_text(snapshot(), Screen(detail=detail)) for detail in Detail)

    assert "GitRepository/flux-system/lighthouse" in full
    assert len(full) > len(brief)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a-controller"], "a-controller"),
        (["a-controller", "b-controller"], "a-, b-controller"),
        (["allow-egress", "allow-scraping"], "allow-egress, allow-scraping"),
        (["plain", "other"], "plain, other"),
    ],
)
def test_a_common_ending_is_said_once(names: list[str], expected: str) -> None:
    assert together(names) == expected

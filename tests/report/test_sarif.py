from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from report_values import finding
from schemastore_schemas import schema_titled

from flux_handover.findings import Finding, Location, Severity
from flux_handover.report.explanations import Explanation
from flux_handover.report.sarif import fingerprint, sarif

HAZARD = Explanation("O6", "hazard", "Two owners.", "They overwrite each other.", "Keep one.", facts=(("class", "S0"),))


@pytest.fixture(scope="module")
def official() -> jsonschema_rs.Validator:
    schema = schema_titled("Static Analysis Results Format (SARIF) Version 2.1.0")
    # As published it is no regular expression: it closes a bracket that nothing opens. We write no language.
    del schema["definitions"]["run"]["properties"]["language"]["pattern"]
    return jsonschema_rs.validator_for(schema)


def log(*findings: Finding) -> Any:
    return json.loads(sarif(findings, [replace(HAZARD, code="G1"), HAZARD]))


def test_the_log_obeys_the_standard(official: jsonschema_rs.Validator) -> None:
    nowhere = replace(finding(), where=None, subject="")
    for found in ((), (finding(),), (finding(), nowhere, replace(finding(), where=Location("a b/ü.yaml")))):
        official.validate(log(*found))


def test_the_schema_of_the_standard_refuses_nonsense(official: jsonschema_rs.Validator) -> None:
    wrong = log(finding())
    wrong["runs"][0]["results"][0]["level"] = "fatal"

    assert not official.is_valid(wrong)


def test_every_hazard_is_a_rule_and_results_point_to_theirs() -> None:
    run = log(finding())["runs"][0]

    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["G1", "O6"]
    assert rules[run["results"][0]["ruleIndex"]]["id"] == run["results"][0]["ruleId"] == "O6"


@pytest.mark.parametrize(
    ("severity", "level"), [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.INFO, "note")]
)
def test_severities_are_levels(severity: Severity, level: str) -> None:
    assert log(finding(severity=severity))["runs"][0]["results"][0]["level"] == level


def test_a_place_is_a_relative_uri_with_its_line() -> None:
    odd = replace(finding(), where=Location("dir with space/ü+#.yaml", 7))
    place = log(odd)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]

    assert place["artifactLocation"] == {"uri": "dir%20with%20space/%C3%BC%2B%23.yaml", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 7}


def test_a_file_as_a_whole_has_no_region() -> None:
    place = log(replace(finding(), where=Location("a.yaml")))["runs"][0]["results"][0]["locations"][0]

    assert "region" not in place["physicalLocation"]


def test_a_finding_stays_the_same_when_lines_move() -> None:
    moved = replace(finding(), where=Location("lab/flux.yaml", 99))

    assert fingerprint(moved) == fingerprint(finding())
    assert fingerprint(finding("another")) != fingerprint(finding())


def test_messages_are_made_harmless() -> None:
    said = log(finding("gone\x1b[2J\nnext"))["runs"][0]["results"][0]["message"]["text"]

    assert said == "gone\\x1b[2J next Hint: keep one"

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import jsonschema_rs
import pytest
from planning import DEMO, Reader, tree_of

from flux_handover.errors import UsageError
from flux_handover.plan.phases import PhaseName
from flux_handover.plan.target import InstanceForm, Options
from flux_handover.proof import edges
from flux_handover.proof.obligations import Obligation
from flux_handover.report.codes import explained, explanations
from flux_handover.report.explain_text import codes_text, explain_text
from flux_handover.report.explanations import OBLIGATIONS, PHASES, Explanation
from flux_handover.report.page import Screen
from flux_handover.report.shapes.common import encoded, schema_of
from flux_handover.report.shapes.explain import ExplainReport, explain_report


def test_every_obligation_and_phase_is_explained() -> None:
    assert set(OBLIGATIONS) == set(Obligation)
    assert set(PHASES) == set(PhaseName)


@pytest.mark.parametrize("one", explanations(), ids=lambda one: one.code)
def test_an_explanation_says_what_why_and_what_to_do(one: Explanation) -> None:
    page = explain_text(one, Screen())

    assert all((one.what, one.why, one.do))
    assert page.startswith(f"{one.code}, {one.kind}\n")


def test_codes_are_unique_whatever_their_case() -> None:
    codes = [one.code.lower() for one in explanations()]

    assert len(codes) == len(set(codes))


def test_the_case_of_a_code_does_not_matter() -> None:
    assert explained("Nothing-Lost") is explained("nothing-lost")


def test_an_unknown_code_brings_the_nearest() -> None:
    with pytest.raises(UsageError) as error:
        explained("nothing-list")

    assert error.value.hint == "did you mean nothing-lost?"


def test_the_list_has_every_code() -> None:
    page = codes_text(explanations(), Screen())

    assert [one.code for one in explanations() if one.code not in page] == []


def test_the_json_obeys_its_schema() -> None:
    report = json.loads(encoded(explain_report(explained("retire"))))

    jsonschema_rs.validate(json.loads(schema_of("explain", ExplainReport)), report)


@pytest.mark.parametrize("form", InstanceForm)
def test_a_plan_names_only_codes_that_can_be_explained(form: InstanceForm, reader: Reader) -> None:
    phases = reader.plan(tree_of(DEMO), Options(instance_as=form)).phases
    texts = [*(gate.why for phase in phases for gate in phase.gates), *(s.text for p in phases for s in p.way_back)]
    codes = {code for said in texts for code in re.findall(r"\(([A-Z]\d+)\)", said)}

    assert codes
    assert {explained(code).code for code in codes} == codes


def test_every_edge_that_a_trace_may_be_named_by_is_explained() -> None:
    source = Path(inspect.getfile(edges)).read_text()

    named = set(re.findall(r'"(E\d+)"', source))

    assert len(named) > 15
    assert named <= {one.code for one in explanations() if one.kind == "edge"}

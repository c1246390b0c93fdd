from __future__ import annotations

import json

import jsonschema_rs
import pytest
from markdown_it import MarkdownIt
from report_values import FLUX, phase, plan, proof, proved, refuted, retire, unknown

from flux_handover.act.proved import ProvedPlan
from flux_handover.plan.operations import ListResource
from flux_handover.proof.obligations import Judgement, Obligation, Verdict
from flux_handover.report.page import Detail, Screen
from flux_handover.report.plan_markdown import plan_markdown
from flux_handover.report.plan_text import plan_text
from flux_handover.report.shapes.common import encoded, schema_of
from flux_handover.report.shapes.plan import PlanReport, plan_report

BRIEF, FULL = Screen(), Screen(detail=Detail.FULL)


def bad() -> ProvedPlan:
    one = phase()
    return ProvedPlan(plan(one), (proof(one, refuted()),))


def undecided() -> ProvedPlan:
    one = phase()
    return ProvedPlan(plan(one), (proof(one, unknown()),))


@pytest.mark.parametrize("plans", [[], [proved(phase(), retire())], [bad()], [undecided()]])
def test_the_json_obeys_its_schema(plans: list[ProvedPlan]) -> None:
    report = json.loads(encoded(plan_report("abc", plans)))

    jsonschema_rs.validate(json.loads(schema_of("plan", PlanReport)), report)


def test_the_worst_verdict_of_any_cluster_is_the_verdict() -> None:
    verdicts = [plan_report("", plans).verdict for plans in ([proved(phase())], [undecided()], [undecided(), bad()])]

    assert verdicts == ["proved", "unknown", "refuted"]


def test_a_phase_lists_exactly_what_it_deletes() -> None:
    report = plan_report("abc", [proved(phase(), retire())])

    assert [one.deletes for one in report.phases] == [
        (),
        (
            "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/flux",
            "OCIRepository.source.toolkit.fluxcd.io/flux-system/flux-manifests",
        ),
    ]


def test_phases_of_several_clusters_name_them() -> None:
    report = plan_report("", [proved(phase(), cluster="a"), proved(phase(), cluster="b")])

    assert [one.cluster for one in report.phases] == ["a", "b"]
    assert [one.cluster for one in report.targets] == ["a", "b"]


def test_an_operation_is_named_after_what_it_is() -> None:
    report = plan_report("", [proved(phase(phase().name, ListResource("k.yaml", "resources", "a", "so")))])

    assert report.phases[0].operations[0].operation == "list-resource"


def test_a_counterexample_is_numbered_events() -> None:
    found = plan_report("", [bad()]).phases[0].proof[0].counterexample

    assert found is not None
    assert found.lost == (FLUX.full,)
    assert [(step.n, step.event) for step in found.trace] == [(1, "applies harbour"), (2, "prunes flux")]


def test_a_proved_plan_ends_with_the_next_command() -> None:
    page = plan_text([proved(phase(), retire())], BRIEF)

    assert page.endswith("2 of 2 phases proved; next: flux-handover commit\n")


def test_each_phase_says_what_it_deletes() -> None:
    page = plan_text([proved(phase(), retire())], BRIEF)

    assert "deletes nothing" in page
    assert "deletes Kustomization/flux-system/flux, OCIRepository/flux-system/flux-manifests" in page


def test_a_refuted_phase_shows_the_trace_and_a_hint() -> None:
    page = plan_text([bad()], BRIEF)

    assert "refuted: nothing-lost" in page
    assert "2. kustomize-controller prunes flux" in page
    assert "hint: set prune to false first" in page
    assert "0 of 1 phase proved; resolve phase protect first" in page


def test_an_unknown_obligation_is_said_without_asking() -> None:
    assert "unknown: builds" in plan_text([undecided()], BRIEF)
    assert "a remote base" in plan_text([undecided()], BRIEF)


def test_the_same_reason_for_several_obligations_is_said_once() -> None:
    one = phase()
    reasons = [Judgement(o, Verdict.UNKNOWN, ("a remote base",)) for o in (Obligation.BUILDS, Obligation.NO_DEADLOCK)]
    page = plan_text([ProvedPlan(plan(one), (proof(one, *reasons),))], BRIEF)

    assert "unknown: builds, no-deadlock" in page
    assert page.count("a remote base") == 1


def test_details_are_shown_only_when_asked_for() -> None:
    brief, full = (plan_text([proved(phase())], screen) for screen in (BRIEF, FULL))

    for words in ("kubectl apply -f old.yaml", "must say: false", "v2.6.4 runs", "9 build"):
        assert words not in brief
        assert words in full


def test_a_finished_handover_says_so() -> None:
    assert plan_text([proved()], BRIEF).endswith("nothing is left to do\n")


def test_the_number_of_a_phase_stays_when_earlier_ones_are_done() -> None:
    page = plan_text([proved(retire())], BRIEF)

    assert "\n5 retire " in page


def test_the_markdown_opens_with_the_verdict() -> None:
    assert plan_markdown([bad()]).startswith("# Handover to the Flux Operator: refuted\n")


def test_names_in_markdown_stay_inside_their_cells() -> None:
    operation = ListResource("a|b.yaml", "resources", "<img src=x>", "so")
    document = plan_markdown([proved(phase(phase().name, operation))])

    tokens = MarkdownIt("commonmark").enable("table").parse(document)

    html = [token.content for token in tokens if token.type == "html_block"]
    inline = [child.type for token in tokens for child in token.children or []]
    assert all("img" not in block for block in html)
    assert "html_inline" not in inline
    assert "image" not in inline


def test_what_the_cluster_contradicts_is_said_and_refutes() -> None:
    contradicted = ProvedPlan(plan(phase()), (proof(phase()),), ("a: seen",), ("b: it is not so",))

    page = plan_text([contradicted], BRIEF)

    assert "the cluster contradicts b: it is not so" in page
    assert "refuted" in page.splitlines()[-1]
    assert plan_report("", [contradicted]).verdict == "refuted"
    assert plan_report("", [contradicted]).observed == ("a: seen",)

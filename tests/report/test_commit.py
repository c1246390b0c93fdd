from __future__ import annotations

import json
from dataclasses import replace

import jsonschema_rs
from report_values import phase, plan, proof, proved, refuted, retire

from flux_handover.act.commit import Committed, Reach, drafts
from flux_handover.act.proved import ProvedPlan
from flux_handover.report.commit_text import commit_text, refusal_text
from flux_handover.report.page import Screen
from flux_handover.report.shapes.commit import CommitReport, commit_report
from flux_handover.report.shapes.common import encoded, schema_of
from flux_handover.tree import Tree


def committed(reach: Reach = Reach.ALL) -> list[Committed]:
    found = drafts([proved(phase(), retire())], Tree(), reach, "flux-handover")
    return [Committed(draft, f"{n}" * 40) for n, draft in enumerate(found, 1)]


def test_the_json_obeys_its_schema() -> None:
    one = phase()
    refused = [(ProvedPlan(plan(one), (proof(one, refuted()),)), one)]

    for report in (commit_report(committed()), commit_report((), refused)):
        jsonschema_rs.validate(json.loads(schema_of("commit", CommitReport)), json.loads(encoded(report)))


def test_commits_are_listed_in_order() -> None:
    report = commit_report(committed())

    assert [(one.phase, one.branch, one.sha[0]) for one in report.commits] == [
        ("protect", "flux-handover/1-protect", "1"),
        ("retire", "flux-handover/5-retire", "2"),
    ]


def test_each_commit_brings_what_a_person_types() -> None:
    one = commit_report(committed()).commits[0]

    assert one.push == "git push origin flux-handover/1-protect"
    assert one.gates[0].command.startswith("kubectl -n flux-system get ks flux")
    assert one.way_back[0].command == "kubectl apply -f old.yaml"


def test_the_page_gives_gate_push_and_way_back_in_that_order() -> None:
    page = commit_text(committed(Reach.NEXT), "origin", Screen())

    places = [page.index(words) for words in ("must say: false", "git push origin", "kubectl apply -f old.yaml")]
    assert places == sorted(places)


def test_live_steps_that_no_commit_can_do_are_told_between_push_and_way_back() -> None:
    done = replace(phase(), notes=("live step: kubectl delete secrets -l owner=helm,name=flux",))
    found = drafts([proved(done, retire())], Tree(), Reach.NEXT, "flux-handover")

    page = commit_text([Committed(draft, "1" * 40) for draft in found], "origin", Screen())

    places = [page.index(words) for words in ("git push origin", "note: live step: kubectl delete", "old.yaml")]
    assert places == sorted(places)


def test_several_commits_come_with_a_warning_not_to_merge_them_together() -> None:
    assert "never together" in commit_text(committed(), "origin", Screen())
    assert "never together" not in commit_text(committed(Reach.NEXT), "origin", Screen())


def test_nothing_to_do_is_said() -> None:
    assert commit_text([], "origin", Screen()).startswith("nothing is left to do")


def test_a_refusal_names_the_obligation_and_the_evidence() -> None:
    one = phase()
    page = refusal_text([(ProvedPlan(plan(one), (proof(one, refuted()),)), one)], Screen())

    assert "protect is refuted, so nothing was written" in page
    assert "nothing-lost" in page
    assert "flux is deleted" in page

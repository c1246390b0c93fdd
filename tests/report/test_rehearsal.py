"""A rehearsal as text, Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema_rs
import pytest

from flux_handover.act.comparing import Happenings
from flux_handover.act.execute import Direction, Moment, Restart, Run
from flux_handover.act.gates import Observation
from flux_handover.act.rehearse import Rehearsed
from flux_handover.adapters.sandbox.gates import differences
from flux_handover.objects import ObjectId
from flux_handover.plan.phases import Gate
from flux_handover.proof.obligations import Judgement, Obligation, Verdict
from flux_handover.proof.trace import Counterexample, numbered
from flux_handover.report.page import Detail, Screen
from flux_handover.report.rehearsal_markdown import rehearsal_markdown
from flux_handover.report.rehearsal_text import rehearsal_text
from flux_handover.report.shapes.common import encoded, schema_of
from flux_handover.report.shapes.rehearse import RehearseReport, rehearse_report

OLD = ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "gardens", "old")
CHART = ObjectId("helm.toolkit.fluxcd.io", "HelmRelease", "gardens", "pond")
GATE = Gate("gone-old", OLD, "the old one is gone", "kubectl get", "no output", "")
RUN = Run(
    name="retire",
    direction=Direction.FORWARD,
    announced=(OLD,),
    happened=Happenings((), (), (OLD,), ()),
    restarts=(Restart("kustomize-controller", "started", 12.0), Restart("helm-controller", "started", 14.5)),
    gates=(Observation(GATE, Verdict.HOLDS, "Kustomization/gardens/old is absent"),),
    unready={},
    problems=(),
    seconds=31.26,
    moments=(Moment(110.2, "begun"), Moment(112.0, "deleted Kustomization/gardens/old")),
)
REFUTED = replace(RUN, direction=Direction.BACK, problems=("deleted, but not announced: ConfigMap/gardens/pond",))
DONE = Rehearsed(
    cluster="gardens/flux",
    runs=(RUN,),
    versions={"kustomize-controller": "v1.9.6"},
    differences=differences({"helm-controller": "v1.6.3"}, {"helm-controller": "v1.4.0"}),
    lifted={CHART: "https://charts.example.org is not served in the sandbox"},
    pretended=("image-reflector-controller",),
    notes=("secrets were replaced by placeholders",),
    objects=221,
    start_seconds=40.04,
    seconds=71.3,
    began=100.0,
)


def test_a_rehearsal_is_as_bad_as_its_worst_run() -> None:
    assert DONE.verdict is Verdict.HOLDS
    assert replace(DONE, runs=(RUN, REFUTED)).verdict is Verdict.REFUTED
    assert replace(DONE, problems=("not ready",)).verdict is Verdict.UNKNOWN


def test_a_gate_that_nobody_can_see_makes_it_unknown() -> None:
    unseen = replace(RUN, gates=(Observation(GATE, Verdict.UNKNOWN, "only a person can tell"),))

    assert replace(DONE, runs=(unseen,)).verdict is Verdict.UNKNOWN


def test_the_text_tells_what_each_phase_did_and_what_it_does_not_say() -> None:
    page = rehearsal_text((DONE,), Screen())

    assert page.startswith("gardens/flux: confirmed on a real control plane in 71 s\n")
    assert "deleted Kustomization/gardens/old; started helm-controller, kustomize-controller" in page
    assert "it ran kustomize-controller v1.9.6" in page
    assert "helm-controller v1.5.0 and later: Helm 4" in page
    assert "only pretended to run: image-reflector-controller" in page
    assert "HelmRelease/gardens/pond" in page


def test_the_text_names_each_problem_under_its_phase() -> None:
    page = rehearsal_text((replace(DONE, runs=(RUN, REFUTED)),), Screen())

    assert "gardens/flux: refuted" in page
    assert "back from retire\n  deleted, but not announced: ConfigMap/gardens/pond\n" in page


@pytest.mark.parametrize(("detail", "told"), [(Detail.BRIEF, False), (Detail.FULL, True)])
def test_gates_that_hold_are_told_only_on_request(detail: Detail, told: bool) -> None:
    page = rehearsal_text((DONE,), Screen(detail=detail))

    assert ("gate gone-old holds: Kustomization/gardens/old is absent" in page) is told


def test_markdown_opens_with_the_verdict_and_lists_every_limit() -> None:
    page = rehearsal_markdown((replace(DONE, runs=(RUN, REFUTED)),))

    assert page.startswith("# Rehearsal of the handover: refuted\n")
    assert "| retire | confirmed | 31 | deleted Kustomization/gardens/old" in page
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Not as announced",
        "## Timeline",
        "## Versions that ran",
        "## Unknown, since your versions decide otherwise",
        "## Lifted out of waits",
        "## Notes",
    ]


def test_the_timeline_counts_from_the_beginning_of_the_rehearsal() -> None:
    assert "| 12 | retire | deleted Kustomization/gardens/old |" in rehearsal_markdown((DONE,))
    assert "12 s  retire  deleted Kustomization/gardens/old" in rehearsal_text((DONE,), Screen(detail=Detail.FULL))
    assert "timeline" not in rehearsal_text((DONE,), Screen())


LOST = Judgement(
    Obligation.NOTHING_LOST,
    Verdict.REFUTED,
    ("1 objects would be deleted that the phase does not declare",),
    Counterexample("", (OLD,), numbered([("kustomize-controller", "deletes Kustomization/gardens/old")])),
)
KEPT = Judgement(Obligation.RECOVERABLE, Verdict.HOLDS, ("a push is still applied",))
STOPPED = replace(RUN, judgements=(LOST, KEPT), is_pushed=False, problems=("nothing-lost is refuted",))


def test_a_phase_that_is_not_proved_again_is_told_as_not_pushed() -> None:
    done = replace(DONE, runs=(STOPPED,))
    (phase,) = json.loads(encoded(rehearse_report("HEAD", (done,))))["phases"]

    assert done.verdict is Verdict.REFUTED
    assert "not pushed" in rehearsal_text((done,), Screen())
    assert "| retire | refuted | 31 | not pushed |" in rehearsal_markdown((done,))
    assert (phase["pushed"], phase["verdict"]) == (False, "refuted")
    assert [one["obligation"] for one in phase["proved_again"]] == ["nothing-lost", "recoverable"]
    assert phase["proved_again"][0]["counterexample"]["lost"] == [OLD.full]


@pytest.mark.parametrize("detail", Detail)
def test_what_cannot_be_decided_from_what_is_live_is_told_and_makes_it_unknown(detail: Detail) -> None:
    undecided = replace(KEPT, verdict=Verdict.UNKNOWN, evidence=("Kustomization/gardens/new is not in Git",))
    done = replace(DONE, runs=(replace(RUN, judgements=(undecided,), is_pushed=False),))

    assert done.verdict is Verdict.UNKNOWN
    line = "proved again: recoverable unknown: Kustomization/gardens/new is not in Git"
    assert line in rehearsal_text((done,), Screen(detail=detail))
    assert line in rehearsal_markdown((done,)).replace("\\", "")


def test_json_is_what_its_schema_says() -> None:
    report = json.loads(encoded(rehearse_report("HEAD", (DONE,))))

    jsonschema_rs.validate(json.loads(schema_of("rehearse", RehearseReport)), report)
    (phase,) = report["phases"]
    assert report["verdict"] == "confirmed"
    assert phase["deleted"] == phase["announced"] == ["Kustomization.kustomize.toolkit.fluxcd.io/gardens/old"]
    assert phase["seconds"] == 31.3
    assert [restart["second"] for restart in phase["restarts"]] == [0.0, 2.5]
    assert [moment["second"] for moment in phase["timeline"]] == [10.2, 12.0]
    assert phase["gate"]["seen"][0]["id"] == "gone-old"
    assert report["clusters"][0]["unknown_rules"]

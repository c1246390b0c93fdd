"""Gates, looked at: what holds, what does not, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from flux_handover.act.gates import observed
from flux_handover.objects import HELM_GROUP, KUSTOMIZE_GROUP, ObjectId, id_of
from flux_handover.plan.conditions import ANY, AllReady, Condition, Every, FieldIs, Has, IsAbsent, IsReady, NoneHas
from flux_handover.plan.phases import Gate
from flux_handover.proof.obligations import Verdict

ORCHARD = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "gardens", "orchard")
OWNERS = ((KUSTOMIZE_GROUP, "Kustomization"), (HELM_GROUP, "HelmRelease"))
NEW, OLD, READY, FAILED = 2, 1, "True", "False"


class Shown:
    """A cluster that holds these objects and nothing else."""

    def __init__(self, *manifests: Mapping[str, Any]) -> None:
        self._manifests = {id_of(manifest): manifest for manifest in manifests}

    def get(self, id: ObjectId) -> Mapping[str, Any] | None:
        return self._manifests.get(id)

    def list(self, group: str, kind: str) -> Sequence[Mapping[str, Any]]:
        return [one for id, one in self._manifests.items() if (id.group, id.kind) == (group, kind)]


def orchard(ready: str = READY, seen: int = NEW, **spec: Any) -> Mapping[str, Any]:
    return {
        "apiVersion": f"{KUSTOMIZE_GROUP}/v1",
        "kind": "Kustomization",
        "metadata": {"name": "orchard", "namespace": "gardens", "generation": NEW},
        "spec": spec,
        "status": {
            "observedGeneration": seen,
            "conditions": [{"type": "Ready", "status": ready, "reason": "BuildFailed", "message": "no such file"}],
        },
    }


def gate(condition: Condition | None) -> Gate:
    return Gate("orchard", ORCHARD, "the orchard is as it should be", "kubectl get", "", "", condition)


@pytest.mark.parametrize(
    ("condition", "manifest", "verdict"),
    [
        (IsReady(ORCHARD), orchard(), Verdict.HOLDS),
        (IsReady(ORCHARD), orchard(FAILED), Verdict.REFUTED),
        (IsReady(ORCHARD), orchard(seen=OLD), Verdict.REFUTED),
        (IsReady(ORCHARD, "Established"), orchard(), Verdict.REFUTED),
        (IsAbsent(ORCHARD), orchard(), Verdict.REFUTED),
        (Has(ORCHARD), orchard(), Verdict.HOLDS),
        (Has(ORCHARD, (FieldIs(("spec", "prune"), "false"),)), orchard(prune=False), Verdict.HOLDS),
        (Has(ORCHARD, (FieldIs(("spec", "prune"), "false"),)), orchard(prune=True), Verdict.REFUTED),
        (Has(ORCHARD, (FieldIs(("spec", "prune"), "false"),)), orchard(), Verdict.REFUTED),
        (Has(ORCHARD, (FieldIs(("spec", "deletionPolicy"), None),)), orchard(), Verdict.HOLDS),
        (Has(ORCHARD, (FieldIs(("spec", "deletionPolicy"), None),)), orchard(deletionPolicy="Delete"), Verdict.REFUTED),
        (Has(ORCHARD, observed=True), orchard(seen=OLD), Verdict.REFUTED),
        (Has(ORCHARD, (FieldIs(("spec", "paths", 0), "a"),)), orchard(paths=["a", "b"]), Verdict.HOLDS),
        (Has(ORCHARD, (FieldIs(("spec", "paths", 1), None),)), orchard(paths=["a", "b"]), Verdict.REFUTED),
        (Has(ORCHARD, (FieldIs(("spec", "paths", ANY), "b"),)), orchard(paths=["a", "b"]), Verdict.HOLDS),
        (Has(ORCHARD, (FieldIs(("spec", "path"), r".*:1\.2(@.*)?"),)), orchard(path="x:1.23"), Verdict.REFUTED),
        (AllReady(*OWNERS[0]), orchard(), Verdict.HOLDS),
        (AllReady(*OWNERS[0]), orchard(FAILED), Verdict.REFUTED),
        (AllReady(*OWNERS[1]), orchard(FAILED), Verdict.HOLDS),
        (NoneHas(OWNERS, FieldIs(("spec", "suspend"), "true")), orchard(suspend=True), Verdict.REFUTED),
        (NoneHas(OWNERS, FieldIs(("spec", "suspend"), "true")), orchard(suspend=False), Verdict.HOLDS),
        (AllReady(*OWNERS[0], frozenset({ORCHARD})), orchard(FAILED), Verdict.HOLDS),
        (
            NoneHas(OWNERS, FieldIs(("spec", "suspend"), "true"), frozenset({ORCHARD})),
            orchard(suspend=True),
            Verdict.HOLDS,
        ),
        (Every((Has(ORCHARD), IsReady(ORCHARD))), orchard(FAILED), Verdict.REFUTED),
        (Every((Has(ORCHARD), IsReady(ORCHARD))), orchard(), Verdict.HOLDS),
    ],
)
def test_a_gate_holds_where_the_object_is_as_it_says(
    condition: Condition, manifest: Mapping[str, Any], verdict: Verdict
) -> None:
    seen = observed(gate(condition), Shown(manifest))

    assert seen.verdict is verdict
    assert bool(seen.missing) is (verdict is Verdict.REFUTED)
    assert seen.evidence


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [(IsAbsent(ORCHARD), Verdict.HOLDS), (Has(ORCHARD), Verdict.REFUTED), (IsReady(ORCHARD), Verdict.REFUTED)],
)
def test_an_absent_object_is_told_apart(condition: Condition, verdict: Verdict) -> None:
    assert observed(gate(condition), Shown()).verdict is verdict


def test_a_gate_without_a_condition_is_unknown() -> None:
    assert observed(gate(None), Shown(orchard())).verdict is Verdict.UNKNOWN


def test_what_is_missing_is_said_in_the_controllers_words() -> None:
    (missing,) = observed(gate(IsReady(ORCHARD)), Shown(orchard(FAILED))).missing

    assert missing == "Kustomization/gardens/orchard is not Ready: BuildFailed no such file"


def test_the_evidence_quotes_the_fields_that_were_seen() -> None:
    seen = observed(gate(Has(ORCHARD, (FieldIs(("spec", "prune"), "false"),))), Shown(orchard(prune=False)))

    assert seen.evidence == "Kustomization/gardens/orchard: prune false"

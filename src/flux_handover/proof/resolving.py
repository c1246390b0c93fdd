"""Whether every name still leads somewhere after a phase: obligation `references-resolve` (contract.md K18)."""

from __future__ import annotations

from flux_handover.model.references import Unresolved, unresolved
from flux_handover.proof.equivalence import unknown_changes
from flux_handover.proof.obligations import Judgement, Obligation, Verdict
from flux_handover.proof.stages import Revision
from flux_handover.proof.steps import Step

SHOWN = 8


def prove_references_resolve(step: Step) -> Judgement:
    """No live object names one that is not there, unless it did so before the phase.

    Keys and variables that a Kustomization needed before are there, or it would not be Ready, which a gate of
    `preflight` sees (`fluxcd/kustomize-controller:internal/decryptor/decryptor.go#ImportKeys@v1.6.1`).
    """
    before, after = _dangling(step.before), _dangling(step.after)
    relied_on = {one.reference.target for one in before.values() if one.reference.holder.kind == "Kustomization"}
    there = {id for id in relied_on if id.kind in ("Secret", "ConfigMap")}
    fresh = [found for key, found in after.items() if key not in before and found.reference.target not in there]
    if not fresh:
        known = f"; {len(after)} lead nowhere, as before" if after else ""
        evidence = f"every reference between live objects resolves as before{known}"
        return Judgement(Obligation.REFERENCES_RESOLVE, Verdict.HOLDS, (evidence,))
    unknown = any(unknown_changes(step.before.cluster, step.after.cluster))
    verdict = Verdict.UNKNOWN if unknown else Verdict.REFUTED
    return Judgement(Obligation.REFERENCES_RESOLVE, verdict, tuple(map(_told, fresh[:SHOWN])))


def _dangling(revision: Revision) -> dict[object, Unresolved]:
    """References that lead nowhere, by everything but the line that they are in."""
    found = unresolved(revision.cluster, revision.tree)
    return {(one.reference.holder, one.reference.relation, one.reference.target): one for one in found}


def _told(found: Unresolved) -> str:
    reference = found.reference
    return f"{reference.where}: {reference.holder} names {reference.target}, which is not there: {found.why}"

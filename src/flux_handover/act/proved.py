"""A plan with the proof of each of its phases: what may be shown, committed and executed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flux_handover.plan.phases import Phase, Plan
from flux_handover.proof.obligations import Proof, Verdict


@dataclass(frozen=True, slots=True)
class ProvedPlan:
    """A plan and one proof for each phase, in order.

    `observed` are facts that a live cluster confirmed, `contradicted` those that it showed to be false.
    """

    plan: Plan
    proofs: tuple[Proof, ...]
    observed: tuple[str, ...] = ()
    contradicted: tuple[str, ...] = ()

    def proof(self, phase: Phase) -> Proof:
        """The proof of a phase; raises KeyError where nobody made one."""
        for proof in self.proofs:
            if proof.phase == phase.name.value:
                return proof
        raise KeyError(phase.name.value)

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any phase; refuted where the cluster contradicts what the proofs rest on."""
        return Verdict.REFUTED if self.contradicted else worst(proof.verdict for proof in self.proofs)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Refuted if any is, else unknown if any is, else holds."""
    found = set(verdicts)
    for verdict in (Verdict.REFUTED, Verdict.UNKNOWN):
        if verdict in found:
            return verdict
    return Verdict.HOLDS

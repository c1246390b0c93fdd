"""What a phase owes, and the verdict on each: the vocabulary of proofs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flux_handover.proof.trace import Counterexample


class Verdict(Enum):
    """Unknown blocks like a refutation, unless it is waived by name and reason."""

    HOLDS = "holds"
    REFUTED = "refuted"
    UNKNOWN = "unknown"


class Obligation(Enum):
    """The statements that must hold of a phase (design section 6)."""

    BUILDS = "builds"
    NOTHING_LOST = "nothing-lost"
    SINGLE_OWNER = "single-owner"
    SETTINGS_KEPT = "settings-kept"
    CONTENT_KEPT = "content-kept"
    REFERENCES_RESOLVE = "references-resolve"
    NO_DEADLOCK = "no-deadlock"
    RECOVERABLE = "recoverable"
    VERSIONS_STEADY = "versions-steady"
    SCHEMA_VALID = "schema-valid"
    BOOTSTRAP_COMPLETE = "bootstrap-complete"
    WAY_BACK = "way-back"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One obligation decided: the evidence in sentences, and for a refutation what is lost and how."""

    obligation: Obligation
    verdict: Verdict
    evidence: tuple[str, ...]
    counterexample: Counterexample | None = None
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """All judgements of one phase, bound to the digests of the trees before and after it."""

    phase: str
    before: str
    after: str
    judgements: tuple[Judgement, ...]

    @property
    def verdict(self) -> Verdict:
        """Refuted if any is, else unknown if any is, else holds."""
        found = {judgement.verdict for judgement in self.judgements}
        for verdict in (Verdict.REFUTED, Verdict.UNKNOWN):
            if verdict in found:
                return verdict
        return Verdict.HOLDS

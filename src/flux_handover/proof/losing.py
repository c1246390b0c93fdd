"""The obligations that the simulation decides: what is lost, owned twice, stuck, or of another version."""

from __future__ import annotations

from flux_handover.objects import first_names, names
from flux_handover.proof.obligations import Judgement, Obligation, Verdict
from flux_handover.proof.series import Breach, Loss
from flux_handover.proof.steps import Step
from flux_handover.proof.trace import Counterexample

SHOWN = 5
"""How many of the lost objects a sentence names."""


def prove_nothing_lost(step: Step) -> Judgement:
    """Every deletion that some order reaches is declared by the phase, and every declared one happens."""
    obligation, declared, outcome = Obligation.NOTHING_LOST, step.phase.removes, step.outcome
    undeclared = [loss for loss in outcome.losses if loss.id not in declared]
    if undeclared:
        lost = frozenset(loss.id for loss in undeclared)
        evidence = (
            f"{len(lost)} objects would be deleted that the phase does not declare: {first_names(lost, SHOWN)}",
        )
        return Judgement(obligation, Verdict.REFUTED, evidence, _joined(undeclared))
    if outcome.undecided:
        return Judgement(obligation, Verdict.UNKNOWN, outcome.undecided)
    kept = declared - outcome.deleted
    if kept:
        evidence = (f"{names(kept)} should be deleted, but in no order is",)
        return Judgement(obligation, Verdict.REFUTED, evidence)
    told = f"deletes exactly {names(declared)}" if declared else "deletes nothing"
    return Judgement(obligation, Verdict.HOLDS, (f"{told}, in every order ({outcome.states} states)",))


def _joined(losses: list[Loss]) -> Counterexample:
    """The trace of the first loss, with everything that is lost."""
    first = min(losses, key=lambda loss: (loss.deletion.cascade, len(loss.counterexample.trace), loss.id))
    return Counterexample(first.counterexample.edge, tuple(loss.id for loss in losses), first.counterexample.trace)


def prove_single_owner(step: Step) -> Judgement:
    """No object gets a second owner that applies it."""
    return _without(step, Obligation.SINGLE_OWNER, ("P5",), "no object is applied by two owners")


def prove_no_deadlock(step: Step) -> Judgement:
    """Nothing waits for what only itself would bring, and everything that was ready is ready again."""
    return _without(
        step, Obligation.NO_DEADLOCK, ("P2", "P7", "P9"), "every Kustomization that was ready is ready again"
    )


def prove_versions_steady(step: Step) -> Judgement:
    """The Flux version stays what it is."""
    return _without(step, Obligation.VERSIONS_STEADY, ("P8",), f"Flux stays {step.plan.installation.version}")


def _without(step: Step, obligation: Obligation, properties: tuple[str, ...], evidence: str) -> Judgement:
    breaches = [breach for breach in step.outcome.breaches if breach.violation.property in properties]
    if breaches:
        return _refuted(obligation, breaches)
    if step.outcome.undecided:
        return Judgement(obligation, Verdict.UNKNOWN, step.outcome.undecided)
    return Judgement(obligation, Verdict.HOLDS, (evidence,))


def _refuted(obligation: Obligation, breaches: list[Breach]) -> Judgement:
    evidence = tuple(dict.fromkeys(breach.violation.why for breach in breaches))
    return Judgement(obligation, Verdict.REFUTED, evidence, breaches[0].counterexample)


def prove_recoverable(step: Step) -> Judgement:
    """Wherever an order ends, a push still reaches the cluster and whoever does not work."""
    return _without(step, Obligation.RECOVERABLE, ("P6",), "wherever an order ends, a push is still applied")

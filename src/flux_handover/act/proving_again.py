"""A phase judged once more, from the cluster as it is live, right before it is pushed.

The plan was proved on the cluster that Git lets one expect. Between two phases that cluster may have become
another one; only what is observed says what a push does to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import MappingProxyType

from flux_handover.act.gates import View, is_true, said
from flux_handover.act.observed import ObservedCluster, sights_of
from flux_handover.adapters.cluster import KubeCluster, Manifest
from flux_handover.model.flux import kustomization_of
from flux_handover.objects import KUSTOMIZE_GROUP, id_of, mapping, object_of
from flux_handover.proof.facets import kustomization_spec
from flux_handover.proof.losing import (
    prove_no_deadlock,
    prove_nothing_lost,
    prove_recoverable,
    prove_single_owner,
    prove_versions_steady,
)
from flux_handover.proof.obligations import Judgement, Verdict
from flux_handover.proof.reconcile_cluster import UserStep
from flux_handover.proof.series import outcome_of
from flux_handover.proof.steps import Step
from flux_handover.proof.witnessed import Witness, glimpse_of, unexplained, witnessed

LIVE: tuple[Callable[[Step], Judgement], ...] = (
    prove_nothing_lost,
    prove_single_owner,
    prove_no_deadlock,
    prove_versions_steady,
    prove_recoverable,
)
"""What is decided by what lives in the cluster; all other obligations are about the two trees."""


def seen_now(cluster: KubeCluster, view: View) -> Witness:
    """The cluster as far as Flux deletes by it; `view` is how it would be without what a sandbox suspended."""
    found = {id_of(manifest): manifest for manifest in view.list(KUSTOMIZE_GROUP, "Kustomization")}
    return Witness(
        sights=sights_of(ObservedCluster(found)),
        specs={id: kustomization_spec(kustomization_of(object_of(manifest))) for id, manifest in found.items()},
        unready={id: said(manifest, "Ready") for id, manifest in found.items() if not _is_ready(manifest)},
        glimpses=MappingProxyType({id: glimpse_of(manifest) for id, manifest in cluster.metadata().items()}),
    )


def _is_ready(manifest: Manifest) -> bool:
    return bool(mapping(manifest.get("spec")).get("suspend")) or is_true(manifest, "Ready")


def proved_again(step: Step, witness: Witness) -> tuple[Judgement, ...]:
    """What a phase owes to the live cluster, decided from what was seen of it."""
    world, environment = witnessed(step.start, step.staged.environment, witness, step.staged.opaque)
    outcome = outcome_of(world, (UserStep(step.staged.pushes[0]),), environment)
    undecided = tuple(sorted({*outcome.undecided, *unexplained(step.start, witness)}))
    live = replace(step, start=world, outcome=replace(outcome, undecided=undecided))
    return tuple(decide(live) for decide in LIVE)


def refuted(judgements: tuple[Judgement, ...]) -> Iterator[str]:
    """Why a phase must not be pushed now, with the events that lead to the loss."""
    for judgement in judgements:
        if judgement.verdict is Verdict.REFUTED:
            name = judgement.obligation.value
            yield from (f"proved again, {name} is refuted: {sentence}" for sentence in judgement.evidence)
            if judgement.counterexample is not None:
                yield from (f"counterexample: {event}" for event in judgement.counterexample.trace)

"""A proof for every phase of a plan: what each owes, decided on the trees that will be committed.

The simulation is carried from phase to phase, each begun where the one before it came to rest: the gates
between phases are what makes that true on the live cluster.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from flux_handover.model.building import Builder
from flux_handover.model.snapshot import Snapshot
from flux_handover.plan.phases import PhaseName, Plan
from flux_handover.proof.bootstrapping import prove_bootstrap_complete
from flux_handover.proof.deciding import (
    prove_builds,
    prove_content_kept,
    prove_schema_valid,
    prove_settings_kept,
)
from flux_handover.proof.losing import (
    prove_no_deadlock,
    prove_nothing_lost,
    prove_recoverable,
    prove_single_owner,
    prove_versions_steady,
)
from flux_handover.proof.obligations import Judgement, Proof
from flux_handover.proof.resolving import prove_references_resolve
from flux_handover.proof.returning import prove_way_back
from flux_handover.proof.steps import Step, committing, steps_of
from flux_handover.tree import Tree

ReadAfter = Callable[[Tree, Snapshot], Snapshot]
"""Reads a tree; the snapshot before it says what the cluster keeps where something does not build."""

OWED: tuple[Callable[[Step], Judgement], ...] = (
    prove_builds,
    prove_nothing_lost,
    prove_single_owner,
    prove_settings_kept,
    prove_content_kept,
    prove_no_deadlock,
    prove_versions_steady,
    prove_schema_valid,
    prove_references_resolve,
    prove_recoverable,
    prove_bootstrap_complete,
    prove_way_back,
)


def prove(plan: Plan, snapshot: Snapshot, read: ReadAfter, builder: Builder) -> tuple[Proof, ...]:
    """One proof for each phase of the plan; `preflight` owes nothing, since it changes nothing."""
    snapshots = [snapshot]
    for phase in committing(plan):
        snapshots.append(read(phase.tree, snapshots[-1]))
    proofs = tuple(_proof(step) for step in steps_of(plan, tuple(snapshots), builder))
    return (*_preflight(plan, snapshot.tree), *proofs)


def _preflight(plan: Plan, tree: Tree) -> Iterator[Proof]:
    if any(phase.name is PhaseName.PREFLIGHT for phase in plan.phases):
        digest = digest_of(tree)
        yield Proof(PhaseName.PREFLIGHT.value, digest, digest, ())


def _proof(step: Step) -> Proof:
    judgements = tuple(decide(step) for decide in OWED)
    return Proof(step.phase.name.value, digest_of(step.before.tree), digest_of(step.after.tree), judgements)


def digest_of(tree: Tree) -> str:
    """A digest of all paths and contents of a tree."""
    digest = hashlib.sha256()
    for path in tree:
        digest.update(f"{path}\0{tree.files[path].digest}\0".encode())
    return digest.hexdigest()

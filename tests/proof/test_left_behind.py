"""Plans for clusters whose Kustomizations do not prune: what leaves Git stays, and goes on."""

from __future__ import annotations

import pytest
from planning import CASES, Reader, tree_of

from flux_handover.plan.phases import PhaseName
from flux_handover.proof.obligations import Verdict
from flux_handover.tree import Tree

STAYS = {
    "plan-namespace-directories": ("Kustomization/flux-system/", "OCIRepository/flux-system/"),
    "plan-helm-chart-other-namespace": ("HelmRelease/", "HelmRepository/"),
}


def unpruned(case: str) -> Tree:
    """A case in which nothing prunes, and every Kustomization waits for what it applies."""
    tree = tree_of(CASES / case / "before")
    for path in tree:
        text = tree.read(path)
        if b"kind: Kustomization" in text and b"\n  prune: true\n" in text and b"wait: " not in text:
            tree = tree.with_file(path, text.replace(b"\n  prune: true\n", b"\n  prune: false\n  wait: true\n"))
        elif b"\n  prune: true\n" in text:
            tree = tree.with_file(path, text.replace(b"\n  prune: true\n", b"\n  prune: false\n"))
    return tree


@pytest.mark.parametrize("case", STAYS)
def test_what_no_owner_prunes_is_announced_as_staying(case: str, reader: Reader) -> None:
    tree = unpruned(case)
    plan = reader.plan(tree)
    retire = next(phase for phase in plan.phases if phase.name is PhaseName.RETIRE)

    assert retire.removes == frozenset()
    for kind in STAYS[case]:
        assert any(note.startswith(kind) and "stays in the cluster" in note for note in retire.notes)
        assert any(
            "kubectl -n " in note and f" delete {kind.partition('/')[0].lower()}." in note for note in retire.notes
        )


@pytest.mark.parametrize("case", STAYS)
def test_every_phase_is_proved_all_the_same(case: str, reader: Reader) -> None:
    assert {proof.verdict for proof in reader.proofs(unpruned(case))} == {Verdict.HOLDS}

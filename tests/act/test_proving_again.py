"""A phase judged once more: what cannot be built here is left alone, whatever its live inventory holds."""

from __future__ import annotations

from types import MappingProxyType

from planning import Reader
from transferred import quay, replaced

from flux_handover.act.proving_again import proved_again
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId
from flux_handover.proof.obligations import Verdict
from flux_handover.proof.seen import Seen
from flux_handover.proof.steps import committing, steps_of
from flux_handover.proof.witnessed import Glimpse, Witness

WEB = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "web")
BERTH = ObjectId("", "ConfigMap", "web", "web")


def test_an_inventory_of_what_cannot_be_built_here_is_not_stale(reader: Reader) -> None:
    remote = "- all.yaml\n- https://example.org/crane.yaml\n"
    tree = replaced(quay(), "workloads/web/kustomization.yaml", "- all.yaml\n", remote)
    plan = reader.plan(tree)
    snapshots = (reader(tree), *(reader(phase.tree) for phase in committing(plan)))
    first = next(steps_of(plan, snapshots, reader.engine))
    seen = {WEB: Seen("workloads/web", prune=True, suspended=False, inventory=frozenset({BERTH}))}
    witness = Witness(seen, {}, {}, MappingProxyType({BERTH: Glimpse(owner=WEB)}))

    judgements = proved_again(first, witness)

    assert WEB in first.staged.opaque
    assert {judgement.verdict for judgement in judgements} == {Verdict.HOLDS}

"""Real repositories, where they are there: none of their text is part of this project."""

from pathlib import Path

import pytest
from builders import unpacked
from planning import Reader, names_of

from flux_handover.plan.phases import PhaseName
from flux_handover.plan.target import InstanceForm, Options, SyncStrategy
from flux_handover.proof.obligations import Verdict

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
FIRST = CORPUS / "flux-talos-0-base.tar.xz"

pytestmark = pytest.mark.skipif(not FIRST.is_file(), reason="../shared/corpus is absent")


@pytest.mark.parametrize("options", [Options(), Options("0.32.0"), Options(instance_as=InstanceForm.MANIFEST)])
def test_the_first_users_plan_deletes_exactly_two_objects(options: Options, reader: Reader) -> None:
    plan = reader.plan(unpacked(FIRST), options)

    deleted = {phase.name: {id.full for id in phase.removes} for phase in plan.phases if phase.removes}
    assert deleted == {
        PhaseName.RETIRE: {
            "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/flux",
            "OCIRepository.source.toolkit.fluxcd.io/flux-system/flux-manifests",
        }
    }


def test_the_first_users_settings_are_carried(reader: Reader) -> None:
    target = reader.plan(unpacked(FIRST)).target
    text = "\n".join(patch.patch for patch in target.patches)

    assert target.cluster["networkPolicy"] is False
    for setting in ("--concurrent=8", "--kube-api-qps=500", "--kube-api-burst=1000", "--requeue-dependency=5s"):
        assert setting in text
    for setting in ("cpu: 2000m", "memory: 2Gi", "OOMWatch=true", "serviceaccounts/token"):
        assert setting in text
    assert len(target.components) == 6


@pytest.mark.slow
def test_the_first_users_plan_goes_on_where_each_phase_left(reader: Reader) -> None:
    commits = reader.plan(unpacked(FIRST)).phases[1:]

    for number, phase in enumerate(commits, start=1):
        assert names_of(reader.plan(phase.tree)) == [later.name.value for later in commits[number:]]


@pytest.mark.slow
def test_the_first_users_root_can_be_transferred(reader: Reader) -> None:
    tree, options = unpacked(FIRST), Options(sync=SyncStrategy.TRANSFER)
    plan = reader.plan(tree, options)

    deleted = {phase.name: {str(id) for id in phase.removes} for phase in plan.phases if phase.removes}
    assert deleted[PhaseName.SYNC] == {
        "Kustomization/flux-system/cluster",
        "GitRepository/flux-system/home-kubernetes",
    }
    assert {proof.verdict for proof in reader.proofs(tree, options)} == {Verdict.HOLDS}

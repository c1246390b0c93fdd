"""Before each push the phase is proved again from what is live: a cluster that was changed by hand stops it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

from flux_handover.act.execute import Run, published
from flux_handover.act.proving_again import seen_now
from flux_handover.act.rehearse import PROGRAMS, Course, Playing, Script, legs, playing, walked
from flux_handover.adapters.bundled import prepared
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.cli.planning import planned
from flux_handover.cli.reading import Wanted, opened, snapshot_of
from flux_handover.cli.rehearsing import script_of, stage_of
from flux_handover.objects import KUSTOMIZE_GROUP, OWNER_NAME, OWNER_NAMESPACE, ObjectId
from flux_handover.plan.target import Options
from flux_handover.proof.obligations import Obligation, Verdict
from flux_handover.proof.witnessed import witnessed

pytestmark = pytest.mark.sandbox
Obtain = Callable[..., Mapping[str, Program]]
RESTORED = ObjectId("", "ConfigMap", "default", "restored")


@pytest.fixture(scope="module")
def script_and_play(tmp_path_factory: pytest.TempPathFactory, obtain: Obtain) -> Iterator[tuple[Script, Playing]]:
    """The demo's plan, and its cluster at rest before the first phase."""
    folder = tmp_path_factory.mktemp("again")
    demo = prepared(folder / "demo")
    with opened(demo) as tools:
        wanted = Wanted(demo, "HEAD")
        snapshot = snapshot_of(tools, wanted)
        (proved,) = planned(tools, snapshot, wanted, Options())
        script = script_of(tools, wanted, snapshot, proved, None)
        stage = stage_of(tools, wanted, snapshot, proved.plan.cluster, proved.plan.target.operator_version)
        with playing(obtain(*PROGRAMS), stage, snapshot.tree, folder / "journal.jsonl", print) as play:
            yield script, play


@pytest.fixture(scope="module")
def stopped(script_and_play: tuple[Script, Playing]) -> tuple[Run, Run]:
    """The first phase as planned, and the second after somebody restored a part of the cluster from a backup."""
    script, play = script_and_play
    way = walked(play, script, legs(Course.FORWARD, len(script.phases)))
    first = next(way)
    restored(play, owner_of_the_most(play))
    second = next(way)
    assert list(way) == []
    return first, second


def owner_of_the_most(play: Playing) -> ObjectId:
    """The Kustomization with the largest inventory, of those that are pruned by."""
    found = seen_now(play.place.cluster, play.place.view)
    sizes = {id: len(one.inventory or ()) for id, one in found.sights.items() if one.prune}
    return max(sizes, key=lambda id: (sizes[id], id))


def restored(play: Playing, owner: ObjectId) -> None:
    """An object that Git no longer has is there again, and the owner's status still lists it."""
    labels = {OWNER_NAME: owner.name, OWNER_NAMESPACE: owner.namespace}
    metadata = {"name": RESTORED.name, "namespace": RESTORED.namespace, "labels": labels}
    cluster = play.place.cluster
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, field_manager="velero")
    entries = (cluster.get(owner) or {})["status"]["inventory"]["entries"]
    entry = {"id": f"{RESTORED.namespace}_{RESTORED.name}__ConfigMap", "v": "v1"}
    change = {"status": {"inventory": {"entries": [*entries, entry]}}}
    cluster.patch(owner, change, field_manager="velero", subresource="status")


def test_a_phase_on_the_cluster_that_was_expected_is_proved_again_and_pushed(stopped: tuple[Run, Run]) -> None:
    first, _ = stopped

    assert first.problems == ()
    assert {one.verdict for one in first.judgements} == {Verdict.HOLDS}
    assert first.is_pushed


def test_a_cluster_that_was_changed_by_hand_stops_the_next_phase_with_a_counterexample(
    stopped: tuple[Run, Run],
) -> None:
    _, second = stopped
    (lost,) = (one for one in second.judgements if one.verdict is Verdict.REFUTED)

    assert second.verdict is Verdict.REFUTED
    assert not second.is_pushed
    assert {gate.verdict for gate in second.gates} == {Verdict.HOLDS}
    assert lost.obligation is Obligation.NOTHING_LOST
    assert lost.counterexample is not None
    assert lost.counterexample.lost == (RESTORED,)
    assert any(f"deletes {RESTORED}" in problem for problem in second.problems)


def test_what_is_seen_live_is_what_the_proof_expected(script_and_play: tuple[Script, Playing]) -> None:
    """But for what was restored by hand, the world that each proof begins from is the one that is there."""
    script, play = script_and_play
    step = script.steps[script.phases[1].name.value]

    world, _ = witnessed(step.start, step.staged.environment, seen_now(play.place.cluster, play.place.view))

    changed = {id for id in step.start.live if world.live.get(id) != step.start.live[id]}
    assert {id for id in changed if id.group == KUSTOMIZE_GROUP} == set()
    inventories = {id for id, one in world.records.items() if one.inventory != step.start.records[id].inventory}
    assert len(inventories) == 1


def test_the_real_controllers_delete_what_the_counterexample_says(
    stopped: tuple[Run, Run], script_and_play: tuple[Script, Playing]
) -> None:
    script, play = script_and_play
    assert play.place.cluster.get(RESTORED) is not None

    published(play.place, script.phases[1].tree, "all the same")

    assert play.place.cluster.get(RESTORED) is None

"""The model against real controllers: whatever they do with a small world, the model must have allowed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet
from sandbox.judging import Outcome, Series, ending_of, is_single, outcomes, series_of
from sandbox.playing import Play, differences
from sandbox.repertoire import GENERATED, WRITTEN
from sandbox.turnstile import Turnstile, turnstile
from sandbox.worlds import Parts, Scene, World, Writer, world

from flux_handover.adapters.engine import Engine
from flux_handover.adapters.recorder import Recorder
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.catalogue.manifests import install_manifests
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId, mapping
from flux_handover.proof.world import World as Model

Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]
CONTROLLERS = ("source-controller", "kustomize-controller")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", *CONTROLLERS)
FLUX = "v2.9.4"
AT_ONCE = 8
QUICK = 30
WORLDS = (*WRITTEN, *GENERATED)
SINGLE_OUTCOME_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Played:
    """One revision of a world: what the model allows, and what came of it."""

    world: str
    revision: int
    allowed: tuple[Outcome, ...]
    seen: Outcome

    def __str__(self) -> str:
        lines = [f"{self.world} ended revision {self.revision} as the model does not; compared with what it allows:"]
        for allowed in self.allowed:
            more, less = self.seen.deleted - allowed.deleted, allowed.deleted - self.seen.deleted
            gone = f"deleted besides: {sorted(map(str, more))}, not deleted: {sorted(map(str, less))}"
            lines.append(f"- {differences(self.seen.ending, allowed.ending)}; {gone}")
        return "\n".join(lines)


class Stage:
    """Where worlds are played: a sandbox, what is recorded there, and an engine that one thread at a time may ask."""

    def __init__(self, sandbox: Sandbox, recorder: Recorder, engine: Engine) -> None:
        self.sandbox, self._recorder, self._engine = sandbox, recorder, engine
        self._turn = threading.Lock()

    def series(self, world: World) -> Series:
        """A world in the model."""
        with self._turn:
            return series_of(world, self._engine, FLUX)

    def play(self, world: World, series: Series) -> Play:
        """A world in the cluster, at rest at its first revision."""
        play = Play(world, self.sandbox, self._recorder, series.universe)
        play.begin(ending_of(series.start))
        return play

    def played(self, world: World) -> tuple[Played, ...]:
        """All revisions of a world, until one ends where the model does not."""
        series = self.series(world)
        return tuple(revisions(world, self.play(world, series), series, len(world.trees) - 1))


def revisions(world: World, play: Play, series: Series, last: int) -> Iterator[Played]:
    """The revisions after the first, up to a number."""
    starts: frozenset[Model] = frozenset({series.start})
    for number in range(1, last + 1):
        allowed = outcomes(series, starts, number)
        seen = play.outcome(play.push(number), allowed)
        yield Played(world.name, number + 1, tuple(allowed), seen)
        if seen not in allowed:
            return
        starts = allowed[seen]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as running:
        yield running


@pytest.fixture(scope="module")
def sandbox(obtain: Obtain, eventually: Eventually) -> Iterator[Sandbox]:
    with running_sandbox(obtain(*PROGRAMS)) as sandbox:
        for manifest in install_manifests(FLUX, CONTROLLERS, "flux-system"):
            sandbox.cluster.apply(hurried(manifest), field_manager="flux")

        def is_available(name: str) -> bool:
            found = sandbox.cluster.get(ObjectId("apps", "Deployment", "flux-system", name)) or {}
            return mapping(found.get("status")).get("availableReplicas") == 1

        for name in CONTROLLERS:
            eventually(lambda name=name: is_available(name), seconds=90, what=f"{name} is available")
        yield sandbox


def hurried(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same with more reconciles at once in a controller: there are more worlds than it has workers."""
    if manifest["kind"] != "Deployment":
        return manifest
    copy: dict[str, Any] = json.loads(json.dumps(manifest))
    copy["spec"]["template"]["spec"]["containers"][0]["args"].append(f"--concurrent={2 * AT_ONCE}")
    return copy


@pytest.fixture(scope="module")
def stage(sandbox: Sandbox, engine: Engine) -> Iterator[Stage]:
    with Recorder(sandbox.cluster) as recorder:
        yield Stage(sandbox, recorder, engine)


@pytest.fixture(scope="module")
def plays(request: pytest.FixtureRequest, stage: Stage) -> Iterator[Mapping[str, Future[tuple[Played, ...]]]]:
    """All the worlds that are asked for, several at once: a world mostly waits."""
    names = {item.name for item in request.session.items}
    asked = tuple(world for world in WORLDS if any(name.endswith(f"[{world.name}]") for name in names))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {world.name: pool.submit(stage.played, world) for world in asked}
        pool.shutdown(cancel_futures=True)


def cases() -> Iterator[ParameterSet]:
    """Every world; most of those made from seeds only where there is time."""
    for number, one in enumerate(WORLDS):
        marks = [pytest.mark.full] if number >= len(WRITTEN) + QUICK else []
        yield pytest.param(one, id=one.name, marks=marks)


@pytest.mark.sandbox
@pytest.mark.parametrize("world", list(cases()))
def test_controllers_do_what_the_model_allows(world: World, plays: Mapping[str, Future[tuple[Played, ...]]]) -> None:
    for revision in plays[world.name].result():
        assert revision.seen in revision.allowed, str(revision)


@pytest.fixture(scope="module")
def gate(stage: Stage) -> Iterator[Turnstile]:
    with turnstile(stage.sandbox.plane) as running:
        yield running


def three_leave(w: Writer) -> tuple[Parts, ...]:
    """Three objects leave at once."""
    going = tuple(w.config(f"one-of-three-{n}") for n in range(3))
    return (
        {"flux": (w.ks("apps"),), "apps": (*going, w.config("stays"))},
        {"flux": (w.ks("apps"),), "apps": (w.config("stays"),)},
    )


def three_come(w: Writer) -> tuple[Parts, ...]:
    """Three objects come at once, and one leaves."""
    return tuple(reversed(three_leave(w)))


@pytest.mark.sandbox
@pytest.mark.parametrize("scene", [three_leave, three_come])
def test_a_crash_half_way_changes_nothing_in_the_end(scene: Scene, stage: Stage, gate: Turnstile) -> None:
    small = world(f"crash-{scene.__name__.replace('_', '-')}", scene)
    series = stage.series(small)
    play, began = stage.play(small, series), ending_of(series.start)
    (expected,) = outcomes(series, {replace(series.start, crashes=1)}, 1)

    with gate.stop_after_one(ObjectId(KUSTOMIZE_GROUP, "Kustomization", small.namespace, "apps")) as stop:
        sha = play.push(1)
        assert stop.reached.wait(120)
        half = play.scenery().ending
        stage.sandbox.runner.kill("kustomize-controller")
    seen = play.outcome(sha, {expected})

    assert len(half.alive ^ began.alive) == 1
    assert seen == expected


@pytest.mark.slow
def test_most_worlds_can_end_in_one_way_only(engine: Engine) -> None:
    single = [world for world in WORLDS if is_single(series_of(world, engine, FLUX))]

    assert len(WRITTEN) >= 40
    assert len(GENERATED) >= 100
    assert len(single) / len(WORLDS) >= SINGLE_OUTCOME_SHARE

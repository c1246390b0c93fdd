"""The model against real controllers: whatever they do with a small world, the model must have allowed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.structures import ParameterSet
from sandbox.forcing import both_orders
from sandbox.judging import ending_of, outcomes
from sandbox.listing import Listed, listed, page, single_share
from sandbox.repertoire import GENERATED, RACES, WRITTEN
from sandbox.theatre import FLUX, Played, Stage
from sandbox.turnstile import Turnstile, turnstile
from sandbox.worlds import Parts, Scene, World, Writer, world

from flux_handover.adapters.engine import Engine
from flux_handover.adapters.recorder import Recorder
from flux_handover.adapters.sandbox.binaries.providers import Program
from flux_handover.adapters.sandbox.session import Sandbox, running_sandbox
from flux_handover.catalogue.manifests import install_manifests
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId, mapping

Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]
CONTROLLERS = ("source-controller", "kustomize-controller")
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", *CONTROLLERS)
AT_ONCE = 8
QUICK = 30
WORLDS = (*WRITTEN, *GENERATED)
SINGLE_OUTCOME_SHARE = 0.7
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "worlds.md"


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
    """The same with more reconciles at once in a controller, as there are many worlds, and soon after failures."""
    if manifest["kind"] != "Deployment":
        return manifest
    copy: dict[str, Any] = json.loads(json.dumps(manifest))
    copy["spec"]["template"]["spec"]["containers"][0]["args"] += [f"--concurrent={2 * AT_ONCE}", "--max-retry-delay=5s"]
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


@pytest.fixture(scope="module")
def races(
    request: pytest.FixtureRequest, stage: Stage, gate: Turnstile
) -> Iterator[Mapping[str, Future[tuple[Played, ...]]]]:
    """Both orders of all the worlds that are asked for, several at once."""
    names = {item.name for item in request.session.items}
    asked = [world for world in WORLDS if f"{test_both_orders_of_a_race_are_seen.__name__}[{world.name}]" in names]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {world.name: pool.submit(both_orders, world, stage, gate) for world in asked}
        pool.shutdown(cancel_futures=True)


def race_cases() -> Iterator[ParameterSet]:
    """Every world that may end in several ways; those made from seeds only where there is time."""
    for name in RACES:
        yield pytest.param(name, marks=[pytest.mark.full] if name.startswith("seed") else [])


@pytest.mark.sandbox
@pytest.mark.parametrize("world", list(race_cases()))
def test_both_orders_of_a_race_are_seen(world: str, races: Mapping[str, Future[tuple[Played, ...]]]) -> None:
    one, other = races[world].result()

    assert one.seen in one.allowed, str(one)
    assert other.seen in other.allowed, str(other)
    assert one.seen != other.seen


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


@pytest.fixture(scope="module")
def every(engine: Engine) -> Sequence[Listed]:
    return [listed(world, engine) for world in WORLDS]


@pytest.mark.slow
def test_most_worlds_can_end_in_one_way_only(every: Sequence[Listed]) -> None:
    assert len(WRITTEN) >= 40
    assert len(GENERATED) >= 100
    assert single_share(every) >= SINGLE_OUTCOME_SHARE


@pytest.mark.slow
def test_two_orders_of_each_race_can_be_told_apart(every: Sequence[Listed]) -> None:
    races = {one.world.name: len(one.orders) for one in every if one.is_race}

    assert races == dict.fromkeys(RACES, 2)


@pytest.mark.slow
def test_the_page_of_worlds_is_fresh(every: Sequence[Listed]) -> None:
    assert PAGE.read_text() == page(every), "run `make worlds`"

"""What holds for every test."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from planning import Reader

from flux_handover.adapters.cache import CachedBuilder
from flux_handover.adapters.engine import Engine

# How fast an example is made says something of the machine, not of the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


def pytest_collection_finish() -> None:
    """What is imported and collected stays to the end: the collector need not walk it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The engine that tests share; it keeps nothing but trees by digest."""
    with Engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def reader(engine: Engine) -> Reader:
    """Snapshots, plans and proofs that tests share, by a builder that remembers within one run, as the verbs' does."""
    return Reader(CachedBuilder(engine, None))

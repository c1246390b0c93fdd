from __future__ import annotations

from collections.abc import Iterator

import pytest
from proof.fleets import Judge

from flux_handover.adapters.engine import Engine


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.fixture
def judge(engine: Engine) -> Judge:
    return Judge(engine)

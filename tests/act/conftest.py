from __future__ import annotations

from collections.abc import Iterator

import pytest
from planning import Reader

from flux_handover.adapters.engine import Engine


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    with Engine() as engine:
        yield Reader(engine)

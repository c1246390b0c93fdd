"""An address that stays while pods come and go."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from flux_handover.adapters.sandbox.control.ports import free_port
from flux_handover.adapters.sandbox.pods.service import Services
from flux_handover.adapters.sandbox.world.http import Response, plain_server


@pytest.fixture
def services() -> Iterator[Services]:
    found = Services()
    yield found
    found.close()


def read(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
        content: bytes = answer.read()
        return content


def test_the_address_leads_to_the_newest_pod_that_listens(services: Services) -> None:
    with ExitStack() as old, ExitStack() as new:
        first = old.enter_context(plain_server(lambda request: Response(200, b"old")))
        address = services.address("gardens", "source-controller", first)
        assert read(address) == b"old"

        second = new.enter_context(plain_server(lambda request: Response(200, b"new")))
        assert services.address("gardens", "source-controller", second) == address
        assert read(address) == b"new"

        # A pod that waits for its lease has a port, and does not listen.
        services.address("gardens", "source-controller", free_port())
        assert read(address) == b"new"


def test_where_no_pod_listens_nobody_answers(services: Services) -> None:
    address = services.address("gardens", "source-controller", free_port())

    with pytest.raises((urllib.error.URLError, OSError)):
        read(address)


def test_each_namespace_has_its_own(services: Services) -> None:
    port = free_port()

    assert services.address("gardens", "source-controller", port) != services.address(
        "fields", "source-controller", port
    )

from __future__ import annotations

import socket
import threading

import pytest

from flux_handover.adapters.sandbox.world.addresses import Address, address_of
from flux_handover.adapters.sandbox.world.git import parsed
from flux_handover.adapters.sandbox.world.http import Request
from flux_handover.adapters.sandbox.world.registry import Registry
from flux_handover.adapters.sandbox.world.socks import exactly, socks_proxy


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://github.com/ada/home.git", Address("https", "github.com", "ada/home.git")),
        ("https://git.example.org:8443/ada/home", Address("https", "git.example.org", "ada/home", "8443")),
        ("ssh://git@github.com/ada/home", Address("ssh", "github.com", "ada/home")),
        ("ssh://git@git.example.org:2222/ada/home", Address("ssh", "git.example.org", "ada/home", "2222")),
        ("git@github.com:ada/home.git", Address("ssh", "github.com", "ada/home.git")),
        ("oci://ghcr.io/fluxcd/flux-manifests", Address("oci", "ghcr.io", "fluxcd/flux-manifests")),
    ],
)
def test_addresses_of_sources_are_understood(url: str, expected: Address) -> None:
    assert address_of(url) == expected


def test_an_address_names_its_host_as_requests_do() -> None:
    assert address_of("https://a.example.org:8443/x").authority == "a.example.org:8443"
    assert address_of("https://a.example.org/x").authority == "a.example.org"


def test_the_answer_of_a_cgi_program_is_understood() -> None:
    answer = parsed(b"Status: 403 Forbidden\r\nContent-Type: text/plain\r\n\r\nno\r\n\r\nmore")

    assert (answer.status, answer.body) == (403, b"no\r\n\r\nmore")
    assert answer.headers == {"Content-Type": "text/plain"}


def test_a_cgi_program_that_says_nothing_failed() -> None:
    assert parsed(b"").status == 502


@pytest.fixture
def echo() -> int:
    """A server on loopback that says back the first thing it hears; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with listener, listener.accept()[0] as connection:
            connection.sendall(b"heard " + connection.recv(100))

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def wanting(connection: socket.socket, kind: int, host: bytes) -> bytes:
    """Asks a SOCKS5 proxy for a host, port 22; what it answers."""
    connection.sendall(b"\x05\x01\x00")
    assert exactly(connection, 2) == b"\x05\x00"
    connection.sendall(b"\x05\x01\x00" + bytes((kind,)) + host + b"\x00\x16")
    return exactly(connection, 10)


@pytest.mark.parametrize(
    ("kind", "host", "known"),
    [(3, bytes((10,)) + b"github.com", "github.com"), (1, socket.inet_aton("192.0.2.7"), "192.0.2.7")],
)
def test_a_known_host_leads_to_our_server(echo: int, kind: int, host: bytes, known: str) -> None:
    with socks_proxy(echo) as server, socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        server.hosts.add(known)

        assert wanting(client, kind, host)[1] == 0
        client.sendall(b"hello")
        assert exactly(client, 11) == b"heard hello"


def test_an_unknown_host_is_refused() -> None:
    with socks_proxy(1) as server, socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        assert wanting(client, 3, bytes((11,)) + b"example.org")[1] != 0


def ask(registry: Registry, method: str, path: str, body: bytes = b"", query: str = "") -> int:
    return registry.answer(Request(method, "https", "ghcr.io", path, query, body=body)).status


def test_a_registry_says_that_it_is_one() -> None:
    assert ask(Registry(), "GET", "/v2/") == 200


@pytest.mark.parametrize("path", ["/v2/a/b/manifests/v1", "/v2/a/b/blobs/sha256:00", "/v2/a/b", "/index.html"])
def test_a_registry_does_not_have_what_nobody_stored(path: str) -> None:
    assert ask(Registry(), "GET", path) == 404


def test_an_upload_in_parts_is_put_together() -> None:
    registry = Registry()
    begun = registry.answer(Request("POST", "https", "ghcr.io", "/v2/a/b/blobs/uploads/")).headers["Location"]
    digest = "sha256:fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"  # of b"ab"

    assert ask(registry, "PATCH", begun, b"a") == 202
    assert ask(registry, "PUT", begun, b"b", f"digest={digest}") == 201
    assert ask(registry, "GET", f"/v2/a/b/blobs/{digest}") == 200


def test_an_upload_that_is_not_what_it_says_is_refused() -> None:
    registry = Registry()
    begun = registry.answer(Request("POST", "https", "ghcr.io", "/v2/a/b/blobs/uploads/")).headers["Location"]

    assert ask(registry, "PUT", begun, b"x", "digest=sha256:00") == 400

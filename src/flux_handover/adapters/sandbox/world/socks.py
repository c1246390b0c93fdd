"""A SOCKS5 proxy on loopback: it leads SSH connections of Git to a server of ours.

source-controller dials SSH through the proxy that `ALL_PROXY` names (`golang.org/x/net:proxy/proxy.go`,
used by `go-git/go-git:plumbing/transport/ssh/common.go@v5.19.1`), so `ssh://` addresses stay as they are.
Its HTTP clients do not look at that variable.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

GREETING, ACCEPTED, REFUSED = (
    b"\x05\x00",
    b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00",
    b"\x05\x02\x00\x01" + b"\x00" * 6,
)
NAME, ADDRESS = 3, 1


class SocksServer(socketserver.ThreadingTCPServer):
    """Connects every host that it knows to one port on loopback, and refuses the others."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), SocksHandler)
        self.target = port
        self.hosts: set[str] = set()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])


class SocksHandler(socketserver.BaseRequestHandler):
    """One client."""

    def handle(self) -> None:
        """Reads whom the client wants, and connects it to our server instead."""
        server: SocksServer = self.server  # type: ignore[assignment]
        with suppress(OSError, EOFError):
            self.greet()
            host = self.wanted()
            if host not in server.hosts:
                self.request.sendall(REFUSED)
                return
            with socket.create_connection(("127.0.0.1", server.target), timeout=10) as upstream:
                upstream.settimeout(None)
                self.request.sendall(ACCEPTED)
                joined(self.request, upstream)

    def greet(self) -> None:
        """Agrees on no authentication."""
        _, methods = exactly(self.request, 2)
        exactly(self.request, methods)
        self.request.sendall(GREETING)

    def wanted(self) -> str:
        """The host that the client asks for, by name or address."""
        _, _, _, kind = exactly(self.request, 4)
        if kind == NAME:
            host = exactly(self.request, exactly(self.request, 1)[0]).decode()
        else:
            host = socket.inet_ntoa(exactly(self.request, 4)) if kind == ADDRESS else ""
        exactly(self.request, 2)
        return host


def exactly(connection: socket.socket, count: int) -> bytes:
    """The next `count` bytes of a connection."""
    received = b""
    while len(received) < count:
        more = connection.recv(count - len(received))
        if not more:
            raise EOFError
        received += more
    return received


def joined(one: socket.socket, other: socket.socket) -> None:
    """Passes bytes both ways until one side ends."""
    back = threading.Thread(target=copied, args=(other, one), daemon=True)
    back.start()
    copied(one, other)
    back.join(30)


def copied(source: socket.socket, target: socket.socket) -> None:
    """Passes bytes one way, and the end of them too."""
    with suppress(OSError):
        while received := source.recv(1 << 16):
            target.sendall(received)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def socks_proxy(port: int) -> Iterator[SocksServer]:
    """Serves on a thread; every host added to it leads to `port`."""
    with SocksServer(port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join(5)

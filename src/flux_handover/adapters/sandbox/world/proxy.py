"""An HTTPS proxy that ends TLS with a CA of its own, so that the user's files stay as they are.

A controller that fetches `https://…` or `oci://…` sends CONNECT to the proxy that its environment
names; the proxy answers as that host, with a certificate made for it. What no site answers is
refused at once: a rehearsal offline must not wait for timeouts.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from flux_handover.adapters.sandbox.control.certificates import Authority
from flux_handover.adapters.sandbox.world.http import (
    LoopbackServer,
    Request,
    Response,
    SiteHandler,
    serving,
)


class Outside(Protocol):
    """Everything that the proxy can reach."""

    def reaches(self, host: str) -> bool:
        """Whether any address of the host could be answered."""
        ...

    def answer(self, request: Request) -> Response:
        """The answer to a request."""
        ...


class ProxyHandler(SiteHandler):
    """A client of the proxy: a tunnel for https, whole addresses for http."""

    def do_CONNECT(self) -> None:
        """Answers as the host that the client wants a tunnel to."""
        self.close_connection = True
        host, _, port = self.path.rpartition(":")
        proxy: ProxyServer = self.server  # type: ignore[assignment]
        name = host if port == "443" else self.path
        if not proxy.outside.reaches(name):
            self.send_error(502, "not served in this sandbox")
            return
        self.send_response(200)
        self.end_headers()
        with suppress(OSError, ssl.SSLError, ValueError):
            self.serve_as(name, proxy.tls_for(host))

    def serve_as(self, host: str, tls: ssl.SSLContext) -> None:
        """Serves the requests inside the tunnel."""
        handler = type("TunnelHandler", (SiteHandler,), {"scheme": "https"})
        with tls.wrap_socket(self.connection, server_side=True) as tunnel:
            handler(tunnel, self.client_address, self.server)

    def answer(self, request: Request) -> Response:
        """The answer to a request for a whole http address."""
        proxy: ProxyServer = self.server  # type: ignore[assignment]
        return proxy.site(request)


class ProxyServer(LoopbackServer):
    """The proxy's listening side."""

    def __init__(self, outside: Outside, authority: Authority) -> None:
        super().__init__(ProxyHandler, outside.answer)
        self.outside = outside
        self._authority = authority
        self._tls: dict[str, ssl.SSLContext] = {}

    def tls_for(self, host: str) -> ssl.SSLContext:
        """The server side of TLS as `host`."""
        if host not in self._tls:
            issued = self._authority.certificate_for(host)
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(issued.certificate, issued.key)
            self._tls[host] = tls
        return self._tls[host]


@contextmanager
def proxying(outside: Outside, authority: Authority) -> Iterator[Mapping[str, str]]:
    """Runs the proxy; the environment that leads a program to it."""
    with serving(ProxyServer(outside, authority)) as server:
        yield proxy_environment(server.port, authority.certificate)


def proxy_environment(port: int, certificate: Path) -> Mapping[str, str]:
    """The variables by which Go programs find the proxy and trust it; loopback goes past it."""
    address = f"http://127.0.0.1:{port}"
    return {
        "HTTPS_PROXY": address,
        "HTTP_PROXY": address,
        "NO_PROXY": "127.0.0.1,localhost",
        "SSL_CERT_FILE": str(certificate),
    }

"""A request and its answer, and servers on loopback that answer requests with a function."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

LARGEST_BODY = 256 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are lower case, `path` has no query."""

    method: str
    scheme: str
    host: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def url(self) -> str:
        """The whole address."""
        return f"{self.scheme}://{self.host}{self.path}" + (f"?{self.query}" if self.query else "")


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Site = Callable[[Request], Response]


class SiteHandler(http.server.BaseHTTPRequestHandler):
    """Reads requests from a connection and writes what `answer` returns."""

    protocol_version = "HTTP/1.1"
    scheme = "http"
    timeout = 120

    def answer(self, request: Request) -> Response:
        """The answer of the server's site."""
        site: Site = self.server.site  # type: ignore[attr-defined]
        return site(request)

    def respond(self) -> None:
        """Answers one request; any method."""
        request = self.request_read()
        response = self.answer(request)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in response.headers):
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if request.method != "HEAD":
            self.wfile.write(response.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = respond

    def request_read(self) -> Request:
        """The request on the connection, with its whole body."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        address = urlsplit(self.path)
        host = address.netloc or headers.get("host", "")
        return Request(self.command, self.scheme, host, address.path, address.query, headers, self.body(headers))

    def body(self, headers: Mapping[str, str]) -> bytes:
        """The body, whole: by its length, or chunk by chunk."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(self.chunks())
        return self.rfile.read(min(int(headers.get("content-length") or 0), LARGEST_BODY))

    def chunks(self) -> Iterator[bytes]:
        """The chunks of a body of unknown length."""
        total = 0
        while (size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16)) and total < LARGEST_BODY:
            total += size
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Says nothing: what was asked for is recorded by whoever answers."""


class LoopbackServer(http.server.ThreadingHTTPServer):
    """A server whose handlers find the site to ask in it; a client that goes away is no error."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, handler: type[SiteHandler], site: Site) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.site = site

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in the middle is its own business."""


@contextmanager
def serving(server: LoopbackServer) -> Iterator[LoopbackServer]:
    """Serves on a thread, until the end of the block."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def plain_server(site: Site) -> Iterator[int]:
    """Serves a site over plain HTTP on loopback; its port."""
    with serving(LoopbackServer(SiteHandler, site)) as server:
        yield server.port

"""An address that stays while pods come and go, as a Service gives it.

Whoever read an artifact's address before source-controller was rolled goes on asking there, for minutes. In a
cluster that leads to the new pod, so it must here.
"""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress

from flux_handover.adapters.sandbox.control.ports import free_port
from flux_handover.adapters.sandbox.world.socks import joined


class Service(socketserver.ThreadingTCPServer):
    """Connects to the newest pod that listens; a pod that is not active does not."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", free_port()), ServiceHandler)
        self.backends: list[int] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that stays."""
        return int(self.server_address[1])

    def close(self) -> None:
        """Ends it."""
        self.shutdown()
        self.server_close()
        self._thread.join(5)


class ServiceHandler(socketserver.BaseRequestHandler):
    """One client."""

    def handle(self) -> None:
        """Passes bytes both ways between the client and a pod; hangs up where no pod listens."""
        server: Service = self.server  # type: ignore[assignment]
        for port in reversed(server.backends):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as pod:
                pod.settimeout(None)
                joined(self.request, pod)
                return


class Services:
    """The services of a control plane, by namespace and program."""

    def __init__(self) -> None:
        self._services: dict[tuple[str, str], Service] = {}

    def address(self, namespace: str, program: str, port: int) -> int:
        """The port that stays, behind which a pod's own port is one more."""
        key = (namespace, program)
        if key not in self._services:
            self._services[key] = Service()
        self._services[key].backends.append(port)
        return self._services[key].port

    def close(self) -> None:
        """Ends all of them."""
        for service in self._services.values():
            service.close()

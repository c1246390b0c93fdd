"""Free loopback ports."""

from __future__ import annotations

import random
import socket
import threading

from flux_handover.errors import SandboxError

# Below the range from which systems take the ports of outgoing connections, so that none of
# those can take a port between our look and the program's bind.
LOWEST, HIGHEST = 12_000, 30_000
_given: set[int] = set()
_lock = threading.Lock()


def free_port() -> int:
    """A port that nobody listens on and that this program has not given before."""
    with _lock:
        for _ in range(500):
            port = random.randint(LOWEST, HIGHEST)
            if port not in _given and is_free(port):
                _given.add(port)
                return port
    raise SandboxError("no free loopback port was found", where=f"127.0.0.1:{LOWEST}-{HIGHEST}")


def is_free(port: int) -> bool:
    """Whether a program could listen on a port now."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True

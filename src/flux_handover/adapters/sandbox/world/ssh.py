"""Git over SSH: a small server of our own, and what a client needs to trust it.

The user's deploy key and known hosts are secrets that we do not have; what takes their place names
this server's host key, and a key made for the occasion.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from flux_handover.adapters.sandbox.control.certificates import make_key, openssl
from flux_handover.adapters.sandbox.control.kubeconfig import write_private
from flux_handover.adapters.sandbox.control.plane import ControlPlane
from flux_handover.adapters.sandbox.control.ports import free_port

ALGORITHM = b"ecdsa-sha2-nistp256"
CURVE = b"nistp256"
# A public key of this curve ends its DER form with the uncompressed point: 04, x, y.
POINT = 65


class SshHost:
    """A Git server over SSH that ends with the control plane; any host name leads to it."""

    def __init__(self, plane: ControlPlane, program: Path) -> None:
        self._folder = plane.folder / "ssh"
        self._folder.mkdir(mode=0o700)
        self._routes: dict[str, str] = {}
        self.port = free_port()
        for name in ("host", "client"):
            make_key(self._folder / name)
        self._write()
        arguments = (str(program), f"127.0.0.1:{self.port}", str(self._folder / "host"), str(self._routes_file))
        self.process = plane.run("gitssh", arguments)

    @property
    def _routes_file(self) -> Path:
        return self._folder / "routes.json"

    def serve(self, path: str, folder: Path) -> None:
        """Answers for a repository path, on whatever host."""
        self._routes[path.strip("/").removesuffix(".git")] = str(folder)
        self._write()

    def secret(self, host: str) -> Mapping[str, str]:
        """The content of a Secret that lets source-controller in, for a host name (or `[name]:port`)."""
        return {
            "identity": (self._folder / "client").read_text(),
            "identity.pub": public_line(self._folder / "client"),
            "known_hosts": f"{host} {public_line(self._folder / 'host')}\n",
        }

    def _write(self) -> None:
        write_private(self._routes_file, json.dumps(self._routes))


def public_line(key: Path) -> str:
    """The public half of a private key, as SSH writes it."""
    der = key.with_suffix(".der")
    openssl("pkey", "-in", key.name, "-pubout", "-outform", "DER", "-out", der.name, at=key.parent)
    parts = (ALGORITHM, CURVE, der.read_bytes()[-POINT:])
    encoded = base64.b64encode(b"".join(len(part).to_bytes(4, "big") + part for part in parts))
    return f"{ALGORITHM.decode()} {encoded.decode()}"

"""Everything outside the cluster that the user's files name, on loopback.

Git hosts, registries and recorded answers behind one proxy: what the files say stays as it is. By
default nothing leaves the machine; with `Network.ONLINE` unknown addresses are passed through and
recorded, so that the next rehearsal can do without.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from enum import Enum
from pathlib import Path
from types import MappingProxyType, TracebackType

from flux_handover.adapters.sandbox.control.certificates import Authority
from flux_handover.adapters.sandbox.control.plane import ControlPlane
from flux_handover.adapters.sandbox.world.addresses import address_of
from flux_handover.adapters.sandbox.world.git import BareRepository, GitHosts
from flux_handover.adapters.sandbox.world.http import Request, Response
from flux_handover.adapters.sandbox.world.proxy import proxying
from flux_handover.adapters.sandbox.world.recording import Online, Recording, Replay
from flux_handover.adapters.sandbox.world.registry import Registry
from flux_handover.adapters.sandbox.world.socks import SocksServer, socks_proxy
from flux_handover.adapters.sandbox.world.ssh import SshHost
from flux_handover.errors import SandboxError

GREETINGS = (200, 401)


class Network(Enum):
    """Whether the sandbox may ask the real hosts."""

    OFFLINE = "offline"
    ONLINE = "online"


class World:
    """The outside of a control plane, while it is entered.

    `gitssh` is our SSH server's program; without it `ssh://` addresses cannot be served.
    """

    def __init__(
        self,
        plane: ControlPlane,
        *,
        network: Network = Network.OFFLINE,
        recording: Path | None = None,
        gitssh: Path | None = None,
    ) -> None:
        self._plane = plane
        self._gitssh = gitssh
        self._stack = ExitStack()
        self._ssh: SshHost | None = None
        self._socks: SocksServer | None = None
        self.git = GitHosts()
        self.registry = Registry()
        self._pages: dict[str, bytes] = {}
        self.authority = Authority(plane.folder / "world", "flux-handover sandbox world")
        self.outside = outside(network, recording or plane.folder / "recording")

    def __enter__(self) -> World:
        self.environment: Mapping[str, str] = self._stack.enter_context(proxying(self, self.authority))
        if self._gitssh is not None:
            self._ssh = SshHost(self._plane, self._gitssh)
            self._socks = self._stack.enter_context(socks_proxy(self._ssh.port))
            through = {"ALL_PROXY": f"socks5://127.0.0.1:{self._socks.port}"}
            self.environment = MappingProxyType({**self.environment, **through})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if isinstance(self.outside, Online):
            self.outside.close()

    @property
    def missed(self) -> tuple[str, ...]:
        """Addresses that were asked for and that nothing here could answer."""
        return self.outside.missed if isinstance(self.outside, Replay) else ()

    def repository(self, url: str, *, lender: Path | None = None) -> BareRepository:
        """A new bare repository, served at the address that the user's source names."""
        place = self._plane.folder / "git"
        place.mkdir(exist_ok=True)
        # Several threads may ask at once, and no two may get the same folder.
        bare = BareRepository(Path(tempfile.mkdtemp(suffix=".git", dir=place)), lender=lender)
        self.serve(url, bare)
        return bare

    def serve(self, url: str, bare: BareRepository) -> None:
        """Serves a repository at one more address."""
        address = address_of(url)
        if address.scheme in ("http", "https"):
            self.git.serve(address.authority, address.path, bare.folder)
        elif address.scheme == "ssh" and self._ssh is not None and self._socks is not None:
            self._ssh.serve(address.path, bare.folder)
            self._socks.hosts.add(address.host)
            self.git.serve(f"ssh:{address.host}", address.path, bare.folder)
        else:
            raise SandboxError(f"{address.scheme} addresses of Git cannot be served here", where=url)

    def publish(self, url: str, content: bytes) -> None:
        """Answers one web address, for example of a remote base, with a file."""
        self._pages[url] = content

    def ssh_secret(self, url: str) -> Mapping[str, str]:
        """What the Secret of an `ssh://` source must hold here, instead of the user's deploy key."""
        address = address_of(url)
        if self._ssh is None:
            raise SandboxError("ssh addresses of Git cannot be served here", where=url)
        return self._ssh.secret(f"[{address.host}]:{address.port}" if address.port else address.host)

    def has(self, url: str) -> bool:
        """Whether an address in a source is answered here."""
        address = address_of(url)
        if address.scheme == "oci" and self.registry.has(address.authority, address.path):
            return True
        host = f"ssh:{address.host}" if address.scheme == "ssh" else address.authority
        if self.git.folder(host, address.path) is not None:
            return True
        return address.scheme != "ssh" and self.outside.reaches(address.authority)

    def reaches(self, host: str) -> bool:
        """Whether the proxy lets a client through to a host."""
        is_ours = host in self.git.hosts() or self.registry.answers(host) or self._has_page(host)
        return is_ours or self.outside.reaches(host)

    def answer(self, request: Request) -> Response:
        """The answer to any request that came through the proxy."""
        if request.url in self._pages:
            return Response(200, self._pages[request.url])
        if (found := self.git.answer(request)) is not None:
            return found
        if self.registry.answers(request.host):
            found = self._greeting(request) or self.registry.answer(request)
            if found.status != 404 or not self.outside.reaches(request.host):
                return found
        return self.outside.answer(request)

    def _greeting(self, request: Request) -> Response | None:
        """How the real host of a registry greets: only so do clients learn to ask for a token."""
        if request.path not in ("/v2", "/v2/") or not isinstance(self.outside, Online):
            return None
        found = self.outside.answer(request)
        return found if found.status in GREETINGS else None

    def _has_page(self, host: str) -> bool:
        return any(address_of(url).authority == host for url in self._pages)


def outside(network: Network, recording: Path) -> Online | Replay:
    """What answers for addresses that the sandbox itself does not serve."""
    match network:
        case Network.ONLINE:
            return Online(Recording(recording))
        case Network.OFFLINE:
            return Replay(Recording(recording) if recording.is_dir() else None)

"""What the addresses in Flux sources say: scheme, host and path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

SCP = re.compile(r"(?:[^@/]+@)?([^:/]+):(?!//)(.+)")


@dataclass(frozen=True, slots=True)
class Address:
    """Where a source is; `port` is empty unless it is written."""

    scheme: str
    host: str
    path: str
    port: str = ""

    @property
    def authority(self) -> str:
        """The host as an HTTP request names it."""
        return f"{self.host}:{self.port}" if self.port else self.host


def address_of(url: str) -> Address:
    """The parts of `https://`, `http://`, `ssh://` and `oci://` addresses, and of `git@host:path`."""
    if "://" not in url and (match := SCP.fullmatch(url)):
        return Address("ssh", match[1], match[2].strip("/"))
    parts = urlsplit(url)
    port = parts.netloc.rpartition("@")[2].partition(":")[2]
    return Address(parts.scheme, parts.hostname or "", parts.path.strip("/"), port)

"""Real leader election without containers: the file that names the pod's namespace, seen by one process.

A controller finds the namespace of its lease in a file at a fixed path, which only a container has. On
Linux a mount namespace gives each process its own; then a Deployment that rolls behaves as in a cluster,
where the new pod waits, ready, for the old one's lease. Elsewhere election is switched off, and the pod
runner starts the new program only once the old one has ended.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from enum import Enum
from functools import cache

ON = (
    # A controller that is killed keeps its lease; the usual 35 s would only make a rehearsal longer.
    "--leader-election-lease-duration=20s",
    "--leader-election-renew-deadline=16s",
    "--leader-election-retry-period=1s",
)
OFF = ("--enable-leader-election=false",)
FOLDER = "/run/secrets/kubernetes.io/serviceaccount"
SEEN_AT = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
SCRIPT = f'mount -t tmpfs none /run && mkdir -p {FOLDER} && printf %s "$0" > {FOLDER}/namespace && exec "$@"'


class Election(Enum):
    """Who settles which of two pods is active: the programs by a lease, or the pod runner by order."""

    BY_LEASE = "by lease"
    BY_ORDER = "by order"


def election_here() -> Election:
    """How this system settles it."""
    return Election.BY_LEASE if is_possible() else Election.BY_ORDER


def wrapper(namespace: str) -> tuple[str, ...]:
    """The words to put before a command so that it finds itself in a namespace."""
    isolation = ("--mount",) if os.geteuid() == 0 else ("--user", "--map-root-user", "--mount")
    return ("unshare", *isolation, "--propagation", "private", "sh", "-c", SCRIPT, namespace)


@cache
def is_possible() -> bool:
    """Whether this system lets a process have a mount namespace of its own."""
    if shutil.which("unshare") is None:
        return False
    done = subprocess.run((*wrapper("probe"), "cat", SEEN_AT), capture_output=True, text=True)
    return done.returncode == 0 and done.stdout == "probe"

"""What a program needs besides its pod's arguments to run beside others on one loopback address.

Arguments are appended, and of a repeated flag the last one counts, so the pod's own settings stay
in force but for addresses and paths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

COMMON = ("--metrics-addr=127.0.0.1:{metrics}", "--health-addr=127.0.0.1:{health}")
HEALTH = "http://127.0.0.1:{health}/readyz"


@dataclass(frozen=True, slots=True)
class Wiring:
    """Arguments to append and to drop (by prefix), and the address that answers when it is ready."""

    appended: tuple[str, ...] = COMMON
    dropped: tuple[str, ...] = ("--events-addr",)
    ready: str = HEALTH
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


WIRINGS: Mapping[str, Wiring] = MappingProxyType(
    {
        "kustomize-controller": Wiring(),
        "helm-controller": Wiring(),
        "image-reflector-controller": Wiring(),
        "image-automation-controller": Wiring(),
        "source-controller": Wiring(
            (
                *COMMON,
                "--storage-addr=127.0.0.1:{storage}",
                "--storage-adv-addr=127.0.0.1:{service}",
                "--storage-path={folder}/storage",
            ),
            ready="http://127.0.0.1:{storage}/",
        ),
        "notification-controller": Wiring(
            (*COMMON, "--events-addr=127.0.0.1:{events}", "--receiverAddr=127.0.0.1:{receiver}"), dropped=()
        ),
        "flux-operator": Wiring(
            (*COMMON, "--storage-path={beside}/data", "--web-server-port={web}"),
            dropped=(),
            # Outside its image the operator refuses to start in any other mode.
            environment=MappingProxyType({"GODEBUG": "fips140=on"}),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Launch:
    """A program with the arguments it is started with, and where it says that it is ready."""

    program: Path
    arguments: tuple[str, ...]
    ready: str


def launch(
    name: str,
    program: Path,
    arguments: tuple[str, ...],
    folder: Path,
    port: Callable[[], int],
    service: Callable[[int], int],
) -> Launch:
    """How a pod's container is started.

    `port` gives a free port for each address, `service` the one that stays when this pod is replaced.
    """
    wiring = WIRINGS[name]
    places = Places(folder, program.parent, port, service)
    kept = tuple(argument for argument in arguments if not argument.startswith(wiring.dropped))
    appended = tuple(argument.format_map(places) for argument in wiring.appended)
    return Launch(program, (*kept, *appended), wiring.ready.format_map(places))


class Places(dict[str, str]):
    """The values of a wiring's placeholders; a port is taken when it is first named, a service has the storage's."""

    def __init__(self, folder: Path, beside: Path, port: Callable[[], int], service: Callable[[int], int]) -> None:
        super().__init__(folder=str(folder), beside=str(beside))
        self._port, self._service = port, service

    def __missing__(self, name: str) -> str:
        self[name] = str(self._service(int(self["storage"])) if name == "service" else self._port())
        return self[name]

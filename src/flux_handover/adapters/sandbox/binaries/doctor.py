"""What this machine has for a sandbox, what it lacks, and what the first build would cost.

`python -m flux_handover.adapters.sandbox.binaries.doctor` prints it, and with names builds these.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from flux_handover.adapters.sandbox.binaries.modules import cache_folder
from flux_handover.adapters.sandbox.binaries.providers import Availability, Modules, Provider, State, best, size_of
from flux_handover.errors import SandboxError

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager")
CONTROLLERS = ("source-controller", "kustomize-controller", "helm-controller", "notification-controller")
OPERATOR = ("flux-operator", "flux-operator-cli")
AROUND = ("gitssh", "sops", "age-keygen")
WAY_BACK = ("kubectl",)
BARE_CLUSTER = ("kubectl", "helm", "helmfile")
EVERYTHING = (*CONTROL_PLANE, *CONTROLLERS, *OPERATOR, *AROUND)
TOOLS = ("git", "openssl")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every program with its best offer, the tools that are missing, and the disk in use."""

    programs: tuple[Availability, ...]
    missing_tools: tuple[str, ...]
    megabytes: int

    @property
    def seconds(self) -> int:
        """The time that obtaining all that is not ready would take."""
        return sum(offer.seconds for offer in self.programs if offer.state is State.OBTAINABLE)

    @property
    def is_usable(self) -> bool:
        """Whether a sandbox could be had, now or after a build."""
        return not self.missing_tools and all(offer.state is not State.MISSING for offer in self.programs)


def diagnose(names: Sequence[str], providers: Sequence[Provider]) -> Diagnosis:
    """What the providers offer for the programs of a sandbox."""
    offers = tuple(offer_of(name, providers) for name in names)
    cache = cache_folder()
    used = size_of(cache) if cache.is_dir() else 0
    return Diagnosis(offers, tuple(tool for tool in TOOLS if shutil.which(tool) is None), used)


def offer_of(name: str, providers: Sequence[Provider]) -> Availability:
    """The best offer for a program; where there is none, the first one's reason."""
    try:
        return best(name, providers).availability(name)
    except SandboxError as error:
        return Availability(name, "none", State.MISSING, reason=error.hint)


def lines(diagnosis: Diagnosis) -> list[str]:
    """The diagnosis in words."""
    rows = [row(offer) for offer in diagnosis.programs]
    tools = [f"{tool}: not installed" for tool in diagnosis.missing_tools]
    total = f"first build: about {round(diagnosis.seconds / 60)} min; cache: {diagnosis.megabytes} MB"
    return [*rows, *tools, total]


def row(offer: Availability) -> str:
    """One program in words."""
    match offer.state:
        case State.READY:
            return f"{offer.program} {offer.version}: ready ({offer.provider}, {offer.megabytes} MB)"
        case State.OBTAINABLE:
            return f"{offer.program} {offer.version}: from {offer.provider}, about {offer.seconds} s"
        case State.MISSING:
            return f"{offer.program}: missing, {offer.reason}"


def main(arguments: Sequence[str]) -> int:
    """Prints the diagnosis, after obtaining the programs named."""
    modules = Modules()
    for name in EVERYTHING if "all" in arguments else arguments:
        program = modules.obtain(name)
        sys.stderr.write(f"{program.name} {program.version} is ready\n")
    diagnosis = diagnose(EVERYTHING, (modules,))
    sys.stdout.write("\n".join(lines(diagnosis)) + "\n")
    return 0 if diagnosis.is_usable else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

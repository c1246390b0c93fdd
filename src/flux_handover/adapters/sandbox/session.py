"""A whole sandbox: control plane, pod runner, world and lifter, started in order and ended in reverse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from flux_handover.adapters.cluster import KubeCluster
from flux_handover.adapters.sandbox.binaries.providers import Program, paths
from flux_handover.adapters.sandbox.control.plane import ControlPlane
from flux_handover.adapters.sandbox.gates import Difference, differences, older_ways
from flux_handover.adapters.sandbox.pods.runner import PodRunner
from flux_handover.adapters.sandbox.standins.lifting import Lifter
from flux_handover.adapters.sandbox.standins.sops import AgeKey, Disguise, make_age_key
from flux_handover.adapters.sandbox.world.world import Network, World
from flux_handover.errors import SandboxError

NO_VERSIONS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of a running sandbox."""

    plane: ControlPlane
    runner: PodRunner
    world: World
    lifter: Lifter
    programs: Mapping[str, Program]

    @property
    def cluster(self) -> KubeCluster:
        """Its cluster, as an administrator."""
        return self.plane.cluster

    @property
    def versions(self) -> Mapping[str, str]:
        """The version of every program, for the report."""
        return {name: program.version for name, program in sorted(self.programs.items())}

    def differences(self, there: Mapping[str, str]) -> tuple[Difference, ...]:
        """The rules on which this sandbox says nothing about a cluster with these versions."""
        return differences(self.versions, there)

    def age_key(self) -> AgeKey:
        """The throw-away key for which placeholders are encrypted; made at the first call."""
        identity = self.plane.folder / "secrets"
        identity.mkdir(exist_ok=True, mode=0o700)
        return make_age_key(self._required("age-keygen"), identity)

    def disguise(self, key: AgeKey, values: Mapping[str, str]) -> Disguise:
        """What replaces the secrets of trees, with the given values where their key is named."""
        return Disguise(self._required("sops"), key, self.plane.folder / "secrets", values)

    def _required(self, name: str) -> Path:
        if name not in self.programs:
            raise SandboxError(f"the sandbox has no {name}, so secrets cannot be replaced", hint="`doctor` says how")
        return self.programs[name].path


@contextmanager
def running_sandbox(
    programs: Mapping[str, Program],
    *,
    folder: Path | None = None,
    network: Network = Network.OFFLINE,
    recording: Path | None = None,
    there: Mapping[str, str] = NO_VERSIONS,
) -> Iterator[Sandbox]:
    """A sandbox while the block runs; whatever happens in it, nothing of it is left afterwards.

    `there` are the versions of the user's cluster: where ours can be told to do as they do, they are.
    """
    files = paths(programs)
    ways = older_ways({name: program.version for name, program in programs.items()}, there)
    with (
        ControlPlane(files, folder) as plane,
        World(plane, network=network, recording=recording, gitssh=files.get("gitssh")) as world,
        PodRunner(plane, files, world.environment, ways) as runner,
        Lifter(plane.cluster, world.has) as lifter,
    ):
        yield Sandbox(plane, runner, world, lifter, programs)

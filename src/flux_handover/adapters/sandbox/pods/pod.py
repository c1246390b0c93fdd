"""A pod as its node sees it, and what is recorded of the programs that run for pods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from flux_handover.adapters.cluster import Kind
from flux_handover.adapters.sandbox.control.processes import Process
from flux_handover.adapters.sandbox.pods.containers import main_container, program_of
from flux_handover.adapters.sandbox.pods.status import Report
from flux_handover.objects import mapping

Manifest = Mapping[str, Any]
POD = Kind("", "v1", "Pod", "pods", True, frozenset())
FIRST_PAUSE, LONGEST_PAUSE, STEADY = 1.0, 30.0, 60.0


class Happening(Enum):
    """What can happen to a program."""

    STARTED = "started"
    STOPPED = "stopped"
    CRASHED = "crashed"


class Stage(Enum):
    """How far a node has come with a pod."""

    UNBOUND = "unbound"
    BOUND = "bound"
    ENDING = "ending"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class PodEvent:
    """One start, stop or crash: when, which program in which pod, its arguments or exit code."""

    time: float
    happening: Happening
    program: str
    pod: str
    arguments: tuple[str, ...] = ()
    exit: int | None = None


@dataclass(slots=True)
class Pod:
    """A pod that a node cares for, and what runs for it."""

    manifest: Manifest
    stage: Stage = Stage.UNBOUND
    process: Process | None = None
    arguments: tuple[str, ...] = ()
    ready_at: str = ""
    report: Report | None = None
    began: float = 0.0
    pause: float = FIRST_PAUSE
    not_before: float = 0.0
    kill_at: float = 0.0

    @property
    def program(self) -> str:
        """The program that its image names."""
        return program_of(self.manifest)

    @property
    def metadata(self) -> Manifest:
        """Its metadata."""
        return mapping(self.manifest.get("metadata"))

    @property
    def name(self) -> str:
        """`namespace/name`."""
        return f"{self.metadata.get('namespace')}/{self.metadata.get('name')}"

    @property
    def path(self) -> str:
        """Its path at the API server."""
        return POD.path(str(self.metadata.get("namespace")), str(self.metadata.get("name")))

    @property
    def grace(self) -> float:
        """The seconds that its processes have to end by themselves."""
        metadata, spec = self.metadata, mapping(self.manifest.get("spec"))
        return float(metadata.get("deletionGracePeriodSeconds", spec.get("terminationGracePeriodSeconds", 30)))

    @property
    def lease(self) -> tuple[str, ...]:
        """What it must hold alone to be active: controllers with another selector share nothing."""
        arguments = [str(argument) for argument in main_container(self.manifest).get("args") or ()]
        selectors = (argument for argument in arguments if argument.startswith("--watch-label-selector"))
        return (str(self.metadata.get("namespace")), self.program, *selectors)

    def update(self, manifest: Manifest) -> None:
        """Takes over what the API server says now."""
        self.manifest = manifest
        if self.stage is Stage.UNBOUND and mapping(manifest.get("spec")).get("nodeName"):
            self.stage = Stage.BOUND
        if "deletionTimestamp" in self.metadata and self.stage is not Stage.REMOVED:
            self.stage = Stage.ENDING

    def crashed(self, now: float) -> None:
        """Notes that its process ended by itself: the next start waits, longer each time."""
        if now - self.began > STEADY:
            self.pause = FIRST_PAUSE
        self.process = None
        self.not_before = now + self.pause
        self.pause = min(2 * self.pause, LONGEST_PAUSE)

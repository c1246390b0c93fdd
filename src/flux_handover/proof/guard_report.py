"""What the guard says of one revision, as values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from flux_handover.findings import Finding, Severity
from flux_handover.model.rendering import Build, BuildStatus
from flux_handover.objects import ObjectId
from flux_handover.proof.deletions import Deleted
from flux_handover.proof.guard_bases import Base
from flux_handover.waivers import Waived


class Safety(Enum):
    """Unsafe wins over unknown (contract K4)."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """One Kustomization on both sides; a side where it is not is None, and has no objects."""

    cluster: str
    id: ObjectId
    before: BuildStatus | None
    after: BuildStatus | None
    error: str
    objects_before: int
    objects_after: int
    base: Base | None


@dataclass(frozen=True, slots=True)
class GuardReport:
    """One step; `undecided` are sentences about what could not be known, `waived` what a person accepted."""

    base: str
    revision: str
    deletes: tuple[Deleted, ...]
    kustomizations: tuple[Standing, ...]
    findings: tuple[Finding, ...]
    undecided: tuple[str, ...]
    notes: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    waived: tuple[Waived, ...] = ()

    @property
    def direct(self) -> tuple[Deleted, ...]:
        """The deletions that follow from no other one."""
        return tuple(one for one in self.deletes if not one.cascade)

    @property
    def alarms(self) -> tuple[Deleted, ...]:
        """The direct deletions that nobody meant."""
        return tuple(one for one in self.direct if not one.expected)

    @property
    def verdict(self) -> Safety:
        """Unsafe with an error, unknown where something is undecided or no cluster is known, else safe."""
        if any(finding.severity is Severity.ERROR for finding in self.findings):
            return Safety.UNSAFE
        return Safety.UNKNOWN if self.undecided or not self.clusters else Safety.SAFE


def worst(verdicts: Iterable[Safety]) -> Safety:
    """The verdict of several steps together."""
    found = set(verdicts)
    return next((one for one in (Safety.UNSAFE, Safety.UNKNOWN) if one in found), Safety.SAFE)


def standing_of(cluster: str, old: Build | None, new: Build | None, base: Base | None) -> Standing:
    """A Kustomization as it stands on both sides; of one that does not build now, what the cluster keeps counts."""
    some = new or old
    assert some is not None
    before, after = _side(old), _side(new)
    error = new.failure.message if new and new.failure else ""
    return Standing(cluster, some.id, before[0], after[0], error, before[1], after[1], base if old else None)


def _side(build: Build | None) -> tuple[BuildStatus | None, int]:
    return (build.status, len(build.present)) if build else (None, 0)

"""What is wrong in a repository: one hazard in one place, with what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """What a finding does to the verdict: an error blocks, a warning does not."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in the repository; line 0 means the file as a whole."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Finding:
    """One hazard (by code) in one place; `subject` is the full id of the object, if it has one.

    `grade` is the class S0..S4 of hazards.md: S0 destroys workloads or data, S1 Flux itself,
    S2 freezes reconciliation, S3 degrades configuration, S4 is hygiene.
    """

    hazard: str
    severity: Severity
    grade: str
    message: str
    where: Location | None = None
    hint: str = ""
    subject: str = ""
    cluster: str = ""

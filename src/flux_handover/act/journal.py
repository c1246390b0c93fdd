"""What was done, as JSON lines: only ever added to, and on the disk before the next step begins.

It confirms, it never decides: whoever resumes looks at the cluster and at Git again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from flux_handover.objects import ObjectId

Entry = Mapping[str, Any]


class Journal:
    """A file of steps; entering opens it for appending, and nobody else can read it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Self:
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def write(self, time: float, step: str, **facts: Any) -> None:
        """Adds one step; it is on the disk when this returns."""
        told = {name: str(fact) if isinstance(fact, ObjectId) else fact for name, fact in facts.items()}
        line = json.dumps({"time": round(time, 3), "step": step, **told}, default=str) + "\n"
        os.write(self._file, line.encode())
        os.fsync(self._file)


def entries(path: Path) -> Iterator[Entry]:
    """The steps in a journal; a last line that a crash cut short is left out."""
    lines = path.read_text().split("\n")
    for line in lines[:-1]:
        yield json.loads(line)

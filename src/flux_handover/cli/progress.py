"""A sign of life on the terminal while something takes long, and what is said beside a report."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Self

PATIENCE_SECONDS = 1.0


def note(sentence: str) -> None:
    """Tell the user something beside the report."""
    from flux_handover.report.escaping import printable

    print(f"note: {printable(sentence)}", file=sys.stderr)


class Progress:
    """Says on stderr what is being done, on a terminal only, and only after a second of silence."""

    def __init__(self) -> None:
        self._doing = ""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def __call__(self, doing: str) -> None:
        """Say from now on that this is being done."""
        self._doing = doing

    def _show(self) -> None:
        shown = False
        while not self._done.wait(PATIENCE_SECONDS):
            print(f"\r\x1b[2K{self._doing} ...", end="", file=sys.stderr, flush=True)
            shown = True
        if shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

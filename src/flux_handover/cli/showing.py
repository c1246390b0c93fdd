"""What the terminal is like, and a sign of life on it while something takes long."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from types import TracebackType
from typing import Self

from flux_handover.report.page import Detail, Screen

PLAIN_WIDTH = 120
PATIENCE_SECONDS = 1.0


def screen(verbose: bool) -> Screen:
    """The page that standard output can show."""
    detail = Detail.FULL if verbose else Detail.BRIEF
    if not sys.stdout.isatty():
        return Screen(PLAIN_WIDTH, False, detail)
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Screen(shutil.get_terminal_size().columns, colour, detail)


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

"""What the terminal is like, and what of a page it can show."""

from __future__ import annotations

import os
import shutil
import sys

from flux_handover.report.page import Detail, Screen

PLAIN_WIDTH = 120


def screen(verbose: bool) -> Screen:
    """The page that standard output can show."""
    detail = Detail.FULL if verbose else Detail.BRIEF
    if not sys.stdout.isatty():
        return Screen(PLAIN_WIDTH, False, detail)
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Screen(shutil.get_terminal_size().columns, colour, detail)

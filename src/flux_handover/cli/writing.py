"""Putting a page on standard output; whatever writes needs this, and nothing else of the terminal."""

from __future__ import annotations

import sys


def write(page: str) -> None:
    """Put a report on standard output; a character that the terminal cannot show is written as an escape."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(page.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()

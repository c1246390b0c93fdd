"""Folders of sandboxes whose warden was killed too, so that nobody removed them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from flux_handover.adapters.sandbox.control.warden import KEPT, LOCK

PREFIX = "flux-handover-sandbox-"


def fresh_folder() -> Path:
    """A new folder for a sandbox, once what earlier ones left behind is gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if is_left_behind(folder):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=PREFIX))


def is_left_behind(folder: Path) -> bool:
    """Whether a sandbox of ours had the folder, does so no longer, and nobody wants to read its logs."""
    try:
        if folder.stat().st_uid != os.getuid() or (folder / KEPT).exists():
            return False
        with (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # It is in use, or so new that nobody holds it yet, or just going.
        return False
    return True

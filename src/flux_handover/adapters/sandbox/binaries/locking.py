"""One builder at a time for one folder of the cache, over processes, and never half a folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of `folder`, which need not exist; a process that dies lets it go."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """An empty folder that becomes `folder` in one step at the end, or vanishes with an error."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield draft
        draft.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)

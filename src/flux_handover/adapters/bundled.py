"""The repository that ships with the package, as a real one: what `demo` shows and what tests move."""

from __future__ import annotations

import os
import shutil
from importlib import resources
from pathlib import Path

from flux_handover.adapters.git_program import environment, run
from flux_handover.errors import UnreadableRepository, UsageError


def prepared(folder: Path) -> Path:
    """The bundled repository, committed on `main`, in a folder that is new or empty."""
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="name a new folder")
    with resources.as_file(resources.files("flux_handover.demo") / "repository") as bundled:
        shutil.copytree(bundled, folder, dirs_exist_ok=True)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "config", "user.name", "Harbour Master")
    _git(folder, "config", "user.email", "harbour@example.org")
    _git(folder, "config", "commit.gpgsign", "false")
    _git(folder, "config", "core.hooksPath", os.devnull)
    _git(folder, "add", "--all", "--force")
    _git(folder, "commit", "--quiet", "--message", "Run the harbour with Flux")
    return folder


def _git(folder: Path, *arguments: str) -> None:
    answer = run(folder, *arguments, variables=environment(None, os.environ))
    if answer.status:
        raise UnreadableRepository(f"git {arguments[0]} failed: {answer.said}", where=str(folder))

"""What this machine and a repository offer: programs and their versions, the engine, the state of a clone."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from flux_handover.adapters.engine import Engine, engine_path
from flux_handover.adapters.git import Repository
from flux_handover.adapters.sandbox.binaries.doctor import EVERYTHING, diagnose
from flux_handover.adapters.sandbox.binaries.providers import Modules, State
from flux_handover.adapters.sandbox.systems import ELSEWHERE
from flux_handover.errors import HandoverError

PYTHON = (3, 11)
GIT = (2, 31)


class Need(Enum):
    """Who needs a thing: every verb, or a developer."""

    ALWAYS = "always"
    SOMETIMES = "sometimes"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked for; `found` says what is there, `hint` how to get what is not."""

    name: str
    need: Need
    is_met: bool
    found: str
    hint: str = ""

    @property
    def is_needed(self) -> bool:
        """Whether nothing works without it."""
        return self.need is Need.ALWAYS


def examined(path: Path) -> tuple[Check, ...]:
    """Every check of the machine, and of the repository at `path`."""
    return (*_machine(), _sandbox(), *_repository(path))


def _machine() -> Iterator[Check]:
    version = platform.python_version()
    is_new = sys.version_info >= PYTHON
    yield Check("Python", Need.ALWAYS, is_new, version, "" if is_new else "install Python 3.11 or newer")
    yield _program("git", GIT, ("--version",), Need.ALWAYS, "install Git 2.31 or newer")
    yield _engine()
    yield _program("go", (1, 26), ("version",), Need.SOMETIMES, "needed only to build flux-handover from its source")


def _program(name: str, least: tuple[int, int], arguments: tuple[str, ...], need: Need, hint: str) -> Check:
    found = shutil.which(name)
    if found is None:
        return Check(name, need, False, "not found", hint)
    try:
        said = subprocess.run((found, *arguments), capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name, need, False, f"{found} does not answer: {type(error).__name__}", hint)
    version = re.search(r"(\d+)\.(\d+)(?:\.\d+)*", said)
    is_new = version is not None and (int(version[1]), int(version[2])) >= least
    return Check(name, need, is_new, f"{version[0] if version else said.strip()} at {found}", "" if is_new else hint)


def _engine() -> Check:
    try:
        path = engine_path()
        with Engine(path) as engine:
            version = engine.version
    except HandoverError as error:
        return Check("engine", Need.ALWAYS, False, error.message, error.hint)
    return Check("engine", Need.ALWAYS, True, f"{version.engine}, kustomize {version.kustomize}, at {path}")


def _sandbox() -> Check:
    """What a rehearsal needs: the programs of a control plane, built or to be built, and a system that runs them."""
    diagnosis = diagnose(EVERYTHING, (Modules(),))
    ready = [offer for offer in diagnosis.programs if offer.state is State.READY]
    lacking = sorted({offer.reason for offer in diagnosis.programs if offer.state is State.MISSING})
    lacking += [f"{tool} is not installed" for tool in diagnosis.missing_tools]
    minutes = f"; the first start builds the rest, about {-(-diagnosis.seconds // 60)} min" if diagnosis.seconds else ""
    found = f"{len(ready)} of {len(diagnosis.programs)} programs are there, {diagnosis.megabytes} MB{minutes}"
    hint = f"{'; '.join(lacking)}; or {ELSEWHERE}" if lacking else ""
    return Check("sandbox", Need.SOMETIMES, not lacking, found, hint)


def _repository(path: Path) -> Iterator[Check]:
    try:
        with Repository.open(path) as repository:
            revision = repository.resolve("HEAD")
            dirty = repository.is_dirty()
            shallow = repository.is_shallow
    except HandoverError as error:
        yield Check("repository", Need.SOMETIMES, False, error.message, error.hint or "name a repository: doctor PATH")
        return
    yield Check("repository", Need.SOMETIMES, True, f"{repository.path}, HEAD is {revision[:12]}")
    yield Check(
        "history",
        Need.SOMETIMES,
        not shallow,
        "shallow" if shallow else "whole",
        "fetch the rest with `git fetch --unshallow`" if shallow else "",
    )
    hint = "only committed content is read; commit what should count" if dirty else ""
    yield Check("work tree", Need.SOMETIMES, not dirty, "has changes not committed" if dirty else "clean", hint)

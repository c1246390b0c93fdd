"""A control plane for each module that asks for one, and the programs that it needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from flux_handover.adapters.sandbox.binaries.doctor import CONTROL_PLANE
from flux_handover.adapters.sandbox.binaries.providers import Modules, Program, State, choose
from flux_handover.adapters.sandbox.control.plane import ControlPlane

Obtain = Callable[..., Mapping[str, Program]]
Eventually = Callable[..., None]


@pytest.fixture(scope="session")
def obtain() -> Obtain:
    """Programs by name, from the cache; a test is skipped where they are neither there nor can be built."""

    def obtained(*names: str) -> Mapping[str, Program]:
        modules = Modules(jobs=2)
        for name in names:
            offer = modules.availability(name)
            if offer.state is State.MISSING:
                pytest.skip(f"{name} cannot be had: {offer.reason}")
        return choose(names, (modules,))

    return obtained


@pytest.fixture(scope="module")
def plane(obtain: Obtain) -> Iterator[ControlPlane]:
    """A control plane that the tests of a module share."""
    programs = obtain(*CONTROL_PLANE)
    with ControlPlane({name: program.path for name, program in programs.items()}) as running:
        yield running


@pytest.fixture(scope="session")
def eventually() -> Eventually:
    """Waits until a question is answered with yes; fails with what was asked."""

    def wait(question: Callable[[], object], *, seconds: float = 60, what: str = "") -> None:
        end = time.monotonic() + seconds
        while not question():
            assert time.monotonic() < end, f"not within {seconds} s: {what}"
            time.sleep(0.1)

    return wait


@pytest.fixture
def program_file(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a shell script that can be run."""

    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    return written

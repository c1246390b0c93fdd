"""The commands that are compared: ours cold and warm, and the peers that this machine has."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measuring import Program
from benchmarks.repositories import Pair

PEERS = Path.home() / ".cache" / "flux-handover" / "bin"
FLATE = "flate-v0.6.5"
# Verdicts and differences are exit codes too; only a crash is a failure.
_DONE = frozenset({0, 1, 2})


def variables(cache: Path) -> dict[str, str]:
    """The environment of every run: a cache of its own, no colours, and Python as it is installed."""
    kept = {
        key: value for key, value in os.environ.items() if key not in ("PYTHONDONTWRITEBYTECODE", "FLUX_HANDOVER_CACHE")
    }
    return {**kept, "XDG_CACHE_HOME": str(cache), "NO_COLOR": "1"}


def offline() -> tuple[str, ...]:
    """What runs a command without network, where this user may do that."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    rights = () if os.geteuid() == 0 else ("--map-root-user",)
    return (unshare, *rights, "--net")


def ours(pair: Pair, place: Path) -> Iterator[Program]:
    """`guard` and, as its part that renders, two snapshots; each cold, then warm."""
    tool = str(Path(sys.executable).with_name("flux-handover"))
    guard = (*offline(), tool, "guard", "HEAD~1", "HEAD", "--repository", str(pair.repository))
    snapshots = (*offline(), sys.executable, "-m", "benchmarks.snapshots", str(pair.repository))
    for name, command in (("guard", guard), ("snapshots", snapshots)):
        cold, warm = place / f"{name}-cold", place / f"{name}-warm"
        yield Program(f"{name}, cold", command, _here(), variables(cold), _DONE, _emptied(cold))
        yield Program(f"{name}, warm", command, _here(), variables(warm), _DONE)


def peers(pair: Pair, place: Path) -> Iterator[Program]:
    """flate and flux-local, where they can be had, on the same two trees and cold."""
    flate = PEERS / FLATE / "flate"
    paths = ("--path", str(pair.head / pair.root), "--path-orig", str(pair.base / pair.root))
    if flate.is_file():
        cache = place / "flate"
        quiet = ("--no-progress", "--source-retry-attempts", "1", "--log-level", "error", "--allow-missing-secrets")
        command = (*offline(), str(flate), "diff", "ks", *paths, *quiet)
        yield Program("flate diff ks, cold", command, pair.head, variables(cache), _DONE, _emptied(cache))
        whole = (*offline(), str(flate), "build", "ks", *paths[:2], *quiet)
        yield Program("flate build ks, one side, cold", whole, pair.head, variables(cache), _DONE, _emptied(cache))
    local = shutil.which("flux-local", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if local and not missing_for_flux_local():
        cache = place / "flux-local"
        command = (*offline(), local, "diff", "ks", *paths)
        yield Program("flux-local diff ks, cold", command, pair.head, variables(cache), _DONE, _emptied(cache))


def missing_for_flux_local() -> list[str]:
    """Which of the programs that flux-local runs are not on this machine."""
    return [name for name in ("flux", "kustomize", "helm") if shutil.which(name) is None]


def _emptied(cache: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(cache, ignore_errors=True)


def _here() -> Path:
    return Path(__file__).resolve().parents[1]

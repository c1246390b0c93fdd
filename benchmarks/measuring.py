"""Runs of programs: wall time, processor time and peak memory, and how much the machine wavers meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, pstdev

_SAMPLE_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Program:
    """What is run, where, and what makes each run cold; `statuses` are those that count as done."""

    name: str
    command: tuple[str, ...]
    directory: Path
    variables: Mapping[str, str]
    statuses: frozenset[int]
    before: Callable[[], None] = lambda: None
    limit: float = 60.0
    sample: float = _SAMPLE_SECONDS


class TooSlow(Exception):
    """A run took longer than the program's limit, and was ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run; memory is the largest sum over the process and its children that was seen."""

    seconds: float
    processor_seconds: float
    megabytes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Medians of the runs of one program; `spread` is the deviation of the wall time in percent of its mean."""

    name: str
    seconds: float
    processor_seconds: float
    megabytes: int
    spread: int
    runs: int


def alternating(programs: Sequence[Program], runs: int) -> tuple[Summary, ...]:
    """Each program once to warm the disk, then all in turn, so that a noisy minute hits them alike."""
    fast = [program for program in programs if _ends(program)]
    found: dict[str, list[Run]] = {program.name: [] for program in fast}
    for _ in range(runs):
        for program in fast:
            found[program.name].append(run(program))
    return tuple(summary(name, of_name) for name, of_name in found.items())


def _ends(program: Program) -> bool:
    """Whether a program ends within its limit; one that does not is left out."""
    try:
        run(program)
    except TooSlow:
        return False
    return True


def summary(name: str, runs: Sequence[Run]) -> Summary:
    """The medians of some runs."""
    seconds = [one.seconds for one in runs]
    mean = sum(seconds) / len(seconds)
    return Summary(
        name=name,
        seconds=median(seconds),
        processor_seconds=median(one.processor_seconds for one in runs),
        megabytes=max(one.megabytes for one in runs),
        spread=round(100 * pstdev(seconds) / mean) if mean else 0,
        runs=len(runs),
    )


def run(program: Program) -> Run:
    """One run; raises where the program fails in a way that is not a verdict."""
    program.before()
    began = time.perf_counter()
    process = subprocess.Popen(
        program.command,
        cwd=program.directory,
        env=dict(program.variables),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    late = threading.Event()
    timer = threading.Timer(program.limit, _stop, (process.pid, late))
    timer.start()
    with _peak(process.pid, program.sample) as peak:
        complaint = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    code = process.returncode = os.waitstatus_to_exitcode(status)
    timer.cancel()
    if process.stderr:
        process.stderr.close()
    if late.is_set():
        raise TooSlow(program.name)
    if code not in program.statuses:
        last = complaint.decode(errors="replace").strip().splitlines()[-5:]
        raise RuntimeError(f"{program.name} ended with {code}: {' | '.join(last)}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, peak[0] // 1024)


def _stop(group: int, late: threading.Event) -> None:
    """End a process with its children; it leads a group of its own."""
    late.set()
    os.killpg(group, signal.SIGKILL)


@contextmanager
def _peak(pid: int, every: float) -> Iterator[list[int]]:
    """The largest resident size in KiB of a process with its children, sampled while the block runs."""
    peak, done = [0], threading.Event()

    def sample() -> None:
        while not done.wait(every):
            peak[0] = max(peak[0], sum(map(_resident, _family(pid))))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in _children(pid):
        yield from _family(child)


def _children(pid: int) -> tuple[int, ...]:
    """The children of a process; none of one that ends while it is looked at."""
    try:
        of_threads = [thread.read_text().split() for thread in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return ()
    return tuple(int(child) for children in of_threads for child in children)


def _resident(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def machine_noise(rounds: int = 15) -> int:
    """By how many percent the same small computation varies in wall time just now."""
    seconds = []
    for _ in range(rounds):
        began = time.perf_counter()
        sum(number * number for number in range(300_000))
        seconds.append(time.perf_counter() - began)
    return round(100 * pstdev(seconds) / (sum(seconds) / len(seconds)))

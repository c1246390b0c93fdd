"""How quiet `guard` is: the last commits of repositories judged one by one, with every error and its cause.

`python -m benchmarks.quiet PATH...`; whether an error is false is for a person to say.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERDICTS = ("safe", "unsafe", "unknown")


@dataclass(frozen=True, slots=True)
class Judged:
    """What the guard says of the last commits of one repository."""

    name: str
    seconds: float
    commits: tuple[Mapping[str, Any], ...]

    @property
    def verdicts(self) -> Counter[str]:
        """How many commits have which verdict."""
        return Counter(str(commit["verdict"]) for commit in self.commits)


def main() -> None:
    """Judge each repository, and print the table and what is not safe."""
    asked = _arguments()
    found = [judged(path, asked.last) for path in asked.paths]
    for line in (*table(found), "", *(line for one in found for line in causes(one))):
        sys.stdout.write(f"{line}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quiet", description=__doc__)
    parser.add_argument("paths", type=Path, nargs="+", help="clones, bare or not, with their history")
    parser.add_argument("--last", type=int, default=200, help="how many first-parent commits")
    return parser.parse_args()


def judged(path: Path, last: int) -> Judged:
    """The report of `guard --each` on the last commits of a repository; raises where it could not run."""
    began = time.perf_counter()
    tool = (sys.executable, "-c", "from flux_handover.cli.main import main; main()")
    command = (*tool, "guard", f"{_base(path, last)}..HEAD", "--each", "--repository", str(path), "--output", "json")
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    report = json.loads(answer.stdout)
    if "error" in report:
        raise RuntimeError(f"{path}: {report['error']['message']}")
    return Judged(_name(path), time.perf_counter() - began, tuple(report["commits"]))


def _base(path: Path, last: int) -> str:
    history = ("git", "-C", str(path), "rev-list", "--first-parent", f"--max-count={last + 1}", "HEAD")
    return subprocess.run(history, capture_output=True, text=True, check=True).stdout.split()[-1]


def _name(path: Path) -> str:
    """The repository's name, also where the clone is a directory in one of that name."""
    return path.resolve().parent.name if path.name in ("repo", ".git") else path.resolve().name


def table(found: Sequence[Judged]) -> Iterator[str]:
    """One line a repository."""
    yield "| repository | commits | safe | unsafe | unknown | seconds a commit |"
    yield "|---|---|---|---|---|---|"
    for one in found:
        counts = " | ".join(str(one.verdicts[verdict]) for verdict in VERDICTS)
        yield f"| {one.name} | {len(one.commits)} | {counts} | {one.seconds / max(len(one.commits), 1):.2f} |"


def causes(one: Judged) -> Iterator[str]:
    """Every error and everything undecided, by commit."""
    for commit in one.commits:
        errors = [finding for finding in commit["findings"] if finding["severity"] == "error"]
        for finding in errors:
            yield f"- {one.name} {commit['sha'][:9]} {finding['hazard']}: {finding['message']}"
        for sentence in commit["undecided"]:
            yield f"- {one.name} {commit['sha'][:9]} unknown: {sentence}"


if __name__ == "__main__":
    main()

"""Plans every repository of a folder and writes a table of the shapes: `python -m tools.corpus FOLDER`.

A repository is a directory with a `.git`, or an archive `*.tar.xz` of its files. Rows name shapes, not
repositories: how Flux is installed, how much there is, what became of it. Where a refusal's hint names an
operator version, the plan is made once more with it, and the row says so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from flux_handover.act.proved import ProvedPlan
from flux_handover.cli.planning import planned
from flux_handover.cli.reading import Wanted, opened, snapshot_of
from flux_handover.errors import HandoverError
from flux_handover.model.snapshot import Snapshot
from flux_handover.plan.target import Options
from flux_handover.proof.obligations import Verdict

HEAD = "| Flux by | Flux | clusters | Kustomizations | settings found | carried | verdict | deletions | seconds |"
WORDS = {Verdict.HOLDS: "proved", Verdict.REFUTED: "refuted", Verdict.UNKNOWN: "unknown"}
_NAMES = re.compile(r"[\w.-]+(?:/[\w.-]+)+|`[^`]*`")
_OPERATOR = re.compile(r"name (v[\d.]+) with --operator-version")


@dataclass(frozen=True, slots=True)
class Row:
    """One repository: what it is, and what became of it."""

    method: str
    flux: str
    clusters: int
    kustomizations: int
    found: int
    carried: str
    verdict: str
    deletions: str
    seconds: float

    def __str__(self) -> str:
        counts = f"{self.clusters} | {self.kustomizations} | {self.found} | {self.carried}"
        return f"| {self.method} | {self.flux} | {counts} | {self.verdict} | {self.deletions} | {self.seconds:.0f} |"


def row_of(repository: Path) -> Row:
    """The row of one repository."""
    began = time.monotonic()
    wanted = Wanted(repository, "HEAD")
    with opened(repository) as tools:
        snapshot = snapshot_of(tools, wanted)
        row = _read(snapshot)
        try:
            try:
                row = _planned(row, planned(tools, snapshot, wanted, Options()))
            except HandoverError as error:
                version = _OPERATOR.search(error.hint or "")
                if version is None:
                    raise
                plans = planned(tools, snapshot, wanted, Options(operator_version=version[1]))
                row = _planned(row, plans)
                row = replace(row, verdict=f"refused by default; {row.verdict} with `--operator-version {version[1]}`")
        except HandoverError as error:
            place = "with file and line" if re.search(r":\d+$", error.where or "") else "with file"
            row = replace(row, verdict=f"refused, {place}: {_NAMES.sub('…', error.message)}")
    return replace(row, seconds=time.monotonic() - began)


def _read(snapshot: Snapshot) -> Row:
    found = snapshot.installations.values()
    return Row(
        method=", ".join(sorted({one.method.value for one in found})) or "unknown",
        flux=", ".join(sorted({one.version or "unknown" for one in found})) or "unknown",
        clusters=len(snapshot.clusters),
        kustomizations=sum(len(cluster.builds) for cluster in snapshot.clusters),
        found=sum(len(one.settings) for one in found),
        carried="-",
        verdict="",
        deletions="-",
        seconds=0,
    )


def _planned(row: Row, plans: tuple[ProvedPlan, ...]) -> Row:
    verdicts = [proof.verdict for one in plans for proof in one.proofs]
    worst = next((v for v in (Verdict.REFUTED, Verdict.UNKNOWN) if v in verdicts), Verdict.HOLDS)
    removed = [id for one in plans for phase in one.plan.phases for id in phase.removes]
    kinds = ", ".join(
        f"{sum(id.kind == kind for id in removed)} {kind}" for kind in sorted({id.kind for id in removed})
    )
    carried = sum(len(one.plan.installation.settings) for one in plans) if worst is Verdict.HOLDS else None
    return replace(
        row,
        verdict=WORDS[worst],
        deletions=kinds or "none",
        carried="not proved" if carried is None else str(carried),
    )


def repositories(folder: Path, scratch: Path) -> Iterator[Path]:
    """The repositories of a folder, archives unpacked and committed once."""
    for path in sorted(folder.iterdir()):
        if (path / ".git").exists():
            yield path
        elif path.name.endswith(".tar.xz"):
            yield unpacked(path, scratch / path.name.removesuffix(".tar.xz"))


def unpacked(archive: Path, place: Path) -> Path:
    """A repository of one commit with the files of an archive."""
    place.mkdir(parents=True)
    with tarfile.open(archive) as tar:
        tar.extractall(place, filter="data")
    author = ("-c", "user.name=Corpus", "-c", "user.email=corpus@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "-A", "-f"), ("commit", "-q", "-m", "Import")):
        subprocess.run(["git", "-C", str(place), *author, *command], check=True, capture_output=True)
    return place


def main(arguments: list[str] | None = None) -> None:
    """Reads the arguments, prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without", action="append", default=[], metavar="NAME")
    options = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for repository in repositories(options.folder, Path(scratch)):
            if repository.name not in options.without:
                with Path(os.devnull).open("w") as nothing, contextlib.redirect_stderr(nothing):
                    rows.append(row_of(repository))
    print(HEAD)
    print("|---" * 9 + "|")
    for row in sorted(rows, key=lambda row: (not row.verdict.startswith("proved"), row.method, row.kustomizations)):
        print(row)


if __name__ == "__main__":
    main()

"""`python -m benchmarks`: the tables of docs/explanation/performance.md, measured on this machine."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from benchmarks.generated import Change
from benchmarks.measuring import Program, Summary, alternating, machine_noise
from benchmarks.programs import missing_for_flux_local, ours, peers
from benchmarks.repositories import Pair, corpus_pair, generated_pair

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus"
# Archives of real repositories, with the directory of a root.
ARCHIVES = (
    ("flux-talos-0-base", "kubernetes/flux"),
    ("nklmilojevic-home", "kubernetes/flux"),
    ("onedr0p-home-ops", "kubernetes/main/flux"),
)
SIZES = (100, 300, 1000)


def main() -> None:
    """Measure what was asked for, and print it as Markdown."""
    asked = _arguments()
    say(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    say(f"the same computation varies by {machine_noise()} % on this machine just now\n")
    with tempfile.TemporaryDirectory(prefix="flux-handover-bench-") as name:
        place = Path(name)
        for number, pair in enumerate(_corpus(asked.corpus, place)):
            _say(pair, *_measured(pair, place / f"caches-{number}", asked.runs, asked.peers_up_to))
        for size, change in product(asked.sizes, Change):
            pair = generated_pair(size, change, place / f"generated-{size}-{change.value}")
            most = asked.peers_up_to if size <= asked.peers_up_to else 0
            _say(pair, *_measured(pair, place / f"caches-{size}-{change.value}", asked.runs, most))
    if missing := missing_for_flux_local():
        say(f"flux-local is left out: it runs {', '.join(missing)}, which this machine does not have")


def say(line: str = "") -> None:
    """One line, now: a table grows while the next one is measured."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="directory of archives")
    parser.add_argument("--runs", type=int, default=5, help="runs of each program")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="Kustomizations of generated repositories")
    parser.add_argument("--peers-up-to", type=int, default=300, help="other tools only up to this size; 0 for none")
    return parser.parse_args()


def _corpus(corpus: Path, place: Path) -> Iterator[Pair]:
    for name, root in ARCHIVES:
        pair = corpus_pair(corpus, name, root, place / name)
        if pair is None:
            say(f"{name} is left out: the archive is not in {corpus}")
        else:
            yield pair


def _measured(pair: Pair, place: Path, runs: int, peers_up_to: int) -> tuple[tuple[Summary, ...], tuple[str, ...]]:
    """The summaries, and the names of the programs that did not end in time."""
    programs: list[Program] = list(ours(pair, place))
    if peers_up_to:
        programs.extend(peers(pair, place))
    summaries = alternating(programs, runs)
    ended = {one.name for one in summaries}
    return summaries, tuple(program.name for program in programs if program.name not in ended)


def _say(pair: Pair, summaries: Sequence[Summary], left_out: Sequence[str]) -> None:
    """One table; ratios are to the two snapshots, cold, which is what the tools have in common."""
    cold = next(one for one in summaries if one.name == "snapshots, cold")
    say(f"### {pair.name}\n")
    say("| program | seconds | ratio | processor seconds | ratio | peak MB | spread |")
    say("|---|---|---|---|---|---|---|")
    for one in summaries:
        wall = f"{one.seconds:.2f} | {one.seconds / cold.seconds:.1f}"
        processor = f"{one.processor_seconds:.2f} | {one.processor_seconds / cold.processor_seconds:.1f}"
        say(f"| {one.name} | {wall} | {processor} | {one.megabytes} | {one.spread} % |")
    for name in left_out:
        say(f"| {name} | over its limit | | | | | |")
    say()


if __name__ == "__main__":
    main()

"""Command lines of controllers as a last-wins multimap, feature gates merged per key.

pflag keeps the last value of a flag, except for list flags, which accumulate; gates are read
by `k8s.io/component-base:cli/flag/map_string_bool.go@v0.34.4`, which merges every occurrence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

GATES = "--feature-gates"
_FLAG = re.compile(r"-+[^-]")

REPEATABLE = frozenset({"--override-manager", "--ssh-kex-algos", "--ssh-hostkey-algos"})
"""Flags whose occurrences add up, in `main.go` of kustomize-, helm- (v1.6.3) and source-controller (v1.9.6)."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One occurrence on the command line; a flag without a value is `true`."""

    name: str
    value: str


def flags(arguments: Sequence[object]) -> tuple[Flag, ...]:
    """Every flag in the order written; `--a=b`, `--a b` and a bare `--a` are all understood."""
    return tuple(_flags([str(argument) for argument in arguments]))


def _flags(words: Sequence[str]) -> Iterator[Flag]:
    for word, following in pairwise([*words, "-"]):
        if _FLAG.match(word):
            name, equals, value = word.partition("=")
            loose = "true" if following.startswith("-") else following
            yield Flag(f"--{name.lstrip('-')}", value if equals else loose)


def effective_flags(arguments: Sequence[object]) -> dict[str, str]:
    """The value that counts for each flag but the feature gates; repeatable flags join theirs with a comma."""
    values: dict[str, str] = {}
    for flag in flags(arguments):
        if flag.name == GATES:
            continue
        earlier = values.get(flag.name)
        joins = flag.name in REPEATABLE and earlier is not None
        values[flag.name] = f"{earlier},{flag.value}" if joins else flag.value
    return values


def effective_gates(arguments: Sequence[object]) -> dict[str, str]:
    """The value that counts for each feature gate, over all occurrences of the flag."""
    gates: dict[str, str] = {}
    for flag in flags(arguments):
        if flag.name == GATES:
            gates.update(_gate(entry) for entry in flag.value.split(",") if entry.strip())
    return gates


def _gate(entry: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    return name.strip(), value.strip().lower() if equals else "true"

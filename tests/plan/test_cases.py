"""A directory is a test: what is there before, the operations, and the whole repository after them."""

import os
import shutil
from pathlib import Path

import pytest
from lanes import slowly
from planning import CASES, Reader, names_of, shown, tree_of

from flux_handover.plan.target import Options, SyncStrategy
from flux_handover.proof.obligations import Verdict
from flux_handover.tree import Tree

NAMES = sorted(path.name for pattern in ("plan-*", "transfer-*") for path in CASES.glob(pattern))
LONG_TO_PROVE = {"plan-remote-base", "plan-settings-of-every-spelling", "plan-namespace-directories"}


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_has_these_operations(name: str, reader: Reader) -> None:
    plan = reader.plan(tree_of(CASES / name / "before"), options_of(name))

    assert shown(plan) == golden_text(CASES / name / "operations.txt", shown(plan))


@pytest.mark.parametrize("name", NAMES)
def test_a_plan_ends_in_these_files(name: str, reader: Reader) -> None:
    plan = reader.plan(tree_of(CASES / name / "before"), options_of(name))
    end = plan.phases[-1].tree

    expected = golden_tree(CASES / name / "expected", end)

    assert {path: end.read(path).decode() for path in end} == {path: expected.read(path).decode() for path in expected}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_to_plan_after_the_last_phase(name: str, reader: Reader) -> None:
    end = reader.plan(tree_of(CASES / name / "before"), options_of(name)).phases[-1].tree

    assert names_of(reader.plan(end)) == []


@pytest.mark.parametrize("name", slowly(LONG_TO_PROVE, NAMES))
def test_every_phase_of_a_case_is_proved(name: str, reader: Reader) -> None:
    tree = tree_of(CASES / name / "before")
    plan = reader.plan(tree, options_of(name))

    proofs = reader.proofs(tree, options_of(name))

    assert {proof.phase: proof.verdict for proof in proofs} == dict.fromkeys(names_of(plan), Verdict.HOLDS)


def options_of(name: str) -> Options:
    """What the user says: the sync strategy, where the case has a file of that name."""
    sync = CASES / name / "sync"
    return Options(sync=SyncStrategy(sync.read_text().strip())) if sync.exists() else Options()


def golden_text(path: Path, actual: str) -> str:
    """The expected text, written first under `make golden`."""
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(actual)
    return path.read_text()


def golden_tree(directory: Path, actual: Tree) -> Tree:
    """The expected repository, written first under `make golden`."""
    if os.environ.get("UPDATE_GOLDEN"):
        shutil.rmtree(directory, ignore_errors=True)
        for path in actual:
            place = directory / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(actual.read(path))
    return tree_of(directory)

"""The operator that is there already decides, whatever would be chosen without it."""

from __future__ import annotations

import pytest
from planning import CASES, Reader, tree_of

from flux_handover.errors import UnsupportedInstallation, UsageError
from flux_handover.plan.phases import PhaseName
from flux_handover.plan.target import Options
from flux_handover.tree import Tree

BEFORE = CASES / "plan-namespace-directories" / "before"
WRITTEN = "v0.50.0"


def with_operator(reader: Reader, version: str) -> Tree:
    """The repository after phase `operator`, whose chart somebody moved to another version."""
    plan = reader.plan(tree_of(BEFORE))
    assert plan.target.operator_version == WRITTEN
    tree = next(phase.tree for phase in plan.phases if phase.name is PhaseName.OPERATOR)
    for path in tree:
        if "flux-operator" in path:
            text = tree.read(path).replace(WRITTEN.removeprefix("v").encode(), version.encode())
            tree = tree.with_file(path, text)
    return tree


def test_the_operator_that_is_there_is_kept(reader: Reader) -> None:
    plan = reader.plan(with_operator(reader, "0.40.0"))

    assert plan.target.operator_version == "v0.40.0"
    assert PhaseName.OPERATOR not in [phase.name for phase in plan.phases]


@pytest.mark.parametrize(
    ("version", "says", "hint"),
    [
        ("0.27.0", "v0.27.0 does not protect what it adopts", "honours"),
        ("0.28.0", "v0.28.0 does not serve Flux v2.7.5", "upgrade it to v0.50.0"),
        ("0.1.0", "nothing is known about its version 0.1.0", "write an exact version there"),
        ("0.x", "nothing is known about its version 0.x", "write an exact version there"),
    ],
)
def test_one_that_cannot_take_over_is_refused_with_its_place(
    reader: Reader, version: str, says: str, hint: str
) -> None:
    with pytest.raises(UnsupportedInstallation, match=says) as caught:
        reader.plan(with_operator(reader, version))

    assert hint in caught.value.hint
    assert "flux-operator" in caught.value.where


def test_another_one_cannot_be_asked_for(reader: Reader) -> None:
    tree = with_operator(reader, "0.40.0")

    with pytest.raises(UsageError, match=r"operator 0\.40\.0 is there already, v0\.50\.0 is asked for"):
        reader.plan(tree, Options(operator_version="0.50.0"))
    assert reader.plan(tree, Options(operator_version="v0.40.0")).target.operator_version == "v0.40.0"

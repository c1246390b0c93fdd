"""Which rules a version of the controllers follows."""

from __future__ import annotations

import pytest

from flux_handover.proof.gates import gates_of


@pytest.mark.parametrize(
    ("flux", "honours", "strict"),
    [
        ("v2.6.4", False, False),
        ("2.8.6", False, False),
        ("2.8.7", True, False),
        ("v2.9.0", True, True),
        ("2.8.x", False, False),
    ],
)
def test_flux_names_its_kustomize_controller(flux: str, honours: bool, strict: bool) -> None:
    gates = gates_of(flux)

    assert (gates.prune_honours_ssa_ignore, gates.strict_substitution) == (honours, strict)


@pytest.mark.parametrize(
    ("operator", "stamps"), [("0.27.0", False), ("v0.28.0", True), ("0.58.1", True), (None, False)]
)
def test_the_operator_stamps_prune_disabled_from_0_28(operator: str | None, stamps: bool) -> None:
    assert gates_of("2.6.4", operator).operator_stamps_prune_disabled is stamps


def test_an_unknown_version_protects_least() -> None:
    gates = gates_of(None)

    assert not gates.prune_honours_ssa_ignore
    assert gates.deletion_policy
    assert gates.strict_substitution


def test_deletion_policy_came_with_2_5() -> None:
    assert [gates_of(version).deletion_policy for version in ("2.4.0", "2.5.0")] == [False, True]

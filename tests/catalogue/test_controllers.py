"""Where the controllers of Flux versions behave differently."""

from __future__ import annotations

import pytest

from flux_handover.catalogue import SkippedIds, controllers, helm_gates, is_at_least, kustomize_gates, versions


@pytest.mark.parametrize(
    ("flux", "honours"), [("v2.6.4", False), ("v2.8.6", False), ("v2.8.7", True), ("v2.9.4", True)]
)
def test_pruning_honours_ssa_ignore_since_2_8_7(flux: str, honours: bool) -> None:
    assert kustomize_gates(flux).prune_honours_ssa_ignore is honours


@pytest.mark.parametrize(("flux", "strict"), [("v2.8.8", False), ("v2.9.0", True)])
def test_substitution_is_strict_since_2_9(flux: str, strict: bool) -> None:
    assert kustomize_gates(flux).substitutes_strictly is strict
    assert kustomize_gates(flux).keeps_failed_prunes is strict


@pytest.mark.parametrize(
    ("flux", "policy", "waits"), [("v2.4.0", False, False), ("v2.5.0", True, False), ("v2.6.0", True, True)]
)
def test_deletion_policies_came_in_two_steps(flux: str, policy: bool, waits: bool) -> None:
    assert kustomize_gates(flux).has_deletion_policy is policy
    assert kustomize_gates(flux).has_wait_for_termination is waits


@pytest.mark.parametrize(
    ("flux", "taken"),
    [
        ("v2.6.4", SkippedIds.LIVE),
        ("v2.7.0", SkippedIds.DESIRED),
        ("v2.8.6", SkippedIds.DESIRED),
        ("v2.8.7", SkippedIds.LIVE_IF_PRESENT),
    ],
)
def test_whence_the_entry_of_a_skipped_object_is_taken(flux: str, taken: SkippedIds) -> None:
    assert kustomize_gates(flux).skipped_ids is taken


@pytest.mark.parametrize(
    ("flux", "owns", "server_side", "combines"),
    [
        ("v2.4.0", False, False, False),
        ("v2.5.0", True, False, False),
        ("v2.8.0", True, True, False),
        ("v2.9.0", True, True, True),
    ],
)
def test_what_helm_controller_learnt(flux: str, owns: bool, server_side: bool, combines: bool) -> None:
    gates = helm_gates(flux)

    assert (gates.takes_ownership, gates.applies_server_side, gates.combines_post_renderers) == (
        owns,
        server_side,
        combines,
    )


def test_no_controller_is_ever_older_in_a_newer_flux_of_its_minor() -> None:
    for older, newer in zip(versions(), versions()[1:], strict=False):
        if older.rpartition(".")[0] == newer.rpartition(".")[0]:
            for name, tag in controllers(older).items():
                assert is_at_least(controllers(newer)[name], tag)

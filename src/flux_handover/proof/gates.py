"""What differs between versions of the controllers, as facts the model asks for.

Flux names one version for its controllers: 2.6 is kustomize-controller 1.6, 2.8.7 is 1.8.5, 2.9 is 1.9.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Version = tuple[int, int, int]
OLDEST: Version = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Gates:
    """The rules in force; each name is a sentence about the controllers that run.

    `fluxcd/kustomize-controller:internal/controller/kustomization_controller.go#prune@v1.8.5`,
    `fluxcd/pkg:ssa/manager_apply.go#ApplyAllStaged@v0.76.1`.
    """

    prune_honours_ssa_ignore: bool
    deletion_policy: bool
    records_absent_skips: bool
    stages_classes: bool
    retracks_failed_prune: bool
    strict_substitution: bool
    helm_waits_for_custom_resources: bool
    operator_strips_owner_labels: bool
    operator_stamps_ssa_ignore: bool
    operator_stamps_prune_disabled: bool


def gates_of(flux: str | None, operator: str | None = None) -> Gates:
    """The gates of a Flux and an operator version; where one is unknown, whatever protects least.

    `deletionPolicy` is the exception to "older protects less": it deletes in spite of `prune: false`, so an
    unknown version is taken to have it.
    """
    running = _version(flux)
    adopting = _version(operator)
    return Gates(
        prune_honours_ssa_ignore=running >= (2, 8, 7),
        deletion_policy=running >= (2, 5, 0) or running == OLDEST,
        records_absent_skips=running >= (2, 7, 0),
        stages_classes=running >= (2, 7, 0),
        retracks_failed_prune=running >= (2, 9, 0),
        strict_substitution=running >= (2, 9, 0) or running == OLDEST,
        helm_waits_for_custom_resources=running >= (2, 8, 0) or running == OLDEST,
        operator_strips_owner_labels=adopting >= (0, 2, 0),
        operator_stamps_ssa_ignore=adopting >= (0, 3, 0),
        operator_stamps_prune_disabled=adopting >= (0, 28, 0),
    )


def _version(text: str | None) -> Version:
    """`v2.6.4`, `2.6.4` or `2.6` as numbers; a missing part, as in `2.6.x`, is the oldest it can be."""
    found = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.(\d+))?.*", text or "")
    if not found:
        return OLDEST
    major, minor, patch = found.groups()
    return int(major), int(minor), int(patch or 0)

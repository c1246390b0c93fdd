"""How the controllers of a Flux version behave where their versions differ (semantics section 8).

These gates decide what a transition deletes. Each was read in the source of the controller or
measured on it. Of flags only those are facts that an older controller is known to refuse; any other is
neither known nor unknown here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache

from flux_handover.catalogue.distributions import components, controller_version
from flux_handover.catalogue.versions import is_at_least

ARGUMENTS_SINCE = {
    "--sops-age-secret": "v2.7.0",
    "--watch-configs-label-selector": "v2.7.0",
    "CancelHealthCheckOnNewRevision": "v2.7.0",
}


class SkippedIds(Enum):
    """Whence kustomize-controller takes the inventory entry of an object that it skips."""

    LIVE = "live"
    DESIRED = "desired"
    LIVE_IF_PRESENT = "live-if-present"


@dataclass(frozen=True, slots=True)
class KustomizeGates:
    """Behaviour of kustomize-controller; `version` is the tag of its image."""

    version: str
    prune_honours_ssa_ignore: bool
    has_deletion_policy: bool
    has_wait_for_termination: bool
    keeps_failed_prunes: bool
    substitutes_strictly: bool
    skipped_ids: SkippedIds


@dataclass(frozen=True, slots=True)
class HelmGates:
    """Behaviour of helm-controller; `version` is the tag of its image."""

    version: str
    takes_ownership: bool
    applies_server_side: bool
    combines_post_renderers: bool


@cache
def kustomize_gates(flux_version: str) -> KustomizeGates:
    """Gates of the kustomize-controller in a Flux version."""
    tag = controller_version(flux_version, "kustomize-controller")
    return KustomizeGates(
        version=tag,
        prune_honours_ssa_ignore=is_at_least(tag, "v1.8.5"),
        has_deletion_policy=is_at_least(tag, "v1.5.0"),
        has_wait_for_termination=is_at_least(tag, "v1.6.0"),
        keeps_failed_prunes=is_at_least(tag, "v1.9.0"),
        substitutes_strictly=is_at_least(tag, "v1.9.0"),
        skipped_ids=_skipped_ids(tag),
    )


@cache
def helm_gates(flux_version: str) -> HelmGates:
    """Gates of the helm-controller in a Flux version."""
    tag = controller_version(flux_version, "helm-controller")
    return HelmGates(
        version=tag,
        takes_ownership=is_at_least(tag, "v1.2.0"),
        applies_server_side=is_at_least(tag, "v1.5.0"),
        combines_post_renderers=is_at_least(tag, "v1.6.0"),
    )


def argument_since(key: str) -> str:
    """The Flux version that brought a flag or a feature gate; empty where that is not known."""
    return ARGUMENTS_SINCE.get(key, "")


def controllers(flux_version: str) -> dict[str, str]:
    """The image tag of every controller in a Flux version, by component."""
    return {name: controller_version(flux_version, name) for name in components(flux_version)}


def _skipped_ids(tag: str) -> SkippedIds:
    if is_at_least(tag, "v1.8.5"):
        return SkippedIds.LIVE_IF_PRESENT
    return SkippedIds.DESIRED if is_at_least(tag, "v1.7.0") else SkippedIds.LIVE

"""Every known way to lose something, decided from content: G build, O ownership, A apply, V variables, B bootstrap."""

from flux_handover.proof.hazards import apply, bootstrap, build, ownership, variables
from flux_handover.proof.hazards.registry import (
    Decided,
    Hazard,
    Pair,
    Sign,
    View,
    findings_between,
    findings_of,
    hazards,
    signs_of,
)

__all__ = [
    "Decided",
    "Hazard",
    "Pair",
    "Sign",
    "View",
    "apply",
    "bootstrap",
    "build",
    "findings_between",
    "findings_of",
    "hazards",
    "ownership",
    "signs_of",
    "variables",
]

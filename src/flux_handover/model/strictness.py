"""Whether a variable that nothing defines becomes empty, or fails the build.

The gate is off up to kustomize-controller 1.8 and on from 1.9
(`fluxcd/kustomize-controller:internal/features/features.go@v1.9.4`).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from flux_handover import catalogue
from flux_handover.model.installation import Installation, Setting, SettingKind
from flux_handover.model.rendering import Build

GATE = "StrictPostBuildSubstitutions"


class Substitution(Enum):
    """What becomes of a variable that nothing defines."""

    LENIENT = "it becomes empty"
    STRICT = "the build fails"


def substitution_of(installation: Installation) -> Substitution:
    """As the controller of an installation substitutes; lenient where its version is not known."""
    for setting in installation.settings:
        if _is_gate(setting):
            return Substitution.STRICT if setting.value.lower() == "true" else Substitution.LENIENT
    return _usual(installation.version)


def _is_gate(setting: Setting) -> bool:
    """Whether the setting is the controller's own word on strictness."""
    is_theirs = setting.kind is SettingKind.GATE and setting.target.name == "kustomize-controller"
    return is_theirs and setting.key.rpartition(":")[2] == GATE


def _usual(version: str) -> Substitution:
    is_strict = catalogue.has(version) and catalogue.kustomize_gates(version).substitutes_strictly
    return Substitution.STRICT if is_strict else Substitution.LENIENT


def leaves_undefined(builds: Iterable[Build]) -> bool:
    """Whether some build uses a variable that nothing defines, so that strictness matters."""
    return any(build.undefined for build in builds)

"""Flux's manifests from the operator's own image, though no value of the chart says so (rules.md R15).

The chart `flux-instance` always writes `distribution.artifact`: an empty value becomes null. Helm 3
leaves it to the API server, which drops it; Helm 4 applies server-side, where null is no string and
the FluxInstance is refused. So Flux's release takes the field away after rendering. Helmfile cannot:
there the field names the manifests of the chart's own version for a moment, and a hook takes it
away, because a field that a person's Helm owns is not dropped by helm-controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flux_handover.objects import OPERATOR_GROUP, mapping
from flux_handover.plan.present import PresentInstance
from flux_handover.plan.target import INSTANCE_NAME

VALUE = "instance.distribution.artifact"
MANIFESTS = "oci://ghcr.io/controlplaneio-fluxcd/flux-operator-manifests"

_PATCH = f"""\
# The chart renders an empty artifact as null, which the API server refuses. Without it the
# operator takes what is in its own image, and nothing moves without a commit.
apiVersion: {OPERATOR_GROUP}/v1
kind: FluxInstance
metadata:
  name: {INSTANCE_NAME}
spec:
  distribution:
    artifact: null
"""

POST_RENDERERS: tuple[Mapping[str, Any], ...] = (
    {"kustomize": {"patches": [{"target": {"kind": "FluxInstance"}, "patch": _PATCH}]}},
)
"""What helm-controller does to the rendered FluxInstance; nothing where the field is absent."""

SET: Mapping[str, Any] = MappingProxyType({"name": VALUE, "value": f"{MANIFESTS}:v{{{{ .Release.ChartVersion }}}}"})
"""An element of a Helmfile's `setTemplate`: no version of its own, so there is none to be forgotten."""


def hook(namespace: str) -> dict[str, Any]:
    """The hook of a Helmfile that takes the field away once the FluxInstance is there."""
    patch = '{"spec":{"distribution":{"artifact":null}}}'
    args = ["patch", f"--namespace={namespace}", f"fluxinstance/{INSTANCE_NAME}", "--type=merge", f"--patch={patch}"]
    return {"events": ["postsync"], "command": "kubectl", "args": args, "showlogs": True}


def is_embedded(values: Mapping[str, Any]) -> bool:
    """Whether values of the chart ask for the manifests in the operator's image."""
    distribution = mapping(mapping(values.get("instance")).get("distribution"))
    return "artifact" in distribution and not distribution["artifact"]


def follows_a_tag(found: PresentInstance) -> bool:
    """Whether the FluxInstance that is there lets Flux be upgraded without a commit."""
    return found.release is not None and moves(found.release.values)


def moves(values: Mapping[str, Any]) -> bool:
    """Whether values of the chart let Flux be upgraded without a commit: the chart's own default does."""
    distribution = mapping(mapping(values.get("instance")).get("distribution"))
    return str(distribution.get("artifact", ":latest")).endswith(":latest")

"""Labels of Flux's pods that something selects by: the operator leaves two of them out (named `template-labels`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Cluster
from flux_handover.objects import Object, mapping, mappings
from flux_handover.plan.manifests import text_of
from flux_handover.plan.target import CarriedPatch

_DROPPED = ("app.kubernetes.io/instance", "app.kubernetes.io/version")
_SELECTORS: Mapping[str, str] = {
    "PodMonitor": "selector",
    "VMPodScrape": "selector",
    "PodDisruptionBudget": "selector",
    "NetworkPolicy": "podSelector",
}
"""Kinds that select pods, and the field by which they do."""


def selected_labels(installation: Installation, cluster: Cluster) -> Iterator[CarriedPatch]:
    """A patch for each label that the pods would lose and an object of the user selects by."""
    own = {object.id for object in installation.live}
    for label in _DROPPED:
        selecting = next((o for _, o in cluster.objects() if o.id not in own and _selects_by(o, label)), None)
        value = _value(installation, label)
        if selecting is not None and value:
            template = {"template": {"metadata": {"labels": {label: value}}}}
            manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "any"}, "spec": template}
            comment = f"{selecting.id} selects Flux's pods by this label, which the operator does not set"
            yield CarriedPatch(text_of(manifest), (("kind", "Deployment"),), None, (comment,))


def _selects_by(object: Object, label: str) -> bool:
    selector = mapping(object.spec.get(_SELECTORS.get(object.id.kind, "")))
    return label in mapping(selector.get("matchLabels")) or any(
        one.get("key") == label for one in mappings(selector.get("matchExpressions"))
    )


def _value(installation: Installation, label: str) -> str:
    """The value that all of Flux's pods have; empty where they differ."""
    deployments = [object for object in installation.live if object.id.kind == "Deployment"]
    found = {str(_labels(object).get(label, "")) for object in deployments}
    return found.pop() if len(found) == 1 else ""


def _labels(object: Object) -> Mapping[str, Any]:
    return mapping(mapping(mapping(object.spec.get("template")).get("metadata")).get("labels"))

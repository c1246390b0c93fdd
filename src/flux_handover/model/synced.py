"""The root that an operator gives a cluster, with the patches of its FluxInstance.

`spec.sync` has fields for a few settings only; decryption, variables and all others come from
`spec.kustomize.patches`, and are as live as if a file of the repository declared them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flux_handover import catalogue
from flux_handover.catalogue.manifests import REGISTRY
from flux_handover.model.flux import is_kind, is_source, kustomization_of, source_of
from flux_handover.model.instance import InstanceError, Kustomizer, render_instance
from flux_handover.model.roots import Root
from flux_handover.objects import KUSTOMIZE_GROUP, OPERATOR_GROUP, Object, by_id


def effective_root(root: Root, builder: Kustomizer) -> Root:
    """The root as the operator applies it; without the patches where its FluxInstance cannot be built here."""
    if not root.instance:
        return root
    pair = by_id(sync_objects(_manifest(root), builder))
    ks, source = pair.get(root.ks.id), pair.get(root.source.id)
    if ks is None or source is None:
        return root
    return replace(root, ks=kustomization_of(ks), source=source_of(source))


def sync_objects(instance: Mapping[str, Any], builder: Kustomizer) -> tuple[Object, ...]:
    """The source and the root Kustomization that a FluxInstance renders; none where it does not build."""
    try:
        rendered = render_instance(instance, builder, operator_version=catalogue.operators()[-1])
    except (InstanceError, KeyError):
        return ()
    return tuple(o for o in rendered if is_source(o) or is_kind(o, KUSTOMIZE_GROUP, "Kustomization"))


def _manifest(root: Root) -> Mapping[str, Any]:
    """The spec as a FluxInstance; empty fields of a chart's values are none."""
    spec = {key: value for key, value in root.instance.items() if value not in (None, "", {})}
    distribution = {"registry": REGISTRY, **spec.get("distribution", {})}
    metadata = {"name": "flux", "namespace": root.ks.namespace}
    kind = {"apiVersion": f"{OPERATOR_GROUP}/v1", "kind": "FluxInstance", "metadata": metadata}
    return {**kind, "spec": {**spec, "distribution": distribution}}

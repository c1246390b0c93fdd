"""What helm-controller does to a rendered chart before it is applied: the release's post-renderers.

Each is a kustomization of its own over what the one before gives
(`fluxcd/helm-controller:internal/postrender/kustomize.go@v1.6.3`). `commonRenderer` is not among them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flux_handover.model.flux import HelmRelease
from flux_handover.model.instance import Kustomizer
from flux_handover.objects import Object, mapping, object_of
from flux_handover.tree import Tree

_DIRECTORY, _RENDERED = "rendered", "objects.json"
_HEAD = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": [_RENDERED]}


def post_rendered(release: HelmRelease, manifest: Mapping[str, Any], builder: Kustomizer) -> tuple[Object, ...] | None:
    """The objects of one rendered manifest as they are applied; None where a post-renderer fails."""
    objects: tuple[Object, ...] | None = (object_of(manifest),)
    for renderer in release.object.spec.get("postRenderers") or ():
        kustomize = mapping(mapping(renderer).get("kustomize"))
        if objects and kustomize:
            objects = _kustomized(objects, kustomize, builder)
    return objects


def _kustomized(
    objects: tuple[Object, ...], fields: Mapping[str, Any], builder: Kustomizer
) -> tuple[Object, ...] | None:
    wanted = {key: fields[key] for key in ("patches", "images") if key in fields}
    tree = Tree({})
    # kustomize reads JSON as YAML, and a list of objects as the objects.
    content = {"apiVersion": "v1", "kind": "List", "items": [dict(object.data) for object in objects]}
    tree = tree.with_file(f"{_DIRECTORY}/{_RENDERED}", json.dumps(content).encode())
    tree = tree.with_file(f"{_DIRECTORY}/kustomization.yaml", json.dumps({**_HEAD, **wanted}).encode())
    built = builder.kustomize(tree, _DIRECTORY)
    return None if built.error else tuple(object_of(each.data) for each in built.objects)

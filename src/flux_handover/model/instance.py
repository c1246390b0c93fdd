"""What a FluxInstance renders to: the objects that the operator would apply.

Python assembles the objects and the ordered patches from the catalogue; kustomize builds them
(contract K16). The result equals that of `flux-operator build instance` v0.58.1, which is to
say that of the operator but for image digests and normalisation. Two more things differ in a
cluster and are left to whoever calls: the defaults of the CRD (`catalogue.instance_defaults`) and
the descriptions of CRDs, which the catalogue does not carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from flux_handover import catalogue
from flux_handover.model.building import BuildError, KustomizeResult
from flux_handover.model.instance_crds import CRD, needs_schemas, with_schemas
from flux_handover.model.instance_patches import operator_patches
from flux_handover.model.instance_resources import ROOT, instance_tree
from flux_handover.model.instance_spec import InstanceError, InstanceSpec, read_spec
from flux_handover.objects import OPERATOR_NAME, OPERATOR_NAMESPACE, PRUNE, SSA, Object, mapping, object_of
from flux_handover.tree import Tree

__all__ = ["InstanceError", "Kustomizer", "render_instance"]


class Kustomizer(Protocol):
    """Whoever builds a directory with a kustomization.yaml."""

    def kustomize(self, tree: Tree, path: str) -> KustomizeResult:
        """The objects of a directory, or why there are none."""
        ...


def render_instance(instance: Mapping[str, Any], builder: Kustomizer, *, operator_version: str) -> tuple[Object, ...]:
    """Objects of a FluxInstance under an operator of that version; raises InstanceError where it would stall."""
    spec = read_spec(instance, catalogue.operator(operator_version).flux_versions)
    patches = [*operator_patches(spec, operator_version), *spec.patches]
    built = builder.kustomize(instance_tree(spec, patches), ROOT)
    if built.error:
        raise _error(built.error)
    return tuple(object_of(_marked(_completed(each.data, spec), spec, operator_version)) for each in built.objects)


def _completed(manifest: Mapping[str, Any], spec: InstanceSpec) -> Mapping[str, Any]:
    if manifest["kind"] != CRD or needs_schemas(spec.patches):
        return manifest
    return with_schemas(manifest, spec.version)


def _error(error: BuildError) -> InstanceError:
    return InstanceError(error.message, hint="correct spec.kustomize.patches of the FluxInstance")


def _marked(manifest: Mapping[str, Any], spec: InstanceSpec, operator: str) -> Mapping[str, Any]:
    """An object with the operator's marks, which no user patch sees.

    Common metadata overrides all of them but the labels that say whose the object is.
    """
    metadata = mapping(manifest.get("metadata"))
    annotations = {**mapping(metadata.get("annotations")), **_annotations(operator), **spec.annotations}
    labels = {**mapping(metadata.get("labels")), **_labels(spec), **spec.labels, **_owner(spec)}
    return {**manifest, "metadata": {**metadata, "annotations": annotations, "labels": labels}}


def _annotations(operator: str) -> Mapping[str, str]:
    if catalogue.is_at_least(operator, "v0.28.0"):
        return {SSA: "Ignore", PRUNE: "Disabled"}
    return {SSA: "Ignore"}


def _labels(spec: InstanceSpec) -> Mapping[str, str]:
    return {
        "app.kubernetes.io/instance": spec.namespace,
        "app.kubernetes.io/managed-by": "flux-operator",
        "app.kubernetes.io/part-of": "flux",
        "app.kubernetes.io/version": spec.version,
    }


def _owner(spec: InstanceSpec) -> Mapping[str, str]:
    return {OPERATOR_NAME: spec.name, OPERATOR_NAMESPACE: spec.namespace}

"""Which kinds live in a namespace, as far as that is certain.

A namespaced object without a namespace is refused by the API server, and with it the whole stage of its
Kustomization's apply (`fluxcd/pkg:ssa/manager_apply.go#ApplyAll@v0.76.1`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flux_handover.objects import (
    HELM_GROUP,
    KUSTOMIZE_GROUP,
    NOTIFICATION_GROUP,
    OPERATOR_GROUP,
    SOURCE_GROUP,
    Object,
)

_FLUX = (HELM_GROUP, KUSTOMIZE_GROUP, NOTIFICATION_GROUP, OPERATOR_GROUP, SOURCE_GROUP, "image.toolkit.fluxcd.io")
_NAMESPACED: Mapping[str, frozenset[str]] = {
    "": frozenset(
        {
            *("ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolumeClaim", "Pod", "PodTemplate"),
            *("ReplicationController", "ResourceQuota", "Secret", "Service", "ServiceAccount"),
        }
    ),
    "apps": frozenset({"ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"}),
    "autoscaling": frozenset({"HorizontalPodAutoscaler"}),
    "batch": frozenset({"CronJob", "Job"}),
    "coordination.k8s.io": frozenset({"Lease"}),
    "discovery.k8s.io": frozenset({"EndpointSlice"}),
    "networking.k8s.io": frozenset({"Ingress", "NetworkPolicy"}),
    "policy": frozenset({"PodDisruptionBudget"}),
    "rbac.authorization.k8s.io": frozenset({"Role", "RoleBinding"}),
}


def homeless(objects: Iterable[Object]) -> Object | None:
    """The first object that needs a namespace and has none; kinds of unknown scope are left out."""
    return next((object for object in objects if not object.id.namespace and is_namespaced(object)), None)


def is_namespaced(object: Object) -> bool:
    """Whether objects of this kind certainly live in a namespace."""
    return object.id.group in _FLUX or object.id.kind in _NAMESPACED.get(object.id.group, frozenset())

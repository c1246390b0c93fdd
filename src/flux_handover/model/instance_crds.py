"""CustomResourceDefinitions of an instance: what the operator adds to them, and how they are built fast.

Their schemas are nine tenths of what kustomize would have to read, and no patch but one that
targets CRDs can change them. So they stay out of the build unless a patch may reach them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from flux_handover import catalogue
from flux_handover.objects import mapping, text_at

CRD = "CustomResourceDefinition"

_OPERATOR_KINDS = ["FluxInstance", "ResourceSet", "ResourceSetInputProvider"]
_EVENT_FIELDS = {"Alert": "eventSources", "Receiver": "resources"}
_LEFT_OUT: Mapping[str, Any] = {"openAPIV3Schema": {"type": "object"}}


def needs_schemas(patches: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any of the patches may change a CRD."""
    return any(may_reach_crds(patch) for patch in patches)


def may_reach_crds(patch: Mapping[str, Any]) -> bool:
    """Whether a patch may change a CRD; where that cannot be said, it may."""
    target = mapping(patch.get("target"))
    kind = text_at(target, "kind")
    if not kind:
        return bool(target) or CRD in str(patch.get("patch"))
    try:
        return re.fullmatch(kind, CRD) is not None
    except re.error:
        return True


def extended(crd: Mapping[str, Any]) -> Mapping[str, Any]:
    """A CRD as the operator wants it: alerts and receivers may name its own kinds, in every version."""
    field = _EVENT_FIELDS.get(crd["spec"]["names"]["kind"])
    if field is None:
        return crd
    path = (
        "schema",
        "openAPIV3Schema",
        "properties",
        "spec",
        "properties",
        field,
        "items",
        "properties",
        "kind",
        "enum",
    )
    versions = [_appended(version, path) for version in crd["spec"]["versions"]]
    return {**crd, "spec": {**crd["spec"], "versions": versions}}


def without_schemas(crd: Mapping[str, Any]) -> Mapping[str, Any]:
    """A CRD whose versions say nothing of their fields."""
    versions = [{**version, "schema": _LEFT_OUT} for version in crd["spec"]["versions"]]
    return {**crd, "spec": {**crd["spec"], "versions": versions}}


def with_schemas(crd: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """A built CRD with the schemas that were left out of its build."""
    spec = crd["spec"]
    known = extended(catalogue.crds(version)[(spec["group"], spec["names"]["kind"])])
    schemas = {each["name"]: each["schema"] for each in known["spec"]["versions"]}
    versions = [{**each, "schema": schemas[each["name"]]} for each in spec["versions"]]
    return {**crd, "spec": {**spec, "versions": versions}}


def _appended(node: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return [*node, *_OPERATOR_KINDS]
    return {**node, path[0]: _appended(node[path[0]], path[1:])}

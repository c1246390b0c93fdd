"""The field trees of Flux's kinds per Flux version."""

from __future__ import annotations

from functools import cache

from flux_handover.catalogue.distributions import crds
from flux_handover.catalogue.fields import FieldTree, tree_of

_TEXT = FieldTree(type="string")
_TEXTS = FieldTree(type="object", values=_TEXT)
_ANY = FieldTree(keeps_unknown=True)

METADATA = FieldTree(
    type="object",
    fields={
        "annotations": _TEXTS,
        "creationTimestamp": FieldTree(type="string", is_nullable=True),
        "deletionGracePeriodSeconds": FieldTree(type="integer"),
        "deletionTimestamp": FieldTree(type="string", is_nullable=True),
        "finalizers": FieldTree(type="array", elements=_TEXT),
        "generateName": _TEXT,
        "generation": FieldTree(type="integer"),
        "labels": _TEXTS,
        "managedFields": FieldTree(type="array", elements=_ANY),
        "name": FieldTree(type="string", limits={"minLength": 1, "maxLength": 253}),
        "namespace": _TEXT,
        "ownerReferences": FieldTree(type="array", elements=_ANY),
        "resourceVersion": _TEXT,
        "selfLink": _TEXT,
        "uid": _TEXT,
    },
)
"""`metadata` of every object: values of labels and annotations are strings, never numbers or booleans."""


def whole_object(tree: FieldTree) -> FieldTree:
    """The tree of a kind with what every object has, `apiVersion`, `kind` and `metadata`."""
    fields = {**tree.fields, "apiVersion": _TEXT, "kind": _TEXT, "metadata": METADATA}
    return FieldTree(type="object", fields=fields, required=(*tree.required, "apiVersion", "kind", "metadata"))


@cache
def crd_schema(version: str, group: str, api_version: str, kind: str) -> FieldTree | None:
    """The tree of a kind in a Flux version (`v1` of `group/v1`); None where that version does not serve it."""
    crd = crds(version).get((group, kind))
    for served in crd["spec"]["versions"] if crd else ():
        if served["name"] == api_version and served["served"]:
            return whole_object(tree_of(served["schema"]["openAPIV3Schema"]))
    return None

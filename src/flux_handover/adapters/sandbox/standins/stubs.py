"""CRDs for kinds that nobody installed: any content is accepted, nothing is checked.

Without its CRD one object freezes the whole Kustomization that applies it. A stub keeps the object's
identity, owner labels and finalizers real, which is all that a handover is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.objects import Object

Manifest = Mapping[str, Any]
STUB = "flux-handover.sandbox/stub"
BUILT_IN = ("k8s.io", "kubernetes.io")


@dataclass(frozen=True, slots=True, order=True)
class StubKind:
    """A kind to make a stub for, with every version in use."""

    group: str
    kind: str
    versions: tuple[str, ...]
    namespaced: bool

    @property
    def plural(self) -> str:
        """A plural, by the usual rule; nothing but the API's path depends on it."""
        return plural_of(self.kind.lower())


def stub_kinds(objects: Iterable[Object], served: Iterable[tuple[str, str]]) -> tuple[StubKind, ...]:
    """The kinds of `objects` that are neither served nor defined among them, by group and kind."""
    every = tuple(objects)
    known = {*served, *(defined(object.data) for object in every)}
    versions: dict[tuple[str, str], set[str]] = {}
    # Only a kind of the whole cluster can do without a namespace; with one it may also be written.
    everywhere: set[tuple[str, str]] = set()
    for object in every:
        key = (object.id.group, object.id.kind)
        if object.id.group and object.id.kind and key not in known:
            versions.setdefault(key, set()).add(object.api_version.rpartition("/")[2])
            if not object.id.namespace:
                everywhere.add(key)
    return tuple(StubKind(*key, tuple(sorted(found)), key not in everywhere) for key, found in sorted(versions.items()))


def defined(manifest: Manifest) -> tuple[str, str]:
    """The group and kind that a CRD defines; of anything else, two empty strings."""
    if manifest.get("kind") != "CustomResourceDefinition":
        return ("", "")
    spec = manifest.get("spec") or {}
    return (str(spec.get("group", "")), str((spec.get("names") or {}).get("kind", "")))


def stub_crd(stub: StubKind) -> Manifest:
    """The CRD that accepts every content of a kind."""
    metadata: dict[str, Any] = {"name": f"{stub.plural}.{stub.group}", "labels": {STUB: "true"}}
    if stub.group.endswith(BUILT_IN):
        # The API server wants these groups to have been reviewed, or to say that they were not.
        metadata["annotations"] = {"api-approved.kubernetes.io": "unapproved, a stub of the sandbox"}
    names = {"kind": stub.kind, "plural": stub.plural, "singular": stub.kind.lower(), "listKind": f"{stub.kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": {
            "group": stub.group,
            "scope": "Namespaced" if stub.namespaced else "Cluster",
            "names": names,
            "versions": [version(name, name == stub.versions[-1]) for name in stub.versions],
        },
    }


def version(name: str, is_storage: bool) -> Manifest:
    """One version of a stub."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "name": name,
        "served": True,
        "storage": is_storage,
        "schema": {"openAPIV3Schema": anything},
        "subresources": {"status": {}},
    }


def plural_of(word: str) -> str:
    """The English plural that most CRDs use."""
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"

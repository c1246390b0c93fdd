"""The variables of a Kustomization: known from ConfigMaps in Git, symbolic from Secrets (contract K17).

Order and scope follow `fluxcd/pkg:kustomize/kustomize_varsub.go#LoadVariables@v1.35.4`:
`substituteFrom` in list order, later entries win, line breaks are stripped, inline values win over all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from flux_handover.model.flux import FluxKustomization
from flux_handover.objects import Object, ObjectId, mapping

Finder = Callable[[ObjectId], Object | None]


@dataclass(frozen=True, slots=True)
class Variables:
    """What is known of a Kustomization's variables.

    `known` by value, `symbolic` by token only. `missing` are required objects that nothing in Git
    renders; then further variables may exist, and an undefined name is not known to be empty.
    """

    known: Mapping[str, str]
    symbolic: Mapping[str, str]
    missing: tuple[ObjectId, ...]


def variables_of(ks: FluxKustomization, find: Finder) -> Variables:
    """The variables that `postBuild` of this Kustomization provides."""
    known: dict[str, str] = {}
    symbolic: dict[str, str] = {}
    missing: list[ObjectId] = []
    for source in ks.substitute_from:
        object = find(source.id)
        if object is None:
            missing.extend(() if source.optional else (source.id,))
        elif source.id.kind == "Secret":
            symbolic.update({key: token(key) for key in keys_of(object)})
        else:
            for key, value in mapping(object.data.get("data")).items():
                known[str(key)] = str(value).replace("\n", "")
                symbolic.pop(str(key), None)
    return _with_inline(ks, known, symbolic, tuple(missing))


def _with_inline(
    ks: FluxKustomization, known: dict[str, str], symbolic: dict[str, str], missing: tuple[ObjectId, ...]
) -> Variables:
    inline = {key: value.replace("\n", "") for key, value in ks.substitute.items()}
    left = {key: value for key, value in symbolic.items() if key not in inline}
    plain = {key: value for key, value in {**known, **inline}.items() if key not in left}
    return Variables(plain, left, missing)


def keys_of(secret: Object) -> frozenset[str]:
    """The keys of a Secret; SOPS encrypts values, not keys."""
    parts = (mapping(secret.data.get(field)) for field in ("data", "stringData"))
    return frozenset(str(key) for part in parts for key in part)


@lru_cache(maxsize=4096)
def token(name: str) -> str:
    """The opaque value that stands for a variable that is not known; a valid DNS label and plain YAML scalar."""
    return f"x0{hashlib.sha256(name.encode()).hexdigest()[:16]}0x"

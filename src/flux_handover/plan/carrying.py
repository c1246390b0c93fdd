"""The patches that changed Flux, as patches of a FluxInstance.

Most work there as they are. The operator's objects differ from those the patch was written
for: they have no namespace yet, fewer labels, and their appended arguments stand elsewhere; such
a patch would match nothing, in silence, or stall the instance (semantics 3.5). Those are
rewritten to select and write the same, and what cannot be kept is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import Any

from flux_handover.catalogue import distributions
from flux_handover.catalogue.manifests import NAMESPACE
from flux_handover.documents import read_documents
from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.installation import FluxPatch, Installation
from flux_handover.objects import Object, ids_of, mapping, object_of
from flux_handover.plan.comments import comments_above
from flux_handover.plan.components import is_opt_out
from flux_handover.plan.manifests import text_of
from flux_handover.plan.selectors import Pairs, by_name, selected
from flux_handover.plan.target import CarriedPatch
from flux_handover.tree import Tree

_STEADY_ARGUMENTS = {"source-controller": 6, "source-watcher": 6}
_OTHER_STEADY_ARGUMENTS = 4
_SUFFIXED = ("ClusterRole", "ClusterRoleBinding", "ResourceQuota")
_ARGUMENT = re.compile(r"/spec/template/spec/containers/0/args/(\d+)")
_MARKS = re.compile(r"/metadata/(labels|annotations)/(.+)")


@dataclass(frozen=True, slots=True)
class Carried:
    """The patches to write, whether all network policies are deleted, and what was left out."""

    patches: tuple[CarriedPatch, ...]
    deletes_policies: bool
    notes: tuple[str, ...]


def carried(installation: Installation, tree: Tree) -> Carried:
    """Every patch of an installation, as the FluxInstance must have it."""
    base = base_objects(installation)
    patches: list[CarriedPatch] = []
    notes: list[str] = []
    deletes_policies = False
    for patch in _single_patches(installation, tree):
        hit = selected(_plain_target(patch), installation.plain)
        if _deletes_all_policies(patch, hit, installation.plain):
            deletes_policies = True
        elif is_opt_out(_content(patch)):
            continue
        elif hit:
            patches.extend(_said_once(_fitted(patch, hit, base)))
        else:
            notes.append(f"{patch.where}: the patch matches nothing and is not carried")
    return Carried(tuple(patches), deletes_policies, tuple(notes))


def base_objects(installation: Installation) -> tuple[Object, ...]:
    """The objects as they are when the operator applies a user's patches: no namespace, few labels.

    The operator adds the suffix of cluster roles before the patches, and a name matches with and without it.
    """
    version = installation.version
    parts = ("rbac", "policies", *distributions.components(version))
    plain = [object_of(manifest) for part in parts for manifest in distributions.objects_of(version, part)]
    namespaces = [object for object in installation.plain if object.id.kind == "Namespace"]
    return (*plain, *namespaces)


def _said_once(patches: Iterable[CarriedPatch]) -> Iterator[CarriedPatch]:
    for position, patch in enumerate(patches):
        yield patch if position == 0 else replace(patch, comments=())


def _single_patches(installation: Installation, tree: Tree) -> Iterator[CarriedPatch]:
    for original in installation.patches:
        yield from _parts(original, tree)


def _parts(original: FluxPatch, tree: Tree) -> Iterator[CarriedPatch]:
    """A patch without target may hold several documents; each has a target of its own."""
    whole = CarriedPatch(original.patch, original.target, original.where, comments_above(tree, original.where))
    documents = read_documents("patch", original.patch.encode()).documents
    if original.target or len(documents) < 2:
        yield whole
        return
    for document in documents:
        yield replace(whole, patch=text_of(document.mapping), changed="one patch for each document")


def _plain_target(patch: CarriedPatch) -> Pairs:
    """The target as written, or the object that a patch without one names."""
    if patch.target:
        return patch.target
    content = mapping(_content(patch))
    metadata = mapping(content.get("metadata"))
    group, _, _ = str(content.get("apiVersion", "")).rpartition("/")
    parts = {"group": group, "kind": str(content.get("kind", "")), "name": re.escape(str(metadata.get("name", "")))}
    return tuple((key, value) for key, value in parts.items() if value)


def _content(patch: CarriedPatch) -> Any:
    documents = read_documents("patch", patch.patch.encode()).documents
    if not documents:
        raise UnsupportedInstallation(
            "a patch of Flux cannot be read",
            where=str(patch.where or ""),
            hint="write it as a strategic merge or JSON 6902 patch that parses as YAML",
        )
    return documents[0].content


def _deletes_all_policies(patch: CarriedPatch, hit: tuple[Object, ...], plain: tuple[Object, ...]) -> bool:
    policies = {object.id for object in plain if object.id.kind == "NetworkPolicy"}
    deletes = mapping(_content(patch)).get("$patch") == "delete"
    return deletes and bool(policies) and ids_of(hit) == policies


def _fitted(patch: CarriedPatch, hit: tuple[Object, ...], base: tuple[Object, ...]) -> Iterable[CarriedPatch]:
    for placed in _with_valid_target(patch, hit, base):
        content = _content(placed)
        if isinstance(content, list):
            namespace = patch_namespace(hit)
            yield from _fitted_operations(placed, content, _hit_by(placed.target, base, namespace))
        else:
            yield placed


def _with_valid_target(
    patch: CarriedPatch, hit: tuple[Object, ...], base: tuple[Object, ...]
) -> Iterable[CarriedPatch]:
    """The patch, selecting among the operator's objects what it selects today."""
    wanted = _stems(hit, base)
    if not patch.target:
        first = _stems(hit[:1], base)
        yield from _named(patch, first, "its target is named: the operator's objects have no namespace")
        return
    without = tuple((key, value) for key, value in patch.target if key != "namespace")
    if _stems(_hit_by(without, base, patch_namespace(hit)), base) == wanted:
        why = "the operator's objects have no namespace when patches apply"
        yield patch if without == patch.target else replace(patch, target=without, changed=why)
        return
    yield from _named(patch, wanted, "the operator sets these labels only after the patches")


def patch_namespace(hit: tuple[Object, ...]) -> str:
    """The namespace of the installation, as the objects it selects show it."""
    return next((object.id.namespace for object in hit if object.id.namespace), NAMESPACE)


def _hit_by(target: Pairs, base: tuple[Object, ...], namespace: str) -> tuple[Object, ...]:
    """What a target selects there, by the plain name or by the one with the suffix."""
    suffixed = [_with_suffix(object, namespace) for object in base if object.id.kind in _SUFFIXED]
    return selected(target, (*base, *suffixed))


def _with_suffix(object: Object, namespace: str) -> Object:
    return Object(object.id._replace(name=f"{object.id.name}-{namespace}"), object.data)


def _named(patch: CarriedPatch, stems: Iterable[tuple[str, str]], changed: str) -> Iterable[CarriedPatch]:
    """The patch once for each kind, aiming at what is called so."""
    for kind, group in groupby(sorted(stems), key=itemgetter(0)):
        yield replace(patch, target=by_name(kind, (name for _, name in group)), changed=changed)


def _stems(objects: Iterable[Object], base: tuple[Object, ...]) -> frozenset[tuple[str, str]]:
    return frozenset((object.id.kind, _stem(object.id.kind, object.id.name, base)) for object in objects)


def _stem(kind: str, name: str, base: tuple[Object, ...]) -> str:
    """The name without the suffix of the installation, as the operator's patches may write it."""
    names = [object.id.name for object in base if object.id.kind == kind]
    if name in names:
        return name
    return max((stem for stem in names if name.startswith(f"{stem}-")), key=len, default=name)


def _fitted_operations(patch: CarriedPatch, operations: list[Any], hit: tuple[Object, ...]) -> Iterable[CarriedPatch]:
    """JSON 6902 operations that would fail or hit another line, rewritten; the others as they are."""
    steady = [operation for operation in operations if not _needs_map(mapping(operation), hit)]
    marks = [operation for operation in operations if _needs_map(mapping(operation), hit)]
    moved = [_steady_argument(patch, mapping(operation), hit) for operation in steady]
    if moved == operations:
        yield patch
    elif moved:
        yield replace(
            patch, patch=text_of(moved), changed="arguments by position stand elsewhere in the operator's objects"
        )
    for kind in sorted({object.id.kind for object in hit} if marks else ()):
        yield replace(patch, patch=_merge_patch(kind, marks, hit), changed="the map it adds to is not there yet")


def _needs_map(operation: Mapping[str, Any], hit: tuple[Object, ...]) -> bool:
    match = _MARKS.fullmatch(str(operation.get("path", "")))
    return bool(match) and any(match[1] not in mapping(object.data.get("metadata")) for object in hit if match)


def _merge_patch(kind: str, operations: list[Any], hit: tuple[Object, ...]) -> str:
    metadata: dict[str, Any] = {"name": "not-used"}
    for operation in operations:
        match = _MARKS.fullmatch(str(operation["path"]))
        assert match is not None
        key = match[2].replace("~1", "/").replace("~0", "~")
        metadata.setdefault(match[1], {})[key] = operation.get("value")
    version = next(object.api_version for object in hit if object.id.kind == kind)
    return text_of({"apiVersion": version, "kind": kind, "metadata": metadata})


def _steady_argument(patch: CarriedPatch, operation: Mapping[str, Any], hit: tuple[Object, ...]) -> Mapping[str, Any]:
    """An operation on an argument whose position the operator keeps, else one that appends the same flag."""
    match = _ARGUMENT.fullmatch(str(operation.get("path", "")))
    if not match or all(int(match[1]) <= _steady_positions(object) for object in hit):
        return operation
    value = str(operation.get("value", ""))
    if operation.get("op") in ("add", "replace") and value.startswith("--"):
        return {"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": value}
    raise UnsupportedInstallation(
        f"a patch removes argument {match[1]} of {hit[0].id.name}, which stands elsewhere in the operator's objects",
        where=str(patch.where or ""),
        hint="remove the argument by appending the flag with its default value instead",
    )


def _steady_positions(object: Object) -> int:
    return _STEADY_ARGUMENTS.get(object.id.name, _OTHER_STEADY_ARGUMENTS)

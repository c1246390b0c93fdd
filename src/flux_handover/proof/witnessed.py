"""A live cluster laid over the one that a proof expects: what a phase is judged from once more before it is pushed.

What Flux deletes by is taken as it was seen: inventories, labels of owners, opt-outs and who set them, the live
specs, who is not ready. All else, as the content of objects, stays as the proof has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flux_handover.objects import (
    KUSTOMIZE_GROUP,
    OPERATOR_GROUP,
    OPERATOR_NAME,
    OPERATOR_NAMESPACE,
    OWNER_NAME,
    OWNER_NAMESPACE,
    Object,
    ObjectId,
    id_of,
    mapping,
    mappings,
    text_at,
)
from flux_handover.proof.facets import MARKS, marks_of
from flux_handover.proof.reconcile_cluster import FOLDED
from flux_handover.proof.seen import Sights, as_seen, rescoped
from flux_handover.proof.table import Table
from flux_handover.proof.world import (
    NONE,
    Build,
    Built,
    Desired,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Live,
    Mark,
    Marks,
    Renders,
    World,
)

NOBODY: frozenset[ObjectId] = frozenset()


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What was seen of one object: whose labels it has, its opt-outs by whether an apply takes them off, if it goes."""

    owner: ObjectId | None = None
    operator: ObjectId | None = None
    marks: Marks = NONE
    pinned: Marks = NONE
    deleting: bool = False


@dataclass(frozen=True, slots=True)
class Witness:
    """A live cluster as far as Flux deletes by it; `unready` are Kustomizations that are not, and what they say."""

    sights: Sights
    specs: Mapping[ObjectId, KustomizationSpec]
    unready: Mapping[ObjectId, str]
    glimpses: Mapping[ObjectId, Glimpse]


def glimpse_of(manifest: Mapping[str, Any]) -> Glimpse:
    """What the metadata of an object says."""
    object = Object(id_of(manifest), manifest)
    found, pinned = marks_of(object), frozenset(_pinned(manifest))
    return Glimpse(
        owner=_owner(object, KUSTOMIZE_GROUP, "Kustomization", (OWNER_NAMESPACE, OWNER_NAME)),
        operator=_owner(object, OPERATOR_GROUP, "FluxInstance", (OPERATOR_NAMESPACE, OPERATOR_NAME)),
        marks=found - pinned,
        pinned=found & pinned,
        deleting="deletionTimestamp" in mapping(manifest.get("metadata")),
    )


def _owner(object: Object, group: str, kind: str, keys: tuple[str, str]) -> ObjectId | None:
    namespace, name = (text_at(object.labels, key) for key in keys)
    return ObjectId(group, kind, namespace, name) if name else None


def _pinned(manifest: Mapping[str, Any]) -> Iterator[Mark]:
    """Opt-outs that somebody else than kustomize-controller wrote, so that it does not take them off."""
    for entry in mappings(mapping(manifest.get("metadata")).get("managedFields")):
        if not text_at(entry, "manager").startswith(FOLDED):
            written = mapping(mapping(entry.get("fieldsV1")).get("f:metadata"))
            keys = {**mapping(written.get("f:labels")), **mapping(written.get("f:annotations"))}
            yield from (mark for mark, (key, _) in MARKS.items() if f"f:{key}" in keys)


def witnessed(
    world: World, environment: Environment, witness: Witness, opaque: frozenset[ObjectId] = NOBODY
) -> tuple[World, Environment]:
    """The world as it is live, and an environment that knows what the live specs build.

    Whose content is `opaque` but unchanged builds what it has (rules.md R8).
    """
    witness = _scoped(world, witness)
    specs = dict(_respelled(world, witness))
    world = as_seen(world, witness.sights)
    gone = _gone(witness)
    live = {id: _as_live(one, id, witness, specs) for id, one in world.live.items() if id not in gone}
    records = {
        id: replace(record, ready=False, reason=witness.unready[id]) if id in witness.unready else record
        for id, record in world.records.items()
        if id in live
    }
    known = {(id, spec): old for id, spec in specs.items() if (old := _known(world, id)) and _builds_as(old, spec)}
    kept = {id: _kept(record.inventory, live) for id, record in records.items() if id in opaque}
    renders = _Respelled(environment.renders, known, kept)
    return replace(world, live=Table(live), records=Table(records)), replace(environment, renders=renders)


def _scoped(world: World, witness: Witness) -> Witness:
    """The same cluster with the ids of the proof: of a kind that Git does not define it cannot tell the scope."""
    seen = {id: one.inventory for id, one in witness.sights.items() if one.inventory is not None}
    renamed: dict[ObjectId, ObjectId] = {}
    for owner, inventory in seen.items():
        expected = world.records[owner].inventory if owner in world.records else NOBODY
        renamed.update(rescoped(inventory - expected, expected - witness.glimpses.keys()))
    sights = {
        id: replace(one, inventory=frozenset(renamed.get(held, held) for held in seen[id])) if id in seen else one
        for id, one in witness.sights.items()
    }
    glimpses = {renamed.get(id, id): glimpse for id, glimpse in witness.glimpses.items()}
    return replace(witness, sights=sights, glimpses=glimpses)


def _kept(inventory: frozenset[ObjectId], live: Mapping[ObjectId, Live]) -> Built:
    """A build of just what is there."""
    there = ((id, live[id]) for id in sorted(inventory) if id in live)
    return Built(tuple(Desired(id, one.marks, one.digest, one.spec, one.definition) for id, one in there))


def unexplained(world: World, witness: Witness) -> Iterator[str]:
    """Kustomizations that Git does not know, or that build something else live: what they do next is not known."""
    for id, spec in sorted(witness.specs.items()):
        old = _known(world, id)
        if old is None:
            yield f"{id} is in the cluster, and not in Git"
        elif not _builds_as(old, spec):
            yield f"{id} is built otherwise in the cluster than by Git"


def _respelled(world: World, witness: Witness) -> Iterator[tuple[ObjectId, KustomizationSpec]]:
    """The live specs that are not those of Git; that one is suspended live is a mark, since an apply may keep it."""
    for id, spec in witness.specs.items():
        old = _known(world, id)
        if old is not None:
            new = replace(spec, suspend=old.suspend, guards=old.guards, rest=old.rest)
            if new != old:
                yield id, new


def _known(world: World, id: ObjectId) -> KustomizationSpec | None:
    live = world.live.get(id)
    return live.spec if live is not None and isinstance(live.spec, KustomizationSpec) else None


def _builds_as(old: KustomizationSpec, new: KustomizationSpec) -> bool:
    """Whether two specs build the same: whatever else they say is about what becomes of it."""
    return (old.source, old.path, old.variables) == (new.source, new.path, new.variables)


def _gone(witness: Witness) -> frozenset[ObjectId]:
    """Objects that are not there, although an inventory that was seen has them."""
    held = (one.inventory for one in witness.sights.values() if one.inventory is not None)
    return NOBODY.union(*held) - witness.glimpses.keys()


def _as_live(live: Live, id: ObjectId, witness: Witness, specs: Mapping[ObjectId, KustomizationSpec]) -> Live:
    spec = specs.get(id, live.spec)
    seen = witness.glimpses.get(id)
    if seen is None:
        return replace(live, spec=spec)
    is_suspended = id in witness.specs and witness.specs[id].suspend and not getattr(spec, "suspend", False)
    pinned = seen.pinned | {Mark.SUSPENDED} if is_suspended else seen.pinned
    return replace(
        live,
        owner=seen.owner,
        operator=seen.operator,
        marks=seen.marks,
        pinned=pinned,
        spec=spec,
        deleting=seen.deleting,
    )


@dataclass(frozen=True, slots=True)
class _Respelled:
    """`Renders` that looks a live spec up under the one of Git that builds the same, and knows what is `kept`."""

    renders: Renders
    known: Mapping[tuple[ObjectId, KustomizationSpec], KustomizationSpec]
    kept: Mapping[ObjectId, Built]

    def kustomization(self, id: ObjectId, spec: KustomizationSpec, revision: str) -> Build:
        """The build of a Kustomization."""
        if id in self.kept:
            return self.kept[id]
        return self.renders.kustomization(id, self.known.get((id, spec), spec), revision)

    def release(self, id: ObjectId, spec: HelmReleaseSpec) -> Build:
        """The objects of a HelmRelease's chart."""
        return self.renders.release(id, spec)

    def instance(self, id: ObjectId, spec: FluxInstanceSpec) -> Build:
        """The objects of a FluxInstance."""
        return self.renders.instance(id, spec)

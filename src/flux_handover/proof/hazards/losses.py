"""Which hazard an unexpected deletion is: one code for each, decided by what goes and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from flux_handover.model.rendering import Cluster
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId, names
from flux_handover.plan import present
from flux_handover.proof.deletions import STATEFUL_KINDS, Deleted
from flux_handover.proof.hazards.places import place_of
from flux_handover.proof.hazards.registry import Pair, Sign

SHOWN = 3


def coded(pair: Pair) -> Pair:
    """The pair with the hazard of each deletion that was not meant and is no cascade."""
    judged = _Judged(pair, frozenset(_uninstalls(pair.before.cluster)), frozenset(_moved(pair)))
    unmeant = (deleted for deleted in pair.deletes if not deleted.cascade and not deleted.expected)
    return replace(pair, codes={deleted.id: _code_of(deleted, judged) for deleted in unmeant})


@dataclass(frozen=True, slots=True)
class _Judged:
    pair: Pair
    uninstalling: frozenset[ObjectId]
    moved: frozenset[ObjectId]


def _code_of(deleted: Deleted, judged: _Judged) -> str:
    """The worst that a deletion means comes first."""
    pair, id = judged.pair, deleted.id
    cluster, everything = pair.before.cluster, {id, *(other.id for other in along(deleted, pair))}
    flux = {object.id for object in pair.before.installation.live}
    questions = (
        ("O3", id in (cluster.root, cluster.builds[cluster.root].ks.source)),
        ("O10", bool(everything & judged.uninstalling)),
        ("O5", bool(everything & flux) and _is_adopted(pair)),
        ("O4", bool(everything & flux)),
        ("O7", deleted.counterexample.edge == "E7"),
        ("O9", id in judged.moved),
        ("O13", id.kind == "Namespace" or any((one.group, one.kind) in STATEFUL_KINDS for one in everything)),
        ("V3", _is_input(id) and _feeds(id, cluster) and _feeds(id, pair.after.cluster)),
        ("O15", _is_input(id) and _feeds(id, cluster)),
        ("O2", id.kind == "Kustomization" and id.group == KUSTOMIZE_GROUP),
    )
    return next((code for code, holds in questions if holds), "O1")


def _is_input(id: ObjectId) -> bool:
    return id.kind in ("Secret", "ConfigMap") and not id.group


def along(deleted: Deleted, pair: Pair) -> tuple[Deleted, ...]:
    """Everything that goes along with a deleted object, and with what goes along."""
    found: dict[ObjectId, Deleted] = {}
    waiting = [deleted.id]
    while waiting:
        above = waiting.pop()
        for other in pair.deletes:
            if other.cascade and other.via == above and other.id not in found:
                found[other.id] = other
                waiting.append(other.id)
    return tuple(found.values())


def lost(pair: Pair, code: str) -> Iterator[Sign]:
    """The unexpected deletions of one hazard."""
    for deleted in pair.deletes:
        if not deleted.cascade and pair.codes.get(deleted.id) == code:
            yield Sign(_message(deleted, pair), deleted.id, place_of(pair.before, deleted.id))


def _message(deleted: Deleted, pair: Pair) -> str:
    others = along(deleted, pair)
    also = f", and {_some([one.id for one in others])} with it" if others else ""
    unknown = ", and whatever its chart installed" if deleted.takes_along else ""
    again = "; it is made again later" if deleted.recreated else ""
    edge = f" ({deleted.counterexample.edge})" if deleted.counterexample.edge else ""
    why = f"; {deleted.precious[0]}" if deleted.precious and not deleted.recreated else ""
    return f"Flux deletes {deleted.id}, which {deleted.reason.removeprefix('which ')}{also}{unknown}{again}{why}{edge}"


def _some(ids: list[ObjectId]) -> str:
    ordered = sorted(ids, key=lambda id: (_rank(id), id))
    more = f" and {len(ordered) - SHOWN} more" if len(ordered) > SHOWN else ""
    return names(ordered[:SHOWN]) + more


def _rank(id: ObjectId) -> int:
    """What matters most comes first."""
    return 0 if (id.group, id.kind) in STATEFUL_KINDS else 1 if id.kind in ("Namespace", "Kustomization") else 2


def _uninstalls(cluster: Cluster) -> set[ObjectId]:
    """Objects whose deletion uninstalls Flux by the operator."""
    instance, operator = present.instance(cluster), present.operator_release(cluster)
    return {one.object.id for one in (instance.found if instance else None, operator) if one is not None}


def _is_adopted(pair: Pair) -> bool:
    return present.instance(pair.before.cluster) is not None


def _moved(pair: Pair) -> set[ObjectId]:
    """Kustomizations and sources that go away while one that does the same appears under another name."""
    old, new = pair.before.cluster, pair.after.cluster
    gone, come = old.builds.keys() - new.builds.keys(), new.builds.keys() - old.builds.keys()
    paths = {(new.builds[id].ks.path, new.builds[id].ks.source.name) for id in come}
    moved = {id for id in gone if (old.builds[id].ks.path, old.builds[id].ks.source.name) in paths}
    urls = {source.url for id, source in new.sources.items() if id not in old.sources}
    return moved | {id for id, source in old.sources.items() if id not in new.sources and source.url in urls}


def _feeds(id: ObjectId, cluster: Cluster) -> bool:
    """Whether a live Kustomization or source needs the object to do its work."""
    for build in cluster:
        if id == build.ks.decryption_secret or any(one.id == id for one in build.ks.substitute_from):
            return True
    return any(source.secret == id for source in cluster.sources.values())


def is_flux_object(id: ObjectId) -> bool:
    """Whether the object is of a kind that Flux reconciles."""
    return id.group.endswith("toolkit.fluxcd.io") or id.group == "fluxcd.controlplane.io"

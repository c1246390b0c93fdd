"""Which hazard an unexpected deletion is: one code for each, decided by what goes and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

from flux_handover.model.installation import Method
from flux_handover.model.rendering import Cluster
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId, ids_of, leading_names, where_it_lives
from flux_handover.plan import present
from flux_handover.proof.deletions import STATEFUL_KINDS, Deleted
from flux_handover.proof.hazards.places import place_of
from flux_handover.proof.hazards.registry import Pair, Sign
from flux_handover.proof.world import is_instance as is_instance_id

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
    everything = {deleted.id, *(other.id for other in along(deleted, judged.pair))}
    questions = chain(_of_flux(deleted, everything, judged), _of_rest(deleted, everything, judged))
    return next((code for code, holds in questions if holds), "O1")


def _of_flux(deleted: Deleted, everything: set[ObjectId], judged: _Judged) -> Iterator[tuple[str, bool]]:
    """Whether Flux loses a part of itself."""
    before = judged.pair.before
    own = bool(everything & ids_of(before.installation.live))
    yield "O3", deleted.id in (before.cluster.root, before.cluster.builds[before.cluster.root].ks.source)
    old = before.installation.owner if before.installation.method is not Method.OPERATOR else None
    yield "O4", deleted.id == old
    yield "O10", bool(everything & judged.uninstalling)
    yield "O7", deleted.counterexample.edge == "E7"
    yield "O5", (own or _is_unrendered(deleted)) and _is_adopted(judged.pair)
    yield "O4", own


def _is_unrendered(deleted: Deleted) -> bool:
    """Whether the operator deletes it, since the FluxInstance no longer asks for it."""
    return deleted.owner is not None and is_instance_id(deleted.owner)


def _of_rest(deleted: Deleted, everything: set[ObjectId], judged: _Judged) -> Iterator[tuple[str, bool]]:
    """Whether what Flux applies loses data, variables or a whole Kustomization."""
    id, pair = deleted.id, judged.pair
    fed = _is_input(id) and _feeds(id, pair.before.cluster)
    yield "O9", id in judged.moved
    is_data = any(where_it_lives(one)[:2] in STATEFUL_KINDS for one in everything)
    yield "O13", where_it_lives(id).kind == "Namespace" or is_data
    yield "V3", fed and _feeds(id, pair.after.cluster)
    yield "O15", fed
    yield "O2", id.kind == "Kustomization" and id.group == KUSTOMIZE_GROUP


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
    others = [one.id for one in along(deleted, pair)]
    why = f"; {deleted.precious[0]}" if deleted.precious and not deleted.recreated else ""
    notes = (
        (bool(others), f", and {_some(others)} with it"),
        (bool(deleted.takes_along), ", and whatever its chart installed"),
        (deleted.recreated, "; it is made again later"),
        (True, why),
        (bool(deleted.counterexample.edge), f" ({deleted.counterexample.edge})"),
    )
    said = f"Flux deletes {deleted.id}, which {deleted.reason.removeprefix('which ')}"
    return said + "".join(words for holds, words in notes if holds)


def _some(ids: list[ObjectId]) -> str:
    ordered = sorted(ids, key=lambda id: (_rank(id), id))
    return leading_names(ordered, SHOWN)


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

"""Whether a push can still repair what does not work: P6 of the transition model.

A push can change files, and whatever a Kustomization that works applies. It cannot bring back what applies it,
or what a Kustomization must read before it applies anything, if nobody else makes that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from flux_handover.objects import ObjectId
from flux_handover.proof.reconcile_kustomization import SKIPS
from flux_handover.proof.world import (
    Actor,
    Built,
    Environment,
    KustomizationSpec,
    Live,
    SourceSpec,
    World,
    is_hosted,
    is_suspended,
)

DELIVERING = (Actor.SOURCE, Actor.KUSTOMIZE)


def gone_for_good(world: World, environment: Environment) -> Iterator[tuple[ObjectId, Actor]]:
    """Controllers without which no push reaches the cluster, where a world at rest lacks what they run on."""
    for actor in DELIVERING:
        host = environment.controllers.get(actor)
        if host is not None and not is_hosted(world, environment, actor):
            yield host.deployment, actor


def beyond_repair(world: World, environment: Environment, first: World) -> Mapping[ObjectId, str]:
    """Kustomizations of a world at rest that no push makes work again, and why.

    Whoever owns one and is no owner in `first`, where an exploration starts, is outside of it and works.
    """
    lacking = {
        id: frozenset(_lacks(world, id, spec)) for id, spec in _kustomizations(world) if not _is_led(world, first, id)
    }
    working = {id for id, missing in lacking.items() if not missing}
    making = {id: _makes(world, environment, id) for id in lacking}
    while fresh := {id for id in lacking.keys() - working if _is_repaired(world, id, lacking[id], working, making)}:
        working |= fresh
    return {id: _why(id, lacking[id], making) for id in sorted(lacking.keys() - working)}


def _is_led(world: World, first: World, id: ObjectId) -> bool:
    """Whether a parent outside of the exploration gives a Kustomization its spec."""
    parent = world.live[id].owner
    known = first.live.get(parent) if parent else None
    return parent is not None and (known is None or known.spec is None) and not _is_skipped(world.live[id])


def _kustomizations(world: World) -> Iterator[tuple[ObjectId, KustomizationSpec]]:
    for id, live in world.live.items():
        if isinstance(live.spec, KustomizationSpec) and not live.deleting and not is_suspended(live):
            yield id, live.spec


def _lacks(world: World, id: ObjectId, spec: KustomizationSpec) -> Iterator[ObjectId]:
    """What a Kustomization reads before it applies, and is not there; a source that cannot fetch stays as it is."""
    yield from _lacks_of_source(world, spec.source)
    variables = (source.id for source in spec.variables if not source.optional)
    account = filter(None, (spec.account,))
    yield from (other for other in chain(account, variables, spec.depends_on) if other not in world.live)


def _lacks_of_source(world: World, id: ObjectId) -> Iterator[ObjectId]:
    source = world.live.get(id)
    if source is None or source.deleting:
        yield id
    elif isinstance(source.spec, SourceSpec) and source.spec.secret and source.spec.secret not in world.live:
        yield source.spec.secret


def _makes(world: World, environment: Environment, id: ObjectId) -> frozenset[ObjectId]:
    """What a Kustomization has applied, or would apply of the newest artifact."""
    record, spec = world.records.get(id), world.live[id].spec
    made = record.inventory if record else frozenset()
    if isinstance(spec, KustomizationSpec) and spec.source in world.artifacts:
        build = environment.renders.kustomization(id, spec, world.artifacts[spec.source])
        made |= build.ids if isinstance(build, Built) else frozenset()
    return made


def _is_repaired(
    world: World,
    id: ObjectId,
    missing: frozenset[ObjectId],
    working: set[ObjectId],
    making: Mapping[ObjectId, frozenset[ObjectId]],
) -> bool:
    """Whether others that work make all that is missing, or one of them may give it another spec."""
    made = frozenset().union(*(making[other] for other in working))
    return missing <= made or (id in made and not _is_skipped(world.live[id]))


def _is_skipped(live: Live) -> bool:
    return bool(live.opt_outs & SKIPS)


def _why(id: ObjectId, missing: frozenset[ObjectId], making: Mapping[ObjectId, frozenset[ObjectId]]) -> str:
    lost = min(missing)
    if lost in making[id]:
        return f"{id} needs {lost}, which only it would make"
    return f"{id} needs {lost}, which no Kustomization that works would make"

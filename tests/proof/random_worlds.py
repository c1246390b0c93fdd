"""Small random clusters with one commit, for comparing the judge with a search that cuts nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from proof.worlds import (
    INSTANCE_CRD,
    NS,
    Fleet,
    Paths,
    config,
    git,
    helm,
    instance,
    ks,
    kustomization,
    namespace,
    plain,
    push,
    source,
)

from flux_handover.objects import ObjectId
from flux_handover.proof.exploration import explore
from flux_handover.proof.reconcile_cluster import Program
from flux_handover.proof.scope import objects_of
from flux_handover.proof.world import (
    Apply,
    ApplyFailed,
    Build,
    BuildFailed,
    Built,
    DeletionPolicy,
    Desired,
    Environment,
    HelmReleaseSpec,
    KustomizationSpec,
    Mark,
    Release,
    Variables,
    World,
)

OBJECTS = (config("a", "one"), config("b", "one"), config("c", "two"), namespace("one"))
FEW = (config("a", "one"), namespace(NS))
MARKS = (Mark.PRUNE_DISABLED, Mark.RECONCILE_DISABLED, Mark.SSA_IGNORE, Mark.SSA_IF_NOT_PRESENT)
CHILDREN = ("left", "right")
CROWD = ("left", "right", "third")


@dataclass(frozen=True)
class Case:
    """A cluster at rest and the commit that follows."""

    world: World
    environment: Environment
    program: Program

    def brute_force(self, limit: int) -> frozenset[ObjectId] | None:
        """What a search without any cut finds deleted, one by one; None if there are more than `limit` states."""
        renders = self.environment.renders
        assert isinstance(renders, Paths)
        built = (object.id for build in renders.builds.values() for object in objects_of(build))
        environment = replace(self.environment, shared=frozenset(self.world.live).union(built))
        reach = explore((self.world,), environment, self.program, limit=limit)
        return frozenset(reach.deletions) if reach.complete else None


def crowded_case(random: Random) -> Case:
    """Several owners of few objects, one of them the Namespace that they are in themselves; all is at rest first."""
    fleet = Fleet(flux=random.choice(("2.6.4", "2.8.8")))
    kept = plain(namespace(NS), Mark.PRUNE_DISABLED) if random.random() < 0.5 else plain(namespace(NS))
    for path in CROWD:
        first = [plain(id) if id != kept.id else kept for id in FEW if random.random() < 0.5]
        fleet.at(path, "1", first)
        if random.random() < 0.4:
            fleet.at(path, "2", [one for one in first if random.random() < 0.5])
    spec = KustomizationSpec(source())
    children = [kustomization(name, replace(spec, prune=random.random() < 0.8)) for name in CROWD]
    fleet.at("root", "1", children)
    if random.random() < 0.3:
        fleet.at("root", "2", children[1:])
    return Case(fleet.rest().world, fleet.environment, (push("2"),))


def random_case(random: Random) -> Case:
    """A case; its first revision need not come to rest."""
    fleet = Fleet(flux=random.choice(("2.6.4", "2.8.8")), origins=("fleet", "other"))
    for path in CHILDREN:
        _twice(fleet, path, random, lambda: _objects(random))
    _twice(fleet, "root", random, lambda: _children(random))
    fleet.chart("chart", *_objects(random)).chart("components", *_objects(random))
    world = replace(fleet.rest(git("other", "other"), plain(INSTANCE_CRD)).world, crashes=random.choice((0, 0, 1)))
    program = (push("2", *random.choice((("fleet",), ("fleet", "other")))),)
    return Case(world, fleet.environment, program)


def _twice(fleet: Fleet, path: str, random: Random, made: Callable[[], list[Desired]]) -> None:
    first = made()
    fleet.at(path, "1", first)
    if random.random() < 0.8:
        kept = [o for o in first if random.random() < 0.6]
        ids = {o.id for o in kept}
        fresh = [o for o in made() if o.id not in ids and random.random() < 0.5]
        fleet.at(path, "2", _build(random, tuple(kept + fresh)))


def _build(random: Random, objects: tuple[Desired, ...]) -> Build:
    draw = random.random()
    if draw < 0.1:
        return BuildFailed("broken")
    return ApplyFailed(objects, Apply.REST, "refused") if draw < 0.2 else Built(objects)


def _objects(random: Random) -> list[Desired]:
    chosen = [id for id in OBJECTS if random.random() < 0.5]
    return [plain(id, *(mark for mark in MARKS if random.random() < 0.1)) for id in chosen]


def _children(random: Random) -> list[Desired]:
    children = [_child(random, name) for name in CHILDREN if random.random() < 0.85]
    if random.random() < 0.2:
        children.append(helm("web", HelmReleaseSpec(Release(random.choice("ab"), NS, NS, "web"), rest="chart")))
    if random.random() < 0.2:
        children.append(instance())
    return children


def _child(random: Random, name: str) -> Desired:
    other = CHILDREN[1 - CHILDREN.index(name)]
    spec = KustomizationSpec(
        source("other" if random.random() < 0.15 else "fleet"),
        prune=random.random() < 0.8,
        suspend=random.random() < 0.1,
        policy=random.choice((DeletionPolicy.MIRROR,) * 5 + tuple(DeletionPolicy)),
        wait=random.random() < 0.2,
        depends_on=(ks(other),) if name == "right" and random.random() < 0.2 else (),
        variables=(Variables(OBJECTS[0], optional=False),) if name == "right" and random.random() < 0.1 else (),
    )
    return kustomization(name, spec, *((Mark.PRUNE_DISABLED,) if random.random() < 0.1 else ()))

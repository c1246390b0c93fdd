"""Revisions of a cluster, staged for the judge: the world at the first, and what every owner renders at each.

The first revision is taken as reconciled: every object it renders is live and labelled with its owner, and
whatever Kustomizations need that nothing in Git renders (deploy keys, variables) exists. Each of these is an
assumption that a gate of `preflight` confirms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from flux_handover.model.flux import Source
from flux_handover.model.origin import is_same_repository
from flux_handover.model.render import NO_NAMESPACE
from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.objects import Object, ObjectId, ids_of, mapping, mappings, text_at
from flux_handover.proof.facets import Facets, kustomization_spec, origin_of, source_spec
from flux_handover.proof.gates import Gates
from flux_handover.proof.reconcile_cluster import Push
from flux_handover.proof.scope import needed
from flux_handover.proof.stored import key_of
from flux_handover.proof.table import Table
from flux_handover.proof.world import (
    Actor,
    Apply,
    ApplyFailed,
    BuildFailed,
    Built,
    Controller,
    ControllerSpec,
    Environment,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Live,
    Manifest,
    Mark,
    Record,
    Rendered,
    RenderTable,
    Unknown,
    World,
)
from flux_handover.proof.world import Build as Outcome
from flux_handover.workloads import pod_of

FIXED = "as declared"
NO_SOURCES: Mapping[ObjectId, Source] = {}


@dataclass(frozen=True, slots=True)
class Stage:
    """One revision of a cluster.

    `stale` are builds of specs that the cluster had before, on the files of this revision: what a child
    renders that reconciles before its parent. `charts` are the objects of releases that
    are known, `instances` those of FluxInstances. `by_hand` are objects that a person applied.
    """

    revision: str
    cluster: Cluster
    stale: tuple[Build, ...] = ()
    charts: Mapping[ObjectId, tuple[Object, ...]] = field(default_factory=dict)
    instances: Mapping[ObjectId, tuple[Object, ...] | BuildFailed | Unknown] = field(default_factory=dict)
    by_hand: tuple[Object, ...] = ()

    def components(self, instance: ObjectId) -> tuple[Object, ...]:
        """The objects of a FluxInstance, none where it does not build."""
        rendered = self.instances.get(instance, ())
        return rendered if isinstance(rendered, tuple) else ()


@dataclass(frozen=True, slots=True)
class Staged:
    """A series ready to be judged: `pushes` lead from each stage to the next.

    `opaque` are Kustomizations whose content is not known and did not change: nothing happens to
    it, but if they are deleted, what goes along is unknown.
    """

    world: World
    environment: Environment
    pushes: tuple[Push, ...]
    opaque: frozenset[ObjectId]


def staged(stages: Sequence[Stage], gates: Gates) -> Staged:
    """The world and environment of a series of at least one stage."""
    facets = Facets(_definitions(stages), gates)
    opaque = _opaque(stages)
    ever = {id: source for stage in stages for id, source in stage.cluster.sources.items()}
    builds: dict[Rendered, Outcome] = {}
    for stage in stages:
        builds.update(_rendered(stage, facets, opaque, ever))
    own = frozenset(id for stage in stages for id in _own_sources(stage.cluster, ever))
    builds = {**dict(_alike(builds, own)), **builds}
    environment = Environment(gates, RenderTable(builds), _controllers(stages, facets))
    pushes = tuple(Push(tuple(sorted(_pushed(*pair, ever).items()))) for pair in pairwise(stages))
    return Staged(_world(stages[0], facets, opaque), environment, pushes, opaque)


def _definitions(stages: Iterable[Stage]) -> Mapping[tuple[str, str], ObjectId]:
    """The CRD of each kind that some stage renders."""
    found: dict[tuple[str, str], ObjectId] = {}
    for stage in stages:
        for object in _all_objects(stage):
            if object.id.kind == "CustomResourceDefinition":
                names = mapping(object.spec.get("names"))
                found[str(object.spec.get("group")), str(names.get("kind"))] = object.id
    return found


def _all_objects(stage: Stage) -> Iterator[Object]:
    yield from stage.by_hand
    yield from stage.cluster.present()
    for group in (*stage.charts.values(), *map(stage.components, stage.instances)):
        yield from group


def _opaque(stages: Sequence[Stage]) -> frozenset[ObjectId]:
    """Kustomizations that do not build in any stage, each time with the same inputs (rules.md R8).

    One that comes later and fails is not among them: nobody had it ready, and what depends on it waits.
    """
    inputs: dict[ObjectId, set[str]] = {}
    for stage in stages:
        for build in stage.cluster:
            built = build.status is BuildStatus.OK or bool(build.lasting)
            inputs.setdefault(build.id, set()).add("built" if built else build.inputs)
    failing = {build.id for stage in stages for build in stage.cluster if build.status is BuildStatus.FAILED}
    new = failing - {build.id for build in stages[0].cluster}
    return frozenset(id for id, found in inputs.items() if len(found) == 1 and "built" not in found) - new


def _rendered(
    stage: Stage, facets: Facets, opaque: frozenset[ObjectId], ever: Mapping[ObjectId, Source]
) -> Iterator[tuple[Rendered, Outcome]]:
    own = _own_sources(stage.cluster, ever)
    # A Kustomization whose source left Git has no build there, but the source is live until it is pruned.
    for build in (*stage.cluster, *stage.stale):
        revision = stage.revision if build.ks.source in own else FIXED
        outcome = Built(()) if build.id in opaque else _outcome(build, facets)
        yield (build.id, kustomization_spec(build.ks), revision), outcome
    for object in _all_objects(stage):
        content = stage.charts.get(object.id, stage.instances.get(object.id))
        if content is not None:
            yield from _applying(object, content, facets)


def _alike(builds: Mapping[Rendered, Outcome], own: frozenset[ObjectId]) -> Iterator[tuple[Rendered, Outcome]]:
    """Builds of other specs at a revision that give the same: which source of this repository brings the files,
    whether it prunes, is suspended or waits, decides nothing about them.

    Two sources fetch a revision at different times, so a spec that one brings may meet what the other had before.
    """
    specs: dict[tuple[ObjectId, KustomizationSpec], set[KustomizationSpec]] = {}
    for id, spec, _ in builds:
        if isinstance(spec, KustomizationSpec) and spec.source in own:
            specs.setdefault((id, _built_from(spec)), {replace(spec, suspend=False)}).add(spec)
    for (id, spec, revision), outcome in builds.items():
        if isinstance(spec, KustomizationSpec) and spec.source in own:
            yield from (((id, other, revision), outcome) for other in specs[id, _built_from(spec)])


def _built_from(spec: KustomizationSpec) -> KustomizationSpec:
    """A spec as far as it decides what is built of the files of this repository."""
    return KustomizationSpec(spec.source._replace(name=""), spec.path, rest=spec.rest)


def _applying(
    object: Object, content: tuple[Object, ...] | BuildFailed | Unknown, facets: Facets
) -> Iterator[tuple[Rendered, Outcome]]:
    spec = facets.desired(object).spec
    if isinstance(spec, HelmReleaseSpec | FluxInstanceSpec):
        made = Built(tuple(map(facets.desired, content))) if isinstance(content, tuple) else content
        yield (object.id, spec, ""), made


def _outcome(build: Build, facets: Facets) -> Outcome:
    reason = build.failure.message if build.failure else ""
    match build.status:
        case BuildStatus.OK:
            return Built(tuple(facets.desired(object) for object in build.objects))
        case BuildStatus.FAILED if build.failure and build.failure.code == NO_NAMESPACE:
            return ApplyFailed(tuple(facets.desired(object) for object in build.raw), Apply.REST, reason)
        case BuildStatus.FAILED:
            return BuildFailed(reason)
        case BuildStatus.UNKNOWN:
            return Unknown(f"{build.id} cannot be built here: {reason}")


def _own_sources(cluster: Cluster, ever: Mapping[ObjectId, Source]) -> frozenset[ObjectId]:
    """The sources that bring this repository, and those of other revisions that would if they were still live."""
    root = root_source(cluster)
    sources = {**ever, **cluster.sources}
    return frozenset(id for id, source in sources.items() if is_same_repository(source, root))


def root_source(cluster: Cluster) -> Source:
    """The source that stands for the repository itself."""
    return cluster.sources[cluster.builds[cluster.root].ks.source]


def _heads(stage: Stage, ever: Mapping[ObjectId, Source]) -> dict[str, str]:
    own = _own_sources(stage.cluster, ever)
    sources = {**ever, **stage.cluster.sources}.values()
    return {origin_of(source): stage.revision if source.id in own else FIXED for source in sources}


def _pushed(before: Stage, after: Stage, ever: Mapping[ObjectId, Source]) -> dict[str, str]:
    """The heads that a push brings; one that gives the repository another address arrives at the old one first."""
    own = _own_sources(before.cluster, NO_SOURCES)
    old = {origin_of(source): after.revision for source in before.cluster.sources.values() if source.id in own}
    return {**old, **_heads(after, ever)}


def _world(stage: Stage, facets: Facets, opaque: frozenset[ObjectId]) -> World:
    heads = _heads(stage, NO_SOURCES)
    live = {**_phantoms(stage), **dict(_live(stage, facets))}
    artifacts = {id: heads[origin_of(source)] for id, source in stage.cluster.sources.items()}
    missing = {build.ks.source: FIXED for build in stage.cluster if build.ks.source not in artifacts}
    return World(
        live=Table(live),
        records=Table(dict(_records(stage, facets, live))),
        artifacts=Table({**artifacts, **missing}),
        heads=Table(heads),
        releases=Table(dict(_releases(stage, live))),
        crashes=1,
    )


def _live(stage: Stage, facets: Facets) -> Iterator[tuple[ObjectId, Live]]:
    """Every object of a stage; its root is live too where nothing here renders it: a tool or the operator made it."""
    yield stage.cluster.root, Live(spec=kustomization_spec(stage.cluster.builds[stage.cluster.root].ks))
    for source in stage.cluster.sources.values():
        yield source.id, Live(spec=source_spec(source))
    for object in (*stage.cluster.bootstrap, *stage.by_hand):
        yield object.id, _applied(object, facets, None)
    # What is suspended applied its objects once; whoever else has them applied them after it.
    for build in sorted(stage.cluster, key=lambda build: build.is_applied):
        for object in build.present:
            yield object.id, _applied(object, facets, build.id)
    for content in stage.charts.values():
        yield from ((object.id, _applied(object, facets, None)) for object in content)
    for instance in stage.instances:
        for object in stage.components(instance):
            yield object.id, replace(_applied(object, facets, None), operator=instance)


def _applied(object: Object, facets: Facets, owner: ObjectId | None) -> Live:
    desired = facets.desired(object)
    live = Live(owner, digest=desired.digest, spec=desired.spec, definition=desired.definition)
    return replace(live, marks=desired.marks) if owner else replace(live, pinned=desired.marks)


def _phantoms(stage: Stage) -> dict[ObjectId, Live]:
    """What Kustomizations need and nothing in Git renders: it must be there, or they would not be ready."""
    empty = World()
    wanted = (needed(empty, kustomization_spec(build.ks)) for build in stage.cluster)
    keys = {source.secret for source in stage.cluster.sources.values() if source.secret}
    optional = {v.id for build in stage.cluster for v in build.ks.substitute_from if v.optional}
    return {id: Live() for id in keys.union(*wanted) - optional}


def _records(stage: Stage, facets: Facets, live: Mapping[ObjectId, Live]) -> Iterator[tuple[ObjectId, Record]]:
    own = _own_sources(stage.cluster, NO_SOURCES)
    for build in stage.cluster:
        objects = build.present
        revision = stage.revision if build.ks.source in own else FIXED
        spec = kustomization_spec(build.ks)
        ready = build.status is not BuildStatus.FAILED
        reason = "" if ready or build.failure is None else build.failure.message
        yield build.id, Record(ids_of(objects), revision, spec, ready, reason)
    for id, one in live.items():
        if isinstance(one.spec, HelmReleaseSpec):
            yield id, Record(spec=one.spec)
        elif isinstance(one.spec, FluxInstanceSpec):
            content = ids_of(stage.components(id))
            yield id, Record(content, ".".join(map(str, one.spec.version)), one.spec)


def _releases(stage: Stage, live: Mapping[ObjectId, Live]) -> Iterator[tuple[tuple[str, str], Manifest]]:
    for id, one in live.items():
        if isinstance(one.spec, HelmReleaseSpec):
            content = stage.charts.get(id)
            ids = ids_of(content or ())
            kept = frozenset(id for id in ids if _is_kept(live, id))
            yield key_of(one.spec.release), Manifest(ids, kept, known=content is not None)


def _is_kept(live: Mapping[ObjectId, Live], id: ObjectId) -> bool:
    """Whether Helm keeps the object: its stored manifest says so, as the object it applied does."""
    return id in live and Mark.HELM_KEEP in live[id].opt_outs


def _controllers(stages: Sequence[Stage], facets: Facets) -> Mapping[Actor, Controller]:
    """Where each actor runs, by the images of the rendered Deployments; the last stage that has one counts.

    It needs what every stage with it has: a binding under a new name serves as well as the old one.
    """
    found: dict[Actor, Controller] = {}
    for stage in stages:
        objects = tuple(_all_objects(stage))
        for object in objects:
            spec = facets.desired(object).spec
            if isinstance(spec, ControllerSpec):
                needs = frozenset(_needs(object, objects))
                old = found.get(spec.actor)
                shared = needs & old.needs if old and old.deployment == object.id else needs
                found[spec.actor] = Controller(object.id, shared)
    return found


def _needs(deployment: Object, objects: Iterable[Object]) -> Iterator[ObjectId]:
    account = (deployment.id.namespace, text_at(pod_of(deployment), "serviceAccountName", "default"))
    for object in objects:
        match object.id.kind:
            case "ServiceAccount":
                is_needed = (object.id.namespace, object.id.name) == account
            case "Namespace":
                is_needed = object.id.name == account[0]
            case "ClusterRoleBinding":
                is_needed = account in _subjects(object)
            case _:
                is_needed = False
        if is_needed:
            yield object.id


def _subjects(binding: Object) -> set[tuple[str, str]]:
    return {(text_at(one, "namespace"), text_at(one, "name")) for one in mappings(binding.data.get("subjects"))}

"""A revision made ready for staging: what its releases of the operator's charts and its FluxInstances render."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from flux_handover import catalogue
from flux_handover.catalogue.operators import charts_like
from flux_handover.model.building import Builder, Network
from flux_handover.model.declared import Declarations
from flux_handover.model.detection_charts import FLUX_CHART, live_releases
from flux_handover.model.flux import FluxKustomization, HelmRelease, Source, helm_releases, is_instance, kustomizations
from flux_handover.model.instance import InstanceError, render_instance
from flux_handover.model.post_rendering import post_rendered
from flux_handover.model.render import Repository, rebuild
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import HELM_POLICY, Object, ObjectId, by_id
from flux_handover.plan import present
from flux_handover.plan.releasing_chart import stored_objects
from flux_handover.proof.gates import Gates, gates_of
from flux_handover.proof.reconcile_cluster import UserStep
from flux_handover.proof.series import Outcome, outcome_of
from flux_handover.proof.staging import Stage, Staged, root_source, staged
from flux_handover.proof.world import BuildFailed, Unknown, World
from flux_handover.tree import Tree

OPERATOR_KINDS: Mapping[str, str] = {
    "fluxinstances": "FluxInstance",
    "fluxreports": "FluxReport",
    "resourcesets": "ResourceSet",
    "resourcesetinputproviders": "ResourceSetInputProvider",
}
LEVELS = 8
Rendered = tuple[Object, ...] | BuildFailed | Unknown


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of one cluster, and the files it was rendered from; `by_hand` is applied and belongs to nobody."""

    name: str
    tree: Tree
    cluster: Cluster
    by_hand: tuple[Object, ...] = ()


@dataclass(frozen=True, slots=True)
class Left:
    """Kustomizations that no file declares any more and that are live all the same, with the sources they had.

    What applied them did not prune: they go on reconciling.
    """

    kustomizations: Mapping[ObjectId, FluxKustomization] = field(default_factory=dict)
    sources: Mapping[ObjectId, Source] = field(default_factory=dict)

    def after(self, cluster: Cluster, world: World) -> Left:
        """What a revision with this cluster and everything before it leave behind in the world it ends in."""
        known = {**self.kustomizations, **{build.id: build.ks for build in cluster}}
        live = {id: ks for id, ks in known.items() if id in world.live}
        return Left(live, {**self.sources, **cluster.sources})

    def behind(self, cluster: Cluster) -> frozenset[ObjectId]:
        """Those that this cluster does not declare."""
        return frozenset(self.kustomizations.keys() - cluster.builds.keys())


def step(before: Stage, after: Stage, gates: Gates, world: World | None = None) -> tuple[Staged, Outcome]:
    """What going from one stage to the next does, from the world that earlier steps left."""
    pair = staged((before, after), gates)
    start = world if world is not None else pair.world
    return pair, outcome_of(start, (UserStep(pair.pushes[0]),), pair.environment)


def stage_of(revision: Revision, before: Revision | None, builder: Builder, left: Left | None = None) -> Stage:
    """The stage of a revision; `before` is the one whose specs the cluster has when this one arrives.

    `left` is what earlier revisions left behind.
    """
    charts = dict(_charts(revision, builder))
    instances = _all_instances(revision.cluster, charts, builder)
    return Stage(
        revision=revision.name,
        cluster=revision.cluster,
        stale=_stale(before, revision, instances, builder, left or Left()),
        charts=charts,
        instances=instances,
        by_hand=revision.by_hand,
    )


def gates_between(flux: str, before: Cluster, after: Cluster) -> Gates:
    """The rules that hold while `after` arrives: those of the Flux that runs, and of the operator if there is one."""
    return gates_of(flux, operator_version(after) or operator_version(before) or None)


def operator_version(cluster: Cluster) -> str:
    """The version of the operator that the cluster's Git brings, with `v`; empty where it brings none."""
    release = present.operator_release(cluster)
    version = present.chart_version(release.object, cluster) if release else ""
    return f"v{version}" if version else ""


def _stale(
    before: Revision | None, after: Revision, instances: Mapping[ObjectId, Rendered], builder: Builder, left: Left
) -> tuple[Build, ...]:
    """The specs that the cluster had and that this revision changes, drops or takes the source from, those that
    operators give, and those that any of them render for their children, level by level."""
    old = before.cluster if before else after.cluster
    old = replace(old, sources={**left.sources, **old.sources})
    given = [*_given(instances), *(_synced(before, builder) if before else ())]
    homeless = old.sources.keys() - after.cluster.sources.keys()
    current = [build for build in after.cluster if build.ks.source not in homeless]
    repository = Repository(after.tree, Declarations((), ()), builder, Network.DENIED)
    found: list[Build] = []
    specs = [*(build.ks for build in old), *left.kustomizations.values(), *given]
    for _ in range(LEVELS):
        batches = _batches(_unbuilt(specs, [*current, *found]))
        built = [rebuild(batch, after.cluster, old, root_source(after.cluster), repository) for batch in batches]
        level = [build for builds in built for build in builds]
        if not level:
            break
        found += level
        specs = [ks for build in level for ks in kustomizations(build.present)]
    return tuple(found)


def _unbuilt(specs: Iterable[FluxKustomization], builds: Iterable[Build]) -> Iterator[FluxKustomization]:
    known = defaultdict[ObjectId, list[Any]](list)
    for build in builds:
        known[build.id].append(_spec(build.ks))
    return (ks for ks in specs if _spec(ks) not in known[ks.id])


def _spec(ks: FluxKustomization) -> Any:
    return ks.object.data.get("spec")


def _batches(specs: Iterable[FluxKustomization]) -> list[list[FluxKustomization]]:
    """Each spec once, and in a batch no Kustomization twice: one may have had several."""
    batches: list[list[FluxKustomization]] = []
    for ks in specs:
        alike = [one for batch in batches for one in batch if one.id == ks.id]
        if any(_spec(one) == _spec(ks) for one in alike):
            continue
        if len(alike) == len(batches):
            batches.append([])
        batches[len(alike)].append(ks)
    return batches


def _synced(revision: Revision, builder: Builder) -> tuple[FluxKustomization, ...]:
    """The specs that operators gave at a revision."""
    charts = dict(_charts(revision, builder))
    objects = _objects(revision.cluster, charts).values()
    if not any(is_instance(object) and object.spec.get("sync") for object in objects):
        return ()
    return _given(_all_instances(revision.cluster, charts, builder))


def _given(instances: Mapping[ObjectId, Rendered]) -> tuple[FluxKustomization, ...]:
    return tuple(ks for one in instances.values() if isinstance(one, tuple) for ks in kustomizations(one))


def _objects(cluster: Cluster, charts: Mapping[ObjectId, tuple[Object, ...]]) -> Mapping[ObjectId, Object]:
    return by_id(chain(cluster.present(), *charts.values()))


def _all_instances(
    cluster: Cluster, charts: Mapping[ObjectId, tuple[Object, ...]], builder: Builder
) -> Mapping[ObjectId, Rendered]:
    operator = operator_version(cluster)
    return dict(_instances(_objects(cluster, charts), builder, operator)) if operator else {}


def _charts(revision: Revision, builder: Builder) -> Iterator[tuple[ObjectId, tuple[Object, ...]]]:
    """The objects of the charts of Flux and its operator; those of other charts are not known."""
    cluster = revision.cluster
    for flux in live_releases(revision, frozenset({FLUX_CHART})):
        content = stored_objects(flux)
        if content is not None and flux.owner is not None:
            yield flux.owner, content
    for build in cluster:
        for release in helm_releases(build.present):
            rendered = None if release.remote else _chart(release, cluster, builder)
            if rendered is not None:
                yield release.id, rendered


def _chart(release: HelmRelease, cluster: Cluster, builder: Builder) -> tuple[Object, ...] | None:
    version = present.chart_version(release.object, cluster)
    namespace, name = release.release_namespace, release.release_name
    try:
        catalogue.operator(version)
        known = charts_like(version).removeprefix("v")
        match present.chart_of(release, cluster):
            case "flux-instance":
                made = catalogue.instance_from_values(release.values, known, namespace=namespace, release=name)
                return post_rendered(release, made, builder)
            case "flux-operator":
                ids = catalogue.operator_chart_objects(release.values, known, namespace=namespace, release=name)
                return tuple(_of_operator(id, version) for id in ids)
            case _:
                return None
    except (KeyError, ValueError):
        return None


def _of_operator(id: ObjectId, version: str) -> Object:
    """An object of the operator's chart, as far as the judge looks: what it defines, and what it runs."""
    spec: dict[str, Any] = {}
    annotations: dict[str, str] = {}
    if id.kind == "CustomResourceDefinition":
        plural, _, group = id.name.partition(".")
        spec = {"group": group, "names": {"kind": OPERATOR_KINDS.get(plural, plural)}}
        annotations = {HELM_POLICY: "keep"}
    if id.kind == "Deployment":
        spec = {"template": {"spec": {"containers": [{"image": f"flux-operator:v{version}"}]}}}
    metadata = {"name": id.name, "namespace": id.namespace, "annotations": annotations}
    return Object(id, {"kind": id.kind, "metadata": metadata, "spec": spec})


def _instances(
    objects: Mapping[ObjectId, Object], builder: Builder, operator: str
) -> Iterator[tuple[ObjectId, Rendered]]:
    for object in objects.values():
        if is_instance(object):
            yield object.id, _rendered(object, builder, operator)


def _rendered(instance: Object, builder: Builder, operator: str) -> Rendered:
    """What a live FluxInstance renders: with the defaults that the API server gave it."""
    try:
        live = catalogue.instance_defaults(instance.data, operator)
        return render_instance(live, builder, operator_version=operator)
    except InstanceError as error:
        return BuildFailed(error.message)
    except KeyError:
        return Unknown(f"flux-operator {operator} is not in the catalogue")

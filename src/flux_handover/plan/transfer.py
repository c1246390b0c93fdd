"""Sync strategy `transfer`: a root of another name takes everything over from one that the operator cannot adopt.

Decided here: whether it is possible, under which name, and what the new source and root must have to equal the
old ones. What is under way already is read from content: a root that is suspended beside the new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from flux_handover.errors import UnsupportedInstallation
from flux_handover.model.flux import Source
from flux_handover.model.origin import is_same_repository
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import Object, ObjectId, mapping
from flux_handover.plan import present
from flux_handover.plan.listings import document_of
from flux_handover.plan.present import PresentInstance
from flux_handover.plan.removing import described_in
from flux_handover.plan.syncing import KEEP, problems, restoring, sync_fields, unsuited
from flux_handover.plan.target import Transfer
from flux_handover.tree import Tree

_DELETING = ("Delete", "WaitForTermination")


def is_under_way(cluster: Cluster) -> bool:
    """Whether a transfer was begun: a suspended root beside a FluxInstance without sync, or beside the new root."""
    if predecessor(cluster) is not None:
        return True
    found = present.instance(cluster)
    return cluster.builds[cluster.root].ks.suspend and found is not None and not present.sync_of(found)


def predecessor(cluster: Cluster) -> Build | None:
    """The suspended Kustomization that applied what the root of a sync applies: the same path of the same files."""
    root = cluster.builds[cluster.root].ks
    if cluster.root not in present.synced_ids(cluster):
        return None
    source = cluster.sources[root.source]
    for build in cluster:
        other = cluster.sources.get(build.ks.source)
        same = build.id != root.id and build.ks.suspend and build.ks.path == root.path
        if same and other is not None and is_same_repository(other, source):
            return build
    return None


def transfer_of(
    cluster: Cluster, tree: Tree, namespace: str, version: str, asked: str | None = None
) -> Transfer | None:
    """The transfer of a cluster's root, None once it is through; raises UnsupportedInstallation where none can be."""
    before = predecessor(cluster)
    if before is None and cluster.root in present.synced_ids(cluster):
        return None
    old = before or cluster.builds[cluster.root]
    name = cluster.root.name if before else asked or namespace
    source = cluster.sources.get(old.ks.source)
    problem = next(_problems(cluster, tree, old, source, namespace), None)
    if problem is None and before is None:
        problem = next(_taken(cluster, tree, old, name), None)
    if problem is not None:
        message, where, hint = problem
        raise UnsupportedInstallation(f"{old.id} cannot be transferred: {message}", where=where, hint=hint)
    assert source is not None
    return _made(old, source, name, version)


def _made(old: Build, source: Source, name: str, version: str) -> Transfer:
    sync = sync_fields(old.ks.object, source, name)
    wanted = _renamed_root(old.ks.object, name)
    new_source = _with(source.object, name, source.object.spec)
    waiting = {key: value for key, value in wanted.items() if key != "wait"}

    def patches(spec: Mapping[str, Any]) -> Any:
        return restoring(sync, new_source, _with(old.ks.object, name, spec), old.where, version)

    return Transfer(
        root=old.id,
        source=source.id,
        sync=MappingProxyType(sync),
        arriving=patches({**waiting, "prune": False}),
        pruning=patches(waiting),
        whole=patches(wanted),
    )


def _renamed_root(root: Object, name: str) -> dict[str, Any]:
    """The spec of the new root: what the old one has, of the new source, and not suspended."""
    spec = {key: value for key, value in root.spec.items() if key != "suspend"}
    return {**spec, "sourceRef": {**mapping(spec.get("sourceRef")), "name": name}}


def _with(object: Object, name: str, spec: Mapping[str, Any]) -> Object:
    metadata = {**mapping(object.data.get("metadata")), "name": name}
    return Object(object.id._replace(name=name), {**object.data, "metadata": metadata, "spec": _sorted(spec)})


def _sorted(value: Any) -> Any:
    """Fields in the order of their names: whoever renders the object later gives them in an order of his own."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(entry) for entry in value] if isinstance(value, list) else value


Problem = tuple[str, str, str]
"""What is in the way, where, and what to do about it."""


def _problems(cluster: Cluster, tree: Tree, old: Build, source: Source | None, namespace: str) -> Iterator[Problem]:
    where = str(old.where or cluster.name)
    if next(problems(cluster, old, source, namespace), None) is None:
        yield "source and root have one name, so the operator can take both over as they are", where, "use --sync adopt"
    yield from ((message, where, hint) for message, hint in unsuited(cluster, old, source, namespace))
    yield from _unlike(cluster, old, source, where)
    yield from _waiting(cluster, tree, old)


def _unlike(cluster: Cluster, old: Build, source: Source | None, where: str) -> Iterator[Problem]:
    """What keeps a root from being suspended, or from being removed by one like it."""
    if all(object.id != old.id for object in old.objects):
        yield "it does not apply itself, so its suspension in Git would not reach the cluster", where, KEEP
    if not old.ks.prune:
        yield (
            "it does not prune, and a new root like it would never remove the old one",
            where,
            "set spec.prune to true first",
        )
    if old.ks.deletion_policy in _DELETING:
        yield (
            f"its deletionPolicy {old.ks.deletion_policy} deletes everything if the new root has to be taken back",
            where,
            "remove spec.deletionPolicy first",
        )
    if source is not None and source.object.spec.get("suspend") is True:
        yield f"{source.id} is suspended, and a new source like it would fetch nothing", where, "let it go on first"
    instance = present.instance(cluster)
    if instance is not None and instance.found.owner.id == old.id:
        yield (
            "it applies the FluxInstance itself, and once suspended could not give it a sync",
            where,
            "give the FluxInstance a Kustomization of its own first",
        )
    if instance is not None and old.ks.wait and _awaits_instance(instance):
        yield (
            f"it waits for everything, and {instance.found.owner.id} for the FluxInstance, which would wait for it",
            str(instance.found.owner.where or where),
            "take the FluxInstance out of the healthChecks first",
        )


def _awaits_instance(instance: PresentInstance) -> bool:
    """Whether the Kustomization that brings the FluxInstance is ready only once that is (E21)."""
    ks = instance.found.owner.ks
    if ks.wait:
        return instance.release is None
    return any(id.kind == "FluxInstance" for id in ks.health_checks)


def _waiting(cluster: Cluster, tree: Tree, old: Build) -> Iterator[Problem]:
    """Kustomizations that would wait for the old root for ever, since it is never Ready while it is suspended."""
    for build in cluster:
        if build.id != old.id and old.id in (*build.ks.depends_on, *build.ks.health_checks):
            message = f"{build.id} waits for it, and would wait for ever once it is suspended"
            yield message, place_of(build.id, cluster, tree), "take the dependency out first"


def _taken(cluster: Cluster, tree: Tree, old: Build, name: str) -> Iterator[Problem]:
    """Names that are the old ones, or that something else has."""
    ids = (old.id._replace(name=name), old.ks.source._replace(name=name))
    rendered = {object.id for _, object in cluster.objects()} | cluster.sources.keys()
    for id in ids:
        if id in rendered:
            yield (
                f"the name of the new one is taken by {id}",
                place_of(id, cluster, tree),
                "choose one with --sync-name",
            )


def place_of(id: ObjectId, cluster: Cluster, tree: Tree) -> str:
    """File and line of an object, the cluster's name where no file of its own has it."""
    file = described_in(id, cluster, tree)
    document = document_of(tree, file, id) if file else None
    return f"{file}:{document.line}" if document else cluster.name

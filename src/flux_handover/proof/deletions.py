"""Deletions as a person must see them: which were meant, which take something precious along (contract K6, K7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from flux_handover.documents import read_documents
from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Cluster
from flux_handover.objects import ObjectId, first_names, id_of, ids_of, names, where_it_lives
from flux_handover.plan import present
from flux_handover.proof.naming import Named, is_named, names_of
from flux_handover.proof.reconcile import Deletion, How
from flux_handover.proof.series import Loss, Outcome
from flux_handover.proof.stages import Revision
from flux_handover.proof.staging import Stage, Staged
from flux_handover.proof.trace import Counterexample
from flux_handover.tree import Tree

UNKNOWN = "unknown"
SHOWN = 3
DATABASES = frozenset(
    {
        ("postgresql.cnpg.io", "Cluster"),
        ("acid.zalan.do", "postgresql"),
        ("k8s.mariadb.com", "MariaDB"),
        ("mysql.oracle.com", "InnoDBCluster"),
        ("mongodbcommunity.mongodb.com", "MongoDBCommunity"),
        ("psmdb.percona.com", "PerconaServerMongoDB"),
        ("pxc.percona.com", "PerconaXtraDBCluster"),
        ("minio.min.io", "Tenant"),
        ("ceph.rook.io", "CephCluster"),
        ("ceph.rook.io", "CephBlockPool"),
        ("ceph.rook.io", "CephFilesystem"),
        ("ceph.rook.io", "CephObjectStore"),
        ("kafka.strimzi.io", "Kafka"),
        ("elasticsearch.k8s.elastic.co", "Elasticsearch"),
        ("dragonflydb.io", "Dragonfly"),
    }
)
STORAGE = frozenset({("", "PersistentVolumeClaim"), ("", "PersistentVolume"), ("storage.k8s.io", "StorageClass")})
STATEFUL_KINDS = STORAGE | DATABASES


@dataclass(frozen=True, slots=True)
class Deleted:
    """One object whose live copy some order deletes.

    `via` is what it goes along with, for a cascade. `expected` says that it was meant and takes nothing
    precious along; `precious` names, for a deletion that is not a cascade, what makes it an alarm.
    `takes_along` is `unknown` where a Helm chart or a Kustomization of unknown content goes with it.
    """

    id: ObjectId
    cluster: str
    owner: ObjectId | None
    reason: str
    cascade: bool
    via: ObjectId | None
    recreated: bool
    expected: bool
    precious: tuple[str, ...]
    takes_along: str
    counterexample: Counterexample


@dataclass(frozen=True, slots=True)
class Scene:
    """What a deletion is seen against."""

    before: Revision
    after: Revision
    stage: Stage
    staged: Staged
    installation: Installation
    named: frozenset[Named]
    recreated: frozenset[ObjectId]


def deletions_of(
    outcome: Outcome, before: Revision, after: Revision, stage: Stage, staged: Staged, installation: Installation
) -> tuple[Deleted, ...]:
    """All deletions of a step, direct ones first."""
    if not outcome.losses:
        return ()
    going = {loss.id for loss in outcome.losses}
    living = (object for object in after.cluster.present() if object.id not in going)
    recreated = frozenset(loss.id for loss in outcome.losses if loss.recreated)
    scene = Scene(before, after, stage, staged, installation, names_of(living), recreated)
    along = _along(outcome.losses)
    direct = {loss.id: _direct(loss, along, scene) for loss in outcome.losses if not loss.deletion.cascade}
    cascades = (loss for loss in outcome.losses if loss.deletion.cascade)
    return (*direct.values(), *(_cascaded(loss, outcome.losses, direct, scene) for loss in cascades))


def _along(losses: Iterable[Loss]) -> Mapping[ObjectId, tuple[ObjectId, ...]]:
    along: dict[ObjectId, tuple[ObjectId, ...]] = {}
    for loss in losses:
        if loss.deletion.cascade and loss.deletion.by:
            along[loss.deletion.by] = (*along.get(loss.deletion.by, ()), loss.id)
    return along


def _everything(id: ObjectId, along: Mapping[ObjectId, tuple[ObjectId, ...]]) -> frozenset[ObjectId]:
    found, waiting = {id}, [id]
    while waiting:
        for below in along.get(waiting.pop(), ()):
            if below not in found:
                found.add(below)
                waiting.append(below)
    return frozenset(found)


def _direct(loss: Loss, along: Mapping[ObjectId, tuple[ObjectId, ...]], scene: Scene) -> Deleted:
    precious = tuple(_precious(loss, _everything(loss.id, along), scene))
    return Deleted(
        id=loss.id,
        cluster=scene.before.cluster.name,
        owner=loss.deletion.by,
        reason=reason_of(loss.deletion),
        cascade=False,
        via=None,
        recreated=loss.recreated,
        expected=not precious,
        precious=precious,
        takes_along=_takes_along(loss.id, scene),
        counterexample=loss.counterexample,
    )


def _cascaded(loss: Loss, losses: Iterable[Loss], direct: Mapping[ObjectId, Deleted], scene: Scene) -> Deleted:
    by = {other.id: other.deletion.by for other in losses}
    top: ObjectId | None = loss.id
    while top is not None and top not in direct:
        top = by.get(top)
    return Deleted(
        id=loss.id,
        cluster=scene.before.cluster.name,
        owner=loss.deletion.by,
        reason=reason_of(loss.deletion),
        cascade=True,
        via=loss.deletion.by,
        recreated=loss.recreated,
        expected=top is not None and direct[top].expected,
        precious=(),
        takes_along=_takes_along(loss.id, scene),
        counterexample=loss.counterexample,
    )


def reason_of(deletion: Deletion) -> str:
    """Why the object goes, in words that follow its name."""
    if deletion.how in (How.PRUNE, How.FINALIZER, How.NAMESPACE, How.DEFINITION) and deletion.by:
        verb = "left the build of" if deletion.how is How.PRUNE else "goes along with"
        return f"{verb} {deletion.by}"
    return deletion.how.value


def _precious(loss: Loss, all: frozenset[ObjectId], scene: Scene) -> Iterator[str]:
    """What makes a deletion more than a document that was removed on purpose."""
    if is_named(loss.id, scene.named):
        yield f"{loss.id} is still needed by name"
    if loss.recreated:
        yield f"{loss.id} is deleted and made anew"
    left = _still_there(loss.id, scene)
    if left:
        yield f"{loss.id} is still declared in {left[0]}"
    again = sorted(scene.recreated & all - {loss.id})
    if again:
        yield f"{names(again[:SHOWN])} goes along and is made anew"
    yield from _taken(all, scene)
    needed = sorted(id for id in all - {loss.id} if is_named(id, scene.named))
    if needed:
        yield f"{needed[0]} goes along and is still needed by name"
    yield from _declared_along(loss.id, all, scene)


def _declared_along(id: ObjectId, all: frozenset[ObjectId], scene: Scene) -> Iterator[str]:
    """A Kustomization that leaves takes its objects along; that their files stay says that they may be wanted."""
    declared = ((other, _still_there(other, scene)) for other in sorted(all - {id}))
    found = next(((other, files[0]) for other, files in declared if files), None)
    if found:
        yield f"{found[0]} goes along and is still declared in {found[1]}"


def _taken(all: frozenset[ObjectId], scene: Scene) -> Iterator[str]:
    """The classes of objects that are never removed without an alarm, as far as any of them goes."""
    for what, found in _classes(all, scene).items():
        if found:
            yield f"{what} goes: {first_names(found, SHOWN)}"


def _classes(all: frozenset[ObjectId], scene: Scene) -> dict[str, set[ObjectId] | frozenset[ObjectId]]:
    kinds = {id: where_it_lives(id)[:2] for id in all}
    return {
        "a Namespace": {id for id, kind in kinds.items() if kind == ("", "Namespace")},
        "a CustomResourceDefinition": {id for id, (_, kind) in kinds.items() if kind == "CustomResourceDefinition"},
        "data": {id for id, kind in kinds.items() if kind in STATEFUL_KINDS},
        "the root": all & {scene.before.cluster.root},
        "key material": all & _keys(scene.before.cluster),
        "Flux itself": all & (_installers(scene.before.cluster) | ids_of(scene.installation.live)),
    }


def _keys(cluster: Cluster) -> set[ObjectId]:
    """Secrets that open encrypted files, or sources."""
    decryption = {build.ks.decryption_secret for build in cluster if build.ks.decryption_secret}
    return decryption | {source.secret for source in cluster.sources.values() if source.secret}


def _installers(cluster: Cluster) -> set[ObjectId]:
    """What the operator uninstalls Flux without: the FluxInstance or its release, and the operator's own."""
    instance, operator = present.instance(cluster), present.operator_release(cluster)
    return {one.object.id for one in (instance.found if instance else None, operator) if one is not None}


def _takes_along(id: ObjectId, scene: Scene) -> str:
    unknown_chart = id.kind == "HelmRelease" and id not in scene.stage.charts
    return UNKNOWN if unknown_chart or id in scene.staged.opaque else ""


def _still_there(id: ObjectId, scene: Scene) -> tuple[str, ...]:
    """Files that produced the object and still declare it, unless objects of its name elsewhere account for them."""
    found = _declaring(id, scene)
    if not found:
        return ()
    namesakes = {o.id for o in scene.after.cluster.present() if o.id != id and _is_same(o.id, id)}
    return found if len(found) > len(namesakes) else ()


def _declaring(id: ObjectId, scene: Scene) -> tuple[str, ...]:
    """Files that the owner read and that declare the object on both sides."""
    owner = scene.before.cluster.applying(id)
    trees = (scene.before.tree, scene.after.tree)
    reads = sorted(owner.reads) if owner else ()
    return tuple(path for path in reads if all(path in tree and _declares(tree, path, id) for tree in trees))


def _declares(tree: Tree, path: str, id: ObjectId) -> bool:
    content = tree.files[path].content
    if content is None or id.name.encode() not in content or not path.endswith((".yaml", ".yml")):
        return False
    return any(_is_same(id_of(document.mapping), id) for document in read_documents(path, content).documents)


def _is_same(declared: ObjectId, id: ObjectId) -> bool:
    return (declared.group, declared.kind, declared.name) == (id.group, where_it_lives(id).kind, id.name)

"""What must be seen between the phases of a transfer: who is suspended, who owns what, and what prunes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flux_handover.model.rendering import Cluster
from flux_handover.objects import (
    KUSTOMIZE_GROUP,
    OWNER_NAME,
    OWNER_NAMESPACE,
    RECONCILE,
    SSA,
    Object,
    ObjectId,
    has_mark,
)
from flux_handover.plan.conditions import ANY, Every, FieldIs, Has, IsReady, NoneHas
from flux_handover.plan.gates import absent, all_ready, before_references
from flux_handover.plan.phases import Gate, PhaseName
from flux_handover.plan.resources import KUSTOMIZATIONS, SOURCES, plural
from flux_handover.plan.synced_gates import kept
from flux_handover.plan.target import Target, Transfer

_HELD = ("prune", "wait", "suspend", "sourceRef")
_SUCCEEDED = "ReconciliationSucceeded"


def before_phase(phase: PhaseName, cluster: Cluster, target: Target, removed: frozenset[ObjectId]) -> tuple[Gate, ...]:
    """The gates of one phase of a transfer."""
    transfer = target.transfer
    assert transfer is not None, "only a transfer has these phases"
    match phase:
        case PhaseName.SUSPEND:
            return before_references(removed - transfer.renamed.keys())
        case PhaseName.TRANSFER:
            free = map(_free, transfer.renamed.values())
            return (_suspended(transfer), *free, *all_ready("before the new root takes over", transfer.root))
        case PhaseName.SETTLE:
            return (
                *_taken_over(cluster, target, transfer, removed),
                *all_ready("while the old root rests", transfer.root),
            )
        case PhaseName.FOLLOW:
            return (*_settled(transfer), *all_ready("while the old root rests", transfer.root))
        case _:
            unnamed = [_unnamed(transfer)] if transfer.source in removed else []
            seen = (*_settled(transfer), _owned(transfer, tuple(_alone(cluster, target, transfer, removed))), *unnamed)
            return (*seen, *all_ready("while the old root rests", transfer.root))


def _settled(transfer: Transfer) -> tuple[Gate, ...]:
    return (_suspended(transfer), _prunes(transfer.new_root))


def _free(id: ObjectId) -> Gate:
    why = "the operator would take over whatever has the name"
    return absent(id, f"free-{id.kind.lower()}", f"there is no {id} yet", why)


def _suspended(transfer: Transfer) -> Gate:
    """The old root is suspended, and the reconcile that made it so is through (R30)."""
    id = transfer.root
    reason = FieldIs(("status", "conditions", ANY, "reason"), _SUCCEEDED)
    return Gate(
        id="old-root-suspended",
        object=id,
        condition=f"the live {id} is suspended, and its last reconcile is through",
        command=(
            f"kubectl -n {id.namespace} get {KUSTOMIZATIONS} {id.name} -o "
            'jsonpath=\'{.spec.suspend} {.status.conditions[?(@.type=="Ready")].reason}{"\\n"}\''
        ),
        expect=f"true {_SUCCEEDED}",
        why="two roots that reconcile take every object from each other, and the finalizer of this one deletes all",
        looks_for=Has(id, (FieldIs(("spec", "suspend"), "true"), reason)),
    )


def _taken_over(cluster: Cluster, target: Target, transfer: Transfer, removed: frozenset[ObjectId]) -> Iterator[Gate]:
    """Everything carries the labels of the new root, the old root's own object included."""
    yield _suspended(transfer)
    yield _ready(transfer.new_source, "it brings what the old source brought")
    yield _ready(transfer.new_root, "it has applied everything that the old root applied")
    yield _ready(target.instance_id, "the operator has made both")
    yield _owned(transfer, tuple(_alone(cluster, target, transfer, removed)))
    root, source = cluster.builds[transfer.root].ks.object, cluster.sources[transfer.source].object
    yield from kept(KUSTOMIZATIONS, root, transfer.new_root, _HELD)
    yield from kept(SOURCES[source.id.kind], source, transfer.new_source)


def _ready(id: ObjectId, why: str) -> Gate:
    return Gate(
        id=f"new-{id.kind.lower()}-ready",
        object=id,
        condition=f"{id} is Ready",
        command=f"kubectl -n {id.namespace} wait {plural(id)}/{id.name} --for=condition=Ready --timeout=5m",
        expect=f"{id.kind.lower()}.{id.group}/{id.name} condition met",
        why=why,
        looks_for=IsReady(id),
    )


def _owned(transfer: Transfer, objects: tuple[Object, ...]) -> Gate:
    """No object has the old root's labels; each that it rendered, and does not leave to others, has the new one's."""
    new = transfer.new_root
    kinds = ",".join(sorted({plural(object.id) for object in objects}))
    label = f"{OWNER_NAME}={transfer.root.name},{OWNER_NAMESPACE}={transfer.root.namespace}"
    labels = (
        FieldIs(("metadata", "labels", OWNER_NAME), re.escape(new.name)),
        FieldIs(("metadata", "labels", OWNER_NAMESPACE), re.escape(new.namespace)),
    )
    return Gate(
        id="owned-by-the-new-root",
        object=new,
        condition=f"all {len(objects)} objects of {transfer.root} belong to {new}",
        command=f"kubectl get {kinds} --all-namespaces -l {label} -o name",
        expect="no output",
        why="what still carries the old root's labels would have no owner once it is gone",
        looks_for=Every(tuple(Has(object.id, labels) for object in objects)),
    )


def _alone(cluster: Cluster, target: Target, transfer: Transfer, removed: frozenset[ObjectId]) -> Iterator[Object]:
    """What the old root applies until then, but for what an apply passes over and what somebody else has too."""
    gone = removed - transfer.renamed.keys()
    home = ObjectId("", "Namespace", "", target.namespace)
    owners = cluster.owners()
    for object in cluster.builds[transfer.root].objects:
        others = set(owners.get(object.id, ())) - {transfer.root, cluster.root}
        passed = has_mark(object, RECONCILE, "disabled") or has_mark(object, SSA, "ignore")
        if object.id != home and object.id not in gone and not others and not passed:
            yield object


def _prunes(new: ObjectId) -> Gate:
    """What leaves Git is deleted by the new root, which has reconciled since it was told to prune."""
    return Gate(
        id="new-root-prunes",
        object=new,
        condition=f"the live {new} prunes, and is Ready so",
        command=(
            f"kubectl -n {new.namespace} get {KUSTOMIZATIONS} {new.name} -o "
            "jsonpath='{.spec.prune} {.metadata.generation}={.status.observedGeneration} "
            '{.status.conditions[?(@.type=="Ready")].status}{"\\n"}\''
        ),
        expect="true, twice the same number, and True",
        why="what leaves Git while it does not prune is never deleted",
        looks_for=Every((Has(new, (FieldIs(("spec", "prune"), "true"),), observed=True), IsReady(new))),
    )


def _unnamed(transfer: Transfer) -> Gate:
    """No Kustomization but the old root takes its files from the old source."""
    source = transfer.source
    test = f'@.spec.sourceRef.name=="{source.name}"'
    return Gate(
        id="old-source-unnamed",
        object=source,
        condition=f"no Kustomization but {transfer.root} names {source}",
        command=(
            f"kubectl get {KUSTOMIZATIONS} --all-namespaces -o "
            f"jsonpath='{{range .items[?({test})]}}{{.metadata.namespace}}/{{.metadata.name}}{{\"\\n\"}}{{end}}'"
        ),
        expect=f"{transfer.root.namespace}/{transfer.root.name}",
        why="a Kustomization whose source is gone does not reconcile any more",
        looks_for=NoneHas(
            ((KUSTOMIZE_GROUP, "Kustomization"),),
            FieldIs(("spec", "sourceRef", "name"), re.escape(source.name)),
            frozenset({transfer.root}),
        ),
    )

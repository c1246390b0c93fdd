"""Ownership, pruning and cascades (codes O): what Flux deletes, and who owns what twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from flux_handover.findings import Severity
from flux_handover.model.flux import helm_releases, is_instance
from flux_handover.objects import PRUNE, Object, has_mark, names
from flux_handover.plan import present
from flux_handover.proof.deletions import STATEFUL_KINDS
from flux_handover.proof.hazards.losses import lost
from flux_handover.proof.hazards.places import place_of
from flux_handover.proof.hazards.registry import Decided, Pair, Sign, View, also_in_pair, in_pair, in_tree, live
from flux_handover.proof.hazards.stuck import broken_property
from flux_handover.proof.hazards.synced import instance_of


@in_pair("O1", "prune diff", "S0", decided=Decided.SERIES)
def prune_diff(pair: Pair) -> Iterator[Sign]:
    """An object leaves the build of a Kustomization that prunes, and something still speaks for it.

    Why: Flux deletes what its inventory holds and its build lacks, whatever the reason that it is lacking.
    Example: a ConfigMap is dropped from `resources:`, and its file and a Deployment that mounts it stay.
    Do: remove the document too if you mean it, else put the object back, or mark it
    `kustomize.toolkit.fluxcd.io/prune: disabled` in a commit of its own first.
    """
    yield from lost(pair, "O1")


@in_pair("O2", "cascade", "S0", decided=Decided.SERIES)
def cascade(pair: Pair) -> Iterator[Sign]:
    """A Kustomization is deleted, and its finalizer deletes everything it ever applied.

    Why: the finalizer of a Kustomization with `prune: true` deletes its whole inventory, recursively.
    Example: an umbrella Kustomization loses a child that other applications need.
    Do: set `prune: false` or `deletionPolicy: Orphan` in a commit of its own, see it live, then remove it.
    """
    yield from lost(pair, "O2")


@in_pair("O3", "self-managed root", "S0", decided=Decided.SERIES)
def self_managed_root(pair: Pair) -> Iterator[Sign]:
    """The root Kustomization, or its source, leaves the build of the root itself.

    Why: the root prunes itself; its finalizer then deletes everything below it.
    Example: the file that declares the root is moved out of the root's own path.
    Do: never drop it; mark it `kustomize.toolkit.fluxcd.io/prune: disabled`, and let another owner take it over first.
    """
    yield from lost(pair, "O3")


@in_pair("O4", "Flux prunes itself", "S1", decided=Decided.SERIES)
def flux_prunes_itself(pair: Pair) -> Iterator[Sign]:
    """What Flux runs on leaves Git before a FluxInstance has taken it over.

    Why: the Kustomization that installs Flux prunes the controllers, their accounts and CRDs, and with the CRDs
    every Flux object.
    Example: the Kustomization that applies the Flux manifests is removed with `prune: true`.
    Do: `prune: false` first and seen live, then the FluxInstance Ready and its objects marked, then remove.
    """
    yield from lost(pair, "O4")
    yield from broken_property(pair, "O4")


@in_pair("O5", "left-over components", "S3", decided=Decided.SERIES)
def left_over_components(pair: Pair) -> Iterator[Sign]:
    """A component that runs is not among the components of the FluxInstance, and is pruned with its CRDs.

    Why: the operator adopts what it renders and nothing else; the CRDs of image automation take every image
    object along.
    Example: the image controllers run, and `components` lists four.
    Do: list every component that runs, or remove one on purpose in a commit of its own.
    """
    for sign in lost(pair, "O5"):
        takes_all = sign.subject is not None and sign.subject.kind == "CustomResourceDefinition"
        yield replace(sign, grade="S0") if takes_all else sign


@in_tree("O6", "two owners", "S0")
def two_owners(view: View) -> Iterator[Sign]:
    """Two Kustomizations apply the same object.

    Why: they overwrite each other at every interval, and whichever is deleted last takes the object along.
    Example: two Kustomizations with paths of which one contains the other.
    Do: remove the object from one of them, in a commit of its own.
    """
    for id, owners in sorted(view.cluster.owners().items()):
        if len(set(owners)) > 1:
            yield Sign(f"{id} is applied by {names(set(owners))}", id, place_of(view, id))
    yield from _beside_sync(view)


def _beside_sync(view: View) -> Iterator[Sign]:
    """Kustomizations of another name that apply the directory which `sync` of the FluxInstance applies."""
    instance, source = instance_of(view.cluster), view.cluster.builds[view.cluster.root].ks.source
    if instance is None or not instance.has_sync:
        return
    for build in filter(lambda build: build.is_applied, view.cluster):
        ks = build.ks
        if ks.source == source and ks.path == instance.sync_path and ks.id.name != instance.sync_name:
            message = f"{instance.id} applies {ks.path or '.'} by spec.sync, as {ks.id} does"
            yield Sign(message, instance.id, place_of(view, instance.id))


@also_in_pair("O6")
def owners_in_conflict(pair: Pair) -> Iterator[Sign]:
    """A FluxInstance or a person applies what a Kustomization applies too; of two Kustomizations, the tree tells."""
    between = tuple(breach for breach in pair.breaches if breach.counterexample.edge in ("E6", "E13", "E16"))
    yield from broken_property(replace(pair, breaches=between), "O6")


@in_pair("O7", "sync renamed", "S0", decided=Decided.SERIES)
def sync_renamed(pair: Pair) -> Iterator[Sign]:
    """`spec.sync` of the FluxInstance goes away or gets another name, and the operator deletes what it had made.

    Why: the old source and Kustomization leave the operator's inventory; the Kustomization then deletes its own.
    Leaving `sync.name` out means the name of the namespace, so setting it later is a rename.
    Example: `sync.name` is set on an instance that had none.
    Do: choose the final name in the first revision; later, set prune false on the old Kustomization first.
    """
    yield from lost(pair, "O7")
    old, new = instance_of(pair.before.cluster), instance_of(pair.after.cluster)
    if old and new and old.has_sync and new.has_sync and old.sync_name != new.sync_name:
        message = f"spec.sync of {old.id} is renamed from {old.sync_name} to {new.sync_name}; the old one's is deleted"
        yield Sign(message, old.id, place_of(pair.after, old.id))


@in_pair("O8", "sync path changed", "S0")
def sync_path_changed(pair: Pair) -> Iterator[Sign]:
    """`spec.sync.path` of the FluxInstance changes, and everything that only the old path has is stale.

    Why: the same Kustomization builds another directory, and prunes the difference.
    Example: `path: clusters/a` becomes `path: clusters/b`.
    Do: keep the path; if it must change, render the same objects from both before.
    """
    old, new = instance_of(pair.before.cluster), instance_of(pair.after.cluster)
    if old is None or new is None or not (old.has_sync and new.has_sync):
        return
    if old.sync_name == new.sync_name and old.sync_path != new.sync_path:
        message = f"spec.sync.path of {old.id} goes from {old.sync_path or '.'} to {new.sync_path or '.'}"
        yield Sign(message, old.id, place_of(pair.after, old.id), severity=Severity.WARNING)


@in_pair("O9", "identity moved", "S0", decided=Decided.SERIES)
def identity_moved(pair: Pair) -> Iterator[Sign]:
    """A Kustomization or a source gets another name or namespace: to Flux one is deleted, another made.

    Why: the old finalizer deletes the workloads, before or after the new one has applied them.
    Example: a `namespace:` is added to the kustomization.yaml that lists Kustomizations.
    Do: `prune: false` on the old one first, seen live; then move it.
    """
    yield from lost(pair, "O9")


@in_pair("O10", "operator uninstalls Flux", "S1", decided=Decided.SERIES)
def operator_uninstalls(pair: Pair) -> Iterator[Sign]:
    """The FluxInstance or what installs it is deleted, and the operator uninstalls Flux.

    Why: the finalizer of the FluxInstance deletes the controllers and the CRDs; every Flux object vanishes.
    Example: the Kustomization of the instance is removed with `prune: true`.
    Do: `prune: false` on its Kustomization, `helm.sh/resource-policy: keep` on the instance; in an emergency
    annotate it `fluxcd.controlplane.io/reconcile: disabled`.
    """
    yield from lost(pair, "O10")
    yield from broken_property(pair, "O10")


@in_tree("O11", "two FluxInstances", "S1", Severity.ERROR)
def two_instances(view: View) -> Iterator[Sign]:
    """A FluxInstance is declared as a manifest and by a release of its chart.

    Why: two owners write one object, and whoever goes first uninstalls Flux.
    Example: a raw `kind: FluxInstance` beside a HelmRelease of the chart flux-instance.
    Do: keep exactly one of them.
    """
    raw = [object.id for _, object in view.cluster.objects() if is_instance(object)]
    charts = [
        release.id
        for build in view.cluster
        for release in helm_releases(build.objects)
        if present.chart_of(release, view.cluster) == "flux-instance"
    ]
    if len(raw) + len(charts) > 1:
        first = sorted([*raw, *charts])[0]
        yield Sign(f"Flux has more than one instance: {names([*raw, *charts])}", first, place_of(view, first))


@in_tree("O12", "unprotected Namespace", "S0")
def unprotected_namespace(view: View) -> Iterator[Sign]:
    """A Namespace that holds data is in the inventory of a Kustomization that prunes, without an opt-out.

    Why: if it ever leaves the build, everything in it is deleted, volumes included.
    Example: a Namespace with a PersistentVolumeClaim and no `prune: disabled`.
    Do: mark the Namespace `kustomize.toolkit.fluxcd.io/prune: disabled` before any other change.
    """
    homes = {object.id.namespace for _, object in view.cluster.objects() if _is_stateful(object)}
    for build, object in view.cluster.objects():
        exposed = object.id.kind == "Namespace" and object.id.name in homes and build.ks.prune
        if exposed and not has_mark(object, PRUNE, "disabled"):
            message = f"{object.id} holds data and is pruned with {build.id}"
            yield Sign(message, object.id, place_of(view, object.id), severity=Severity.INFO)


@in_pair("O13", "stateful objects go", "S0", decided=Decided.SERIES)
def stateful_objects(pair: Pair) -> Iterator[Sign]:
    """A volume, a database or a storage class is deleted, by itself or along with its owner.

    Why: a claim that is deleted takes its volume along, unless the volume's policy says otherwise.
    Example: an application is removed, and its database cluster goes with it.
    Do: mark it `kustomize.toolkit.fluxcd.io/prune: disabled`, or make a backup, and say so in a waiver.
    """
    yield from lost(pair, "O13")


def _is_stateful(object: Object) -> bool:
    claims = object.id.kind == "StatefulSet" and bool(object.spec.get("volumeClaimTemplates"))
    return claims or (object.id.group, object.id.kind) in STATEFUL_KINDS


live(
    "O14",
    "delayed bomb",
    "S0",
    """Flux objects hang in deletion because Flux is gone; the next controller that starts carries it out.

    Why: a finalizer waits for its controller, however long.
    Example: Kustomizations with a deletionTimestamp after Flux was uninstalled.
    Do: before controllers are installed again, look at `kubectl get ks,hr -A`, and strip the finalizers or suspend.
    """,
)


@in_pair("O15", "removing a mock deletes the real one", "S0", decided=Decided.SERIES)
def mock_removed(pair: Pair) -> Iterator[Sign]:
    """Key material leaves Git, and the live object of that name goes with it.

    Why: taking a stand-in out of the path does not bring the real object back: Flux deletes the one there is.
    Example: a plaintext Secret with the name of the decryption key is applied, and then removed.
    Do: mark the object `kustomize.toolkit.fluxcd.io/prune: disabled` first, and create the real one again by hand.
    """
    yield from lost(pair, "O15")
    yield from broken_property(pair, "O15")

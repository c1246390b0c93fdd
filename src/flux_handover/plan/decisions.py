"""What the owner will ask, answered in one line each (rules.md R24)."""

from __future__ import annotations

from flux_handover.catalogue.operators import newest_operator_serving, operator
from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Cluster
from flux_handover.plan.phases import Gate
from flux_handover.plan.target import InstanceForm, Target


def decisions(cluster: Cluster, installation: Installation, target: Target) -> tuple[str, ...]:
    """Why the plan is as it is."""
    return (
        *about_sync(cluster, target),
        f"not 2.x: {target.flux_version} runs, and a range would move Flux in the step that adopts it",
        "when to widen: in a commit of its own, after the last phase, once storedVersions are clean",
        *_operator(target, installation),
        _artifact(target),
        _form(target),
        f"the Namespace {target.namespace} belongs to the operator from phase instance on: "
        "later edits of its file have no effect, the patch on kind Namespace has",
        *target.layout.reasons,
    )


def about_sync(cluster: Cluster, target: Target) -> tuple[str, str]:
    """Who applies source and root from now on, in the running cluster and in a bare one."""
    root = cluster.builds[cluster.root].ks
    if target.transfer is not None:
        change = target.transfer
        return (
            f"sync: the operator makes {change.new_root}, in place of {change.root}; its name must never change",
            "a bare cluster: from phase transfer on the FluxInstance makes the root; until then a step applies it",
        )
    if target.synced:
        return (
            f"sync: the operator makes {root.source} and {root.id}; patches give back every field that a sync lacks",
            "a bare cluster: nothing applies the root by hand, the FluxInstance makes it; its name must never change",
        )
    identical = "" if root.source.name != root.id.name else ", and it would drop every field that its template lacks"
    return (
        f"no sync: {root.id} and {root.source} stay as they are; a sync gives one name to both{identical}",
        f"a bare cluster: bootstrap applies {root.source} and {root.id} after the FluxInstance is Ready",
    )


def assumptions(gates: tuple[Gate, ...]) -> tuple[str, ...]:
    """What the proof takes for true without having seen the cluster: the conditions of preflight (R4)."""
    return tuple(f"{gate.id}: {gate.condition}" for gate in gates)


def _operator(target: Target, installation: Installation) -> tuple[str, ...]:
    newest = newest_operator_serving(installation.version)
    if newest == target.operator_version:
        copy = operator(newest).charts_from
        known = f"are known, from the copy in {copy}," if copy else "are known"
        return (f"operator {newest}: the newest whose charts {known} and which serves {target.flux_version}",)
    serving = f"{newest} is the newest" if newest else "none whose charts are known"
    return (f"operator {target.operator_version}, as asked; {serving} that serves {target.flux_version}",)


def _artifact(target: Target) -> str:
    embedded = "no artifact: the manifests inside the operator's image"
    match target.form:
        case InstanceForm.HELMRELEASE:
            return (
                f"{embedded}; the chart's default is :latest, which upgrades Flux without a commit, and an empty "
                "value becomes null, which is refused, so a post-renderer takes the field away"
            )
        case InstanceForm.MANIFEST:
            return f"{embedded}; they move only with the operator"


def _form(target: Target) -> str:
    match target.form:
        case InstanceForm.HELMRELEASE:
            return "the FluxInstance is a release of its chart, kept by Helm also when the release is removed"
        case InstanceForm.MANIFEST:
            return "the FluxInstance is a manifest that no prune may delete; its form changes only in a planned phase"

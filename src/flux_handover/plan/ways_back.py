"""How each phase is undone: live steps and commits, in order (rules.md R25).

Before the FluxInstance exists a revert is enough, because nothing has been deleted and nobody
else owns anything. After it, kustomize-controller skips every adopted object (`ssa: Ignore`), so a
revert alone would bring nothing back: ownership is returned by hand first.
"""

from __future__ import annotations

from typing import assert_never

from flux_handover.model.installation import Installation, Method
from flux_handover.objects import OPERATOR_RECONCILE, OWNER_NAME, PRUNE, SSA
from flux_handover.plan import releasing
from flux_handover.plan.phases import LiveStep, PhaseName
from flux_handover.plan.resources import HELM_RELEASES, INSTANCES, KUSTOMIZATIONS, OCI_REPOSITORIES, SOURCES
from flux_handover.plan.target import InstanceForm, Target, Transfer
from flux_handover.plan.transferring import resume_command

AS_FLUX = "--field-manager=flux"
"""kustomize-controller takes over what kubectl's own field managers wrote, and drops it (R26)."""

_LATER = LiveStep("to leave the operator as well, go back through phase instance, then operator, then protect", "")


def way_back(phase: PhaseName, target: Target, installation: Installation) -> tuple[LiveStep, ...]:
    """The steps that bring the cluster and Git to where they were before a phase."""
    match phase:
        case PhaseName.PREFLIGHT:
            return ()
        case PhaseName.PROTECT if installation.method is Method.HELM_CHART:
            return (revert(phase), *releasing.resumed(installation))
        case PhaseName.SUSPEND | PhaseName.TRANSFER if target.transfer is not None:
            return (revert(phase), *_rooted(phase, target.transfer))
        case (
            PhaseName.STATE
            | PhaseName.PROTECT
            | PhaseName.BOOTSTRAP
            | PhaseName.SUSPEND
            | PhaseName.TRANSFER
            | PhaseName.SETTLE
            | PhaseName.FOLLOW
            | PhaseName.SYNC
            | PhaseName.REFERENCES
            | PhaseName.UPGRADE
        ):
            return (revert(phase),)
        case PhaseName.OPERATOR:
            return (revert(phase), *_without_operator(target))
        case PhaseName.INSTANCE:
            return (*_released(target, installation), revert(phase), *_without_instance(target))
        case PhaseName.RETIRE:
            return _restored(target, installation)
        case _:
            assert_never(phase)


def revert(phase: PhaseName) -> LiveStep:
    """The commit that undoes a phase's commit."""
    find = f"git log -1 --format=%H --grep='^Flux-Handover-Phase: {phase.value}$'"
    return LiveStep(f"revert the commit of phase {phase.value}, and push", f'git revert --no-edit "$({find})"')


def _rooted(phase: PhaseName, transfer: Transfer) -> tuple[LiveStep, ...]:
    """The old root reconciles again: for good, or once, until its own document suspends it."""
    root, new = transfer.root, transfer.new_root
    shown = f"kubectl -n {root.namespace} get {KUSTOMIZATIONS} {root.name} -o jsonpath='{{.spec.suspend}}'"
    if phase is PhaseName.SUSPEND:
        fetched = f"once {transfer.source} has fetched the revert, let {root} go on; suspended again, it was too early"
        return (LiveStep(fetched, resume_command(root)),)
    gone = f"kubectl -n {new.namespace} get {KUSTOMIZATIONS} {new.name} --ignore-not-found -o name"
    return (
        LiveStep(f"see {new} gone: it does not prune, so it took nothing along", gone, "no output"),
        LiveStep(f"let {root} reconcile once, so that everything carries its labels again", resume_command(root)),
        LiveStep(f"see {root} suspended again, by its own document", shown, "true"),
    )


def _restored(target: Target, installation: Installation) -> tuple[LiveStep, ...]:
    """After `retire` the old Kustomization comes back first, and does not prune until it owns again."""
    name = installation.owner.name if installation.owner else "flux"
    if installation.owner is None or installation.method in (Method.BOOTSTRAP, Method.REMOTE_BASE):
        return (revert(PhaseName.RETIRE), _LATER)
    if installation.method is Method.HELM_CHART:
        return (revert(PhaseName.RETIRE), *releasing.suspended_again(installation), _LATER)
    back = LiveStep(
        f"see Kustomization/{name} again, with prune off",
        f"kubectl -n {target.namespace} get {KUSTOMIZATIONS} {name} -o jsonpath='{{.spec.prune}}'",
        "false",
    )
    return (revert(PhaseName.RETIRE), back, _LATER)


def _released(target: Target, installation: Installation) -> tuple[LiveStep, ...]:
    """The FluxInstance goes without uninstalling Flux, and the old owner owns again."""
    namespace, name = target.namespace, target.instance_id.name
    return (
        *_suspended(target),
        LiveStep(
            "make the operator leave everything alone, also when the FluxInstance is deleted",
            f"kubectl -n {namespace} annotate {INSTANCES} {name} {OPERATOR_RECONCILE}=disabled --overwrite {AS_FLUX}",
        ),
        LiveStep(
            "see the annotation before going on: without it the deletion uninstalls Flux",
            f"kubectl -n {namespace} get {INSTANCES} {name} -o jsonpath='{{.metadata.annotations}}'",
            f'"{OPERATOR_RECONCILE}":"disabled"',
        ),
        LiveStep("delete the FluxInstance", f"kubectl -n {namespace} delete {INSTANCES} {name}"),
        *_opt_outs_removed(target, installation),
    )


def _suspended(target: Target) -> tuple[LiveStep, ...]:
    if target.form is InstanceForm.MANIFEST:
        return (_suspend(KUSTOMIZATIONS, target.instance.name, target.namespace),)
    return (_suspend(HELM_RELEASES, target.instance.name, target.namespace),)


def _suspend(kind: str, name: str, namespace: str) -> LiveStep:
    patch = '{"spec":{"suspend":true}}'
    return LiveStep(
        f"suspend {kind.partition('.')[0]}/{name}, so that nothing brings the FluxInstance back",
        f"kubectl -n {namespace} patch {kind} {name} --type=merge --patch='{patch}' {AS_FLUX}",
    )


def _opt_outs_removed(target: Target, installation: Installation) -> tuple[LiveStep, ...]:
    kinds = "crds,namespaces,clusterroles,clusterrolebindings"
    local = "deployments,services,serviceaccounts,resourcequotas,networkpolicies"
    if target.synced:
        local += f",{KUSTOMIZATIONS},{SOURCES[target.synced['kind']]}"
    label = "-l app.kubernetes.io/part-of=flux"
    steps = [
        LiveStep(
            f"take the marks off the adopted objects ({scope})",
            f"kubectl {place}annotate {what} {label} {SSA}- {PRUNE}- {AS_FLUX}",
        )
        for scope, place, what in (("cluster", "", kinds), ("namespace", f"-n {target.namespace} ", local))
    ]
    owner = installation.owner
    if owner is None or installation.method is Method.HELM_CHART:
        return tuple(steps)
    seen = LiveStep(
        f"see that {owner} has labelled them again, after its next reconcile",
        f"kubectl -n {target.namespace} get deployments {label} -L {OWNER_NAME}",
        f"{owner.name} on every line",
    )
    return (*steps, seen)


def _without_instance(target: Target) -> tuple[LiveStep, ...]:
    if target.form is InstanceForm.MANIFEST:
        return ()
    name, namespace = target.instance.name, target.namespace
    return (
        LiveStep(
            "forget the release: it is suspended, so its finalizer uninstalls nothing",
            f"kubectl -n {namespace} delete {HELM_RELEASES},{OCI_REPOSITORIES} {name} --ignore-not-found",
        ),
        LiveStep(
            "and what Helm stored about it",
            f"kubectl -n {namespace} delete secrets -l owner=helm,name={name}",
        ),
    )


def _without_operator(target: Target) -> tuple[LiveStep, ...]:
    """Its Kustomization does not prune, so the release is deleted by hand; the chart keeps the CRDs."""
    name, namespace = target.operator.name, target.namespace
    none = LiveStep(
        "see that no FluxInstance is left: without the operator it could not be deleted",
        f"kubectl get {INSTANCES} --all-namespaces -o name",
        "no output",
    )
    delete = f"kubectl -n {namespace} delete {HELM_RELEASES},{OCI_REPOSITORIES} {name} --ignore-not-found"
    return (none, LiveStep("uninstall the operator", delete))

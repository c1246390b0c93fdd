"""The edges: ways in which Flux loses objects or stands still, by which a trace is named."""

from __future__ import annotations

from flux_handover.report.explanations import Explanation


def _edge(code: str, what: str, why: str, do: str) -> Explanation:
    return Explanation(code, "edge", what, why, do)


EDGES: tuple[Explanation, ...] = (
    _edge(
        "E1",
        "A Kustomization leaves what its parent renders, and deletes what it applied.",
        "The parent prunes it, its finalizer runs with the spec that is live, and Kustomizations below it do the same.",
        "Set `prune: false` on it in a commit of its own, see that live, and remove it afterwards.",
    ),
    _edge(
        "E2",
        "An object moves from one Kustomization to another, and the old one reconciles first.",
        "For the old owner the object has left; nobody knows yet that another one brings it.",
        "Let the new owner apply it first, in a commit of its own, then remove it from the old one.",
    ),
    _edge(
        "E3",
        "Flux's components leave a Kustomization before the operator applied them, or it applies them by other names.",
        "What runs the deletion is itself deleted, so nothing repairs it.",
        "Opt them out of pruning, wait until the operator owns every one of them, and only then remove them.",
    ),
    _edge(
        "E4",
        "The old owner stamps its labels again on what the operator took over, and then loses it.",
        "Before operator 0.28 and kustomize-controller 1.8.5 two owners take turns until the next run of the operator.",
        "Suspend the old owner while it still renders the components, or use versions that leave the marks alone.",
    ),
    _edge(
        "E5",
        "The operator takes over source and root, and drops fields that its own template lacks.",
        "Without decryption, variables or patches the children fail, or are applied as they should not be.",
        "Restore each field by a patch of the FluxInstance; `plan --sync adopt` writes them.",
    ),
    _edge(
        "E6",
        "A sync of another name makes a second root over the same children.",
        "Both claim them; when the first root goes, it takes along what its inventory holds.",
        "Keep the name of the root, or retire the old one without pruning.",
    ),
    _edge(
        "E7",
        "The sync of a FluxInstance is removed, renamed, or loses its address.",
        "The operator deletes the root that it made, and the root deletes everything below.",
        "Set `prune: false` on the root first, and see it live.",
    ),
    _edge(
        "E8",
        "A FluxInstance is deleted: pruned, uninstalled with its release, or remediated by Helm.",
        "The operator uninstalls Flux; what Flux applied stays, and nobody looks after it.",
        "Keep the FluxInstance from pruning and the release from being uninstalled; no remediation on its install.",
    ),
    _edge(
        "E9",
        "The operator goes while a FluxInstance is being deleted.",
        "Nobody removes the finalizer, so the FluxInstance and its Namespace stay in deletion.",
        "Delete the FluxInstance first, wait until it is gone, then the operator.",
    ),
    _edge(
        "E10",
        "The operator's CRDs are deleted.",
        "Every FluxInstance goes with its kind, and Flux with the FluxInstance.",
        "Keep the CRDs by `helm.sh/resource-policy: keep`, which the plan writes.",
    ),
    _edge(
        "E11",
        "A range of versions lets the operator install another minor version, or an older one.",
        "Stored objects may have versions that the other Flux does not serve.",
        "Name the exact version that runs, and change it in a commit of its own after the handover.",
    ),
    _edge(
        "E12",
        "A FluxInstance is stalled while its components have already left Git.",
        "Nobody applies them, and the next success of the old owner prunes them.",
        "Wait for the FluxInstance to be Ready before anything leaves Git.",
    ),
    _edge(
        "E13",
        "A FluxInstance has two owners, such as a release and a file.",
        "Each writes its own content, so the settings of Flux flap; whoever goes takes the FluxInstance along.",
        "Keep one of them.",
    ),
    _edge(
        "E14",
        "The operator's release and a raw FluxInstance are in one Kustomization.",
        "The kind is not known yet, so the whole last stage is refused, and with it the release that would bring it.",
        "Put them into two Kustomizations, the second with `dependsOn` the first, which waits.",
    ),
    _edge(
        "E15",
        "A FluxInstance is applied before the operator is there.",
        "Its Kustomization fails until the kind is served, and what waits for it fails too.",
        "Let it depend on the operator's Kustomization, and let that one wait.",
    ),
    _edge(
        "E16",
        "Somebody runs `flux bootstrap`, Helm or Terraform again after the operator has taken over.",
        "The components get a second writer, and fields go back and forth at every run.",
        "Replace the command in scripts and workflows; the plan lists those that it finds.",
    ),
    _edge(
        "E17",
        "The Secret of a source is deleted, and source-controller starts anew.",
        "Its artifacts were on a volume that went with the Pod, and nothing can be fetched again.",
        "Keep the Secret from pruning, or bring it by something that stays.",
    ),
    _edge(
        "E18",
        "The Namespace of Flux leaves an inventory without an opt-out.",
        "Everything in it goes: controllers, sources, Kustomizations with their finalizers, keys.",
        "Opt the Namespace out of pruning and see the mark live before the file goes.",
    ),
    _edge(
        "E19",
        "Prune is turned off in the same commit in which content leaves.",
        "The child may run the new files with the old spec, in which prune is still on.",
        "Two commits: first `prune: false`, seen live, then the removal.",
    ),
    _edge(
        "E20",
        "A child reconciles a commit before its parent does.",
        "It builds the new files with the spec that it had: another path, other patches, other variables.",
        "Leave the old path in place until the new spec is live, then remove it.",
    ),
    _edge(
        "E21",
        "Parent, release, FluxInstance and root wait for one another.",
        "Nobody becomes Ready, the Helm action times out, and its remediation uninstalls Flux.",
        "Do not let the root wait for what waits for the root; the plan disables waiting on the release.",
    ),
)

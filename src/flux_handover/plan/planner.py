"""From a Snapshot to a Plan: one draft per phase, each on the tree that the one before it leaves.

Which phases are left is read from content alone (rules.md R3): a phase whose content is there
has no operations, whoever made it so. The plan is drafted twice where parents' defaults reach
the new objects: the second time it undoes them one phase before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import assert_never

from flux_handover.conventions import learn_style
from flux_handover.emit import Style
from flux_handover.errors import UnsupportedInstallation, UsageError
from flux_handover.model.installation import Installation
from flux_handover.model.rendering import Cluster
from flux_handover.model.settings_texts import bytes_of
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import ObjectId
from flux_handover.plan import (
    adding,
    basing,
    gates,
    habits,
    present,
    protecting,
    releasing,
    retiring,
    terraforming,
    transferring,
)
from flux_handover.plan.bootstrap import bootstrap
from flux_handover.plan.chart_facts import chart_gates
from flux_handover.plan.choosing import SUPPORTED, choose_target
from flux_handover.plan.decisions import assumptions, decisions
from flux_handover.plan.edits import edited
from flux_handover.plan.effective import check_effective, overrides_needed
from flux_handover.plan.finished import finished_plan
from flux_handover.plan.listings import local_builds
from flux_handover.plan.phases import Gate, Phase, PhaseDraft, PhaseName, Plan, changed_files
from flux_handover.plan.protecting import Override
from flux_handover.plan.referencing import references, with_references
from flux_handover.plan.synced_gates import before_sync
from flux_handover.plan.syncing import leave_to_the_operator
from flux_handover.plan.target import Options, Target
from flux_handover.plan.transfer_gates import before_phase
from flux_handover.plan.ways_back import way_back
from flux_handover.tree import Tree

Read = Callable[[Tree], Snapshot]
"""Reads a tree that is not committed yet, as the first one was read."""

Drafter = Callable[[Tree], PhaseDraft]


@dataclass(frozen=True, slots=True)
class Handover:
    """Everything the phases of one cluster are drafted from."""

    cluster: Cluster
    installation: Installation
    target: Target
    style: Style
    overrides: tuple[Override, ...] = ()
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Drafted:
    name: PhaseName
    draft: PhaseDraft
    before: Tree
    after: Tree


def make_plan(snapshot: Snapshot, cluster_name: str, options: Options, read: Read) -> Plan:
    """The phases that are left for one cluster; none where the handover is through."""
    cluster, installation = _named(snapshot, cluster_name)
    installation = terraforming.handed_over(
        basing.with_successors(releasing.completed(installation, cluster, snapshot.tree)), cluster, snapshot.tree
    )
    if installation.method not in SUPPORTED and present.instance(cluster) is not None:
        return _finished(finished_plan(snapshot, cluster, installation, options), snapshot, cluster)
    installation = replace(installation, shared=_read_by_others(cluster, snapshot))
    target = choose_target(installation, cluster, snapshot.tree, options)
    _check_transfer(snapshot, cluster, target)
    style = learn_style(snapshot.tree, target.layout.listing.rpartition("/")[0])
    others = tuple(other.name for other in snapshot.clusters if other.name != cluster.name)
    handover = Handover(cluster, installation, target, style, others=others)
    handover = _made_safe(handover, snapshot.tree, read)
    drafted = tuple(_drafted(handover, snapshot.tree))
    _check_shared(snapshot, cluster, drafted)
    return _plan(snapshot, handover, drafted)


def _finished(plan: Plan, snapshot: Snapshot, cluster: Cluster) -> Plan:
    """A plan of what may follow once the old installation is gone: its sync, and what names things."""
    _check_transfer(snapshot, cluster, plan.target)
    style = learn_style(snapshot.tree, plan.target.layout.listing.rpartition("/")[0])
    handover = Handover(cluster, plan.installation, plan.target, style)
    drafted = tuple(_drafted(handover, snapshot.tree, after=PhaseName.RETIRE))
    return replace(plan, phases=tuple(_phases(snapshot.tree, handover, drafted, ()))) if drafted else plan


def _read_by_others(cluster: Cluster, snapshot: Snapshot) -> frozenset[str]:
    """The files that this cluster and another one read."""
    others = (_reads(other) for other in snapshot.clusters if other.name != cluster.name)
    return _reads(cluster) & frozenset().union(*others)


def _others_reading(path: str, cluster: Cluster, snapshot: Snapshot) -> Iterator[Cluster]:
    return (other for other in snapshot.clusters if other.name != cluster.name and path in _reads(other))


def _check_shared(snapshot: Snapshot, cluster: Cluster, drafted: tuple[_Drafted, ...]) -> None:
    """A file that another cluster reads is not changed by the plan of this one."""
    for one in drafted:
        files = changed_files(one.before, one.after)
        for path in (*files.changed, *files.removed):
            others = [other.name for other in _others_reading(path, cluster, snapshot)]
            if others:
                raise UnsupportedInstallation(
                    f"phase {one.name.value} of {cluster.name} changes a file that {', '.join(others)} reads too",
                    where=f"{path}:{_changed_line(path, one)}",
                    hint="give each cluster a file of its own for this, in a commit before the handover",
                )


def _changed_line(path: str, one: _Drafted) -> int:
    """The first line of a file that a phase changes."""
    sides = (bytes_of(tree, path).splitlines() for tree in (one.before, one.after))
    return 1 + next((number for number, (old, new) in enumerate(zip_longest(*sides)) if old != new), 0)


def _check_transfer(snapshot: Snapshot, cluster: Cluster, target: Target) -> None:
    """A source that goes is not the one from which another root takes its files."""
    gone = target.transfer.source if target.transfer else None
    for other in snapshot.clusters if gone else ():
        root = other.builds[other.root].ks
        if other.name != cluster.name and root.source == gone and all(o.id != gone for _, o in other.objects()):
            raise UnsupportedInstallation(
                f"{gone} would go, and the root of {other.name} takes its files from it too",
                where=str(other.builds[other.root].where or other.name),
                hint="give that root a source of its own, in a commit before the handover",
            )


def _reads(cluster: Cluster) -> frozenset[str]:
    return frozenset(path for build in local_builds(cluster) for path in build.reads)


def _named(snapshot: Snapshot, name: str) -> tuple[Cluster, Installation]:
    try:
        return snapshot.cluster(name), snapshot.installations[name]
    except KeyError as error:
        known = ", ".join(cluster.name for cluster in snapshot.clusters) or "none"
        raise UsageError(f"there is no cluster {name}", hint=f"clusters are named by their root: {known}") from error


def _made_safe(handover: Handover, tree: Tree, read: Read) -> Handover:
    """The handover with everything that parents' defaults would break undone, or a refusal (R12)."""
    target, layout = handover.target, handover.target.layout
    cluster = _with_instance(handover, tree, read)
    safe = replace(handover, overrides=overrides_needed(cluster, target, layout))
    if safe.overrides:
        cluster = _with_instance(safe, tree, read)
    check_effective(cluster, target, layout)
    return safe


def _with_instance(handover: Handover, tree: Tree, read: Read) -> Cluster:
    """The cluster as it is once the phases up to `instance` are in Git."""
    for drafted in _drafted(handover, tree, until=PhaseName.INSTANCE):
        tree = drafted.after
    return read(tree).cluster(handover.cluster.name)


def _drafted(
    handover: Handover, tree: Tree, until: PhaseName = PhaseName.REFERENCES, after: PhaseName = PhaseName.PREFLIGHT
) -> Iterator[_Drafted]:
    order = list(PhaseName)
    drafters = {n: d for n, d in _drafters(handover, tree).items() if order.index(n) > order.index(after)}
    for name, draft_on in drafters.items():
        draft = draft_on(tree)
        if draft.operations:
            changed = edited(tree, draft.operations)
            yield _Drafted(name, draft, tree, changed)
            tree = changed
        if name is until:
            return


def _drafters(handover: Handover, before: Tree) -> dict[PhaseName, Drafter]:
    """One function per phase, in the order of rules.md R21; `before` is the tree that the plan begins with."""
    cluster, installation = handover.cluster, handover.installation
    target, layout, style = handover.target, handover.target.layout, handover.style
    return {
        PhaseName.STATE: lambda tree: terraforming.state(cluster, installation, tree),
        PhaseName.PROTECT: lambda tree: terraforming.gated(
            protecting.protect(cluster, installation, tree, handover.overrides), tree
        ),
        PhaseName.OPERATOR: lambda tree: terraforming.gated(
            adding.operator(cluster, target, layout, style, tree), tree
        ),
        PhaseName.INSTANCE: lambda tree: adding.instance(cluster, target, layout, style, tree),
        PhaseName.BOOTSTRAP: lambda tree: terraforming.replaced(
            bootstrap(cluster, installation, target, style, terraforming.without_page(cluster, tree)), cluster, tree
        ),
        PhaseName.RETIRE: lambda tree: with_references(
            _with_habits(retiring.retire(cluster, installation, layout, tree), handover, tree), cluster, target, tree
        ),
        PhaseName.SUSPEND: lambda tree: transferring.suspend(cluster, target, tree),
        PhaseName.TRANSFER: lambda tree: transferring.transfer(cluster, target, tree),
        PhaseName.SETTLE: lambda tree: transferring.settle(cluster, target, tree),
        PhaseName.FOLLOW: lambda tree: transferring.follow(cluster, target, tree),
        PhaseName.SYNC: lambda tree: _synced(cluster, target, tree),
        PhaseName.REFERENCES: lambda tree: references(cluster, installation, target, style, tree, before),
    }


def _with_habits(draft: PhaseDraft, handover: Handover, tree: Tree) -> PhaseDraft:
    """Phase `retire`, with what a new node would install Flux from."""
    if not draft.operations:
        return draft
    return replace(draft, operations=(*draft.operations, *habits.taken_out(handover.cluster, handover.others, tree)))


def _synced(cluster: Cluster, target: Target, tree: Tree) -> PhaseDraft:
    """Phase `sync`: what the operator makes leaves Git, after a transfer the old source and root with it."""
    if target.transfer is None:
        return leave_to_the_operator(cluster, target, tree)
    return with_references(transferring.remove_old(cluster, target, tree), cluster, target, tree)


def _plan(snapshot: Snapshot, handover: Handover, drafted: tuple[_Drafted, ...]) -> Plan:
    cluster, installation, target = handover.cluster, handover.installation, handover.target
    facts = releasing.without_own_suspension(gates.preflight(cluster, installation), installation, cluster)
    facts = (*facts, *chart_gates(target))
    phases = tuple(_phases(snapshot.tree, handover, drafted, facts))
    findings = [finding for one in drafted for finding in one.draft.findings]
    findings += habits.findings(cluster, drafted[-1].after) if drafted else ()
    return Plan(
        cluster=cluster.name,
        revision=snapshot.revision,
        installation=installation,
        target=target,
        phases=phases,
        assumptions=assumptions(facts) if phases else (),
        decisions=decisions(cluster, installation, target),
        findings=(*snapshot.findings, *findings),
    )


def _phases(tree: Tree, handover: Handover, drafted: tuple[_Drafted, ...], facts: tuple[Gate, ...]) -> Iterator[Phase]:
    """The phases; `preflight` leads only where nothing is done yet, else its gates stand on the first one."""
    repeated = facts
    if drafted and _is_first(drafted[0].name, handover.installation) and not terraforming.forgotten(tree):
        nothing = changed_files(tree, tree)
        yield Phase(PhaseName.PREFLIGHT, TITLES[PhaseName.PREFLIGHT], (), nothing, tree, frozenset(), facts, ())
        repeated = ()
    removed = frozenset(id for one in drafted for id in one.draft.removes)
    for one in drafted:
        seen = (*repeated, *_gates(one.name, handover, removed), *one.draft.gates)
        yield Phase(
            name=one.name,
            title=TITLES[one.name],
            operations=one.draft.operations,
            files=changed_files(one.before, one.after),
            tree=one.after,
            removes=one.draft.removes,
            gates=tuple({gate.id: gate for gate in seen}.values()),
            way_back=terraforming.imported(
                way_back(one.name, handover.target, handover.installation),
                one.name,
                one.after,
                handover.target.namespace,
            ),
            notes=one.draft.notes,
        )
        repeated = ()


def _is_first(name: PhaseName, installation: Installation) -> bool:
    """Whether nothing is done before a phase: what nobody applies needs no protection."""
    return name in (PhaseName.STATE, PhaseName.PROTECT) or (name is PhaseName.OPERATOR and installation.owner is None)


TITLES = {
    PhaseName.PREFLIGHT: "See that the cluster is what Git says",
    PhaseName.STATE: "Let Terraform forget Flux",
    PhaseName.PROTECT: "Keep Flux when its Kustomization goes",
    PhaseName.OPERATOR: "Add the Flux Operator",
    PhaseName.INSTANCE: "Let the operator take Flux over",
    PhaseName.BOOTSTRAP: "Install Flux by its operator from nothing",
    PhaseName.RETIRE: "Remove the old Flux installation",
    PhaseName.SUSPEND: "Suspend the old root",
    PhaseName.TRANSFER: "Let a new root take everything over",
    PhaseName.SETTLE: "Let the new root prune",
    PhaseName.FOLLOW: "Follow the new source and root",
    PhaseName.SYNC: "Leave source and root to the operator",
    PhaseName.REFERENCES: "Follow the new names everywhere else",
    PhaseName.UPGRADE: "Upgrade Flux",
}
"""Commit subjects: imperative, at most 50 characters."""


def _gates(phase: PhaseName, handover: Handover, removed: frozenset[ObjectId]) -> tuple[Gate, ...]:
    """What must be seen before a phase, beside what the phase itself asks for."""
    target, installation = handover.target, handover.installation
    match phase:
        case PhaseName.OPERATOR:
            return gates.before_operator(handover.cluster, installation, handover.overrides)
        case PhaseName.INSTANCE:
            return gates.before_instance(target)
        case PhaseName.BOOTSTRAP | PhaseName.RETIRE:
            return gates.after_instance(target, installation)
        case PhaseName.SUSPEND | PhaseName.TRANSFER | PhaseName.SETTLE | PhaseName.FOLLOW:
            return before_phase(phase, handover.cluster, target, removed)
        case PhaseName.SYNC if target.transfer is not None:
            return before_phase(phase, handover.cluster, target, removed)
        case PhaseName.SYNC:
            return before_sync(handover.cluster, target)
        case PhaseName.REFERENCES:
            return gates.before_references(removed)
        case PhaseName.PREFLIGHT | PhaseName.STATE | PhaseName.PROTECT | PhaseName.UPGRADE:
            return ()
        case _:
            assert_never(phase)

"""A plan and its phases, as values: one commit each, and between them gates to be seen live."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flux_handover.findings import Finding
from flux_handover.model.installation import Installation
from flux_handover.objects import ObjectId
from flux_handover.plan.conditions import Condition
from flux_handover.plan.operations import Operation
from flux_handover.plan.target import Target
from flux_handover.tree import Tree


class PhaseName(Enum):
    """The phases of a handover, in order (rules.md R21); `preflight` makes no commit."""

    PREFLIGHT = "preflight"
    STATE = "state"
    PROTECT = "protect"
    OPERATOR = "operator"
    INSTANCE = "instance"
    BOOTSTRAP = "bootstrap"
    RETIRE = "retire"
    SUSPEND = "suspend"
    TRANSFER = "transfer"
    SETTLE = "settle"
    FOLLOW = "follow"
    SYNC = "sync"
    REFERENCES = "references"
    UPGRADE = "upgrade"


@dataclass(frozen=True, slots=True)
class Gate:
    """What must be observed in the cluster before the next phase begins; `command` is read-only.

    `looks_for` says the same as `command` and `expect`, for programs; without it only a person can tell.
    """

    id: str
    object: ObjectId | None
    condition: str
    command: str
    expect: str
    why: str
    looks_for: Condition | None = None


@dataclass(frozen=True, slots=True)
class LiveStep:
    """One step of a way back that is not a commit: the command, and what must be seen after it."""

    text: str
    command: str
    expect: str = ""


@dataclass(frozen=True, slots=True)
class PhaseDraft:
    """What one phase function decides: its operations, and what must be said or seen because of them.

    `gates` are added to those that the phase has anyway; `removes` are ids whose deletion it declares.
    """

    operations: tuple[Operation, ...] = ()
    notes: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    removes: frozenset[ObjectId] = frozenset()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Files:
    """What a phase does to the tree; sorted paths."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Phase:
    """One commit: `tree` is the whole tree after it, byte for byte what will be committed.

    `removes` are the ids whose deletion this phase declares; `gates` must be seen before the
    phase reaches the synced branch; `way_back` undoes it, in order.
    """

    name: PhaseName
    title: str
    operations: tuple[Operation, ...]
    files: Files
    tree: Tree
    removes: frozenset[ObjectId]
    gates: tuple[Gate, ...]
    way_back: tuple[LiveStep, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All phases that are still to be done for one cluster.

    `assumptions` are facts taken as true offline (each is also a gate of `preflight`);
    `decisions` answer in one line each what the owner will ask (R24).
    """

    cluster: str
    revision: str
    installation: Installation
    target: Target
    phases: tuple[Phase, ...]
    assumptions: tuple[str, ...]
    decisions: tuple[str, ...]
    findings: tuple[Finding, ...]


def changed_files(before: Tree, after: Tree) -> Files:
    """The difference of two trees by path."""
    old, new = before.files, after.files
    return Files(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(p for p in old.keys() & new.keys() if old[p] != new[p])),
        removed=tuple(sorted(old.keys() - new.keys())),
    )

"""Where the controllers of a sandbox decide differently from those of the user's cluster.

The rules that changed between versions are few and known; a rehearsal is silent about those for which
its own versions and the user's lie on different sides, and says so (contract K22).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flux_handover.catalogue.versions import is_at_least

KUSTOMIZE, HELM, OPERATOR = "kustomize-controller", "helm-controller", "flux-operator"


@dataclass(frozen=True, slots=True, order=True)
class VersionGate:
    """A rule that a program obeys from a version on; `undone_by` is the argument that switches it off."""

    program: str
    since: str
    rule: str
    undone_by: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A rule that the sandbox and the user's cluster do not share."""

    gate: VersionGate
    here: str
    there: str

    def __str__(self) -> str:
        sides = f"the sandbox runs {self.here}, the cluster {self.there}"
        return f"{self.gate.program} {self.gate.since} and later: {self.gate.rule} ({sides})"


VERSION_GATES = (
    VersionGate(KUSTOMIZE, "v1.5.0", "deletionPolicy is known"),
    VersionGate(KUSTOMIZE, "v1.6.0", "deletionPolicy WaitForTermination is known"),
    VersionGate(KUSTOMIZE, "v1.7.0", "a skipped object is recorded by its id in Git, not by the live one"),
    VersionGate(KUSTOMIZE, "v1.7.0", "readyExpr, ignoreMissingComponents and watched variables are known"),
    VersionGate(KUSTOMIZE, "v1.8.5", "a live `ssa: Ignore` protects from pruning"),
    VersionGate(KUSTOMIZE, "v1.8.5", "a skipped object that exists is recorded by its live id"),
    VersionGate(KUSTOMIZE, "v1.9.0", "what a failed prune left stays in the inventory"),
    VersionGate(
        KUSTOMIZE,
        "v1.9.0",
        "an undefined variable fails the build by default",
        undone_by="--feature-gates=StrictPostBuildSubstitutions=false",
    ),
    VersionGate(KUSTOMIZE, "v1.9.0", "spec.ignore, buildMetadata and substituteStrategy are known"),
    VersionGate(HELM, "v1.2.0", "existing objects are taken over by default"),
    VersionGate(HELM, "v1.5.0", "Helm 4: server-side apply, status.inventory, waits on custom resources"),
    VersionGate(HELM, "v1.6.0", "chartNameChangeStrategy is known; postRender is `combined` by default"),
    VersionGate(OPERATOR, "v0.2.0", "labels of kustomize-controller and annotations of Helm are taken off"),
    VersionGate(OPERATOR, "v0.3.0", "adopted objects are marked `ssa: Ignore`"),
    VersionGate(OPERATOR, "v0.19.0", "the address of notification-controller follows the operator"),
    VersionGate(OPERATOR, "v0.26.0", "fields of helm-controller are no longer taken over"),
    VersionGate(OPERATOR, "v0.28.0", "adopted objects are marked `prune: Disabled`"),
    VersionGate(OPERATOR, "v0.29.0", "token RBAC is removed, and the workload identity gate written"),
    VersionGate(OPERATOR, "v0.30.0", "an uninstall waits until the CRDs are gone"),
    VersionGate(OPERATOR, "v0.31.0", "stored versions are migrated at a minor upgrade"),
    VersionGate(OPERATOR, "v0.39.0", "--override-manager is known"),
    VersionGate(OPERATOR, "v0.54.0", "only minors that the operator's image holds are served"),
)


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> tuple[Difference, ...]:
    """The rules on which two sets of versions, by program, do not agree; programs of one set only do not count."""
    return tuple(difference for difference in crossed(here, there) if not is_undone(difference))


def older_ways(here: Mapping[str, str], there: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    """The arguments, by program, that make the sandbox's newer programs obey rules as the older ones there do."""
    undone = [difference.gate for difference in crossed(here, there) if is_undone(difference)]
    programs = sorted({gate.program for gate in undone})
    return {name: tuple(gate.undone_by for gate in undone if gate.program == name) for name in programs}


def crossed(here: Mapping[str, str], there: Mapping[str, str]) -> tuple[Difference, ...]:
    """The rules that lie between two sets of versions."""
    return tuple(
        Difference(gate, here[gate.program], there[gate.program])
        for gate in VERSION_GATES
        if gate.program in here
        and gate.program in there
        and is_at_least(here[gate.program], gate.since) != is_at_least(there[gate.program], gate.since)
    )


def is_undone(difference: Difference) -> bool:
    """Whether the sandbox runs the newer program, and can be told to do as the older one."""
    return bool(difference.gate.undone_by) and is_at_least(difference.here, difference.gate.since)

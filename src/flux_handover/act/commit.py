"""One Git commit per phase, on a branch of its own; never pushed, and the work tree is never touched.

All phases on one branch would be the fatal case: Flux sees only the head of what it follows, so a
merge or a push of several phases is one revision (rules.md R1). Hence the next phase alone, or stacked
branches that are merged one after another, each after its gate was seen.
"""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from flux_handover.act.describing import describe
from flux_handover.act.proved import ProvedPlan
from flux_handover.adapters.git import Repository
from flux_handover.adapters.git_commit import write_commit
from flux_handover.errors import UsageError
from flux_handover.objects import ObjectId, names
from flux_handover.plan.phases import Gate, LiveStep, Phase, PhaseName, Plan
from flux_handover.plan.target import SyncStrategy
from flux_handover.proof.obligations import Verdict
from flux_handover.tree import Tree

PHASE_TRAILER = "Flux-Handover-Phase"
PLAN_TRAILER = "Flux-Handover-Plan"
WIDTH = 72

_TRANSFER = (PhaseName.SUSPEND, PhaseName.TRANSFER, PhaseName.SETTLE, PhaseName.FOLLOW)
_SKIPPED = {
    SyncStrategy.KEEP: (*_TRANSFER, PhaseName.SYNC),
    SyncStrategy.ADOPT: _TRANSFER,
    SyncStrategy.TRANSFER: (),
}


class Reach(Enum):
    """How many phases are written: the next, or all of them, stacked."""

    NEXT = "next"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Drafted:
    """One commit to be written on top of `before`; an empty `parent` is the commit drafted just before it."""

    plan: Plan
    phase: Phase
    branch: str
    parent: str
    before: Tree
    message: str


@dataclass(frozen=True, slots=True)
class Committed:
    """A drafted commit that exists now."""

    draft: Drafted
    sha: str


def blocked(proved: ProvedPlan, reach: Reach) -> tuple[Phase, ...]:
    """The phases that may not be written, because their proof does not hold."""
    return tuple(phase for phase in _wanted(proved.plan, reach) if proved.proof(phase).verdict is not Verdict.HOLDS)


def drafts(plans: Sequence[ProvedPlan], base: Tree, reach: Reach, prefix: str) -> tuple[Drafted, ...]:
    """The commits to write, cluster by cluster, each cluster's stacked on the revision that was planned."""
    return tuple(
        draft
        for proved in plans
        for draft in _stack(proved.plan, base, reach, prefix if len(plans) == 1 else f"{prefix}/{proved.plan.cluster}")
    )


def write(commits: Sequence[Drafted], repository: Repository) -> tuple[Committed, ...]:
    """Write the commits, each on the one before it where they are stacked; none if one of the branches exists."""
    taken = {name for name, _ in repository.branches()} & {draft.branch for draft in commits}
    if taken:
        name = min(taken)
        hint = f"delete it with `git branch -D {name}`, or name another prefix with --branch"
        raise UsageError(f"the branch {name} is there already", hint=hint)
    return tuple(_written(commits, repository))


def _written(commits: Iterable[Drafted], repository: Repository) -> Iterator[Committed]:
    sha = ""
    for draft in commits:
        parent, after = draft.parent or sha, draft.phase.tree
        sha = write_commit(repository, parent, draft.before, after, message=draft.message, branch=draft.branch)
        yield Committed(draft, sha)


def _stack(plan: Plan, base: Tree, reach: Reach, prefix: str) -> Iterator[Drafted]:
    parent, before = plan.revision, base
    for phase in _wanted(plan, reach):
        branch = f"{prefix}/{number_of(plan, phase.name)}-{phase.name.value}"
        yield Drafted(plan, phase, branch, parent, before, message(plan, phase))
        parent, before = "", phase.tree


def _wanted(plan: Plan, reach: Reach) -> tuple[Phase, ...]:
    phases = tuple(phase for phase in plan.phases if phase.name is not PhaseName.PREFLIGHT)
    return phases if reach is Reach.ALL else phases[:1]


def number_of(plan: Plan, name: PhaseName) -> int:
    """The phase's place in the whole handover, from `protect` as 1; it stays the same when earlier ones are done.

    `preflight` makes no commit, and `state` is there for Terraform only: both are 0. `sync` counts where the
    operator makes source and root, and what comes before it where they are transferred.
    """
    first = tuple(PhaseName).index(PhaseName.PROTECT)
    skipped = _SKIPPED[plan.target.sync]
    counted = [phase for phase in tuple(PhaseName)[first:] if phase not in skipped or phase is name]
    return counted.index(name) + 1 if name in counted else 0


def plan_digest(plan: Plan) -> str:
    """What makes two plans the same handover: the cluster and its end, not the phases that are left."""
    target = plan.target
    end = {
        "cluster": plan.cluster,
        "spec": target.spec,
        "form": target.form.value,
        "releases": [(one.id.full, one.chart, one.version, one.values) for one in (target.operator, target.instance)],
    }
    return hashlib.sha256(json.dumps(end, sort_keys=True, default=dict).encode()).hexdigest()[:16]


def gates_before(plan: Plan, phase: Phase) -> tuple[Gate, ...]:
    """What must be seen before a phase is pushed; before the first commit also all of `preflight`."""
    first = next((one for one in plan.phases if one.name is not PhaseName.PREFLIGHT), None)
    preflight = (one for one in plan.phases if one.name is PhaseName.PREFLIGHT and phase is first)
    return (*(gate for one in preflight for gate in one.gates), *phase.gates)


def message(plan: Plan, phase: Phase) -> str:
    """The phase's title as subject, the gate to be seen first, what is done and why, the way back, and the trailers."""
    trailers = f"{PHASE_TRAILER}: {phase.name.value}\n{PLAN_TRAILER}: {plan_digest(plan)}"
    parts = (phase.title, *_gates(gates_before(plan, phase)), *_what(phase), *_way_back(phase.way_back), trailers)
    return "\n\n".join(parts) + "\n"


def _gates(gates: Sequence[Gate]) -> Iterator[str]:
    if not gates:
        return
    yield _wrapped("Before this reaches the branch that Flux follows, these commands, which only read, must say:")
    yield "\n".join(line for gate in gates for line in _gate(gate))


def _gate(gate: Gate) -> Iterator[str]:
    yield from (f"    {line}" for line in gate.command.splitlines())
    yield from (f"    # {line}" for line in gate.expect.splitlines())


def _what(phase: Phase) -> Iterator[str]:
    """What is done, below the reason for it."""
    for why, words in groupby(map(describe, phase.operations), key=lambda words: words.why):
        points = (_point(f"{one.subject}: {one.effect}") for one in words)
        yield "\n".join((_wrapped(_sentence(why)), *points) if why else points)
    yield _wrapped(deletions(phase.removes))


def _sentence(why: str) -> str:
    """The reason as the head of a list; a first word that is more than a word is a name, and stays as it is."""
    first = why.split(maxsplit=1)[0]
    return f"{why[0].upper() if first.isalpha() else why[0]}{why[1:]}:"


def deletions(removes: frozenset[ObjectId]) -> str:
    """What Flux deletes because of a phase, as a sentence."""
    return f"Flux will delete {names(removes)}, and nothing else." if removes else "Flux will delete nothing."


def _way_back(steps: Sequence[LiveStep]) -> Iterator[str]:
    if steps:
        yield "\n".join(
            ("The way back:", *(line for number, step in enumerate(steps, 1) for line in _step(number, step)))
        )


def _step(number: int, step: LiveStep) -> Iterator[str]:
    yield _point(step.text, f"{number}. ")
    yield from (f"    {line}" for line in step.command.splitlines())
    yield from (f"    # {line}" for line in step.expect.splitlines())


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _point(text: str, mark: str = "- ") -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )

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
from itertools import takewhile
from typing import assert_never

from flux_handover.act.proved import ProvedPlan
from flux_handover.adapters.git import Repository
from flux_handover.adapters.git_commit import write_commit
from flux_handover.errors import UsageError
from flux_handover.objects import ObjectId, names
from flux_handover.plan.phases import Gate, LiveStep, Phase, PhaseName, Plan
from flux_handover.proof.obligations import Verdict
from flux_handover.tree import Tree

PHASE_TRAILER = "Flux-Handover-Phase"
PLAN_TRAILER = "Flux-Handover-Plan"
WIDTH = 72


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
        branch = f"{prefix}/{number_of(phase.name)}-{phase.name.value}"
        yield Drafted(plan, phase, branch, parent, before, message(plan, phase))
        parent, before = "", phase.tree


def _wanted(plan: Plan, reach: Reach) -> tuple[Phase, ...]:
    phases = tuple(phase for phase in plan.phases if phase.name is not PhaseName.PREFLIGHT)
    return phases if reach is Reach.ALL else phases[:1]


def number_of(name: PhaseName) -> int:
    """The phase's place among all phases; it stays the same when earlier ones are done."""
    return tuple(PhaseName).index(name)


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


def message(plan: Plan, phase: Phase) -> str:
    """Subject, the gate to be seen first, what is done and why, the way back, and the trailers."""
    trailers = f"{PHASE_TRAILER}: {phase.name.value}\n{PLAN_TRAILER}: {plan_digest(plan)}"
    parts = (subject(phase.name), *_gates(phase.gates), *_what(phase), *_way_back(phase.way_back), trailers)
    return "\n\n".join(parts) + "\n"


def subject(name: PhaseName) -> str:
    """The first line, at most 50 characters."""
    match name:
        case PhaseName.PREFLIGHT:
            raise ValueError("preflight makes no commit")
        case PhaseName.PROTECT:
            return "Protect Flux from its own pruning"
        case PhaseName.OPERATOR:
            return "Install the Flux Operator"
        case PhaseName.INSTANCE:
            return "Let a FluxInstance adopt Flux"
        case PhaseName.BOOTSTRAP:
            return "Bootstrap Flux with the Flux Operator"
        case PhaseName.RETIRE:
            return "Retire the old installation of Flux"
        case PhaseName.REFERENCES:
            return "Follow Flux to its new place"
        case PhaseName.UPGRADE:
            return "Upgrade Flux"
        case _:
            assert_never(name)


def _gates(gates: Sequence[Gate]) -> Iterator[str]:
    if not gates:
        return
    yield _wrapped("Before this reaches the branch that Flux follows, these commands, which only read, must say:")
    yield "\n".join(line for gate in gates for line in _gate(gate))


def _gate(gate: Gate) -> Iterator[str]:
    yield from (f"    {line}" for line in gate.command.splitlines())
    yield from (f"    # {line}" for line in gate.expect.splitlines())


def _what(phase: Phase) -> Iterator[str]:
    if phase.title:
        yield _wrapped(_sentence(phase.title))
    reasons = dict.fromkeys(why for why in (getattr(one, "why", "") for one in phase.operations) if why)
    if reasons:
        yield "\n".join(_point(_sentence(why)) for why in reasons)
    yield _wrapped(deletions(phase.removes))


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


def _sentence(text: str) -> str:
    """The text as it would stand alone; a first word that holds more than letters is a name, and stays."""
    first = "".join(takewhile(lambda char: not char.isspace(), text))
    start = text[:1].upper() if first.isalpha() else text[:1]
    return start + text[1:] + ("" if text.endswith((".", ":", "?")) else ".")


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

"""The way back, walked: the very commands that the plan prints, on the sandbox, in their order.

A revert is the tree before the phase, pushed. Everything else is given to kubectl as it stands, with the
sandbox's kubeconfig and no shell in between; what a command must show is waited for.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from dataclasses import dataclass, replace

from flux_handover.act.comparing import Announced
from flux_handover.act.content import NOTHING_WRITTEN, Written
from flux_handover.act.execute import Direction, Place, Run, marked, published, summed_up
from flux_handover.act.observing import Rest, requested
from flux_handover.act.programs import ran
from flux_handover.errors import SandboxError
from flux_handover.objects import ObjectId
from flux_handover.plan.phases import LiveStep, Phase
from flux_handover.tree import Tree

KUBECTL, GIT = "kubectl", "git"
SEEN_SECONDS = 90.0
LAST_WORDS = 300


@dataclass(frozen=True, slots=True)
class Going:
    """What a phase is taken back from and to: the tree before it, what phases brought until now, what it wrote."""

    place: Place
    before: Tree
    brought: frozenset[ObjectId]
    owner: ObjectId | None
    written: Written = NOTHING_WRITTEN


def taken_back(going: Going, phase: Phase) -> Run:
    """A phase undone by its steps; nothing may go but what the phases brought."""
    start, place = time.monotonic(), going.place
    mark = marked(place, going.written)
    place.journal.write(time.time(), "phase", name=phase.name.value, direction=Direction.BACK.value)
    failed: list[str] = []
    rest = Rest(0.0, {})
    for step in phase.way_back:
        rest, problem = walked(going, step, rest)
        place.journal.write(time.time(), "step", text=step.text, problem=problem)
        if problem:
            failed.append(problem)
            break
    announced = Announced(brought=going.brought, returning=phase.removes)
    run = summed_up(place, phase.name.value, Direction.BACK, announced, mark, rest)
    return replace(run, problems=(*failed, *run.problems), seconds=time.monotonic() - start)


def walked(going: Going, step: LiveStep, rest: Rest) -> tuple[Rest, str]:
    """One step done: how the cluster rested after it, and why it could not be done."""
    if not step.command:
        return rest, ""
    if step.command.startswith(f"{GIT} "):
        return published(going.place, going.before, step.text), ""
    return rest, seen(going, step) if step.expect else run_once(going, step)


def run_once(going: Going, step: LiveStep) -> str:
    """A command that changes something, once; empty where it worked."""
    done = kubectl(going.place, step.command)
    return "" if done.returncode == 0 else f"{step.text}: {done.stderr.strip()[-LAST_WORDS:]}"


def seen(going: Going, step: LiveStep) -> str:
    """A command that only looks, until it shows what it must; empty where it did."""
    end = time.monotonic() + SEEN_SECONDS
    if going.owner is not None:
        requested(going.place.cluster, (going.owner,), f"{time.time()}")
    while True:
        done = kubectl(going.place, step.command)
        if done.returncode == 0 and shows(done.stdout, step.expect):
            return ""
        if time.monotonic() > end:
            return f"{step.text}: expected {step.expect}, saw {' '.join(done.stdout.split())[:LAST_WORDS]}"
        time.sleep(1)


def shows(output: str, expect: str) -> bool:
    """Whether an output is as a step expects it: nothing, a word on every line, or a text somewhere."""
    if expect == "no output":
        return not output.strip()
    word, every, _ = expect.partition(" on every line")
    if every:
        lines = output.strip().splitlines()[1:]
        return bool(lines) and all(word in line.split() for line in lines)
    return expect in output


def kubectl(place: Place, command: str) -> subprocess.CompletedProcess[str]:
    """A printed command, run against the sandbox alone; raises SandboxError where there is no kubectl."""
    program, *arguments = shlex.split(command)
    if program != KUBECTL or place.kubectl is None:
        raise SandboxError("the way back is walked with kubectl, and there is none", where=command)
    folder = place.cluster.kubeconfig.parent
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(folder), "KUBECONFIG": str(place.cluster.kubeconfig)}
    return ran((str(place.kubectl), *arguments), environment)

"""The phases of a plan as steps of one series."""

from __future__ import annotations

from itertools import pairwise

from flux_handover.plan.phases import PhaseName, Plan
from flux_handover.proof.steps import Step, committing


def test_every_phase_but_the_one_that_only_looks_is_a_step(demo_plan: Plan, demo_steps: dict[str, Step]) -> None:
    assert list(demo_steps) == [phase.name.value for phase in committing(demo_plan)]
    assert PhaseName.PREFLIGHT not in {phase.name for phase in committing(demo_plan)}


def test_each_step_begins_where_the_one_before_came_to_rest(demo_steps: dict[str, Step]) -> None:
    steps = list(demo_steps.values())

    for before, after in pairwise(steps):
        assert after.start == before.outcome.world
        assert after.before == before.after
        assert after.stages[0] is before.stages[1]


def test_the_way_back_of_a_step_is_the_revision_before_it(demo_steps: dict[str, Step]) -> None:
    for step in demo_steps.values():
        assert step.back is not None
        assert (step.back.revision, step.back.cluster) == (step.before.name, step.before.cluster)

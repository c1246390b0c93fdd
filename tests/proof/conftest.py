from __future__ import annotations

import pytest
from planning import DEMO, Reader, tree_of
from proof.fleets import Judge

from flux_handover.adapters.engine import Engine
from flux_handover.plan.phases import Plan
from flux_handover.proof.steps import Step, committing, steps_of


@pytest.fixture
def judge(engine: Engine) -> Judge:
    return Judge(engine)


@pytest.fixture(scope="session")
def demo_plan(reader: Reader) -> Plan:
    return reader.plan(tree_of(DEMO))


@pytest.fixture(scope="session")
def demo_steps(demo_plan: Plan, reader: Reader) -> dict[str, Step]:
    """The steps of the plan for the bundled repository, by phase."""
    snapshots = tuple(map(reader, (tree_of(DEMO), *(phase.tree for phase in committing(demo_plan)))))
    return {step.phase.name.value: step for step in steps_of(demo_plan, snapshots, reader.engine)}

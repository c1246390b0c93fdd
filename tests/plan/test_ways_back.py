"""How a phase is undone, as commands that people run."""

import shlex

import pytest
from planning import DEMO, Reader, tree_of

from flux_handover.plan.phases import Phase
from flux_handover.plan.target import InstanceForm, Options

WRITING = {"annotate", "apply", "label", "patch", "edit", "replace"}
READING = {"get", "wait"}
OTHERS = {"delete"}


def commands(phases: tuple[Phase, ...]) -> list[list[str]]:
    """The words of every kubectl command of every way back."""
    words = [shlex.split(step.command) for phase in phases for step in phase.way_back]
    return [line for line in words if line[:1] == ["kubectl"]]


@pytest.mark.parametrize("form", list(InstanceForm))
def test_what_a_way_back_writes_is_not_taken_over_by_kustomize_controller(form: InstanceForm, reader: Reader) -> None:
    lines = commands(reader.plan(tree_of(DEMO), Options(instance_as=form)).phases)

    writing = [line for line in lines if WRITING & set(line)]

    assert {verb for line in lines for verb in line[1:] if verb in WRITING} == {"annotate", "patch"}
    assert [line for line in writing if "--field-manager=flux" not in line] == []
    assert all((WRITING | READING | OTHERS) & set(line) for line in lines)

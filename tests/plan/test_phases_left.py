"""The phase reached follows from content alone (rules.md R3), whoever wrote it."""

import pytest
from lanes import slow_but
from planning import CASES, DEMO, Reader, names_of, tree_of

from flux_handover.plan.edits import edited
from flux_handover.plan.phases import PhaseName
from flux_handover.plan.target import InstanceForm, Options
from flux_handover.tree import Tree

REPOSITORIES = {"demo": DEMO, **{path.name: path / "before" for path in sorted(CASES.glob("plan-*"))}}


@pytest.mark.parametrize(
    ("form", "name"),
    [
        *((InstanceForm.HELMRELEASE, name) for name in REPOSITORIES),
        *(
            pytest.param(InstanceForm.MANIFEST, *one.values, marks=one.marks)
            for one in slow_but({"demo"}, REPOSITORIES)
        ),
    ],
)
def test_planning_after_each_phase_gives_the_phases_after_it(name: str, form: InstanceForm, reader: Reader) -> None:
    options = Options(instance_as=form)
    plan = reader.plan(tree_of(REPOSITORIES[name]), options)
    commits = [phase for phase in plan.phases if phase.name is not PhaseName.PREFLIGHT]

    for number, phase in enumerate(commits, start=1):
        left = reader.plan(phase.tree, options)

        assert names_of(left) == [later.name.value for later in commits[number:]]
        assert [later.tree for later in left.phases] == [later.tree for later in commits[number:]]


@pytest.mark.parametrize("name", REPOSITORIES)
def test_the_tree_of_a_phase_is_what_its_operations_make_of_the_one_before(name: str, reader: Reader) -> None:
    tree = tree_of(REPOSITORIES[name])

    for phase in reader.plan(tree).phases:
        after = edited(tree, phase.operations)

        assert after == phase.tree
        assert changed(tree, after) == {*phase.files.added, *phase.files.changed, *phase.files.removed}
        tree = after


@pytest.mark.parametrize("name", REPOSITORIES)
def test_only_the_first_plan_begins_with_what_must_be_seen(name: str, reader: Reader) -> None:
    plan = reader.plan(tree_of(REPOSITORIES[name]))
    left = reader.plan(plan.phases[1].tree)

    assert plan.phases[0].name is PhaseName.PREFLIGHT
    assert not plan.phases[0].operations
    assert {gate.id for gate in plan.phases[0].gates} <= {gate.id for gate in left.phases[0].gates}


def changed(before: Tree, after: Tree) -> set[str]:
    paths = {*before, *after}
    return {path for path in paths if before.files.get(path) != after.files.get(path)}

"""A FluxInstance that is there already (contract K5, rules.md R3)."""

from collections.abc import Callable

import pytest
from planning import CASES, DEFAULTS, Reader, names_of, tree_of

from flux_handover.errors import UnsupportedInstallation
from flux_handover.plan.operations import DisablePrune
from flux_handover.plan.phases import PhaseName
from flux_handover.plan.target import InstanceForm, Options
from flux_handover.tree import Tree

CASE = CASES / "plan-flat-list" / "before"
RELEASE = "workloads/flux-instance/helmrelease.yaml"


def after(reader: Reader, name: PhaseName, options: Options = DEFAULTS) -> Tree:
    plan = reader.plan(tree_of(CASE), options)
    return next(phase.tree for phase in plan.phases if phase.name is name)


def changed(tree: Tree, path: str, old: str, new: str) -> Tree:
    text = tree.read(path).decode()
    assert old in text
    return tree.with_file(path, text.replace(old, new).encode())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version: 2.6.4", 'version: "2.x"', "its version is 2.x, v2.6.4 runs"),
        ("version: 2.6.4", "version: 2.6.3", "its version is 2.6.3, v2.6.4 runs"),
        ("      - image-automation-controller\n", "", "its components are not the running"),
        ("networkPolicy: true", "networkPolicy: false", "its networkPolicy is false"),
        ('        artifact: ""\n', "", "its artifact moves without a commit"),
    ],
)
def test_an_instance_that_would_change_flux_is_refused(old: str, new: str, said: str, reader: Reader) -> None:
    tree = changed(after(reader, PhaseName.INSTANCE), RELEASE, old, new)

    with pytest.raises(UnsupportedInstallation) as refusal:
        reader.plan(tree)

    assert said in refusal.value.message
    assert refusal.value.where.startswith("clusters/quay/flux-instance.yaml")


def test_a_sync_that_nothing_in_git_corresponds_to_is_refused(reader: Reader) -> None:
    sync = "      sync:\n        url: https://x.example.org\n      cluster:\n"
    tree = changed(after(reader, PhaseName.INSTANCE), RELEASE, "      cluster:\n", sync)

    with pytest.raises(UnsupportedInstallation, match="sync cannot adopt"):
        reader.plan(tree)


def test_an_operator_that_a_person_added_is_taken_as_it_is(reader: Reader) -> None:
    tree = changed(
        after(reader, PhaseName.OPERATOR), "clusters/quay/flux-operator.yaml", "interval: 10m", "interval: 7m"
    )

    assert names_of(reader.plan(tree))[0] == "instance"


def test_an_operator_whose_kustomization_prunes_is_protected_first(reader: Reader) -> None:
    tree = changed(after(reader, PhaseName.OPERATOR), "clusters/quay/flux-operator.yaml", "prune: false", "prune: true")

    plan = reader.plan(tree)

    assert names_of(plan)[:2] == ["operator", "instance"]
    (operation,) = plan.phases[0].operations
    assert isinstance(operation, DisablePrune)
    assert operation.ks.name == "flux-operator"


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda tree: changed(tree, RELEASE, "version: 2.6.4", 'version: "2.x"'), "its version 2.x is a range"),
        (
            lambda tree: changed(tree, RELEASE, "    commonAnnotations:\n      helm.sh/resource-policy: keep\n", ""),
            "uninstalls Flux",
        ),
        (lambda tree: changed(tree, RELEASE, '        artifact: ""\n', ""), "its artifact moves without a commit"),
    ],
)
def test_an_instance_that_is_no_end_of_a_handover_is_refused(
    break_it: Callable[[Tree], Tree], said: str, reader: Reader
) -> None:
    tree = break_it(after(reader, PhaseName.RETIRE))

    with pytest.raises(UnsupportedInstallation) as refusal:
        reader.plan(tree)

    assert said in refusal.value.message
    assert "guard" in refusal.value.hint


@pytest.mark.parametrize("form", list(InstanceForm))
def test_the_end_is_read_back_as_the_target_that_was_planned(form: InstanceForm, reader: Reader) -> None:
    options = Options(instance_as=form)
    planned = reader.plan(tree_of(CASE), options).target

    reached = reader.plan(after(reader, PhaseName.RETIRE, options), options).target

    assert reached.form is form
    for field in ("namespace", "operator_version", "flux_version", "components", "cluster"):
        assert getattr(reached, field) == getattr(planned, field)
    assert [(one.patch, one.target) for one in reached.patches] == [(one.patch, one.target) for one in planned.patches]
    assert reached.layout.operator.ks_file == planned.layout.operator.ks_file
    assert reached.layout.instance.directory == planned.layout.instance.directory


def test_a_manifest_that_a_prune_could_delete_is_no_end(reader: Reader) -> None:
    options = Options(instance_as=InstanceForm.MANIFEST)
    tree = changed(
        after(reader, PhaseName.RETIRE, options),
        "workloads/flux-instance/fluxinstance.yaml",
        "kustomize.toolkit.fluxcd.io/prune: disabled",
        "example.org/prune: disabled",
    )

    with pytest.raises(UnsupportedInstallation, match="uninstalls Flux"):
        reader.plan(tree, options)

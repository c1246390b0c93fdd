"""Settings as differences from the plain distribution, new names left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from model.flux_objects import controller, manifest, role, with_pod

from flux_handover import catalogue
from flux_handover.model.settings import changes, components, last_changed, renames
from flux_handover.objects import Object, object_of

POLICY = manifest("networking.k8s.io/v1", "NetworkPolicy", "allow-egress", spec={"egress": [{}]})


def shown(plain: list[Object], live: list[Object]) -> list[tuple[str, str, str, str]]:
    return [(c.about.target.name, c.about.kind, c.about.key, c.value) for c in changes(plain, live)]


def test_the_plain_distribution_has_no_settings() -> None:
    plain = [object_of(m) for m in catalogue.artifact_manifests("v2.6.4")]

    assert changes(plain, reversed(plain)) == ()


def test_a_changed_and_an_added_argument_are_settings() -> None:
    plain = [controller("helm-controller", "--log-level=info")]
    live = [controller("helm-controller", "--log-level=info", "--log-level=debug", "--concurrent=3")]

    assert shown(plain, live) == [
        ("helm-controller", "argument", "--concurrent", "3"),
        ("helm-controller", "argument", "--log-level", "debug"),
    ]


def test_a_field_that_was_taken_away_has_an_empty_value() -> None:
    plain = [controller("helm-controller", resources={"limits": {"cpu": "1"}})]

    assert shown(plain, [controller("helm-controller")]) == [("helm-controller", "limit", "cpu", "")]


def test_a_missing_controller_is_a_component_and_anything_else_a_deletion() -> None:
    assert shown([controller("image-reflector-controller"), POLICY], []) == [
        ("image-reflector-controller", "component", "image-reflector-controller", "removed"),
        ("allow-egress", "deletion", "object", "deleted"),
    ]


def test_what_a_user_adds_is_no_setting_but_another_controller_is() -> None:
    assert shown([], [POLICY]) == []
    assert shown([], [controller("source-controller-shard1")]) == [
        ("source-controller-shard1", "component", "source-controller-shard1", "added")
    ]


def test_an_object_with_another_name_is_the_same_object() -> None:
    old, new = role("crd-controller", ("", "secrets", "get")), role("crd-controller-gitops", ("", "secrets", "get"))

    assert renames([old], [new]) == ((old.id, new.id),)
    assert changes([old], [new]) == ()


def test_an_object_with_another_name_and_content_is_another() -> None:
    old, new = role("crd-controller", ("", "secrets", "get")), role("crd-controller-gitops", ("", "secrets", "*"))

    assert renames([old], [new]) == ()
    assert shown([old], [new]) == [("crd-controller", "deletion", "object", "deleted")]


def test_a_name_that_could_be_two_objects_is_none() -> None:
    old = role("view", ("", "pods", "get"))
    two = [role("view-a", ("", "pods", "get")), role("view-b", ("", "pods", "get"))]

    assert renames([old], two) == ()


def test_an_object_in_another_namespace_is_the_same_with_its_changes() -> None:
    old = controller("helm-controller", namespace="flux-system")
    new = controller("helm-controller", "--concurrent=2", namespace="gitops")

    assert renames([old], [new]) == ((old.id, new.id),)
    assert shown([old], [new]) == [("helm-controller", "argument", "--concurrent", "2")]


def test_the_stage_that_gives_the_last_value_is_named() -> None:
    stages = [
        (controller("c"),),
        (controller("c", "--a=1"),),
        (controller("c", "--a=1", "--b=1"),),
        (controller("c", "--a=2", "--b=1"),),
    ]
    latest = {key.key: number for key, number in last_changed(stages).items()}

    assert latest == {"--a": 3, "--b": 2}


def test_a_stage_that_renames_keeps_what_was_set_before() -> None:
    old = controller("c", "--a=1", namespace="one")
    new = controller("c", "--a=1", namespace="two")
    latest = last_changed([(controller("c", namespace="one"),), (old,), (new,)])

    assert {(key.target.namespace, key.key): number for key, number in latest.items()} == {("two", "--a"): 1}


def test_components_are_what_runs() -> None:
    assert components([POLICY, controller("source-controller"), controller("helm-controller")]) == (
        "helm-controller",
        "source-controller",
    )


ARGUMENTS = st.lists(st.sampled_from(["--a=1", "--a=2", "--b=1", "--feature-gates=G=true", "--c"]), max_size=5)


@given(ARGUMENTS, ARGUMENTS)
def test_no_settings_means_the_same_command_line(one: list[str], other: list[str]) -> None:
    plain, live = controller("c", *one), controller("c", *other)
    forth, back = changes([plain], [live]), changes([live], [plain])

    assert {c.about for c in forth} == {c.about for c in back}
    assert (forth == ()) == (changes([plain], [with_pod(live)]) == ())

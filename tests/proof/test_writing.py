"""What a phase may change: the fields that its operations write, and no others of the same objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest

from flux_handover.objects import PRUNE, Object, ObjectId, mapping, object_of
from flux_handover.plan.operations import AppendElement
from flux_handover.proof.deciding import prove_content_kept
from flux_handover.proof.obligations import Verdict
from flux_handover.proof.steps import Step
from flux_handover.proof.writing import MARK, deeply, writings

Steps = dict[str, Step]
FLUX = "Kustomization/flux-system/flux"


def merged(content: Any, change: Any) -> Any:
    """Content with the fields of `change` put in, and those that are None taken out."""
    if not isinstance(change, Mapping):
        return change
    base = content if isinstance(content, Mapping) else {}
    kept = {key: value for key, value in base.items() if change.get(key, ...) is not None}
    return {**kept, **{key: merged(base.get(key), value) for key, value in change.items() if value is not None}}


def altered(step: Step, name: str, change: Mapping[str, Any]) -> Step:
    """The step with fields of one object changed after it, wherever it is rendered."""

    def of(object: Object) -> Object:
        return object_of(merged(object.data, change)) if str(object.id) == name else object

    builds = {
        id: replace(build, objects=tuple(map(of, build.objects)), inputs="other")
        if any(str(object.id) == name for object in build.objects)
        else build
        for id, build in step.after.cluster.builds.items()
    }
    cluster = replace(step.after.cluster, builds=MappingProxyType(builds))
    return replace(step, after=replace(step.after, cluster=cluster))


def test_the_evidence_is_each_object_with_the_field_that_changes(demo_steps: Steps) -> None:
    judged = prove_content_kept(demo_steps["protect"])

    assert judged.verdict is Verdict.HOLDS
    assert f"{FLUX}: spec.prune" in judged.evidence


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spec": {"interval": "7m"}}, f"{FLUX}: spec.interval"),
        ({"spec": {"postBuild": {"substitute": {"A": "b"}}}}, f"{FLUX}: spec.postBuild.substitute.A"),
        ({"metadata": {"labels": {"team": "x"}}}, f"{FLUX}: metadata.labels.team"),
        ({"spec": {"path": None}}, f"{FLUX}: spec.path"),
    ],
)
def test_another_field_of_the_same_object_is_refuted(change: Mapping[str, Any], said: str, demo_steps: Steps) -> None:
    judged = prove_content_kept(altered(demo_steps["protect"], FLUX, change))

    assert judged.verdict is Verdict.REFUTED
    assert judged.evidence == (said,)


def test_an_object_that_only_goes_away_may_not_change_instead(demo_steps: Steps) -> None:
    """What `retire` drops is written as a whole, which is no leave to write something else into it."""
    retire = demo_steps["retire"]
    back = {id: build for id, build in retire.before.cluster.builds.items() if str(id) != FLUX}
    step = replace(retire, after=replace(retire.before, cluster=replace(retire.before.cluster, builds=back)))

    judged = prove_content_kept(altered(step, FLUX, {"spec": {"interval": "7m"}}))

    assert judged.verdict is Verdict.REFUTED
    assert f"{FLUX}: spec.interval" in judged.evidence


def test_a_mark_against_prunes_is_one_annotation(demo_steps: Steps) -> None:
    """A patch of a kustomization.yaml reaches rendered objects: only the annotation that it is for may change."""
    protect = demo_steps["protect"]
    id = ObjectId("", "Namespace", "", "flux-system")
    listing = "absent/kustomization.yaml"
    operation = AppendElement(listing, 0, ("patches",), {"patch": ""}, "", marks=frozenset({id}))
    marking = replace(protect, phase=replace(protect.phase, operations=(*protect.phase.operations, operation)))

    marked = altered(marking, str(id), {"metadata": {"annotations": {PRUNE: "disabled"}}})
    labelled = altered(marking, str(id), {"metadata": {"annotations": {PRUNE: "disabled", "x": "y"}}})

    assert writings(marking).fields[id] == {MARK}
    assert prove_content_kept(marked).verdict is Verdict.HOLDS
    assert set(prove_content_kept(labelled).evidence) == {"Namespace/flux-system: metadata.annotations.x"}


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 1}}, []),
        ({}, {"a": {"b": {"c": 1}, "d": 2}}, ["a.b.c", "a.d"]),
        ({"a": {"b": 1}}, {}, ["a.b"]),
        ({"a": {}}, {}, ["a"]),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ["a[1].b"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a"]),
        ({"a": {"b": 1}}, {"a": "b"}, ["a"]),
        ({"a": None}, {"a": {"b": 1}}, ["a.b"]),
    ],
)
def test_fields_are_named_as_deep_as_they_go(old: Any, new: Any, paths: list[str]) -> None:
    assert list(deeply(old, new)) == paths


def test_every_phase_writes_something_it_can_name(demo_steps: Steps) -> None:
    for step in demo_steps.values():
        written = writings(step)
        rendered = {object.id for side in (step.before, step.after) for _, object in side.cluster.objects()}

        assert written.adds <= rendered
        assert mapping(written.fields).keys() <= rendered

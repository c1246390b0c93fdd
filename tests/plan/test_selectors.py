import pytest

from flux_handover.objects import object_of
from flux_handover.plan.selectors import requirements, selected, selects

CONTROLLER = object_of(
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "helm-controller",
            "namespace": "flux-system",
            "labels": {"part": "flux", "tier": "core"},
            "annotations": {"owner": "platform"},
        },
    }
)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ({"kind": "Deployment"}, True),
        ({"kind": "Deploy"}, False),
        ({"name": "(helm|source)-controller"}, True),
        ({"name": "helm"}, False),
        ({"group": "apps", "version": "v1", "kind": "Deployment"}, True),
        ({"group": "batch"}, False),
        ({"namespace": "flux-system"}, True),
        ({"namespace": "default"}, False),
        ({"labelSelector": "part=flux"}, True),
        ({"labelSelector": "part=flux,tier!=core"}, False),
        ({"annotationSelector": "owner in (platform, network)"}, True),
        ({"name": "("}, False),
    ],
)
def test_a_target_selects_by_whole_texts_and_labels(target: dict[str, str], expected: bool) -> None:
    assert selects(target, CONTROLLER) is expected


def test_an_object_without_namespace_counts_as_in_default() -> None:
    role = object_of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}})

    assert selects({"namespace": "default"}, role)


def test_a_target_without_any_field_selects_nothing() -> None:
    assert selected((), [CONTROLLER]) == ()


@pytest.mark.parametrize(
    ("selector", "labels", "expected"),
    [
        ("a", {"a": "1"}, True),
        ("a", {}, False),
        ("!a", {}, True),
        ("!a", {"a": "1"}, False),
        ("a=1", {"a": "1"}, True),
        ("a == 1", {"a": "2"}, False),
        ("a!=1", {}, True),
        ("a in (1, 2)", {"a": "2"}, True),
        ("a notin (1, 2)", {"a": "3"}, True),
        ("a notin (1)", {}, True),
        ("a notin (1),b", {"a": "2", "b": ""}, True),
        ("example.org/a in (x),!b", {"example.org/a": "x"}, True),
        ("", {"a": "1"}, True),
    ],
)
def test_label_selectors_read_as_kubernetes_reads_them(selector: str, labels: dict[str, str], expected: bool) -> None:
    assert all(requirement.holds(labels) for requirement in requirements(selector)) is expected


@pytest.mark.parametrize("selector", ["a in 1", "a=b=c", "a b", "in (x)"])
def test_a_text_that_is_no_selector_is_refused(selector: str) -> None:
    with pytest.raises(ValueError, match="not a label selector"):
        requirements(selector)

"""Labels of Flux's pods that the operator leaves out, and that something of the user selects by."""

from __future__ import annotations

import pytest
from bootstrapped import HOME, LIST, PATCHES, aviary, components
from plan.test_settings import rendered, target_of
from planning import Reader

from flux_handover.errors import UnsupportedInstallation
from flux_handover.tree import Tree

INSTANCE = "app.kubernetes.io/instance"
BY_LABEL = f"selector: {{matchLabels: {{{INSTANCE}: flux-system}}}}"
BY_WORDS = f"selector: {{matchExpressions: [{{key: {INSTANCE}, operator: In, values: [flux-system]}}]}}"
BY_APP = "selector: {matchLabels: {app: helm-controller}}"
POLICY = f"podSelector: {{matchLabels: {{{INSTANCE}: flux-system}}}}"


def labelled(kind: str, spec: str) -> Tree:
    """A repository of Flux 2.7, which has the label on the pods too, with an object that selects pods."""
    api = {"PodMonitor": "monitoring.coreos.com/v1", "NetworkPolicy": "networking.k8s.io/v1"}[kind]
    watching = f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: watch, namespace: flux-system}}\nspec: {{{spec}}}\n"
    return aviary(
        **{
            f"{HOME}/gotk-components.yaml": components("v2.7.5"),
            f"{HOME}/kustomization.yaml": f"{LIST.lstrip()}- watch.yaml\n",
            f"{HOME}/watch.yaml": watching,
        }
    )


@pytest.mark.parametrize(
    ("kind", "spec", "kept"),
    [
        ("PodMonitor", BY_LABEL, True),
        ("PodMonitor", BY_WORDS, True),
        ("NetworkPolicy", POLICY, True),
        ("PodMonitor", BY_APP, False),
    ],
    ids=["label", "words", "policy", "another label"],
)
def test_a_label_that_something_selects_by_stays_on_the_pods(kind: str, spec: str, kept: bool, reader: Reader) -> None:
    target = target_of(labelled(kind, spec), reader)

    pods = [o.spec["template"]["metadata"]["labels"] for o in rendered(target, reader) if o.id.kind == "Deployment"]
    assert {labels.get(INSTANCE) for labels in pods} == ({"flux-system"} if kept else {None})
    assert len(pods) == 4


def test_a_patch_with_a_variable_of_its_owner_is_refused(reader: Reader) -> None:
    """The FluxInstance would give the flag to the controller as it is written, and the controller would stop."""
    root = aviary().read(f"{HOME}/gotk-sync.yaml").decode() + '  postBuild:\n    substitute: {many: "7"}\n'
    tree = aviary(PATCHES.replace("=5", "=${many}"), **{f"{HOME}/gotk-sync.yaml": root})

    with pytest.raises(UnsupportedInstallation, match=r"takes \$\{many\} from the variables of Kust") as refusal:
        reader.plan(tree)

    assert refusal.value.where.startswith(f"{HOME}/kustomization.yaml:")

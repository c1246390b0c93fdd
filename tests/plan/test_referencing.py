"""What names the old installation follows it, or is listed."""

import pytest
from builders import yaml_text
from planning import CASES, DEMO, Reader, names_of, tree_of

from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.tree import Tree

ORCHARD = tree_of(CASES / "plan-namespace-directories" / "before")
RECEIVER = """
    ---
    apiVersion: notification.toolkit.fluxcd.io/v1
    kind: Receiver
    metadata:
      name: push
      namespace: flux-system
    spec:
      type: generic
      secretRef:
        name: token
      resources:
        # what installs Flux
        - kind: OCIRepository
          name: toolkit-manifests
        - kind: Kustomization
          name: toolkit
        - kind: Kustomization
          name: toolkit
          namespace: elsewhere
        - kind: GitRepository
          name: meadow
    """


def with_file(tree: Tree, path: str, text: str) -> Tree:
    return tree.with_file(path, yaml_text(text).encode())


def phase(plan: Plan, name: PhaseName) -> Phase:
    return next(phase for phase in plan.phases if phase.name is name)


def after_retire(reader: Reader, path: str, text: str) -> str:
    plan = reader.plan(with_file(ORCHARD, path, text))
    return phase(plan, PhaseName.RETIRE).tree.read(path).decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "flux reconcile kustomization toolkit --with-source",
            "flux reconcile helmrelease flux-instance --with-source",
        ),
        ("flux -n flux-system suspend ks toolkit", "flux -n flux-system suspend helmrelease flux-instance"),
        ("flux reconcile source oci toolkit-manifests", "flux reconcile source oci flux-instance"),
        ("flux reconcile kustomization toolkit-extras", "flux reconcile kustomization toolkit-extras"),
        ("flux reconcile kustomization orchard", "flux reconcile kustomization orchard"),
    ],
)
def test_a_command_follows_what_it_names(old: str, new: str, reader: Reader) -> None:
    text = "# daily\nsync:\n    {}\n"

    assert after_retire(reader, "justfile", text.format(old)) == text.format(new)


def test_a_receiver_follows_in_the_commit_that_removes(reader: Reader) -> None:
    path = "fleet/applications/flux-system/webhooks/manifests/settings.yaml"
    whole = ORCHARD.read(path).decode() + yaml_text(RECEIVER)

    text = after_retire(reader, path, whole)

    expected = whole.replace("name: toolkit-manifests", "name: flux-instance")
    assert text == expected.replace("name: toolkit\n    - kind", "name: flux-instance\n    - kind", 1)


WORKFLOW = """
    jobs:
      build:
        steps:
          - uses: actions/checkout@v5
          - name: Flux # the old one
            run: kubectl kustomize fleet/install >/dev/null
          - name: All
            run: |
              kubectl kustomize fleet/cluster
              kustomize build ./fleet/install
              echo done
    """


def test_a_ci_step_loses_what_built_a_removed_directory(reader: Reader) -> None:
    text = after_retire(reader, ".github/workflows/build.yaml", WORKFLOW)

    old = yaml_text(WORKFLOW)
    step = "      - name: Flux # the old one\n        run: kubectl kustomize fleet/install >/dev/null\n"
    assert text == old.replace(step, "").replace("          kustomize build ./fleet/install\n", "")


def test_what_is_said_in_prose_is_listed_with_its_place(reader: Reader) -> None:
    tree = with_file(DEMO_TREE, "docs/flux.md", "The OCIRepository flux-manifests brings Flux.\n")

    plan = reader.plan(tree)

    notes = phase(plan, PhaseName.REFERENCES).notes
    assert (
        "docs/flux.md:1 names OCIRepository/flux-system/flux-manifests, which is gone (documentation, certain)" in notes
    )
    assert not any(note.startswith("Taskfile.yaml") for note in notes), "it names a file beside the one that is gone"


DEMO_TREE = tree_of(DEMO)


def test_after_every_phase_only_the_later_ones_are_left(reader: Reader) -> None:
    plan = reader.plan(DEMO_TREE)
    names = names_of(plan)

    left = {phase.name.value: names_of(reader.plan(phase.tree)) for phase in plan.phases[1:]}

    assert left == {name: names[names.index(name) + 1 :] for name in names[1:]}
    assert names[-3:] == ["bootstrap", "retire", "references"]

"""What would install Flux in the old way again: taken out where it is declared, told with its line where it is not."""

from __future__ import annotations

import pytest
from bootstrapped import aviary, components
from planning import Reader, names_of

from flux_handover.plan.habits import findings, taken_out
from flux_handover.plan.phases import PhaseName
from flux_handover.tree import Tree

URL = "https://github.com/fluxcd/flux2/releases/download/v2.6.4/install.yaml"
BOOTSTRAP = "flux bootstrap git --url=ssh://git@git.example.org/aviary.git --path=clusters/aviary"
WORKFLOW = "name: up\non: workflow_dispatch\njobs:\n  up:\n    runs-on: ubuntu-latest\n    steps:\n"
LISTED = [
    pytest.param(".github/workflows/up.yaml", f"{WORKFLOW}    - run: {BOOTSTRAP}\n", 7, id="workflow"),
    pytest.param("play/up.yml", f"- hosts: all\n  tasks:\n  - command: {BOOTSTRAP}\n", 3, id="playbook"),
    pytest.param(
        "play/up.yml", "- hosts: all\n  tasks:\n  - command:\n      argv: [flux, bootstrap, git]\n", 4, id="words"
    ),
    pytest.param(
        "play/up.yml", "- command:\n    argv:\n    - flux\n    - bootstrap\n    - git\n", 3, id="words on lines"
    ),
    pytest.param(
        "play/node.yml", f"- get_url:\n    url: {URL}\n    dest: /var/lib/manifests/flux.yaml\n", 2, id="node"
    ),
    pytest.param("node.nix", f'{{ pkgs, ... }}: {{\n  flux = pkgs.fetchurl {{ url = "{URL}"; }};\n}}\n', 2, id="nix"),
    pytest.param(
        "node.nix", f"{{ pkgs, ... }}: {{\n  script = ''${{pkgs.fluxcd}}/bin/{BOOTSTRAP}'';\n}}\n", 2, id="nix script"
    ),
    pytest.param(
        "server/flux.yaml",
        "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: flux}\nspec:\n  chart: flux2\n",
        5,
        id="chart of a node",
    ),
]
SILENT = [
    pytest.param("notes/old.md", f"    {BOOTSTRAP}\n", id="documentation"),
    pytest.param("up.sh", f"# {BOOTSTRAP}\n", id="comment"),
    pytest.param(".notes/words.json", f'{{"prompt": "then run {BOOTSTRAP}"}}\n', id="hidden"),
    pytest.param("up.sh", "flux bootstrap git --url=ssh://x --path=clusters/burrow\n", id="another cluster"),
    pytest.param(
        ".github/workflows/test.yaml", f"{WORKFLOW}    - run: kind create cluster\n    - run: flux install\n", id="test"
    ),
    pytest.param("up.sh", "flux get kustomizations\nflux reconcile source git flux-system\n", id="other commands"),
    pytest.param("attic/gotk-components.yaml", components("v2.7.5"), id="archive"),
]
MACHINE = "machine: {}\ncluster:\n  network: {}\n"


def left(tree: Tree, reader: Reader) -> list[str]:
    plan = reader.plan(tree)
    return [str(one.where) for one in plan.findings if one.hazard == "B7"]


@pytest.mark.parametrize(("path", "text", "line"), LISTED)
def test_what_nobody_but_its_owner_can_change_is_told_with_its_line(
    path: str, text: str, line: int, reader: Reader
) -> None:
    assert left(aviary(**{path: text}), reader) == [f"{path}:{line}"]


@pytest.mark.parametrize(("path", "text"), SILENT)
def test_what_installs_nothing_here_is_not_told(path: str, text: str, reader: Reader) -> None:
    tree = aviary(**{path: text})
    (cluster,) = reader(tree).clusters

    assert findings(cluster, tree) == ()


def test_a_workflow_that_writes_the_manifests_again_is_told_as_such(reader: Reader) -> None:
    step = "    - run: flux install --export > clusters/aviary/flux-system/gotk-components.yaml\n"
    plan = reader.plan(aviary(**{".github/workflows/up.yaml": WORKFLOW + step}))

    (finding,) = (one for one in plan.findings if one.hazard == "B7")
    assert "writes Flux's manifests again" in finding.message
    assert "FluxInstance" in finding.hint


def test_manifests_that_a_playbook_copies_to_a_node_are_told(reader: Reader) -> None:
    play = "- copy:\n    src: engine.yaml\n    dest: /var/lib/rancher/k3s/server/manifests/flux.yaml\n"
    tree = aviary(**{"play/files/engine.yaml": components(), "play/main.yml": play})

    assert left(tree, reader) == ["play/main.yml:2"]


@pytest.mark.parametrize("runner", ["Taskfile.yml", "justfile", "Makefile", "up.sh"])
def test_a_line_that_is_replaced_is_not_told(runner: str, reader: Reader) -> None:
    texts = {
        "Taskfile.yml": f"version: '3'\ntasks:\n  up:\n    cmds:\n    - {BOOTSTRAP}\n",
        "justfile": f"up:\n    {BOOTSTRAP}\n",
        "Makefile": f"up:\n\t{BOOTSTRAP}\n",
        "up.sh": f"{BOOTSTRAP}\n",
    }
    tree = aviary(**{runner: texts[runner]})

    assert left(tree, reader) == []
    bootstrap = next(phase for phase in reader.plan(tree).phases if phase.name is PhaseName.BOOTSTRAP)
    assert runner in bootstrap.files.changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{MACHINE}  extraManifests:\n  - {URL}\n", MACHINE),
        (
            f"{MACHINE}  extraManifests:\n  - https://example.org/dns.yaml\n  - {URL}\n",
            f"{MACHINE}  extraManifests:\n  - https://example.org/dns.yaml\n",
        ),
        (
            f"{MACHINE}  inlineManifests:\n  - name: flux\n    contents: |\n      metadata:\n"
            "        name: kustomizations.kustomize.toolkit.fluxcd.io\n",
            MACHINE,
        ),
    ],
    ids=["address", "one of two", "inline"],
)
def test_a_machine_configuration_loses_flux_in_retire(before: str, after: str, reader: Reader) -> None:
    plan = reader.plan(aviary(**{"machines/aviary.yaml": before}))

    retire = next(phase for phase in plan.phases if phase.name is PhaseName.RETIRE)
    assert retire.tree.read("machines/aviary.yaml").decode() == after
    assert names_of(reader.plan(retire.tree)) == []
    assert not [one for one in plan.findings if one.hazard == "B7"]


def test_a_machine_configuration_of_nobody_in_particular_is_left_and_told(reader: Reader) -> None:
    tree = aviary(**{"machines/all.yaml": f"{MACHINE}  extraManifests:\n  - {URL}\n"})
    (cluster,) = reader(tree).clusters

    assert taken_out(cluster, ("clusters/burrow",), tree) == ()
    assert [str(one.where) for one in findings(cluster, tree)] == ["machines/all.yaml:5"]
    assert len(taken_out(cluster, (), tree)) == 1

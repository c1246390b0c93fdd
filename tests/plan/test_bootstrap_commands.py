"""Commands in runners, and the files that they name."""

import pytest
from builders import repo

from flux_handover.objects import ObjectId
from flux_handover.plan.bootstrap_commands import UNKNOWN, commands, filled
from flux_handover.plan.bootstrap_steps import BootstrapStep, Installs, is_unread, steps_of
from flux_handover.tree import Tree

KEY = """
    apiVersion: v1
    kind: Secret
    metadata:
      name: orchard-key
      namespace: flux-system
    """
INSTALL = """
    resources:
      - github.com/fluxcd/flux2/manifests/install?ref=v2.6.4
    """


def steps(tree: Tree, root: str = "fleet/flux") -> tuple[BootstrapStep, ...]:
    return steps_of(tree, (command.within(root) for command in commands(tree)))


def secret(name: str, namespace: str = "flux-system") -> ObjectId:
    return ObjectId("", "Secret", namespace, name)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "Taskfile.yaml",
            """
            version: "3"
            vars:
              FLEET: "{{.ROOT_DIR}}/fleet"
              KEY_FILE: "{{.FLEET}}/keys/orchard.yaml"
            tasks:
              flux:
                cmds:
                  - kubectl apply --filename {{.KEY_FILE}}
            """,
        ),
        (
            "justfile",
            """
            fleet := justfile_dir() + '/fleet'

            flux:
                kubectl apply --filename "{{ fleet }}/keys/orchard.yaml"
            """,
        ),
        (
            "Makefile",
            """
            FLEET := fleet
            flux:
            \tkubectl apply -f $(FLEET)/keys/orchard.yaml
            """,
        ),
        (
            "scripts/flux.sh",
            """
            #!/bin/sh
            DIRECTORY="fleet/keys"
            sops --decrypt "${DIRECTORY}/orchard.yaml" |
              kubectl apply -f -
            sops --decrypt "${DIRECTORY}/orchard.yaml" | \\
              kubectl apply -f -
            """,
        ),
        (
            "site/flux.yml",
            """
            - name: The key
              ansible.builtin.command: kubectl apply -f fleet/keys/orchard.yaml
            """,
        ),
        (
            "docs/install.md",
            """
            Do this:

            ```sh
            kubectl apply --filename fleet/keys/orchard.yaml
            ```
            """,
        ),
    ],
)
def test_a_file_that_a_runner_applies_is_found(path: str, text: str) -> None:
    tree = repo("fleet/keys/orchard.yaml", KEY, path, text)

    assert secret("orchard-key") in {id for step in steps(tree) for id in step.creates}


def test_what_a_document_says_outside_of_code_is_no_step() -> None:
    tree = repo("fleet/key.yaml", KEY, "notes.md", "Once I ran kubectl apply -f fleet/key.yaml by hand.\n")

    assert steps(tree) == ()


def test_a_comment_is_no_step() -> None:
    tree = repo("fleet/key.yaml", KEY, "install.sh", "# kubectl apply -f fleet/key.yaml\n")

    assert steps(tree) == ()


def test_a_continued_line_is_one_command_from_its_first_line() -> None:
    tree = repo("fleet/key.yaml", KEY, "install.sh", "true\nkubectl apply \\\n  --filename \\\n  fleet/key.yaml\n")

    (command,) = commands(tree)

    assert (command.where.line, command.last, command.paths) == (2, 4, ("fleet/key.yaml",))


def test_a_workflow_builds_no_cluster_of_ours() -> None:
    tree = repo("fleet/key.yaml", KEY, ".github/workflows/test.yaml", "run: kubectl apply -f fleet/key.yaml\n")

    assert commands(tree) == ()


def test_a_variable_that_is_not_written_stands_for_one_part() -> None:
    assert filled("{{.CLUSTER}}/flux/$NAME", {"NAME": "key"}) == f"{UNKNOWN}/flux/key"


def test_a_variable_that_names_itself_ends() -> None:
    assert filled("{{.A}}", {"A": "x/{{.A}}"}) == UNKNOWN


def test_a_line_for_several_clusters_is_read_for_one() -> None:
    line = "kubectl apply --filename fleet/{{.cluster}}/key.yaml"
    tree = repo(
        "fleet/east/key.yaml", KEY, "fleet/west/key.yaml", KEY.replace("orchard", "meadow"), "Taskfile.yaml", line
    )

    (step,) = steps(tree, "fleet/west/flux")

    assert step.creates == {secret("meadow-key")}


def test_a_loop_over_files_applies_each() -> None:
    tree = repo(
        "boot/one.yaml.j2",
        "kind: Secret\napiVersion: v1\n"
        "metadata:\n  name: one\n  namespace: flux-system\nstringData:\n  a: {{ ENV.A }}\n",
        "Taskfile.yaml",
        """
        version: "3"
        tasks:
          flux:
            cmds:
              - for: { var: TEMPLATES }
                cmd: render {{.ITEM}} | kubectl apply --filename -
            vars:
              TEMPLATES:
                sh: ls {{.ROOT_DIR}}/boot/*.j2
        """,
    )

    (step,) = steps(tree)

    assert step.creates == {secret("one")}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("kubectl -n flux-system create secret generic sops-age --from-file=x", secret("sops-age")),
        ("kubectl create secret generic sops-age --namespace=keys --from-file=x", secret("sops-age", "keys")),
        ("kubectl create namespace flux-system --dry-run=client", ObjectId("", "Namespace", "", "flux-system")),
        (
            "kubectl --namespace flux-system create configmap settings",
            ObjectId("", "ConfigMap", "flux-system", "settings"),
        ),
    ],
)
def test_an_object_that_a_command_names_is_created(command: str, expected: ObjectId) -> None:
    (step,) = steps(repo("install.sh", f"{command}\n"))

    assert step.creates == {expected}


@pytest.mark.parametrize(
    "command",
    [
        "kubectl apply --kustomize install",
        "kubectl apply -k ./install",
        "flux install --components=source-controller",
        "flux bootstrap github --owner=someone",
        "kubectl apply -f https://github.com/fluxcd/flux2/releases/latest/download/install.yaml",
        "helm upgrade --install flux oci://ghcr.io/fluxcd-community/charts/flux2",
    ],
)
def test_the_old_way_to_install_flux_is_recognised(command: str) -> None:
    (step,) = steps(repo("install/kustomization.yaml", INSTALL, "install.sh", f"{command}\n"))

    assert step.installs == {Installs.FLUX}


def test_a_guarded_line_spares_a_cluster_that_has_its_helmfile() -> None:
    release = "releases:\n  - name: flux-operator\n    chart: oci://example.org/flux-operator\n"
    line = "test -f boot/helmfile.yaml || kubectl apply -k install\n"
    before = repo("install/kustomization.yaml", INSTALL, "install.sh", line)

    after = before.with_file("boot/helmfile.yaml", release.encode())

    assert [step.installs for step in steps(before)] == [{Installs.FLUX}]
    assert steps(after) == ()


def test_namespaces_of_all_directories_are_created_by_one_loop() -> None:
    found = 'find "apps" -mindepth 1 -maxdepth 1 -type d -printf "%f"'
    line = f'{found} | while read ns; do kubectl create namespace "$ns"; done'
    tree = repo("apps/flux-system/ks.yaml", "a: b\n", "apps/README.md", "x\n", "install.sh", f"{line}\n")

    (step,) = steps(tree)

    assert step.creates == {ObjectId("", "Namespace", "", "flux-system")}


def test_what_only_a_variable_names_is_known_to_be_unknown() -> None:
    (step,) = steps(repo("install.sh", 'kubectl apply --filename "$SECRETS"\n'))

    assert is_unread(step)


def test_an_encrypted_file_names_its_object() -> None:
    encrypted = KEY + "data:\n  key: ENC[AES256_GCM,data:x]\nsops:\n  version: 3.9.0\n"
    tree = repo("fleet/key.sops.yaml", encrypted, "install.sh", "sops -d fleet/key.sops.yaml | kubectl apply -f -\n")

    (step,) = steps(tree)

    assert step.creates == {secret("orchard-key")}

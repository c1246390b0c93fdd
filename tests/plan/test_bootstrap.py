"""Phase `bootstrap`: the operator installs Flux on a bare cluster, by the tool that is there."""

import pytest
import yaml
from builders import yaml_text
from planning import CASES, Reader, names_of, tree_of

from flux_handover.plan.bootstrap_helmfiles import helmfiles
from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.tree import Tree

ORCHARD = tree_of(CASES / "plan-namespace-directories" / "before")
WAITS = (
    "kubectl --namespace flux-system wait --for=condition=Ready fluxinstance/flux --timeout=10m",
    "kubectl wait --for=condition=Established crd/kustomizations.kustomize.toolkit.fluxcd.io "
    "crd/gitrepositories.source.toolkit.fluxcd.io --timeout=2m",
)
NAMESPACE = (
    "kubectl create namespace flux-system --dry-run=client --output yaml | kubectl apply --server-side --filename -"
)
KEY = "kubectl --namespace flux-system create secret generic meadow-key --from-file=identity=key"
TASKFILE = """
    version: "3"

    tasks:
      flux:
        cmds:
          # the controllers
          - kubectl apply --kustomize {{.ROOT_DIR}}/fleet/install
          - KEY
          - kubectl apply --kustomize {{.ROOT_DIR}}/fleet/cluster
        preconditions:
          - which kubectl
    """.replace("KEY", KEY)


def with_files(tree: Tree, *paths_and_texts: str) -> Tree:
    for path, text in zip(paths_and_texts[::2], paths_and_texts[1::2], strict=True):
        tree = tree.with_file(path, yaml_text(text).encode())
    return tree


def bootstrap(plan: Plan) -> Phase:
    return next(phase for phase in plan.phases if phase.name is PhaseName.BOOTSTRAP)


def text(phase: Phase, path: str) -> str:
    return phase.tree.read(path).decode()


def test_a_taskfile_takes_the_new_steps_where_the_old_line_was(reader: Reader) -> None:
    phase = bootstrap(reader.plan(with_files(ORCHARD, "Taskfile.yaml", TASKFILE)))

    install = "- kubectl apply --kustomize {{.ROOT_DIR}}/fleet/install"
    root = "- kubectl apply --kustomize {{.ROOT_DIR}}/fleet/cluster"
    new = ["helmfile --file {{.ROOT_DIR}}/fleet/install/helmfile.yaml sync --hide-notes", *WAITS]
    expected = yaml_text(TASKFILE).replace(install, f"- {NAMESPACE}")
    expected = expected.replace(root, "\n      ".join([*(f"- {line}" for line in new), root]))
    assert text(phase, "Taskfile.yaml") == expected


@pytest.mark.parametrize(
    ("path", "before"),
    [
        (
            "justfile",
            """
            flux:
                kubectl apply --kustomize fleet/install
                KEY
                kubectl apply --kustomize fleet/cluster

            other:
                true
            """,
        ),
        (
            "Makefile",
            """
            flux:
            \tkubectl apply --kustomize fleet/install
            \tKEY
            \tkubectl apply --kustomize fleet/cluster
            """,
        ),
        (
            "scripts/flux.sh",
            """
            #!/bin/sh
            kubectl apply --kustomize fleet/install
            KEY
            kubectl apply --kustomize fleet/cluster
            echo done
            """,
        ),
    ],
)
def test_other_runners_take_them_too(path: str, before: str, reader: Reader) -> None:
    before = before.replace("KEY", KEY)

    phase = bootstrap(reader.plan(with_files(ORCHARD, path, before)))

    old = yaml_text(before)
    indent = next(line for line in old.splitlines() if "fleet/install" in line).partition("kubectl")[0]
    new = ["helmfile --file fleet/install/helmfile.yaml sync --hide-notes", *WAITS]
    root = f"{indent}kubectl apply --kustomize fleet/cluster"
    expected = old.replace(f"{indent}kubectl apply --kustomize fleet/install", indent + NAMESPACE)
    expected = expected.replace(root, "\n".join([*(indent + line for line in new), root]))
    assert text(phase, path) == expected


def test_the_helmfile_takes_versions_and_values_from_git(reader: Reader) -> None:
    plan = reader.plan(with_files(ORCHARD, "Taskfile.yaml", TASKFILE))
    phase = bootstrap(plan)

    (helmfile,) = helmfiles(phase.tree)

    assert helmfile.path == "fleet/install/helmfile.yaml"
    assert [(r.name, r.namespace, r.version, r.needs) for r in helmfile.releases] == [
        ("flux-operator", "flux-system", plan.target.operator.version, ()),
        ("flux-instance", "flux-system", plan.target.instance.version, ("flux-system/flux-operator",)),
    ]
    assert text(phase, "fleet/install/values.yaml.gotmpl") == (
        '{{ (printf "../applications/flux-system/%s/manifests/helmrelease.yaml" .Release.Name'
        " | readFile | fromYaml).spec.values | toYaml }}\n"
    )


def test_without_a_runner_a_page_holds_every_step(reader: Reader) -> None:
    phase = bootstrap(reader.plan(ORCHARD))

    page = text(phase, "fleet/install/README.md")
    commands = [line for line in page.splitlines() if line.startswith(("kubectl", "helmfile", "sops"))]

    assert commands == [
        NAMESPACE,
        'kubectl --namespace flux-system create secret generic meadow-key --from-file="$DIRECTORY_WITH_ITS_KEYS"',
        "helmfile --file fleet/install/helmfile.yaml sync --hide-notes",
        *WAITS,
        "kubectl apply --server-side --kustomize fleet/cluster",
    ]


def test_the_page_answers_what_the_owner_will_ask(reader: Reader) -> None:
    plan = reader.plan(ORCHARD)

    page = text(bootstrap(plan), "fleet/install/README.md")

    assert [f"- {answer}" in page for answer in plan.decisions[:4]] == [True] * 4


def test_an_old_install_line_that_is_more_than_a_command_stays_and_is_named(reader: Reader) -> None:
    script = "#!/bin/sh\nif kubectl apply --kustomize fleet/install; then echo yes; fi\n"

    phase = bootstrap(reader.plan(with_files(ORCHARD, "scripts/flux.sh", script)))

    assert text(phase, "scripts/flux.sh") == script
    assert "scripts/flux.sh:2 still installs Flux in the old way; change it by hand" in phase.notes


NUMBERED = """
    ---
    # yaml-language-server: $schema=https://json.schemastore.org/helmfile
    helmDefaults:
      timeout: 300

    releases:
      - name: barn
        namespace: barn
        chart: oci://charts.example.org/barn
        version: 1.2.3
        hooks:
          - events: [postsync]
            command: kubectl
            args: [apply, --filename=../missing.yaml]
      # to be done
      - name: flux-operator
        namespace: flux-system
        chart: oci://ghcr.io/controlplaneio-fluxcd/charts/flux-operator
        version: 0.28.0
        needs: [barn/barn]

    # the end
    """


def test_releases_in_a_file_that_does_not_render_move_to_one_of_their_own(reader: Reader) -> None:
    sync = "sync:\n    helmfile --file boot/helmfile.d/04-all.yaml sync\n"
    tree = with_files(ORCHARD, "boot/helmfile.d/04-all.yaml", NUMBERED, "justfile", sync)

    plan = reader.plan(tree)
    phase = bootstrap(plan)

    old = yaml_text(NUMBERED)
    block = old[old.index("\n  - name: flux-operator") : old.index("\n\n# the end")]
    assert text(phase, "boot/helmfile.d/04-all.yaml") == old.replace(block, "")
    assert text(phase, "justfile") == sync + "    helmfile --file boot/helmfile.d/05-flux.yaml sync\n"
    written = text(phase, "boot/helmfile.d/05-flux.yaml")
    assert written.startswith("---\n# yaml-language-server: $schema=https://json.schemastore.org/helmfile\n")
    assert "timeout: 300" in written
    assert written.count("postsync") == 3
    (finding,) = [finding for finding in plan.findings if finding.hazard == "B1"]
    assert str(finding.where) == "boot/helmfile.d/04-all.yaml:7"


def test_a_file_that_renders_keeps_its_releases_and_gets_their_version(reader: Reader) -> None:
    done = bootstrap(reader.plan(with_files(ORCHARD, "Taskfile.yaml", TASKFILE)))
    version = helmfiles(done.tree)[0].releases[0].version
    path = "fleet/install/helmfile.yaml"
    stale = done.tree.with_file(path, text(done, path).replace(f"version: {version}", "version: 0.28.0").encode())

    phase = bootstrap(reader.plan(stale))

    assert text(phase, path) == text(done, path)
    assert phase.files.changed == (path,)


def test_a_release_of_a_person_gets_an_artifact_that_a_bare_cluster_takes(reader: Reader) -> None:
    done = bootstrap(reader.plan(with_files(ORCHARD, "Taskfile.yaml", TASKFILE)))
    path = "fleet/install/helmfile.yaml"
    whole = text(done, path)
    value, hooks = whole.index("    setTemplate:"), whole.index("    hooks:")
    bare = whole[:value] + whole[whole.index("    needs:") : hooks]

    phase = bootstrap(reader.plan(done.tree.with_file(path, bare.encode())))

    releases = [yaml.safe_load(one)["releases"][-1] for one in (text(phase, path), whole)]
    assert releases[0] == releases[1]
    assert releases[0]["setTemplate"][0]["value"].endswith(":v{{ .Release.ChartVersion }}")
    assert phase.files.changed == (path,)


def test_hooks_that_are_there_stay_before_ours(reader: Reader) -> None:
    done = bootstrap(reader.plan(with_files(ORCHARD, "Taskfile.yaml", TASKFILE)))
    path = "fleet/install/helmfile.yaml"
    whole = text(done, path)
    theirs = "    hooks:\n      - events: [presync]\n        command: date\n"
    bare = whole[: whole.index("    setTemplate:")] + whole[whole.index("    needs:") : whole.index("    hooks:")]

    phase = bootstrap(reader.plan(done.tree.with_file(path, (bare + theirs).encode())))

    hooks = yaml.safe_load(text(phase, path))["releases"][-1]["hooks"]
    assert [hook["command"] for hook in hooks] == ["date", "kubectl"]


def moved(tree: Tree, old: str, new: str) -> Tree:
    """The same repository with a directory of another name."""
    files = {path.replace(old, new): tree.read(path).replace(old.encode(), new.encode()) for path in tree}
    result = Tree()
    for path, content in files.items():
        result = result.with_file(path, content)
    return result


def test_a_line_that_serves_several_clusters_goes_on_serving_the_others(reader: Reader) -> None:
    line = "- kubectl --context {{.cluster}} apply --kustomize fleets/{{.cluster}}/install"
    taskfile = f'version: "3"\ntasks:\n  flux:\n    cmds:\n      {line}\n'
    west = "resources:\n  - github.com/fluxcd/flux2/manifests/install?ref=v2.6.4\n"
    east = moved(ORCHARD, "fleet/", "fleets/east/")

    phase = bootstrap(
        reader.plan(with_files(east, "fleets/west/install/kustomization.yaml", west, "Taskfile.yaml", taskfile))
    )

    helmfile = "fleets/{{.cluster}}/install/helmfile.yaml"
    lines = text(phase, "Taskfile.yaml").splitlines()[4:]
    assert phase.files.added[0] == "fleets/east/install/README.md"
    assert lines[0] == f"      - {NAMESPACE}".replace("kubectl apply", "kubectl --context {{.cluster}} apply")
    assert lines[1] == f"      - test -f {helmfile} || {line[2:]}"
    assert lines[2].startswith(
        f"      - test ! -f {helmfile} || helmfile --kube-context {{{{.cluster}}}} --file {helmfile}"
    )


@pytest.mark.parametrize("extra", [(), ("Taskfile.yaml", TASKFILE), ("boot/helmfile.d/04-all.yaml", NUMBERED)])
def test_a_second_plan_has_nothing_to_do_for_bootstrap(extra: tuple[str, ...], reader: Reader) -> None:
    plan = reader.plan(with_files(ORCHARD, *extra))
    names = names_of(plan)

    left = names_of(reader.plan(bootstrap(plan).tree))

    assert left == names[names.index("bootstrap") + 1 :]

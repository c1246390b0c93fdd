"""What is written is what the real helmfile reads, and it gives Helm the values that Flux would."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from planning import CASES, DEMO, Reader, tree_of

from flux_handover import catalogue
from flux_handover.adapters.sandbox.releases.artifacts import chart_files
from flux_handover.plan.bootstrap_helmfiles import helmfiles
from flux_handover.plan.phases import PhaseName
from flux_handover.tree import Tree

BINARIES = Path.home() / ".cache" / "flux-handover" / "bin"


def program(name: str) -> Path | None:
    """The newest cached binary of that name, or the one on the path."""
    cached = sorted(BINARIES.glob(f"{name}-v*/{name}"))
    found = shutil.which(name)
    return cached[-1] if cached else Path(found) if found else None


HELMFILE, HELM = program("helmfile"), program("helm")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(HELMFILE is None or HELM is None, reason="helmfile and helm are neither cached nor on the path"),
]


def written(directory: Path, tree: Tree) -> None:
    for path in tree:
        place = directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(tree.read(path))


def with_local_charts(directory: Path, helmfile: Path) -> None:
    """Charts of the same names that print their values, since the registry is not reached here."""
    for name in ("flux-operator", "flux-instance"):
        chart = directory / "charts" / name
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 0.0.0\n")
        (chart / "templates" / "values.yaml").write_text("name: {{ .Release.Name }}\nvalues: {{ toJson .Values }}\n")
    text = re.sub(r"chart: oci://\S+/(flux-\w+)", rf"chart: {directory}/charts/\1", helmfile.read_text())
    helmfile.write_text(re.sub(r"version: \S+", "version: 0.0.0", text))


def run(directory: Path, *arguments: str) -> str:
    assert HELMFILE is not None
    assert HELM is not None
    environment = {**os.environ, "HOME": str(directory), "PATH": f"{HELM.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        (str(HELMFILE), *arguments), cwd=directory, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("repository", [DEMO, CASES / "plan-namespace-directories" / "before"], ids=["demo", "orchard"])
def test_the_real_helmfile_hands_over_the_values_in_git(repository: Path, tmp_path: Path, reader: Reader) -> None:
    plan = reader.plan(tree_of(repository))
    tree = next(phase.tree for phase in plan.phases if phase.name is PhaseName.BOOTSTRAP)
    path = next(h.path for h in helmfiles(tree) if any(r.name == "flux-operator" for r in h.releases))
    written(tmp_path, tree)
    with_local_charts(tmp_path, tmp_path / path)

    built = yaml.safe_load(run(tmp_path, "--file", path, "build"))
    documents = yaml.safe_load_all(run(tmp_path, "--file", path, "template", "--skip-deps"))

    assert [release["name"] for release in built["releases"]] == ["flux-operator", "flux-instance"]
    rendered = {document["name"]: document["values"] for document in documents if document}
    artifact = rendered["flux-instance"]["instance"]["distribution"].pop("artifact")
    assert artifact == "oci://ghcr.io/controlplaneio-fluxcd/flux-operator-manifests:v0.0.0"
    expected = {
        release.name: yaml.safe_load(yaml.safe_dump(dict(release.values)))
        for release in (plan.target.operator, plan.target.instance)
    }
    assert expected["flux-instance"]["instance"]["distribution"].pop("artifact") == ""
    assert rendered == expected


def test_a_bare_cluster_gets_an_instance_that_its_crd_takes(tmp_path: Path, reader: Reader) -> None:
    """With a chart that writes the artifact as the published one does; its hook is what follows."""
    plan = reader.plan(tree_of(DEMO))
    tree = next(phase.tree for phase in plan.phases if phase.name is PhaseName.BOOTSTRAP)
    path = next(h.path for h in helmfiles(tree) if any(r.name == "flux-operator" for r in h.releases))
    written(tmp_path, tree)
    with_local_charts(tmp_path, tmp_path / path)
    for name, content in chart_files("flux-instance").items():
        place = tmp_path / "charts" / "flux-instance" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content)
    (tmp_path / "charts" / "flux-instance" / "templates" / "values.yaml").unlink()

    selector = ("--selector", "name=flux-instance")
    (instance,) = yaml.safe_load_all(run(tmp_path, "--file", path, *selector, "template", "--skip-deps"))
    (null,) = yaml.safe_load_all(
        run(tmp_path, "--file", path, *selector, "template", "--skip-deps", "--set", "instance.distribution.artifact=")
    )

    schema = catalogue.operator_schema(plan.target.operator_version, "FluxInstance")
    assert schema is not None
    assert catalogue.validate(schema, instance) == ()
    assert [str(misfit) for misfit in catalogue.validate(schema, null)] == [".spec.distribution.artifact: is null"]

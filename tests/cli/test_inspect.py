from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from builders import git, git_repository, repo

from flux_handover.adapters.bundled import prepared
from flux_handover.cli.main import run
from flux_handover.report.shapes.common import schema_of
from flux_handover.report.shapes.inspect import InspectReport


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("demo"))


def read(demo: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    status = run(["inspect", str(demo), "--output", "json", *arguments])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema_rs.validate(json.loads(schema_of("inspect", InspectReport)), report)
    assert status == (2 if "error" in report else 0)
    return report


def message(report: dict[str, Any]) -> str:
    error = report["error"]
    return f"{error['where']}: {error['message']} ({error['hint']})"


def test_the_demo_is_flux_by_oci_kustomization(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = read(demo, capsys)

    (found,) = report["installations"]
    assert (found["method"], found["version"], found["cluster"]) == ("oci-kustomization", "v2.6.4", "homelab/flux")
    assert found["owner"] == "Kustomization.kustomize.toolkit.fluxcd.io/flux-system/flux"
    assert len(found["components"]) == 6


def test_every_kustomization_of_the_demo_builds(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = read(demo, capsys)

    built = {ks["id"].rpartition("/")[2]: ks["build"] for ks in report["kustomizations"]}
    assert set(built.values()) == {"ok"}
    assert {"harbour", "harbour-apps", "flux", "podinfo"} <= set(built)


def test_the_six_settings_of_the_demo_are_found_where_they_stand(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = read(demo, capsys)

    (found,) = report["installations"]
    lines = (demo / "homelab/flux/config/flux.yaml").read_text().splitlines()
    settings = {(one["key"], one["value"]): one for one in found["settings"]}
    wanted = {
        ("--concurrent", "12"),
        ("--requeue-dependency", "10s"),
        ("--kube-api-qps", "300"),
        ("--kube-api-burst", "600"),
        ("cpu", "1500m"),
        ("memory", "2Gi"),
        ("OOMWatch", "true"),
    }
    assert wanted - set(settings) == set()
    for key, value in wanted:
        assert value in lines[settings[key, value]["line"] - 1]


def test_the_page_is_the_same_twice(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pages = []
    for _ in range(2):
        assert run(["inspect", str(demo)]) == 0
        pages.append(capsys.readouterr().out)

    assert pages[0] == pages[1]


def test_secrets_are_not_shown(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["inspect", str(demo), "--verbose"])
    text = capsys.readouterr().out
    run(["inspect", str(demo), "--output", "json"])

    assert "ENC[" not in text + capsys.readouterr().out


def test_a_cluster_is_named_by_the_last_part_of_its_path(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "error" not in read(demo, capsys, "--cluster", "./homelab/flux/")
    assert "error" not in read(demo, capsys, "--cluster", "flux")


def test_an_unknown_cluster_is_refused_with_those_that_are_known(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = message(read(demo, capsys, "--cluster", "lux"))

    assert "there is no cluster 'lux'" in said
    assert "homelab/flux" in said


def test_an_unknown_revision_is_refused(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is no revision 'v9'" in message(read(demo, capsys, "--revision", "v9"))


def test_a_directory_that_is_no_repository_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "not a Git repository" in message(read(tmp_path, capsys))


def test_a_repository_without_commits_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(tmp_path, "init", "-q")

    assert "no commits yet" in message(read(tmp_path, capsys))


def test_a_shallow_clone_is_refused_with_the_command_that_helps(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(demo, "commit", "-q", "--allow-empty", "-m", "Second")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{demo}", "shallow")

    said = message(read(tmp_path / "shallow", capsys))

    assert "shallow" in said
    assert "git fetch --unshallow" in said


def test_a_repository_without_flux_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git_repository(tmp_path, repo("readme.md", "hello"))

    assert "no Flux was found" in message(read(tmp_path, capsys))


def test_only_committed_content_is_read_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = prepared(tmp_path / "demo")
    (demo / "homelab/flux/config/flux.yaml").write_text("not: yaml: at all\n")

    assert run(["inspect", str(demo)]) == 0

    said = capsys.readouterr()
    assert "only what is committed is read" in said.err
    assert "9 Kustomizations" in said.out


def test_yaml_that_does_not_parse_is_a_finding_and_the_rest_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demo = prepared(tmp_path / "demo")
    (demo / "notes.yaml").write_text("apiVersion: source.toolkit.fluxcd.io/v1\nkind: [GitRepository\n")
    git(demo, "add", "notes.yaml")
    git(demo, "commit", "-q", "-m", "Break")

    report = read(demo, capsys)

    findings = report["findings"]
    assert [(one["hazard"], one["file"]) for one in findings if one["hazard"] == "G8"] == [("G8", "notes.yaml")]
    assert report["installations"]


def test_hazards_that_are_there_already_are_findings(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = read(demo, capsys)

    (finding,) = report["findings"]
    assert (finding["hazard"], finding["cluster"]) == ("O6", "homelab/flux")
    assert (finding["file"], finding["line"]) == ("homelab/apps/flux-system/namespace.yaml", 3)
    assert "Namespace/flux-system is applied by" in finding["message"]


def test_what_does_not_build_is_a_finding_with_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = prepared(tmp_path / "demo")
    place = demo / "homelab" / "apps" / "welcome" / "podinfo" / "app" / "kustomization.yaml"
    place.write_text(place.read_text().replace("resources:\n", "resources:\n  - ./nowhere.yaml\n"))
    git(demo, "commit", "-q", "--all", "-m", "Break")

    report = read(demo, capsys)

    (dangling,) = (one for one in report["findings"] if one["hazard"] == "G7")
    assert dangling["severity"] == "error"
    assert dangling["file"] == "homelab/apps/welcome/podinfo/app/kustomization.yaml"
    assert "nowhere.yaml" in dangling["message"]
    assert dangling["hint"]

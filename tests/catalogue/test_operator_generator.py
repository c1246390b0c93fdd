"""The generator of facts about operators, on two small repositories."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
KINDS = {
    "fluxinstances": "FluxInstance",
    "fluxreports": "FluxReport",
    "resourcesets": "ResourceSet",
    "resourcesetinputproviders": "ResourceSetInputProvider",
}
AUTHOR = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")


def git(repository: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(repository), *AUTHOR, *arguments], check=True, capture_output=True)


def write(repository: Path, files: Mapping[str, Any]) -> None:
    for path, content in files.items():
        file = repository / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))


def commit(repository: Path, files: Mapping[str, Any], tag: str = "") -> None:
    if not (repository / ".git").exists():
        repository.mkdir()
        git(repository, "init", "-q")
    write(repository, files)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "Release")
    if tag:
        git(repository, "tag", tag)


def release(*embedded: str, **fields: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "description": "prose",
        "properties": fields,
        "x-kubernetes-validations": [{"rule": "x"}],
    }
    files: dict[str, Any] = {f"config/data/flux/{version}/rbac.yaml": "a: b\n" for version in embedded}
    for plural, kind in KINDS.items():
        versions = [{"name": "v1", "served": True, "schema": {"openAPIV3Schema": schema}}]
        spec = {"names": {"kind": kind}, "versions": versions}
        files[f"config/crd/bases/fluxcd.controlplane.io_{plural}.yaml"] = {"spec": spec}
    return files


def chart(name: str, version: str, values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"charts/{name}/Chart.yaml": {"name": name, "version": version},
        f"charts/{name}/values.yaml": values,
        f"charts/{name}/values.schema.json": json.dumps(schema),
    }


def charts(version: str, values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    return {**chart("flux-operator", version, values, schema), **chart("flux-instance", version, values, schema)}


def generated(tmp_path: Path, *options: str) -> zipfile.ZipFile:
    target = tmp_path / "out.zip"
    command = [sys.executable, "-m", "tools.catalogue_operators", "operator", "charts", "--output", str(target)]
    command[3:5] = [str(tmp_path / "operator"), str(tmp_path / "charts")]
    subprocess.run([*command, *options], cwd=ROOT, check=True, capture_output=True, text=True)
    return zipfile.ZipFile(target)


def read(archive: zipfile.ZipFile, name: str) -> Any:
    return json.loads(archive.read(name))


def chart_facts(tmp_path: Path, values: Mapping[str, Any], schema: Mapping[str, Any]) -> Any:
    commit(tmp_path / "operator", release("v2.3.0"), "v0.20.0")
    commit(tmp_path / "charts", charts("0.20.0", values, schema))
    archive = generated(tmp_path)
    return read(archive, read(archive, "operators.json")["v0.20.0"]["charts"]["flux-operator"])


def test_each_release_has_what_its_tag_embeds(tmp_path: Path) -> None:
    commit(tmp_path / "operator", release("v2.3.0"), "v0.20.0")
    commit(tmp_path / "operator", release("v2.4.0"), "v0.21.0")
    commit(tmp_path / "charts", charts("0.20.0", {}, {"type": "object"}))

    operators = read(generated(tmp_path), "operators.json")

    assert operators["v0.20.0"]["flux"] == ["v2.3.0"]
    assert operators["v0.21.0"]["flux"] == ["v2.3.0", "v2.4.0"]


@pytest.mark.parametrize("tag", ["v0.19.0", "v0.21.0-rc.1", "api/v0.21.0"])
def test_old_and_unfinished_releases_are_left_out(tmp_path: Path, tag: str) -> None:
    commit(tmp_path / "operator", release("v2.3.0"), "v0.20.0")
    commit(tmp_path / "operator", release("v2.4.0"), tag)
    commit(tmp_path / "charts", charts("0.20.0", {}, {"type": "object"}))

    assert list(read(generated(tmp_path), "operators.json")) == ["v0.20.0"]


def test_a_release_without_a_chart_says_so(tmp_path: Path) -> None:
    commit(tmp_path / "operator", release("v2.3.0"), "v0.20.0")
    commit(tmp_path / "operator", release("v2.4.0"), "v0.21.0")
    commit(tmp_path / "charts", charts("0.20.0", {}, {"type": "object"}))

    operators = read(generated(tmp_path), "operators.json")

    assert set(operators["v0.20.0"]["charts"]) == {"flux-operator", "flux-instance"}
    assert operators["v0.21.0"]["charts"] == {}


def test_of_two_commits_of_a_chart_version_the_later_counts(tmp_path: Path) -> None:
    commit(tmp_path / "operator", release("v2.3.0"), "v0.20.0")
    for level in ("info", "debug"):
        commit(tmp_path / "charts", charts("0.20.0", {"logLevel": level}, {"type": "object"}))

    archive = generated(tmp_path)

    name = read(archive, "operators.json")["v0.20.0"]["charts"]["flux-operator"]
    assert read(archive, name)["defaults"] == {"logLevel": "debug"}


def test_neither_prose_nor_expressions_are_carried(tmp_path: Path) -> None:
    field = {"type": "string", "description": "prose", "default": "a", "enum": ["a", "b"]}
    commit(tmp_path / "operator", release("v2.3.0", size=field), "v0.20.0")
    commit(tmp_path / "charts", charts("0.20.0", {}, {"type": "object"}))
    archive = generated(tmp_path)

    fields = read(archive, read(archive, "operators.json")["v0.20.0"]["kinds"]["FluxInstance"])

    assert fields == {
        "v1": {
            "type": "object",
            "properties": {"size": {"type": "string", "default": "a", "enum": ["a", "b"]}},
        }
    }


def test_equal_kinds_of_two_releases_are_stored_once(tmp_path: Path) -> None:
    commit(tmp_path / "operator", release("v2.3.0"), "v0.20.0")
    commit(tmp_path / "operator", release("v2.4.0"), "v0.21.0")
    commit(tmp_path / "charts", charts("0.20.0", {}, {"type": "object"}))

    names = generated(tmp_path).namelist()

    assert len([name for name in names if name.startswith("kinds/FluxInstance/")]) == 1


def test_values_with_named_keys_take_no_others(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"web": {"type": "object", "properties": {"on": {"type": "boolean"}}}}}

    web = chart_facts(tmp_path, {"web": {"on": True}}, schema)["values"]["properties"]["web"]

    assert "x-kubernetes-preserve-unknown-fields" not in web
    assert web["nullable"] is True


def test_values_that_are_passed_on_whole_take_any_key_at_any_depth(tmp_path: Path) -> None:
    limits = {"type": "object", "properties": {"cpu": {"type": "string"}}}
    schema = {"type": "object", "properties": {"resources": {"type": "object", "properties": {"limits": limits}}}}

    resources = chart_facts(tmp_path, {}, schema)["values"]["properties"]["resources"]

    assert resources["x-kubernetes-preserve-unknown-fields"] is True
    assert resources["properties"]["limits"]["x-kubernetes-preserve-unknown-fields"] is True


def test_a_map_without_named_keys_takes_any(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"commonLabels": {"type": "object"}}}

    labels = chart_facts(tmp_path, {}, schema)["values"]["properties"]["commonLabels"]

    assert labels["x-kubernetes-preserve-unknown-fields"] is True


def test_a_list_of_types_with_null_is_the_other_type(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"name": {"type": ["string", "null"]}}}

    assert chart_facts(tmp_path, {}, schema)["values"]["properties"]["name"]["type"] == "string"


def test_a_value_that_only_the_defaults_name_is_known(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}

    fields = chart_facts(tmp_path, {"name": "a", "extraVolumes": []}, schema)["values"]["properties"]

    assert fields["extraVolumes"]["x-kubernetes-preserve-unknown-fields"] is True


def test_defaults_of_a_schema_do_not_count(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string", "default": "z"}}}

    assert "default" not in chart_facts(tmp_path, {}, schema)["values"]["properties"]["name"]


def test_the_same_repositories_give_the_same_bytes(tmp_path: Path) -> None:
    commit(tmp_path / "operator", release("v2.3.0"), "v0.20.0")
    commit(tmp_path / "charts", charts("0.20.0", {"a": 1}, {"type": "object"}))

    first = Path(str(generated(tmp_path).filename)).read_bytes()

    assert Path(str(generated(tmp_path).filename)).read_bytes() == first


def copied(tmp_path: Path, *versions: tuple[str, Mapping[str, Any]]) -> str:
    """A repository that keeps charts below another folder; the option that names it."""
    for version, values in versions:
        files = charts(version, values, {"type": "object"})
        commit(tmp_path / "copy", {f"vendor/deep/{path}": content for path, content in files.items()})
    return f"--copy=someone/else={tmp_path / 'copy'}"


def two_releases(tmp_path: Path) -> None:
    commit(tmp_path / "operator", release("v2.3.0"), "v0.20.0")
    commit(tmp_path / "operator", release("v2.4.0"), "v0.21.0")
    for level in ("info", "debug"):
        commit(tmp_path / "charts", charts("0.20.0", {"logLevel": level}, {"type": "object"}))


@pytest.mark.parametrize("level", ["info", "debug"])
def test_a_copy_gives_what_the_charts_repository_lacks(tmp_path: Path, level: str) -> None:
    two_releases(tmp_path)
    option = copied(tmp_path, ("0.20.0", {"logLevel": level}), ("0.21.0", {"logLevel": "error"}))

    archive = generated(tmp_path, option)

    operators = read(archive, "operators.json")
    assert "copied" not in operators["v0.20.0"]
    assert re.fullmatch(r"someone/else@[0-9a-f]{9}", operators["v0.21.0"]["copied"])
    assert read(archive, operators["v0.20.0"]["charts"]["flux-operator"])["defaults"] == {"logLevel": "debug"}
    assert read(archive, operators["v0.21.0"]["charts"]["flux-operator"])["defaults"] == {"logLevel": "error"}


@pytest.mark.parametrize(
    "versions", [[("0.20.0", {"logLevel": "never"}), ("0.21.0", {})], [("0.21.0", {"logLevel": "info"})]]
)
def test_what_is_not_proved_a_copy_is_refused(tmp_path: Path, versions: list[tuple[str, dict[str, Any]]]) -> None:
    two_releases(tmp_path)

    with pytest.raises(subprocess.CalledProcessError) as refusal:
        generated(tmp_path, copied(tmp_path, *versions))

    assert "someone/else is no copy" in refusal.value.stderr

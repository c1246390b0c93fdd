"""What each operator version serves and does."""

from __future__ import annotations

from typing import Any

import pytest

from flux_handover.catalogue import (
    instance_defaults,
    is_at_least,
    newest_operator_serving,
    operator,
    operator_schema,
    operators,
    validate,
    versions,
)


def instance(**spec: Any) -> dict[str, Any]:
    distribution = {"version": "2.6.4", "registry": "ghcr.io/fluxcd"}
    return {
        "apiVersion": "fluxcd.controlplane.io/v1",
        "kind": "FluxInstance",
        "metadata": {"name": "flux", "namespace": "delivery"},
        "spec": {"distribution": distribution, **spec},
    }


def misfits(document: dict[str, Any], version: str) -> list[str]:
    schema = operator_schema(version, "FluxInstance")
    assert schema is not None
    return [str(misfit) for misfit in validate(schema, document)]


@pytest.mark.parametrize(
    ("version", "newest"),
    [
        ("0.20.0", "v2.5.1"),
        ("0.32.0", "v2.7.2"),
        ("0.40.0", "v2.7.5"),
        ("0.46.0", "v2.8.5"),
        ("0.49.0", "v2.8.7"),
        ("0.58.1", "v2.9.4"),
    ],
)
def test_an_operator_serves_what_its_image_embeds(version: str, newest: str) -> None:
    facts = operator(version)

    assert facts.flux_versions[0] == "v2.2.3"
    assert facts.flux_versions[-1] == newest


@pytest.mark.parametrize(("version", "source"), [("0.49.0", ""), ("0.50.0", "cozystack/cozystack@fd59dea23")])
def test_facts_from_a_copy_name_it(version: str, source: str) -> None:
    assert operator(version).charts_from == source
    assert operator(version).has_known_charts


def test_every_served_flux_is_in_the_catalogue() -> None:
    assert {version for name in operators() for version in operator(name).flux_versions} == set(versions())


def test_a_version_reads_with_and_without_its_v() -> None:
    assert operator("0.32.0") == operator("v0.32.0")


def test_an_unknown_operator_is_not_guessed() -> None:
    with pytest.raises(KeyError):
        operator("0.99.0")


@pytest.mark.parametrize(
    ("flux", "newest"),
    [("v2.3.0", "v0.50.0"), ("v2.6.4", "v0.50.0"), ("v2.8.8", "v0.50.0"), ("v2.9.0", None), ("v2.9.4", None)],
)
def test_the_default_operator_is_the_newest_whose_charts_are_known(flux: str, newest: str | None) -> None:
    assert newest_operator_serving(flux) == newest


@pytest.mark.parametrize("flux", versions())
def test_no_operator_is_offered_that_may_not_adopt(flux: str) -> None:
    newest = newest_operator_serving(flux)

    assert newest is None or (is_at_least(newest, "v0.28.0") and operator(newest).has_known_charts)


@pytest.mark.parametrize(
    ("mark", "since"),
    [
        ("stamps_prune_opt_out", "0.28.0"),
        ("decides_workload_identity", "0.29.0"),
        ("waits_for_crds", "0.30.0"),
        ("migrates_on_minor_upgrade", "0.31.0"),
        ("has_exact_takeover_list", "0.26.0"),
        ("has_override_manager", "0.39.0"),
        ("opens_web_port", "0.36.0"),
        ("serves_embedded_minors_only", "0.54.0"),
    ],
)
def test_what_an_operator_does_begins_with_a_version(mark: str, since: str) -> None:
    for version in operators():
        assert getattr(operator(version), mark) is is_at_least(version, since)


@pytest.mark.parametrize("version", ["0.38.0", "0.42.0", "0.51.0", "0.58.1"])
def test_releases_without_a_known_chart(version: str) -> None:
    assert not operator(version).has_known_charts


def test_fields_come_with_the_versions_of_the_operator() -> None:
    document = instance(cluster={"size": "small"})

    assert misfits(document, "0.26.0") == [".spec.cluster.size: is not a known field"]
    assert misfits(document, "0.27.0") == []


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"kustomize": {"patches": [], "images": []}}, ".spec.kustomize.images: is not a known field"),
        ({"cluster": {"networkPolicy": "false"}}, ".spec.cluster.networkPolicy: must be of type boolean"),
        ({"components": ["source"]}, "must be one of"),
        ({"distribution": {"version": 2.6, "registry": "r"}}, ".spec.distribution.version: must be of type string"),
        ({"storage": {"class": "fast"}}, ".spec.storage.size: is required"),
    ],
)
def test_an_instance_that_the_api_server_refuses(spec: dict[str, Any], problem: str) -> None:
    (found,) = misfits(instance(**spec), "0.49.0")

    assert problem in found


def test_defaults_go_into_a_cluster_that_is_there() -> None:
    spec = instance_defaults(instance(cluster={}), "0.49.0")["spec"]

    assert spec["cluster"]["networkPolicy"] is True
    assert spec["wait"] is True


def test_what_is_written_wins_over_defaults() -> None:
    spec = instance_defaults(instance(cluster={"networkPolicy": False}), "0.49.0")["spec"]

    assert spec["cluster"]["networkPolicy"] is False
    assert spec["cluster"]["domain"] == "cluster.local"


def test_only_known_kinds_have_a_tree() -> None:
    assert operator_schema("0.49.0", "ResourceSet") is not None
    assert operator_schema("0.49.0", "FluxInstance", "v1beta9") is None
    assert operator_schema("0.49.0", "Kustomization") is None

"""What the judge reads from a rendered object: whatever decides a deletion is in it, and nothing is read wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from flux_handover.model.flux import helm_release_of, kustomization_of, source_of
from flux_handover.objects import Object, ObjectId, object_of
from flux_handover.proof.facets import (
    MARKS,
    Facets,
    controller_spec,
    digest_of,
    instance_spec,
    kustomization_spec,
    marks_of,
    origin_of,
    release_spec,
    version_of,
)
from flux_handover.proof.gates import gates_of
from flux_handover.proof.world import (
    Actor,
    ControllerSpec,
    DeletionPolicy,
    FluxInstanceSpec,
    HelmReleaseSpec,
    KustomizationSpec,
    Mark,
    Remedy,
    SourceSpec,
    Variables,
)

GATES = gates_of("v2.6.4", "v0.40.0")


def made(
    kind: str, spec: Mapping[str, Any], version: str = "v1", metadata: Mapping[str, Any] = MappingProxyType({})
) -> Object:
    named = {"name": "heron", "namespace": "reeds", **metadata}
    return object_of({"apiVersion": version, "kind": kind, "metadata": named, "spec": dict(spec)})


def kustomization(**spec: Any) -> KustomizationSpec:
    source = {"kind": "GitRepository", "name": "pond"}
    object = made("Kustomization", {"sourceRef": source, "path": "./", **spec}, "kustomize.toolkit.fluxcd.io/v1")
    return kustomization_spec(kustomization_of(object))


def release(gates: str = "v2.6.4", **spec: Any) -> HelmReleaseSpec:
    object = made("HelmRelease", spec, "helm.toolkit.fluxcd.io/v2")
    return release_spec(helm_release_of(object), gates_of(gates))


def instance(**spec: Any) -> FluxInstanceSpec:
    return instance_spec(made("FluxInstance", spec, "fluxcd.controlplane.io/v1"))


@pytest.mark.parametrize("place", ["labels", "annotations"])
@pytest.mark.parametrize(("mark", "written"), MARKS.items())
def test_an_opt_out_counts_as_label_and_as_annotation_in_any_case(
    mark: Mark, written: tuple[str, str], place: str
) -> None:
    key, value = written
    opted, not_opted = ({place: {key: text}} for text in (value.upper(), "enabled"))

    assert marks_of(made("ConfigMap", {}, metadata=opted)) == {mark}
    assert marks_of(made("ConfigMap", {}, metadata=not_opted)) == frozenset()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prune", True),
        ("suspend", True),
        ("wait", True),
        ("path", "./elsewhere"),
        ("deletionPolicy", "Orphan"),
        ("sourceRef", {"kind": "GitRepository", "name": "lake"}),
        ("serviceAccountName", "angler"),
        ("dependsOn", [{"name": "stork"}]),
        ("postBuild", {"substituteFrom": [{"kind": "Secret", "name": "depths"}]}),
        ("interval", "5m"),
        ("targetNamespace", "shore"),
        ("patches", [{"patch": "[]"}]),
    ],
)
def test_no_field_of_a_kustomization_changes_unseen(field: str, value: Any) -> None:
    assert kustomization(**{"prune": False, field: value}) != kustomization(prune=False)


def test_a_field_that_the_judge_reads_is_not_digested_too() -> None:
    assert kustomization(prune=True).rest == kustomization(prune=False).rest


def test_what_protects_content_is_named() -> None:
    spec = kustomization(decryption={"provider": "sops"}, postBuild={"substitute": {"a": "b"}}, patches=[])

    assert spec.guards == {"decryption", "postBuild"}


def test_variables_know_whether_they_may_be_missing() -> None:
    sources = [{"kind": "ConfigMap", "name": "tide"}, {"kind": "Secret", "name": "depths", "optional": True}]

    assert kustomization(postBuild={"substituteFrom": sources}).variables == (
        Variables(ObjectId("", "ConfigMap", "reeds", "tide")),
        Variables(ObjectId("", "Secret", "reeds", "depths"), optional=True),
    )


@pytest.mark.parametrize(
    ("written", "policy"),
    [
        ("MirrorPrune", DeletionPolicy.MIRROR),
        ("Orphan", DeletionPolicy.ORPHAN),
        ("WaitForTermination", DeletionPolicy.WAIT),
        ("SomethingNew", DeletionPolicy.DELETE),
    ],
)
def test_a_policy_that_is_not_known_is_taken_to_delete(written: str, policy: DeletionPolicy) -> None:
    assert kustomization(deletionPolicy=written).policy is policy


def test_a_source_is_known_by_its_address_and_reference() -> None:
    url = "https://example.org/pond.git"
    written: tuple[dict[str, str], ...] = (
        {"branch": "main"},
        {"name": "refs/heads/main"},
        {"branch": "next"},
        {"tag": "v1"},
        {},
    )
    objects = [made("GitRepository", {"url": url, "ref": ref}, "source.toolkit.fluxcd.io/v1") for ref in written]

    first, same, *others = (origin_of(source_of(object)) for object in objects)

    assert first == same
    assert first.startswith(url)
    assert first not in others
    assert len(set(others)) == len(others)


@pytest.mark.parametrize(
    ("spec", "first", "later"),
    [
        ({}, Remedy.RETRY, Remedy.RETRY),
        ({"install": {"remediation": {"retries": 0}}}, Remedy.RETRY, Remedy.RETRY),
        ({"install": {"remediation": {"retries": 3}}}, Remedy.UNINSTALL, Remedy.RETRY),
        ({"install": {"remediation": {"retries": -1}}}, Remedy.UNINSTALL, Remedy.RETRY),
        ({"upgrade": {"remediation": {"strategy": "rollback"}}}, Remedy.RETRY, Remedy.RETRY),
        ({"upgrade": {"remediation": {"strategy": "uninstall"}}}, Remedy.RETRY, Remedy.UNINSTALL),
    ],
)
def test_a_failed_install_and_a_failed_upgrade_have_remedies_of_their_own(
    spec: dict[str, Any], first: Remedy, later: Remedy
) -> None:
    made = release(**spec)

    assert (made.remedy, made.upgrade_remedy) == (first, later)


@pytest.mark.parametrize(
    ("flux", "disabled", "waits"),
    [
        ("v2.8.0", (), True),
        ("v2.8.0", ("install",), True),
        ("v2.8.0", ("install", "upgrade"), False),
        ("v2.7.5", (), False),
    ],
)
def test_helm_waits_unless_both_actions_say_otherwise(flux: str, disabled: tuple[str, ...], waits: bool) -> None:
    assert release(flux, **{action: {"disableWait": True} for action in disabled}).waits is waits


def test_a_release_needs_only_the_values_that_are_not_optional() -> None:
    entries = [{"kind": "Secret", "name": "depths"}, {"kind": "ConfigMap", "name": "tide", "optional": True}]
    spec = release(valuesFrom=entries, dependsOn=[{"name": "stork", "namespace": "shore"}, {"name": "coot"}])

    assert spec.values == (ObjectId("", "Secret", "reeds", "depths"),)
    assert [(id.namespace, id.name) for id in spec.depends_on] == [("shore", "stork"), ("reeds", "coot")]


def test_an_instance_that_overrides_an_opt_out_does_not_stamp_it() -> None:
    key, _ = MARKS[Mark.PRUNE_DISABLED]

    assert instance(commonMetadata={"annotations": {key: "enabled"}}).unstamped == {Mark.PRUNE_DISABLED}
    assert instance(commonMetadata={"annotations": {key: "Disabled"}}).unstamped == frozenset()
    assert instance().unstamped == frozenset()


@pytest.mark.parametrize(
    ("image", "spec"),
    [
        ("ghcr.io/fluxcd/kustomize-controller:v1.6.1", ControllerSpec(Actor.KUSTOMIZE, (1, 6, 1))),
        ("mirror.example.org:5000/a/b/source-controller:v1.6.2@sha256:0", ControllerSpec(Actor.SOURCE, (1, 6, 2))),
        ("ghcr.io/controlplaneio-fluxcd/flux-operator:v0.40.0", ControllerSpec(Actor.OPERATOR, (0, 40, 0))),
        ("ghcr.io/fluxcd/helm-controller@sha256:0", ControllerSpec(Actor.HELM)),
        ("ghcr.io/fluxcd/notification-controller:v1.6.0", None),
        ("docker.io/library/kustomize-controller-docs:v1", None),
    ],
)
def test_an_actor_is_known_by_the_image_that_runs_it(image: str, spec: ControllerSpec | None) -> None:
    pod = {"template": {"spec": {"containers": [{"name": "manager", "image": image}]}}}

    assert controller_spec(made("Deployment", pod, "apps/v1")) == spec


@pytest.mark.parametrize(
    ("text", "version"),
    [("v2.6.4", (2, 6, 4)), ("2.6", (2, 6, 0)), ("2.6.x", (2, 6, 0)), ("2.x", (0, 0, 0)), ("", (0, 0, 0))],
)
def test_a_range_counts_as_its_lowest(text: str, version: tuple[int, int, int]) -> None:
    assert version_of(text) == version
    assert instance(distribution={"version": text}).version == version


def test_a_digest_does_not_follow_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": [1, 2]}) != digest_of({"a": [2, 1]})


def test_an_object_of_a_kind_that_a_crd_brings_knows_that_crd() -> None:
    crd = ObjectId("apiextensions.k8s.io", "CustomResourceDefinition", "", "reeds.example.org")
    facets = Facets({("example.org", "Reed"): crd}, GATES)

    assert facets.desired(made("Reed", {}, "example.org/v1")).definition == crd
    assert facets.desired(made("Reed", {}, "example.net/v1")).definition is None


@pytest.mark.parametrize(
    ("object", "kind"),
    [
        (made("GitRepository", {"url": "https://example.org/a"}, "source.toolkit.fluxcd.io/v1"), SourceSpec),
        (made("HelmRelease", {}, "helm.toolkit.fluxcd.io/v2"), HelmReleaseSpec),
        (made("FluxInstance", {}, "fluxcd.controlplane.io/v1"), FluxInstanceSpec),
        (made("Kustomization", {}, "kustomize.config.k8s.io/v1beta1"), type(None)),
        (made("ConfigMap", {}), type(None)),
    ],
)
def test_only_kinds_that_decide_something_have_a_spec(object: Object, kind: type) -> None:
    assert isinstance(Facets({}, GATES).spec(object), kind)

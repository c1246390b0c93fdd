"""What would change without a word (rules.md R16, R17)."""

from typing import Any

import yaml
from builders import documents_of, text_of
from planning import build_of, cluster_of, installation, with_argument

from flux_handover.objects import Object, object_of
from flux_handover.plan.kept import cluster_fields, identity_is_on, kept_patches, registry

ROOT = {"name": "quay", "path": "clusters/quay", "prune": True, "sourceRef": {"kind": "GitRepository", "name": "g"}}
EMPTY = cluster_of(build_of(ROOT))
GATE = "--feature-gates=ObjectLevelWorkloadIdentity=true"


def replaced(old: str, new: str) -> tuple[Object, ...]:
    """What runs, with one text for another everywhere."""
    text = text_of(object.data for object in installation().live)
    return tuple(map(object_of, documents_of(text.replace(old, new))))


def namespace(**metadata: Any) -> Object:
    return object_of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system", **metadata}})


def test_the_right_to_issue_tokens_is_restored() -> None:
    (restored,) = kept_patches(installation(), EMPTY, "v0.49.0")

    assert restored.target == (("kind", "ClusterRole"), ("name", "crd-controller"))
    assert yaml.safe_load(restored.patch)[0]["value"]["resources"] == ["serviceaccounts/token"]


def test_an_operator_that_leaves_the_right_alone_needs_no_patch() -> None:
    assert kept_patches(installation(), EMPTY, "v0.28.0") == ()


def test_where_the_gate_is_on_the_field_keeps_gate_and_right() -> None:
    plain = installation()
    on = installation(live=with_argument(plain.live, GATE))

    assert identity_is_on(on)
    assert cluster_fields(on, deletes_policies=False)["objectLevelWorkloadIdentity"] is True
    assert kept_patches(on, EMPTY, "v0.49.0") == ()


def test_a_flux_without_the_right_gets_no_patch() -> None:
    live = tuple(object for object in installation().live if object.id.kind != "ClusterRole")

    assert kept_patches(installation(live=live), EMPTY, "v0.49.0") == ()


def test_marks_of_the_namespace_from_every_owner_are_carried() -> None:
    cluster = cluster_of(
        build_of(ROOT, namespace(labels={"team": "platform"})),
        build_of({**ROOT, "name": "apps"}, namespace(annotations={"cost": "7"})),
    )

    *_, patch = kept_patches(installation(), cluster, "v0.49.0")

    assert patch.target == (("kind", "Namespace"),)
    metadata = yaml.safe_load(patch.patch)["metadata"]
    assert (metadata["labels"], metadata["annotations"]) == ({"team": "platform"}, {"cost": "7"})


def test_marks_that_the_distribution_sets_itself_are_not_repeated() -> None:
    plain = next(object for object in installation().plain if object.id.kind == "Namespace")
    cluster = cluster_of(build_of(ROOT, plain))

    assert [dict(patch.target)["kind"] for patch in kept_patches(installation(), cluster, "v0.49.0")] == ["ClusterRole"]


def test_a_stricter_mark_than_the_distributions_is_carried() -> None:
    cluster = cluster_of(build_of(ROOT, namespace(labels={"pod-security.kubernetes.io/warn": "privileged"})))

    *_, patch = kept_patches(installation(), cluster, "v0.49.0")

    assert yaml.safe_load(patch.patch)["metadata"]["labels"] == {"pod-security.kubernetes.io/warn": "privileged"}


def test_policies_follow_what_is_there() -> None:
    without = tuple(object for object in installation().live if object.id.kind != "NetworkPolicy")

    assert cluster_fields(installation(), deletes_policies=False)["networkPolicy"] is True
    assert cluster_fields(installation(), deletes_policies=True)["networkPolicy"] is False
    assert cluster_fields(installation(live=without), deletes_policies=False)["networkPolicy"] is False


def test_another_cluster_domain_is_a_field() -> None:
    moved = replaced("cluster.local", "harbour.lan")

    assert "domain" not in cluster_fields(installation(), deletes_policies=False)
    assert cluster_fields(installation(live=moved), deletes_policies=False)["domain"] == "harbour.lan"


def test_a_registry_that_all_controllers_share_is_a_field() -> None:
    mirrored = replaced("ghcr.io/fluxcd", "mirror.example.org/flux")

    assert registry(installation()) == "ghcr.io/fluxcd"
    assert registry(installation(live=mirrored)) == "mirror.example.org/flux"

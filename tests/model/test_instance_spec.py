"""What is read from a FluxInstance before anything is built."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_handover import catalogue
from flux_handover.model.instance_patches import operator_patches
from flux_handover.model.instance_resources import ROOT, instance_tree, sharded
from flux_handover.model.instance_spec import InstanceError, InstanceSpec, go_duration, read_spec

SERVED = ("v2.6.3", "v2.6.4", "v2.7.5")


def spec(version: str = "2.6.x", served: tuple[str, ...] = SERVED, **fields: Any) -> InstanceSpec:
    distribution = {"version": version, "registry": "mirror.example.org/flux/"}
    document = {"metadata": {"name": "flux", "namespace": "delivery"}, "spec": {"distribution": distribution, **fields}}
    return read_spec(document, served)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("5m", "5m0s"),
        ("90s", "1m30s"),
        ("1h", "1h0m0s"),
        ("1h30m", "1h30m0s"),
        ("2h45m10s", "2h45m10s"),
        ("1.5h", "1h30m0s"),
        ("500ms", "500ms"),
        ("1500ms", "1.5s"),
        ("0s", "0s"),
        ("60m", "1h0m0s"),
        ("24h", "24h0m0s"),
    ],
)
def test_durations_read_as_go_prints_them(written: str, shown: str) -> None:
    assert go_duration(written) == shown


@pytest.mark.parametrize("written", ["", "5", "m", "5 m", "soon", "5d", "-5m"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(InstanceError):
        go_duration(written)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_a_printed_duration_prints_as_itself(hours: int, minutes: int, seconds: int) -> None:
    shown = go_duration(f"{hours}h{minutes}m{seconds}s")

    assert go_duration(shown) == shown


def test_the_newest_served_version_of_the_range_is_chosen() -> None:
    assert spec("2.6.x").version == "v2.6.4"
    assert spec("2.x").version == "v2.7.5"


def test_a_version_that_exists_but_is_not_served_is_refused() -> None:
    with pytest.raises(InstanceError, match=r"no match found for semver: 2\.9\.4") as caught:
        spec("2.9.4")

    assert caught.value.hint == "the operator serves up to v2.7.5"


def test_a_trailing_slash_of_the_registry_is_dropped() -> None:
    assert spec().registry == "mirror.example.org/flux"


def test_a_registry_is_required() -> None:
    with pytest.raises(InstanceError, match=r"\.spec\.distribution\.registry is required"):
        read_spec({"metadata": {}, "spec": {"distribution": {"version": "2.6.4"}}}, SERVED)


@pytest.mark.parametrize("missing", ["kind", "url", "ref", "path"])
def test_every_field_of_sync_is_required(missing: str) -> None:
    sync = {"kind": "GitRepository", "url": "https://git.example.org/fleet", "ref": "main", "path": "./"}
    del sync[missing]

    with pytest.raises(InstanceError, match=rf"\.spec\.sync\.{missing} is required"):
        spec(sync=sync)


def test_sync_is_named_after_the_namespace() -> None:
    read = spec(sync={"kind": "GitRepository", "url": "https://git.example.org/fleet", "ref": "main", "path": "./"})

    assert read.sync is not None
    assert (read.sync.name, read.sync.interval) == ("delivery", "1m0s")


def test_half_empty_instances_are_read_as_far_as_they_go() -> None:
    read = spec(cluster=None, kustomize=None, sharding=None, storage={}, sync={}, commonMetadata=None)

    assert (read.patches, read.shards, read.storage, read.sync) == ((), (), None, None)
    assert read.cluster.has_network_policy


@pytest.mark.parametrize(("version", "has_watcher"), [("v2.8.8", False), ("v2.9.0", True)])
def test_source_watcher_is_sharded_since_2_9(version: str, has_watcher: bool) -> None:
    components = list(catalogue.COMPONENTS)

    read = spec(version, catalogue.versions(), components=components, sharding={"shards": ["a"]})

    assert ("source-watcher" in sharded(read)) is has_watcher
    assert "notification-controller" not in sharded(read)


def test_without_shards_nothing_is_sharded() -> None:
    assert sharded(spec()) == ()


def test_the_tree_of_an_instance_is_a_kustomization_with_one_for_roles_and_each_shard() -> None:
    read = spec(sharding={"shards": ["north", "south"]})

    files = [path for path in instance_tree(read, operator_patches(read, "v0.49.0")) if "kustomization" in path]

    assert files == [
        f"{ROOT}/kustomization.yaml",
        f"{ROOT}/roles/kustomization.yaml",
        f"{ROOT}/shards/north/kustomization.yaml",
        f"{ROOT}/shards/south/kustomization.yaml",
    ]


def test_the_order_of_components_only_orders_their_patches() -> None:
    forth = spec(components=["source-controller", "helm-controller"])
    back = spec(components=["helm-controller", "source-controller"])

    def texts(read: InstanceSpec) -> list[str]:
        return [str(patch) for patch in operator_patches(read, "v0.49.0")]

    assert texts(forth) != texts(back)
    assert sorted(texts(forth)) == sorted(texts(back))


@pytest.mark.parametrize("operator", ["v0.28.0", "v0.29.0", "v0.49.0"])
def test_identity_is_patched_after_everything_else_of_the_operator(operator: str) -> None:
    read = spec("2.7.5", cluster={"size": "small", "multitenant": True, "objectLevelWorkloadIdentity": True})

    patches = [str(patch) for patch in operator_patches(read, operator)]

    identity = [index for index, patch in enumerate(patches) if "ObjectLevelWorkloadIdentity" in patch]
    others = [index for index, patch in enumerate(patches) if "--concurrent" in patch or "--no-cross" in patch]
    assert min(identity) > max(others)

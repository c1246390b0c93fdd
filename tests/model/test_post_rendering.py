"""A chart's objects as helm-controller applies them: after the release's post-renderers."""

from __future__ import annotations

from typing import Any

import pytest

from flux_handover.adapters.engine import Engine
from flux_handover.model.flux import helm_release_of
from flux_handover.model.post_rendering import post_rendered
from flux_handover.objects import mapping, object_of
from flux_handover.plan.embedded import POST_RENDERERS


def instance(**distribution: Any) -> dict[str, Any]:
    metadata = {"name": "flux", "namespace": "delivery"}
    spec = {"distribution": {"version": "2.8.7", **distribution}, "kustomize": {"patches": []}}
    return {"apiVersion": "fluxcd.controlplane.io/v1", "kind": "FluxInstance", "metadata": metadata, "spec": spec}


def applied(engine: Engine, manifest: dict[str, Any], *renderers: Any) -> Any:
    """The distribution of the only object that is applied; None where a post-renderer fails."""
    metadata = {"name": "flux-instance", "namespace": "delivery"}
    spec = {"postRenderers": list(renderers)} if renderers else {}
    release = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": metadata, "spec": spec}
    objects = post_rendered(helm_release_of(object_of(release)), manifest, engine)
    return objects and [mapping(object.spec.get("distribution")) for object in objects]


def renderer(patch: str) -> dict[str, Any]:
    return {"kustomize": {"patches": [{"target": {"kind": "FluxInstance"}, "patch": patch}]}}


def test_without_post_renderers_a_null_stays(engine: Engine) -> None:
    assert applied(engine, instance(artifact=None)) == [{"version": "2.8.7", "artifact": None}]


@pytest.mark.parametrize(
    "manifest", [instance(artifact=None), instance(), instance(artifact="oci://registry.example.org/manifests:v1")]
)
def test_what_we_write_takes_the_artifact_away_whether_or_not_it_is_there(
    manifest: dict[str, Any], engine: Engine
) -> None:
    assert applied(engine, manifest, *POST_RENDERERS) == [{"version": "2.8.7"}]


def test_each_post_renderer_sees_what_the_one_before_gives(engine: Engine) -> None:
    first = renderer("- op: add\n  path: /spec/distribution/registry\n  value: a.example.org\n")
    second = renderer("- op: test\n  path: /spec/distribution/registry\n  value: a.example.org\n")

    assert applied(engine, instance(), first, second) == [{"version": "2.8.7", "registry": "a.example.org"}]


def test_a_post_renderer_that_fails_leaves_nothing_known(engine: Engine) -> None:
    assert applied(engine, instance(), renderer("- op: remove\n  path: /spec/absent\n")) is None

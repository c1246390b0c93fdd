"""What was applied by hand before Flux could work, as a sandbox makes it."""

from __future__ import annotations

from typing import Any

import pytest
from planning import build_of, cluster_of, installation

from flux_handover.act.rehearse import applying_elsewhere
from flux_handover.act.rehearse_setup import own_variables, refuse_what_cannot_be_played
from flux_handover.errors import SandboxError
from flux_handover.model.installation import Method
from flux_handover.objects import ObjectId, object_of

SEALED = "ENC[AES256_GCM,data:c2VjcmV0,iv:aXY=,tag:dGFn,type:str]"


def variables(**more: Any) -> dict[str, Any]:
    metadata = {"name": "settings", "namespace": "flux-system"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"HOST": SEALED}, **more}


@pytest.mark.parametrize("stanza", [{"mac": SEALED}, {"age": "scrubbed"}, {}], ids=["whole", "no mac", "empty"])
def test_variables_that_flux_also_applies_come_without_what_sops_wrote(stanza: dict[str, Any]) -> None:
    spec = {"name": "root", "postBuild": {"substituteFrom": [{"kind": "Secret", "name": "settings"}]}}

    (found,) = own_variables(cluster_of(build_of(spec, object_of(variables(sops=stanza)))))

    assert "sops" not in found
    assert found["stringData"] == {"HOST": "placeholder-host"}


@pytest.mark.parametrize(
    ("method", "owner"),
    [
        (Method.HELM_CHART, None),
        (Method.HELM_CHART, ObjectId("helm.toolkit.fluxcd.io", "HelmRelease", "flux-system", "crane")),
        (Method.REMOTE_BASE, ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "crane")),
    ],
)
def test_what_a_sandbox_cannot_install_is_refused_before_it_starts(method: Method, owner: ObjectId | None) -> None:
    with pytest.raises(SandboxError) as refusal:
        refuse_what_cannot_be_played(installation(method=method, owner=owner, files=("crane/flux.yaml",)))

    assert refusal.value.where == "crane/flux.yaml"
    assert "is not there" in refusal.value.message


@pytest.mark.parametrize("method", [Method.OCI_KUSTOMIZATION, Method.BOOTSTRAP, Method.REMOTE_BASE, Method.TERRAFORM])
def test_what_a_person_applies_is_played(method: Method) -> None:
    refuse_what_cannot_be_played(installation(method=method, owner=None))


def test_variables_in_clear_come_as_they_are() -> None:
    spec = {"name": "root", "postBuild": {"substituteFrom": [{"kind": "Secret", "name": "settings"}]}}
    plain = variables(stringData={"HOST": "barn.example.org"})

    (found,) = own_variables(cluster_of(build_of(spec, object_of(plain))))

    assert found == plain


def test_what_goes_to_another_cluster_is_named() -> None:
    away = {"kubeConfig": {"secretRef": {"name": "other"}}}
    kind = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease"}
    releases = [
        object_of({**kind, "metadata": {"name": name, "namespace": "barn"}, "spec": spec})
        for name, spec in (("far", away), ("near", {}))
    ]

    found = applying_elsewhere(cluster_of(build_of({"name": "root"}, *releases), build_of({"name": "edge", **away})))

    assert [id.name for id in found] == ["far", "edge"]

"""What was applied by hand before Flux could work, as a sandbox makes it."""

from __future__ import annotations

from typing import Any

import pytest
from planning import build_of, cluster_of

from flux_handover.act.rehearse_setup import own_variables
from flux_handover.objects import object_of

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


def test_variables_in_clear_come_as_they_are() -> None:
    spec = {"name": "root", "postBuild": {"substituteFrom": [{"kind": "Secret", "name": "settings"}]}}
    plain = variables(stringData={"HOST": "barn.example.org"})

    (found,) = own_variables(cluster_of(build_of(spec, object_of(plain))))

    assert found == plain

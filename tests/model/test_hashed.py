"""Secrets whose name ends in a hash that the cluster does not have."""

from __future__ import annotations

import base64

import pytest

from flux_handover.model.hashed import uncertain_names
from flux_handover.objects import Object, object_of

CIPHER = "ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]"


def generated(name: str, value: str, kind: str = "Secret", field: str = "data") -> Object:
    encoded = base64.b64encode(value.encode()).decode()
    return object_of({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, field: {"key": encoded}})


@pytest.mark.parametrize(
    "object",
    [generated("seed-5m8b9c2d4f", CIPHER), generated("seed-5m8b9c2d4f", f"a: {CIPHER}\nsops:\n  mac: {CIPHER}\n")],
)
def test_a_hash_of_cipher_text_is_not_the_clusters(object: Object) -> None:
    assert uncertain_names([object]) == {object.id}


@pytest.mark.parametrize(
    "object",
    [
        generated("seed", CIPHER),
        generated("seed-5m8b9c2d4f", "open"),
        generated("seed-5m8b9c2d4f", CIPHER, kind="ConfigMap"),
        generated("seed-abcdefghij", CIPHER),
        generated("seed-5m8b9c2d4f", CIPHER, field="stringData"),
        object_of({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "seed-5m8b9c2d4f"}, "data": {"k": "!"}}),
    ],
)
def test_any_other_name_is(object: Object) -> None:
    assert uncertain_names([object]) == frozenset()

"""Variables: order, what is known, and what only has a token."""

from __future__ import annotations

from typing import Any

import pytest

from flux_handover.model.flux import FluxKustomization, kustomization_of
from flux_handover.model.variables import keys_of, token, variables_of
from flux_handover.objects import KUSTOMIZE_GROUP, Object, ObjectId, object_of


def kustomization(substitute_from: list[dict[str, Any]], **substitute: str) -> FluxKustomization:
    spec = {"postBuild": {"substituteFrom": substitute_from, "substitute": substitute}}
    metadata = {"name": "app", "namespace": "team"}
    return kustomization_of(
        object_of({"apiVersion": f"{KUSTOMIZE_GROUP}/v1", "kind": "Kustomization", "metadata": metadata, "spec": spec})
    )


def holder(kind: str, name: str, **entries: str) -> Object:
    return object_of(
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "team"}, "data": entries}
    )


def ref(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, **more}


MAP = holder("ConfigMap", "m", A="1", B="2\nx")
SECRET = holder("Secret", "s", A="hidden", C="hidden")
FOUND = {object.id: object for object in (MAP, SECRET)}


def test_a_config_map_gives_values_without_line_breaks() -> None:
    assert variables_of(kustomization([ref("ConfigMap", "m")]), FOUND.get).known == {"A": "1", "B": "2x"}


def test_a_secret_gives_tokens_and_never_values() -> None:
    variables = variables_of(kustomization([ref("Secret", "s")]), FOUND.get)

    assert variables.known == {}
    assert variables.symbolic == {"A": token("A"), "C": token("C")}
    assert "hidden" not in repr(variables)


@pytest.mark.parametrize(
    ("order", "known"),
    [(["m", "s"], {"B": "2x"}), (["s", "m"], {"A": "1", "B": "2x"})],
)
def test_the_last_source_that_defines_a_name_decides(order: list[str], known: dict[str, str]) -> None:
    kinds = {"m": "ConfigMap", "s": "Secret"}

    variables = variables_of(kustomization([ref(kinds[name], name) for name in order]), FOUND.get)

    assert variables.known == known
    assert not variables.known.keys() & variables.symbolic.keys()


def test_inline_values_win_over_all() -> None:
    variables = variables_of(kustomization([ref("Secret", "s"), ref("ConfigMap", "m")], A="inline", C="c"), FOUND.get)

    assert (variables.known["A"], variables.known["C"]) == ("inline", "c")
    assert variables.symbolic == {}


@pytest.mark.parametrize(("optional", "missing"), [(True, 0), (False, 1)])
def test_only_a_required_source_can_be_missing(optional: bool, missing: int) -> None:
    variables = variables_of(kustomization([ref("ConfigMap", "gone", optional=optional)]), FOUND.get)

    assert len(variables.missing) == missing


def test_a_source_in_another_namespace_is_not_found() -> None:
    elsewhere = {ObjectId("", "ConfigMap", "other", "m"): MAP}

    assert variables_of(kustomization([ref("ConfigMap", "m")]), elsewhere.get).missing


def test_keys_of_a_secret_come_from_both_fields() -> None:
    secret = object_of({"kind": "Secret", "metadata": {"name": "s"}, "data": {"a": ""}, "stringData": {"b": ""}})

    assert keys_of(secret) == {"a", "b"}


def test_a_token_is_a_dns_label_that_depends_on_the_name_alone() -> None:
    assert token("DOMAIN") == token("DOMAIN") != token("OTHER")
    assert token("DOMAIN").isalnum()
    assert token("DOMAIN") == token("DOMAIN").lower()

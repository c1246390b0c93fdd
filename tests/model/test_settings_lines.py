"""The line of a setting, in each language that patches are written in."""

from __future__ import annotations

import pytest

from flux_handover.model.effective import FactKey
from flux_handover.model.settings import Change
from flux_handover.model.settings_lines import Passage, passage, place_of
from flux_handover.objects import ObjectId

TARGET = ObjectId("apps", "Deployment", "gitops", "helm-controller")


def lines(*texts: str, first: int = 10) -> Passage:
    return Passage("patch.yaml", first, texts)


def line(kind: str, key: str, value: str, *passages: Passage) -> int:
    place = place_of(Change(FactKey(TARGET, kind, key), value), passages)
    assert place is not None
    return place.line


@pytest.mark.parametrize(
    ("kind", "key", "value", "text"),
    [
        ("argument", "--concurrent", "8", "  value: --concurrent=8"),
        ("argument", "--concurrent", "8", "  - --concurrent=8"),
        ("gate", "OOMWatch", "true", "  value: --feature-gates=DetectDrift=false,OOMWatch=true"),
        ("env", "AWS_REGION", "eu", "  - name: AWS_REGION"),
        ("volume", "temp", "{}", "  - name: temp"),
        ("volume", "/tmp", "{}", "  - mountPath: /tmp"),
        ("scheduling", "tolerations", "[]", "  tolerations:"),
        ("scheduling", "replicas", "2", "  path: /spec/replicas"),
        ("image", "image", "mirror.example.org/x:v1", "  newTag: v1"),
        ("image", "image", "mirror.example.org/x:v2", "  newName: mirror.example.org/x"),
        ("metadata", "annotations.iam.example.org/role", "r", "  iam.example.org/role: r"),
        ("metadata", "annotations.iam.example.org/role", "r", "  path: /metadata/annotations/iam.example.org~1role"),
        ("rule", "infra.example.org/*", "*", "rules:"),
        ("deletion", "object", "deleted", "$patch: delete"),
        ("deletion", "object", "deleted", "- op: remove"),
        ("sync", "spec.decryption.provider", "sops", "  provider: sops"),
    ],
)
def test_a_setting_is_found_by_what_a_person_would_look_for(kind: str, key: str, value: str, text: str) -> None:
    assert line(kind, key, value, lines("kind: Deployment", "", text, "last: line")) == 12


def test_the_last_of_several_values_is_meant() -> None:
    text = lines("value: --concurrent=3", "value: --concurrent=8", "value: --concurrent=8")

    assert line("argument", "--concurrent", "8", text) == 12
    assert line("argument", "--concurrent", "3", text) == 10


def test_limits_and_requests_are_found_in_their_own_section() -> None:
    text = lines("resources:", "  requests:", "    memory: 1Gi", "  limits:", "    memory: 2Gi")

    assert line("limit", "memory", "2Gi", text) == 14
    assert line("request", "memory", "1Gi", text) == 12


def test_a_limit_in_a_json_patch_is_found_by_its_path() -> None:
    text = lines("- op: replace", "  path: /spec/template/spec/containers/0/resources/limits/memory", "  value: 2Gi")

    assert line("limit", "memory", "2Gi", text) == 11


def test_the_last_passage_comes_first() -> None:
    assert line("argument", "--a", "1", lines("--a=1"), lines("--a=1", first=50)) == 50


def test_what_cannot_be_found_is_placed_at_the_start_of_the_last_passage() -> None:
    assert line("argument", "--a", "1", lines("x"), lines("y", first=50)) == 50


def test_without_passages_there_is_no_place() -> None:
    assert place_of(Change(FactKey(TARGET, "argument", "--a"), "1"), ()) is None


def test_a_passage_is_cut_out_of_a_file() -> None:
    assert passage("f", b"one\ntwo\nthree\n", 2, 3) == Passage("f", 2, ("two", "three"))
    assert passage("f", b"one\ntwo\n", 1).lines == ("one", "two")

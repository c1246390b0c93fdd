from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from builders import yaml_text

from flux_handover.documents import read_documents
from flux_handover.emit import Style, dump, field_lines, flow_text, kind_and_group, scalar_text

RELEASE: dict[str, Any] = {
    "apiVersion": "helm.toolkit.fluxcd.io/v2",
    "kind": "HelmRelease",
    "metadata": {"name": "web", "labels": {}},
    "spec": {
        "interval": "1h",
        "chartRef": {"kind": "OCIRepository", "name": "web"},
        "values": {
            "args": ["--a=1", "*"],
            "script": "#!/bin/sh\necho\n",
            "hosts": [{"name": "a", "port": 80}],
            "none": None,
        },
    },
}
SCHEMA = "# yaml-language-server: $schema=https://example.org/helmrelease.json"


def test_a_new_file_follows_the_conventions() -> None:
    style = Style(schemas=MappingProxyType({"HelmRelease.helm.toolkit.fluxcd.io": SCHEMA}))

    assert dump(RELEASE, style) == yaml_text("""
        ---
        # yaml-language-server: $schema=https://example.org/helmrelease.json
        apiVersion: helm.toolkit.fluxcd.io/v2
        kind: HelmRelease
        metadata:
          name: web
          labels: {}
        spec:
          interval: 1h
          chartRef:
            kind: OCIRepository
            name: web
          values:
            args:
              - --a=1
              - "*"
            script: |
              #!/bin/sh
              echo
            hosts:
              - name: a
                port: 80
            none: null
        """)


def test_lists_may_stand_below_their_key() -> None:
    style = Style(document_start=False, indented_lists=False)

    assert dump({"a": ["b", ["c", "d"], {"e": ["f"]}]}, style) == yaml_text("""
        a:
        - b
        - - c
          - d
        - e:
          - f
        """)


def test_another_kind_gets_no_schema() -> None:
    style = Style(schemas=MappingProxyType({"Kustomization.kustomize.toolkit.fluxcd.io": SCHEMA}))

    assert dump({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}, style).split("\n")[1] == (
        "apiVersion: kustomize.config.k8s.io/v1beta1"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("2.6.4", "2.6.4"),
        ("v2.6.4", "v2.6.4"),
        ("2.6", '"2.6"'),
        ("2.x", "2.x"),
        ("10.0.0.1", "10.0.0.1"),
        ("5m", "5m"),
        ("1e3", '"1e3"'),
        ("0x1f", '"0x1f"'),
        ("yes", '"yes"'),
        ("y", '"y"'),
        ("null", '"null"'),
        ("", '""'),
        ("~", '"~"'),
        ("1:20", '"1:20"'),
        ("2026-01-01", '"2026-01-01"'),
        ("--concurrent=8", "--concurrent=8"),
        ("-", '"-"'),
        ("- a", '"- a"'),
        ("a: b", '"a: b"'),
        ("a:b", "a:b"),
        ("a:", '"a:"'),
        ("a #b", '"a #b"'),
        ("a#b", "a#b"),
        ("#a", '"#a"'),
        ("oci://ghcr.io/x/y", "oci://ghcr.io/x/y"),
        ("./apps", "./apps"),
        ("${VAR}", "${VAR}"),
        ("{{ x }}", '"{{ x }}"'),
        ("*", '"*"'),
        ("!x", '"!x"'),
        ('say "a"', 'say "a"'),
        ('"a"', "'\"a\"'"),
        ("it's", "it's"),
        ("'a'", "\"'a'\""),
        (" a", '" a"'),
        ("a\tb", '"a\\tb"'),
        ("\x07", '"\\x07"'),
        ("\u2028", '"\\u2028"'),
        ("\U000e0001", '"\\U000e0001"'),
        ("é", "é"),
        ("---", '"---"'),
        (True, "true"),
        (5, "5"),
        (0.5, "0.5"),
        (float("inf"), ".inf"),
        (None, "null"),
    ],
)
def test_quotes_are_written_where_they_are_needed(value: Any, text: str) -> None:
    assert scalar_text(value) == text


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a\nb\n", ["k: |", "  a", "  b"]),
        ("a\n\nb", ["k: |-", "  a", "", "  b"]),
        ("a\nb\n\n", ["k: |+", "  a", "  b", ""]),
        (" a\nb\n", ['k: " a\\nb\\n"']),
        ("\na\n", ['k: "\\na\\n"']),
        ("a\r\nb\n", ['k: "a\\r\\nb\\n"']),
        ("\n\n", ['k: "\\n\\n"']),
        ("a\n  \nb", ['k: "a\\n  \\nb"']),
    ],
)
def test_text_of_several_lines_is_a_block_where_it_can_be(text: str, lines: list[str]) -> None:
    assert field_lines("k", text) == lines

    (document,) = read_documents("a.yaml", ("\n".join(lines) + "\n").encode()).documents
    assert document.content == {"k": text}


def test_flow_style_quotes_its_own_signs() -> None:
    assert flow_text({"a": "b,c", "d": ["e]", "f"], "g": {}}) == '{a: "b,c", d: ["e]", f], g: {}}'


@pytest.mark.parametrize(
    ("manifest", "name"),
    [
        ({"apiVersion": "v1", "kind": "Secret"}, "Secret"),
        ({"apiVersion": "apps/v1", "kind": "Deployment"}, "Deployment.apps"),
        ({"a": 1}, ""),
        ([], ""),
    ],
)
def test_kind_and_group(manifest: Any, name: str) -> None:
    assert kind_and_group(manifest) == name

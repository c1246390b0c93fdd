"""Codes A: what builds, and is refused all the same."""

from __future__ import annotations

import pytest
from proof.fleets import FLUX, FLUX_VERSION, Files, Judge, config, ks, listing

from flux_handover.findings import Severity

AGE = """apiVersion: v1
kind: Secret
metadata: {name: sealed, namespace: notes}
stringData: {word: ENC}
sops:
  mac: seal
  age:
  - recipient: age1
    enc: |
      -----BEGIN AGE ENCRYPTED FILE-----
"""
SETTINGS = config("settings", "flux-system", "{COLOUR: blue}")
VARIABLES = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}\n"
WITH_FLUX: Files = {"clusters/main/flux.yaml": FLUX}
RELEASE = """---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: notes, namespace: notes}
spec:
  interval: 1h
  chart: {spec: {chart: notes, sourceRef: {kind: HelmRepository, name: shop, namespace: flux-system}}}
  install: {%s}
"""
SHOP = """---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: shop, namespace: flux-system}
spec: {interval: 1h, url: https://shop.example.org}
"""


def installed(how: str) -> Files:
    return {
        **WITH_FLUX,
        "clusters/main/shop.yaml": SHOP,
        "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "release.yaml"),
        "apps/release.yaml": RELEASE % how,
    }


def sealed(extra: str) -> Files:
    return {
        "clusters/main/apps.yaml": ks("apps", "./apps", f"  decryption: {{provider: sops{extra}}}\n"),
        "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "sealed.yaml"),
        "apps/sealed.yaml": AGE,
    }


CASES: dict[str, tuple[Files, Files, Files]] = {
    "A1": (
        {},
        {"apps/memos.yaml": config("memos").replace(", namespace: notes", "")},
        {
            "apps/memos.yaml": config("memos").replace(", namespace: notes", ""),
            "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", extra="namespace: notes\n"),
        },
    ),
    "A2": (
        {},
        {"clusters/main/more.yaml": ks("more", "./apps", source="flete")},
        {"clusters/main/more.yaml": ks("more", "./more"), "more/letters.yaml": config("letters")},
    ),
    "A3": (
        WITH_FLUX,
        {**WITH_FLUX, "clusters/main/apps.yaml": ks("apps", "./apps", "  posthaste: true\n")},
        {**WITH_FLUX, "clusters/main/apps.yaml": ks("apps", "./apps", "  force: true\n")},
    ),
    "A4": (WITH_FLUX, installed("strategy: {name: RetryOnFailure}"), installed("crds: Create")),
    "A5": ({}, sealed(""), sealed(", secretRef: {name: age}")),
    "A6": (
        {"clusters/main/settings.yaml": SETTINGS},
        {
            "clusters/main/settings.yaml": SETTINGS,
            "clusters/main/apps.yaml": ks("apps", "./apps", VARIABLES, namespace="notes"),
        },
        {"clusters/main/settings.yaml": SETTINGS, "clusters/main/apps.yaml": ks("apps", "./apps", VARIABLES)},
    ),
}


@pytest.mark.parametrize("code", CASES)
def test_a_change_that_shows_it(judge: Judge, code: str) -> None:
    before, after, _ = CASES[code]

    assert code in judge.codes(before, after)


@pytest.mark.parametrize("code", CASES)
def test_a_change_like_it_that_does_not(judge: Judge, code: str) -> None:
    before, _, after = CASES[code]

    assert code not in judge.codes(before, after)


def test_a_wrong_source_is_an_error_where_everything_else_builds(judge: Judge) -> None:
    found = judge.findings(
        {}, {"apps/kustomization.yaml": listing("notes.yaml", "release.yaml"), "apps/release.yaml": RELEASE % ""}
    )

    (source,) = [one for one in found if one.hazard == "A2"]
    assert source.severity is Severity.ERROR
    assert "HelmRepository/flux-system/shop" in source.message


def test_the_same_field_is_refused_by_no_version_or_by_the_running_one(judge: Judge) -> None:
    found = judge.findings(WITH_FLUX, installed("strategy: {name: RetryOnFailure}, haste: 1"))

    assert {one.hazard for one in found} & {"A3", "A4"} == {"A3"}


PATCH = """  patches:
  - target: {kind: Deployment, name: kustomize-controller}
    patch: |
      - {op: add, path: /spec/template/spec/containers/0/args/-, value: %s}
"""


@pytest.mark.parametrize(
    ("argument", "version", "expected"),
    [
        ("--sops-age-secret=age", "v2.6.4", True),
        ("--sops-age-secret=age", "v2.7.5", False),
        ("--feature-gates=CancelHealthCheckOnNewRevision=true", "v2.6.4", True),
        ("--concurrent=7", "v2.6.4", False),
    ],
)
def test_an_argument_that_the_running_controller_does_not_know_crashes_it(
    judge: Judge, argument: str, version: str, expected: bool
) -> None:
    installed = {"clusters/main/flux.yaml": FLUX.replace(FLUX_VERSION, version)}
    patched = {"clusters/main/flux.yaml": installed["clusters/main/flux.yaml"] + PATCH % argument}

    found = [one for one in judge.findings(installed, patched) if one.hazard == "A4"]

    assert bool(found) is expected
    assert {one.grade for one in found} <= {"S1"}
    assert [one for one in judge.findings(patched, patched) if one.hazard == "A4"] == []

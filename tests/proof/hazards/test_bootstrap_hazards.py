"""Codes B: what makes a cluster anew, and what watches changes."""

from __future__ import annotations

import base64

import pytest
from proof.fleets import FLUX, FLUX_VERSION, ROOT, Files, Judge, config, instance, ks, listing, release

HELMFILE = """releases:
- {name: network, namespace: kube-system, chart: oci://charts.example.org/network, values: [%s]}
- {name: names, namespace: kube-system, chart: oci://charts.example.org/names}
- {name: certificates, namespace: kube-system, chart: oci://charts.example.org/certificates}
"""
NETWORK = release("network", "network", "1.0.0", "{pods: '%s'}")
TEMPLATE = '{{ (fromYaml (readFile "x")).spec.values | toYaml }}\n'
MONITOR = """---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata: {name: flux, namespace: flux-system}
spec: {selector: {matchExpressions: [{key: app, operator: In, values: [source-controller, %s]}]}}
"""
FILE = "bootstrap/helmfile.yaml"
NETWORKED = "apps/kustomization.yaml"
LOCKED = ROOT.replace("  ref: {branch: main}", "  ref: {branch: main}\n  secretRef: {name: deploy}")
FLEET = "https://git.example.org/ada/fleet.git"
SYNC = f"sync: {{kind: GitRepository, url: {FLEET}, ref: refs/heads/main, path: clusters/main, name: fleet}}"
CERTAIN = "-----BEGIN OPENSSH PRIVATE KEY-----\n"


def networked(value: str) -> Files:
    return {
        FILE: HELMFILE % "",
        "bootstrap/values.yaml.gotmpl": TEMPLATE,
        NETWORKED: listing("notes.yaml", "memos.yaml", "network.yaml"),
        "apps/network.yaml": NETWORK % value,
    }


def operated(artifact: str, version: str = "2.6.4", spec: str = "", installed: str = "") -> Files:
    values = f"{{instance: {{distribution: {{version: {version}, artifact: '{artifact}'}}{spec}}}}}"
    return {
        "clusters/main/operator.yaml": release("flux-operator", "flux-operator", "0.30.0"),
        "clusters/main/instance.yaml": release("flux-instance", "flux-instance", "0.30.0", values, installed),
    }


QUIET = "  install: {disableWait: true}\n  upgrade: {disableWait: true}\n"
MANIFESTS = "oci://registry.example.org/manifests:v"
CASES: dict[str, tuple[Files, Files, Files]] = {
    "B1": (
        {},
        {FILE: HELMFILE % "network/values.yaml"},
        {FILE: HELMFILE % "network/values.yaml", "bootstrap/network/values.yaml": "a: 1\n"},
    ),
    "B2": ({}, networked("${CIDR}"), networked("10.0.0.0/8")),
    "B3": (
        {FILE: HELMFILE % ""},
        {FILE: HELMFILE % "", "Taskfile.yaml": "tasks: {all: {cmd: helmfile -f bootstrap/helmfile.yaml sync}}\n"},
        {
            FILE: HELMFILE % "",
            "Taskfile.yaml": "tasks: {one: {cmd: helmfile -f bootstrap/helmfile.yaml -l name=a sync}}\n",
        },
    ),
    "B4": (
        {},
        {"clusters/main/root.yaml": LOCKED},
        {"clusters/main/root.yaml": LOCKED, "bootstrap/notes.md": "kubectl create secret generic deploy\n"},
    ),
    "B5": (
        {"clusters/main/flux.yaml": FLUX},
        {"clusters/main/flux.yaml": FLUX, "clusters/main/instance.yaml": instance("{distribution: {version: 2.x}}")},
        {
            "clusters/main/flux.yaml": FLUX,
            "clusters/main/instance.yaml": instance(f"{{distribution: {{version: {FLUX_VERSION}}}}}"),
        },
    ),
    "B6": ({}, operated(f"{MANIFESTS}0.29.0"), operated(f"{MANIFESTS}0.30.0")),
    "B7": (
        {"clusters/main/more.yaml": ks("letters-app", "./more"), "more/letters.yaml": config("letters")},
        {"Taskfile.yaml": "tasks: {now: {cmd: flux reconcile kustomization letters-app}}\n"},
        {"Taskfile.yaml": "tasks: {now: {cmd: flux reconcile kustomization notes-app}}\n"},
    ),
    "B8": (
        {},
        {".github/workflows/check.yaml": "jobs: {a: {steps: [{run: flux-local build --path clusters/old}]}}\n"},
        {".github/workflows/check.yaml": "jobs: {a: {steps: [{run: flux-local build --path clusters/main}]}}\n"},
    ),
    "B9": ({}, {"bootstrap/key": CERTAIN}, {"bootstrap/key": CERTAIN.replace("PRIVATE", "PUBLIC")}),
    "B10": (
        {"clusters/main/root.yaml": ROOT.replace("  ref: {branch: main}", "  ref: {branch: main}\n  timeout: 2m")},
        {"clusters/main/instance.yaml": instance(f"{{distribution: {{version: 2.6.4}}, {SYNC}}}")},
        {
            "clusters/main/root.yaml": ROOT.replace("  ref: {branch: main}", "  ref: {branch: main}\n  timeout: 2m"),
            "clusters/main/instance.yaml": instance("{distribution: {version: 2.6.4}}"),
        },
    ),
    "B11": (
        {"clusters/main/monitor.yaml": MONITOR % "helm-controller"},
        {},
        {"clusters/main/watch.yaml": (MONITOR % "kustomize-controller").replace("name: flux,", "name: watch,")},
    ),
    "B13": (
        {},
        {"clusters/main/instance.yaml": instance("{distribution: {version: 2.6}}")},
        {"clusters/main/instance.yaml": instance("{distribution: {version: 2.6.x}}")},
    ),
    "B14": ({}, operated(""), operated("", installed=QUIET)),
}


@pytest.mark.parametrize("code", CASES)
def test_a_change_that_shows_it(judge: Judge, code: str) -> None:
    before, after, _ = CASES[code]

    assert code in judge.codes(before, after)


@pytest.mark.parametrize("code", CASES)
def test_a_change_like_it_that_does_not(judge: Judge, code: str) -> None:
    before, _, after = CASES[code]

    assert code not in judge.codes(before, after)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("[apply, --filename=../apps/nowhere.yaml]", True),
        ("[apply, -f, ../apps/nowhere.yaml]", True),
        ("[apply, -k, ../apps/nowhere]", True),
        ("[apply, --filename=../apps/notes.yaml]", False),
        ("[apply, -k, ../apps]", False),
        ("[apply, -f, -]", False),
        ("[apply, --filename, 'https://example.org/a.yaml']", False),
    ],
)
def test_a_hook_applies_what_is_there(judge: Judge, arguments: str, expected: bool) -> None:
    hook = f"{{events: [postsync], command: kubectl, args: {arguments}}}"
    text = f"releases:\n- {{name: one, chart: oci://charts.example.org/one, hooks: [{hook}]}}\n"

    assert ("B1" in judge.codes({}, {FILE: text})) is expected


ENCODED = base64.b64encode(CERTAIN.replace("OPENSSH", "ED25519").encode() + b"AAAA" * 9).decode()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (CERTAIN.replace("OPENSSH", "ED25519"), True),
        (f"machine:\n  ca: {{key: {ENCODED}}}\n", True),
        (f"machine:\n  ca: {{crt: {base64.b64encode(b'-----BEGIN CERTIFICATE-----' + b'A' * 40).decode()}}}\n", False),
    ],
)
def test_a_private_key_is_found_by_its_first_line_also_in_base64(judge: Judge, content: str, found: bool) -> None:
    assert ("B9" in judge.codes({}, {"machines/first.yaml": content})) is found


CHECKED_OUT = """jobs:
  compare:
    steps:
      - uses: actions/checkout@v4
        with:
          path: ./proposed/
      - uses: docker://ghcr.io/allenporter/flux-local:v7.0.0
        with:
          args: >-
            diff ks
            --path %s
"""


@pytest.mark.parametrize(
    ("path", "absent"),
    [
        ("clusters/main", False),
        ("proposed/clusters/main", False),
        ("/github/workspace/clusters/main/", False),
        ("/github/workspace/proposed/clusters/main", False),
        ("/github/workspace/proposed/", False),
        ("/tmp/rendered", False),
        ("/github/workspace/proposed/clusters/old", True),
        ("/github/workspace/clusters/old", True),
        ("merged/clusters/main", True),
    ],
)
def test_a_job_looks_where_it_checked_the_repository_out(judge: Judge, path: str, absent: bool) -> None:
    found = judge.codes({}, {".github/workflows/check.yaml": CHECKED_OUT % path})

    assert ("B8" in found) == absent


@pytest.mark.parametrize(
    ("action", "problem"),
    [
        (
            "  install: {disableWait: true, remediation: {retries: 3}}\n  upgrade: {disableWait: true}\n",
            "install.remediation",
        ),
        (
            "  install: {disableWait: true}\n  upgrade: {disableWait: true, remediation: {strategy: uninstall}}\n",
            "uninstall",
        ),
        ("  install: {disableWait: true}\n", "upgrade.disableWait"),
    ],
)
def test_every_way_in_which_an_installer_restarts_itself_is_named(judge: Judge, action: str, problem: str) -> None:
    found = [one for one in judge.findings({}, operated("", installed=action)) if one.hazard == "B14"]

    assert len(found) == 1
    assert problem in found[0].message

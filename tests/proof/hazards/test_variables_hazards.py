"""Codes V: variables, seals, patches."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proof.fleets import BASE, ROOT, Files, Judge, config, fleet, instance, ks, listing, release

from flux_handover import catalogue
from flux_handover.model.installation import Method
from flux_handover.objects import Object, ObjectId, object_of
from flux_handover.proof.guard_clusters import views
from flux_handover.proof.hazards import Pair, findings_between

SETTINGS = config("settings", "flux-system", "{COLOUR: blue}")
FROM = "  postBuild: {substituteFrom: [{kind: ConfigMap, name: settings%s}]}\n"
SEALED = """apiVersion: v1
kind: Secret
metadata: {name: word, namespace: %s}
stringData: {word: ENC}
sops: {mac: %s, version: 3.9.0}
"""
INNER: Files = {
    "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "ks.yaml"),
    "apps/ks.yaml": ks("more", "./more").replace("{name: more,", "{name: more, labels: {example.org/plain: 'true'},"),
    "more/letters.yaml": config("letters"),
    "clusters/main/settings.yaml": SETTINGS,
}
INJECT = """  patches:
  - target: {kind: Kustomization%s}
    patch: |
      apiVersion: kustomize.toolkit.fluxcd.io/v1
      kind: Kustomization
      metadata: {name: any}
      spec: {postBuild: {substituteFrom: [{kind: ConfigMap, name: settings}]}}
"""
KNOWN = next(v for v in reversed(catalogue.operators()) if catalogue.operator(v).has_known_charts).removeprefix("v")


def injecting(target: str) -> Files:
    return {**INNER, "clusters/main/apps.yaml": ks("apps", "./apps", INJECT % target)}


def patched(kind: str) -> Files:
    spec = f"{{distribution: {{version: 2.6.4}}, kustomize: {{patches: [{{target: {{kind: {kind}}}, patch: '[]'}}]}}}}"
    return {"clusters/main/instance.yaml": instance(spec)}


def valued(values: str) -> Files:
    return {"clusters/main/instance.yaml": release("flux-instance", "flux-instance", KNOWN, values)}


def secret(name: str) -> Files:
    body = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: flux-system}}\ndata: {{id: eA==}}\n"
    locked = ROOT.replace("  ref: {branch: main}", "  ref: {branch: main}\n  secretRef: {name: deploy}")
    return {"clusters/main/root.yaml": locked, "clusters/main/key.yaml": body}


LOCKED: Files = {"clusters/main/root.yaml": secret("x")["clusters/main/root.yaml"]}
SHARED: Files = {"clusters/main/settings.yaml": SETTINGS, "clusters/main/apps.yaml": ks("apps", "./apps", FROM % "")}
STUCK_ROOT: Files = {"clusters/main/broken.yaml": "a: *nowhere\n"}

CASES: dict[str, tuple[Files, Files, Files]] = {
    "V1": (
        {},
        {
            "clusters/main/apps.yaml": ks("apps", "./apps", FROM % ""),
            "apps/memos.yaml": SETTINGS,
        },
        {
            "clusters/main/apps.yaml": ks("apps", "./apps", FROM % ", optional: true"),
            "apps/memos.yaml": SETTINGS,
        },
    ),
    "V2": (
        STUCK_ROOT,
        {**STUCK_ROOT, "clusters/main/root.yaml": ROOT.replace("prune: true", "prune: true\n  wait: true")},
        {**STUCK_ROOT, "apps/memos.yaml": config("memos", data="{page: two}")},
    ),
    "V3": (
        SHARED,
        {**SHARED, "clusters/main/settings.yaml": None},
        {"clusters/main/settings.yaml": None},
    ),
    "V4": (injecting(""), INNER, injecting("")),
    "V5": ({}, patched("HelmRelease"), patched("Deployment")),
    "V6": (
        {},
        valued("{instance: {distribution: {version: 2.6.4}, kustomize: {postBuild: {}}}}"),
        valued("{instance: {distribution: {version: 2.6.4}}}"),
    ),
    "V7": (
        injecting(", labelSelector: example.org/plain notin (true)"),
        injecting(""),
        injecting(", labelSelector: 'example.org/plain notin (true, yes)'"),
    ),
    "V8": (
        {},
        {
            "clusters/main/apps.yaml": ks("apps", "./apps", "  postBuild: {substitute: {COLOUR: blue}}\n"),
            "apps/memos.yaml": config("memos", data="{page: '${SHAPE}'}"),
        },
        {
            "clusters/main/apps.yaml": ks("apps", "./apps", "  postBuild: {substitute: {COLOUR: blue}}\n"),
            "apps/memos.yaml": config("memos", data="{page: '${COLOUR}'}"),
        },
    ),
    "V9": (LOCKED, secret("deploy"), secret("other")),
    "V10": (
        {"apps/word.sops.yaml": SEALED % ("notes", "first")},
        {"apps/word.sops.yaml": SEALED % ("memos", "first")},
        {"apps/word.sops.yaml": SEALED % ("memos", "second")},
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


def test_a_fix_does_not_arrive_either_in_the_revision_that_breaks_the_root(judge: Judge) -> None:
    waiting = ROOT.replace("prune: true", "prune: true\n  wait: true")

    assert {"V2", "G8"} <= judge.codes({}, {**STUCK_ROOT, "clusters/main/root.yaml": waiting})


def controller(*arguments: str) -> Object:
    id = ObjectId("apps", "Deployment", "flux-system", "kustomize-controller")
    container = {"name": "manager", "image": "ghcr.io/fluxcd/kustomize-controller:v1.6.1", "args": list(arguments)}
    metadata = {"name": id.name, "namespace": id.namespace}
    spec = {"template": {"spec": {"containers": [container]}}}
    return Object(id, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})


@pytest.mark.parametrize(("arguments", "expected"), [((), {"V11"}), (("--concurrent=8",), set())])
def test_a_setting_that_another_installation_lacks_is_named(
    judge: Judge, arguments: tuple[str, ...], expected: set[str]
) -> None:
    here = next(iter(views(judge.read(fleet(BASE), "one"))))
    old = replace(here.installation, method=Method.OCI_KUSTOMIZATION, live=(controller("--concurrent=8"),))
    new = replace(here.installation, method=Method.OPERATOR, live=(controller(*arguments),))

    pair = Pair(replace(here, installation=old), replace(here, installation=new))

    assert {one.hazard for one in findings_between(pair, {}, {})} == expected


@pytest.mark.parametrize(("arguments", "expected"), [((), {"V11"}), (("--concurrent=8",), set())])
def test_a_setting_that_the_new_flux_instance_lacks_is_named_beside_the_old_installation(
    judge: Judge, arguments: tuple[str, ...], expected: set[str]
) -> None:
    here = next(iter(views(judge.read(fleet(BASE), "one"))))
    old = replace(here.installation, method=Method.OCI_KUSTOMIZATION, live=(controller("--concurrent=8"),))
    before, after = replace(here, installation=old), replace(here, installation=old, instance=(controller(*arguments),))

    assert {one.hazard for one in findings_between(Pair(before, after), {}, {})} == expected
    assert list(findings_between(Pair(replace(before, instance=(controller(),)), after), {}, {})) == []


def named(**labels: str) -> Object:
    metadata = {"name": "flux-system", "labels": labels}
    return object_of({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})


@pytest.mark.parametrize(("labels", "expected"), [({}, {"V11"}), ({"team": "stars"}, set())])
def test_labels_of_the_namespace_count_from_whoever_gives_them(
    judge: Judge, labels: dict[str, str], expected: set[str]
) -> None:
    file = "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system, labels: {team: stars}}\n"
    here = next(iter(views(judge.read(fleet({"clusters/main/namespace.yaml": file}), "one"))))
    old = replace(here.installation, method=Method.OCI_KUSTOMIZATION, live=(named(),))
    before, after = replace(here, installation=old), replace(here, installation=old, instance=(named(**labels),))

    assert {one.hazard for one in findings_between(Pair(before, after), {}, {})} == expected


def test_what_lacks_the_same_variables_is_one_finding(judge: Judge) -> None:
    after = {**SHARED, "clusters/main/settings.yaml": None}
    more = {"clusters/main/more.yaml": ks("more", "./more", FROM % ""), "more/letters.yaml": config("letters")}

    found = [one for one in judge.findings({**SHARED, **more}, {**after, **more}) if one.hazard == "V1"]

    (one,) = found
    assert one.subject == "ConfigMap/flux-system/settings"
    assert "2 Kustomizations are never ready again" in one.message


def test_variables_that_git_never_rendered_are_taken_to_be_there(judge: Judge) -> None:
    assert "V1" not in judge.codes({}, {"clusters/main/apps.yaml": ks("apps", "./apps", FROM % "")})

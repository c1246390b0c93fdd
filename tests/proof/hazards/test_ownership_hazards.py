"""Codes O: what is deleted, and owned twice."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proof.fleets import FLUX, ROOT, Files, Judge, config, fleet, instance, ks, listing, release

from flux_handover.findings import Finding, Severity
from flux_handover.objects import ObjectId
from flux_handover.proof.deletions import Deleted
from flux_handover.proof.guard_clusters import views
from flux_handover.proof.hazards import Pair, View, findings_between, hazards
from flux_handover.proof.hazards.losses import coded
from flux_handover.proof.hazards.registry import Decided
from flux_handover.proof.trace import Counterexample

CLAIM = """---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: paper, namespace: study}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
HOME = "apiVersion: v1\nkind: Namespace\nmetadata: {name: study}\n"
KEPT = HOME.replace("{name: study}", "{name: study, annotations: {kustomize.toolkit.fluxcd.io/prune: disabled}}")
KEY = "apiVersion: v1\nkind: Secret\nmetadata: {name: age, namespace: flux-system}\nstringData: {age: x}\n"
DECRYPTS = "  decryption: {provider: sops, secretRef: {name: age}}\n"
MORE: Files = {"more/letters.yaml": config("letters")}
CHILD: Files = {"clusters/main/more.yaml": ks("more", "./more"), **MORE}
NO_CHILD: Files = {"clusters/main/more.yaml": None, "more/letters.yaml": None}
NESTED: Files = {
    "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "ks.yaml"),
    "apps/ks.yaml": ks("more", "./more"),
    **MORE,
}
WITH_KEY: Files = {
    "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml", "key.yaml"),
    "apps/key.yaml": KEY,
    "clusters/main/apps.yaml": ks("apps", "./apps", DECRYPTS),
}
OTHER = "https://git.example.org/ada/other.git"
RELEASED = release("flux-instance", "flux-instance", "0.30.0", "{instance: {distribution: {version: 2.6.4}}}")


def synced(sync: str) -> Files:
    whole = f"{{kind: GitRepository, url: {OTHER}, {sync}}}"
    return {"clusters/main/instance.yaml": instance(f"{{distribution: {{version: 2.6.x}}, sync: {whole}}}")}


CASES: dict[str, tuple[Files, Files, Files]] = {
    "O1": (
        {},
        {"apps/kustomization.yaml": listing("notes.yaml")},
        {"apps/kustomization.yaml": listing("notes.yaml"), "apps/memos.yaml": None},
    ),
    "O2": (
        NESTED,
        {**NESTED, "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml")},
        {},
    ),
    "O3": (
        {},
        {"clusters/main/root.yaml": None, "old/root.yaml": ROOT},
        {"clusters/main/root.yaml": ROOT + "# kept\n"},
    ),
    "O4": (
        {"clusters/main/flux.yaml": FLUX},
        {"clusters/main/flux.yaml": None},
        {"clusters/main/flux.yaml": FLUX.replace("prune: true", "prune: false")},
    ),
    "O6": ({}, {**CHILD, "more/letters.yaml": config("notes")}, CHILD),
    "O7": (
        synced("name: first, path: other"),
        synced("name: second, path: other"),
        synced("name: first, path: other, interval: 5m"),
    ),
    "O8": (synced("path: other"), synced("path: another"), synced("path: ./other/")),
    "O9": (
        CHILD,
        {**CHILD, "clusters/main/more.yaml": ks("letters", "./more")},
        {**CHILD, "clusters/main/more.yaml": ks("more", "./more", "  wait: true\n")},
    ),
    "O10": (
        {"clusters/main/flux-instance.yaml": RELEASED},
        {"clusters/main/flux-instance.yaml": None},
        {"clusters/main/flux-instance.yaml": RELEASED.replace("interval: 1h", "interval: 2h")},
    ),
    "O11": (
        {"clusters/main/flux-instance.yaml": RELEASED},
        {
            "clusters/main/flux-instance.yaml": RELEASED,
            "clusters/main/raw.yaml": instance("{distribution: {version: 2.6.4}}"),
        },
        {"clusters/main/flux-instance.yaml": RELEASED, "clusters/main/raw.yaml": config("raw", "flux-system")},
    ),
    "O12": (
        {},
        {**CHILD, "more/home.yaml": HOME, "more/claim.yaml": CLAIM},
        {**CHILD, "more/home.yaml": KEPT, "more/claim.yaml": CLAIM},
    ),
    "O13": ({**CHILD, "more/claim.yaml": CLAIM}, NO_CHILD, {**CHILD, "more/claim.yaml": CLAIM + "# kept\n"}),
    "O15": (
        WITH_KEY,
        {
            **WITH_KEY,
            "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml"),
            "clusters/main/apps.yaml": ks("apps", "./apps"),
        },
        {**WITH_KEY, "clusters/main/apps.yaml": ks("apps", "./apps")},
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


def test_an_application_that_is_removed_on_purpose_is_no_finding(judge: Judge) -> None:
    (report,) = judge.reports(fleet(CHILD), fleet(NO_CHILD))

    assert report.findings == ()
    assert {str(one.id): one.expected for one in report.deletes} == {
        "Kustomization/flux-system/more": True,
        "ConfigMap/notes/letters": True,
    }


@pytest.mark.parametrize(
    ("sync", "expected"),
    [
        ("path: apps, name: second", True),
        ("path: ./apps/, name: second", True),
        ("path: apps, name: apps", False),
        ("path: more, name: second", False),
    ],
)
def test_a_sync_beside_the_kustomization_of_its_directory_is_a_second_owner(
    judge: Judge, sync: str, expected: bool
) -> None:
    found = judge.findings({}, synced(sync))

    assert any(one.hazard == "O6" and "spec.sync" in one.message for one in found) is expected


def test_a_component_that_leaves_the_instance_takes_its_kinds_along(judge: Judge) -> None:
    four = "source-controller, kustomize-controller, helm-controller, notification-controller"

    def running(components: str) -> Files:
        values = f"{{instance: {{distribution: {{version: 2.6.4}}, components: [{components}]}}}}"
        return {
            "clusters/main/operator.yaml": release("flux-operator", "flux-operator", "0.40.0"),
            "clusters/main/instance.yaml": release("flux-instance", "flux-instance", "0.40.0", values),
        }

    findings = judge.findings(running(f"{four}, image-reflector-controller"), running(four))

    assert {(one.hazard, one.grade) for one in findings if "CustomResourceDef" in one.subject} == {("O5", "S0")}


def test_a_storage_class_is_no_ordinary_object(judge: Judge) -> None:
    disk = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: slow}\nprovisioner: disks.example.org\n"

    (found,) = judge.findings({**CHILD, "more/disk.yaml": disk}, {**CHILD, "more/disk.yaml": None})

    assert (found.hazard, found.subject) == ("O13", "StorageClass.storage.k8s.io//slow")


def test_what_goes_along_is_in_the_message_of_what_takes_it(judge: Judge) -> None:
    (found,) = judge.findings({**CHILD, "more/claim.yaml": CLAIM}, NO_CHILD)

    assert found.hazard == "O13"
    assert found.severity is Severity.ERROR
    assert "PersistentVolumeClaim/study/paper" in found.message


def test_a_hazard_that_was_there_before_is_no_finding(judge: Judge) -> None:
    twice: Files = {**CHILD, "more/letters.yaml": config("notes")}

    assert judge.findings(twice, {**twice, "apps/memos.yaml": config("memos", data="{page: two}")}) == ()


def view(judge: Judge, files: Files) -> View:
    return next(iter(views(judge.read(fleet(files), "one"))))


def lost(view: View, id: ObjectId, edge: str = "", *also: ObjectId) -> tuple[Finding, ...]:
    """The findings of the deletion of an object, nobody having meant it."""
    told = Counterexample(edge, (id,), ())
    direct = Deleted(id, "clusters/main", None, "left the build", False, None, False, False, ("why",), "", told)
    cascades = (
        Deleted(other, "clusters/main", id, "goes along", True, id, False, False, (), "", told) for other in also
    )
    return tuple(findings_between(coded(Pair(view, view, (direct, *cascades))), {}, {}))


def test_components_that_an_instance_lacks_are_left_over(judge: Judge) -> None:
    here = view(judge, {"clusters/main/raw.yaml": instance("{distribution: {version: 2.6.4}}")})
    running = replace(here.installation, live=(next(o for _, o in here.cluster.objects()),))
    here = replace(here, installation=running)
    component = here.installation.live[0].id

    assert [one.hazard for one in lost(here, component)] == ["O5"]
    assert [one.hazard for one in lost(here, ObjectId("", "Service", "notes", "other"))] == ["O1"]


def test_the_same_loss_before_there_is_an_instance_is_flux_itself(judge: Judge) -> None:
    here = view(judge, CHILD)
    here = replace(here, installation=replace(here.installation, live=(next(o for _, o in here.cluster.objects()),)))

    (found,) = lost(here, here.installation.live[0].id)

    assert found.hazard == "O4"


def test_the_worst_of_what_goes_along_gives_the_code(judge: Judge) -> None:
    here = view(judge, CHILD)
    claim = ObjectId("", "PersistentVolumeClaim", "study", "paper")
    child = ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "more")

    assert [one.hazard for one in lost(here, child)] == ["O2"]
    assert [one.hazard for one in lost(here, child, "E1", claim)] == ["O13"]
    assert "(E1)" in lost(here, child, "E1", claim)[0].message


def test_a_sync_that_goes_is_a_renamed_sync(judge: Judge) -> None:
    other = ObjectId("kustomize.toolkit.fluxcd.io", "Kustomization", "flux-system", "other")

    assert [one.hazard for one in lost(view(judge, {}), other, "E7")] == ["O7"]


def test_what_only_a_cluster_shows_has_a_page_and_no_check() -> None:
    for one in hazards():
        has_check = one.of_tree is not None or one.of_pair is not None
        assert has_check is (one.decided is not Decided.LIVE), one.code
    assert {one.code for one in hazards() if one.decided is Decided.LIVE} == {"O14", "B12"}

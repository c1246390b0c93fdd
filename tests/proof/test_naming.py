"""Which objects a live object names, in whatever field."""

from __future__ import annotations

import pytest
import yaml

from flux_handover.objects import ObjectId, object_of
from flux_handover.proof.naming import is_named, names_of

CASES = {
    "env": (
        "spec: {containers: [{env: [{valueFrom: {secretKeyRef: {name: word, key: a}}}]}]}",
        ("", "Secret", "notes", "word"),
    ),
    "env of a map": ("spec: {envFrom: [{configMapRef: {name: word}}]}", ("", "ConfigMap", "notes", "word")),
    "volume": ("spec: {volumes: [{configMap: {name: word}}]}", ("", "ConfigMap", "notes", "word")),
    "secret volume": ("spec: {volumes: [{secret: {secretName: word}}]}", ("", "Secret", "notes", "word")),
    "claim": (
        "spec: {volumes: [{persistentVolumeClaim: {claimName: word}}]}",
        ("", "PersistentVolumeClaim", "notes", "word"),
    ),
    "values": ("spec: {valuesFrom: [{kind: ConfigMap, name: word}]}", ("", "ConfigMap", "notes", "word")),
    "source elsewhere": (
        "spec: {sourceRef: {kind: HelmRepository, name: word, namespace: shop}}",
        ("source.toolkit.fluxcd.io", "HelmRepository", "shop", "word"),
    ),
    "account": ("spec: {serviceAccountName: word}", ("", "ServiceAccount", "notes", "word")),
    "storage": ("spec: {storageClassName: word}", ("storage.k8s.io", "StorageClass", "", "word")),
    "issuer": (
        "spec: {issuerRef: {kind: ClusterIssuer, name: word}}",
        ("cert-manager.io", "ClusterIssuer", "", "word"),
    ),
    "gateway": (
        "spec: {parentRefs: [{name: word, namespace: shop}]}",
        ("gateway.networking.k8s.io", "Gateway", "shop", "word"),
    ),
    "backend": ("spec: {rules: [{backendRefs: [{name: word}]}]}", ("", "Service", "notes", "word")),
    "role": (
        "roleRef: {kind: ClusterRole, name: word}",
        ("rbac.authorization.k8s.io", "ClusterRole", "", "word"),
    ),
    "chart values": ("spec: {values: {auth: {existingSecret: word}}}", ("", "Secret", "notes", "word")),
    "its own kind": ("spec: {dependsOn: [{name: word}]}", ("apps", "Deployment", "notes", "word")),
}


def named(body: str) -> frozenset[tuple[str, str, str]]:
    start = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "reader", "namespace": "notes"}}
    return names_of([object_of({**start, **yaml.safe_load(body)})])


@pytest.mark.parametrize("case", CASES)
def test_a_reference_is_found(case: str) -> None:
    body, wanted = CASES[case]

    assert is_named(ObjectId(*wanted), named(body))


@pytest.mark.parametrize("case", CASES)
def test_another_name_is_not_meant(case: str) -> None:
    body, (group, kind, namespace, _) = CASES[case]

    assert not is_named(ObjectId(group, kind, namespace, "another"), named(body))


def test_an_object_does_not_name_itself_or_its_labels() -> None:
    assert named("metadata: {name: reader, namespace: notes, labels: {name: word}}") == frozenset()


def test_a_reference_stays_in_its_namespace() -> None:
    assert not is_named(ObjectId("", "Secret", "shop", "word"), named("spec: {secretRef: {name: word}}"))

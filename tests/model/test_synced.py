"""The root that a FluxInstance makes, with its patches: what the cluster has, though no file declares it."""

from __future__ import annotations

from builders import repo
from planning import Reader

from flux_handover.model.roots import SYNC
from flux_handover.tree import Tree

INSTANCE = """
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata:
  name: flux
  namespace: flux-system
spec:
  distribution:
    version: 2.6.4
    registry: ghcr.io/fluxcd
  sync:
    kind: {kind}
    url: {url}
    ref: {ref}
    path: ./fleet
  kustomize:
    patches:
    - patch: |
        - op: add
          path: /spec/decryption
          value: {{provider: sops}}
      target:
        kind: {target}
"""


def tree(kind: str = "GitRepository", url: str = "https://git.example.org/a", target: str = "Kustomization") -> Tree:
    text = INSTANCE.format(kind=kind, url=url, ref="refs/heads/main", target=target)
    return repo("start/flux.yaml", text, "fleet/a.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")


def test_the_patches_of_the_instance_count(reader: Reader) -> None:
    cluster = reader(tree()).clusters[0]

    assert cluster.origin == SYNC
    assert cluster.builds[cluster.root].ks.decrypts
    assert cluster.builds[cluster.root].ks.path == "fleet"


def test_the_source_is_the_one_that_the_operator_makes(reader: Reader) -> None:
    cluster = reader(tree("OCIRepository", "oci://registry.example.org/a")).clusters[0]

    assert [source.ref for source in cluster.sources.values()] == [{"tag": "refs/heads/main"}]


def test_an_instance_that_does_not_build_leaves_the_bare_sync(reader: Reader) -> None:
    cluster = reader(tree(target="Kustomization\n      options: {allowNameChange: maybe}")).clusters[0]

    assert cluster.builds[cluster.root].ks.path == "fleet"

"""A repository as `flux bootstrap` writes it: one root that applies itself, Flux, and everything else."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from builders import repo, text_of

from flux_handover.catalogue.manifests import DEFAULT_COMPONENTS, install_manifests
from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId
from flux_handover.tree import Tree

ROOT = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "flux-system")
SOURCE = ObjectId(SOURCE_GROUP, "GitRepository", "flux-system", "flux-system")
HOME = "clusters/aviary/flux-system"
SYNC = """
# written by the bootstrap command
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 1m0s
  ref:
    branch: main
  secretRef:
    name: flux-system
  url: ssh://git@git.example.org/aviary.git
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: flux-system
  namespace: flux-system
spec:
  interval: 10m0s
  path: ./clusters/aviary
  prune: true
  sourceRef:
    kind: GitRepository
    name: flux-system
"""
LIST = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
- gotk-components.yaml
- gotk-sync.yaml
"""
PATCHES = """
patches:
# birds are many
- patch: |
    - op: add
      path: /spec/template/spec/containers/0/args/-
      value: --concurrent=5
  target:
    kind: Deployment
    name: kustomize-controller
"""
NEST = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: nest\n  namespace: default\n"


@cache
def components(version: str = "v2.6.4") -> str:
    return text_of(install_manifests(version, DEFAULT_COMPONENTS))


def aviary(list_more: str = "", **files: str) -> Tree:
    """A repository as the bootstrap command writes it, with one object of its own."""
    own: Mapping[str, str] = {
        f"{HOME}/gotk-components.yaml": components(),
        f"{HOME}/gotk-sync.yaml": SYNC,
        f"{HOME}/kustomization.yaml": LIST.removeprefix("\n") + list_more.removeprefix("\n"),
        "clusters/aviary/nest.yaml": NEST,
    }
    return repo(*(part for pair in {**own, **files}.items() for part in pair))

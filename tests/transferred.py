"""A repository whose root and source have two names, so that the operator can only make a new root."""

from __future__ import annotations

from bootstrapped import HOME, SYNC, aviary
from planning import CASES, tree_of

from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId
from flux_handover.plan.phases import Phase, PhaseName, Plan
from flux_handover.plan.target import Options, SyncStrategy
from flux_handover.tree import Tree

TRANSFER = Options(sync=SyncStrategy.TRANSFER)
ROOT_FILE = "clusters/quay/quay.yaml"
RELEASE = "workloads/flux-instance/helmrelease.yaml"
OLD_ROOT = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "quay")
OLD_SOURCE = ObjectId(SOURCE_GROUP, "GitRepository", "flux-system", "harbourmaster")
NEW_ROOT = OLD_ROOT._replace(name="flux-system")
NEW_SOURCE = OLD_SOURCE._replace(name="flux-system")
ROOT_FIELDS = """  prune: true
  wait: true
  timeout: 3m0s
  retryInterval: 2m
  deletionPolicy: MirrorPrune
  decryption:
    provider: sops
    secretRef:
      name: harbour-key
  postBuild:
    substitute:
      BERTH: "7"
    substituteFrom:
    - kind: Secret
      name: cargo
"""
SOURCE_FIELDS = """  interval: 1h
  timeout: 90s
  recurseSubmodules: true
  secretRef:
    name: deploy-key
  verify:
    mode: HEAD
    secretRef:
      name: signers
  ignore: |
    /*
    !/clusters
    !/workloads
"""
NOTICES = """---
apiVersion: notification.toolkit.fluxcd.io/v1
kind: Receiver
metadata:
  name: push
  namespace: flux-system
spec:
  type: github
  secretRef:
    name: token
  resources:
  - kind: GitRepository
    name: harbourmaster
  - kind: Kustomization
    name: quay
    namespace: flux-system
---
apiVersion: notification.toolkit.fluxcd.io/v1beta3
kind: Alert
metadata:
  name: ships
  namespace: flux-system
spec:
  providerRef:
    name: radio
  eventSources:
  - kind: GitRepository
    name: harbourmaster
  - kind: Kustomization
    name: '*'
  - kind: GitRepository
    name: '*'
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageUpdateAutomation
metadata:
  name: tides
  namespace: flux-system
spec:
  interval: 1h
  sourceRef:
    kind: GitRepository
    name: harbourmaster
"""


def quay() -> Tree:
    """The repository: a root `quay` that applies itself from the source `harbourmaster`."""
    return tree_of(CASES / "plan-flat-list" / "before")


def rich() -> Tree:
    """The same, with every field that the new root and its source must have, and with what else names the old ones."""
    tree = replaced(quay(), ROOT_FILE, "  prune: true\n", ROOT_FIELDS)
    tree = replaced(tree, ROOT_FILE, "  interval: 1h\n", SOURCE_FIELDS)
    tree = replaced(tree, "clusters/quay/kustomization.yaml", "- flux.yaml\n", "- flux.yaml\n- notices.yaml\n")
    return tree.with_file("clusters/quay/notices.yaml", NOTICES.encode())


def parted() -> Tree:
    """What `flux bootstrap` wrote, with a source that was given another name."""
    sync = SYNC.replace(
        "kind: GitRepository\nmetadata:\n  name: flux-system", "kind: GitRepository\nmetadata:\n  name: birds"
    )
    sync = sync.replace("kind: GitRepository\n    name: flux-system", "kind: GitRepository\n    name: birds")
    return aviary(**{f"{HOME}/gotk-sync.yaml": sync})


def replaced(tree: Tree, path: str, old: str, new: str) -> Tree:
    """The tree with a text in one file changed, once or wherever it stands."""
    text = tree.read(path).decode()
    assert old in text, f"{path} has no {old!r}"
    return tree.with_file(path, text.replace(old, new).encode())


def phase_of(plan: Plan, name: PhaseName) -> Phase:
    """One phase of a plan."""
    return next(phase for phase in plan.phases if phase.name is name)

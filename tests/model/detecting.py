"""Repositories whose Flux is installed in one way, and what is detected in them, built by the real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from builders import repo, yaml_text

from flux_handover import catalogue
from flux_handover.adapters.engine import Engine
from flux_handover.model.building import Builder
from flux_handover.model.detection import detect
from flux_handover.model.installation import Installation, Method
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.tree import Tree

ROOT = """
    apiVersion: source.toolkit.fluxcd.io/v1
    kind: GitRepository
    metadata:
      name: estate
      namespace: flux-system
    spec:
      interval: 5m
      url: https://git.example.org/estate
    ---
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata:
      name: estate
      namespace: flux-system
    spec:
      interval: 5m
      path: ./sites/north
      prune: true
      sourceRef:
        kind: GitRepository
        name: estate
    """

ARTIFACT = """
    apiVersion: source.toolkit.fluxcd.io/v1
    kind: OCIRepository
    metadata:
      name: distribution
      namespace: flux-system
    spec:
      interval: 1h
      url: oci://ghcr.io/fluxcd/flux-manifests
      ref:
        tag: v2.6.4
    ---
    apiVersion: kustomize.toolkit.fluxcd.io/v1
    kind: Kustomization
    metadata:
      name: engine-room
      namespace: flux-system
    spec:
      interval: 1h
      path: ./
      prune: true
      sourceRef:
        kind: OCIRepository
        name: distribution
    """


def site(*paths_and_texts: str) -> Tree:
    """A repository with a root that applies itself, and further files."""
    return repo("sites/north/root.yaml", ROOT, *paths_and_texts)


def artifact_site(patches: str = "", artifact: str = ARTIFACT) -> Tree:
    """A site whose Flux comes from the OCI artifact, with the given text below `spec.patches`."""
    text = yaml_text(artifact)
    indented = "".join(f"  {line}\n" for line in yaml_text(patches).splitlines())
    return site("sites/north/engine-room.yaml", f"{text}{indented}")


@contextmanager
def engine() -> Iterator[Builder]:
    """The real engine."""
    with Engine() as builder:
        yield builder


def detected(tree: Tree, builder: Builder, root: str | None = None) -> Installation:
    """The installation of the only cluster of a repository."""
    snapshot = take_snapshot(tree, "HEAD", builder, detect, Reading(root=root))
    (installation,) = snapshot.installations.values()
    return installation


def methods(tree: Tree, builder: Builder) -> dict[str, Method]:
    """The method of each cluster of a repository."""
    installations = take_snapshot(tree, "HEAD", builder, detect, Reading()).installations
    return {name: installation.method for name, installation in installations.items()}


def found(installation: Installation) -> dict[tuple[str, str, str], str]:
    """The settings by name of the target, kind and key."""
    return {(s.target.name, s.kind.value, s.key): s.value for s in installation.settings}


def places(installation: Installation) -> dict[tuple[str, str], str]:
    """The place of each setting by name of the target and key."""
    return {(s.target.name, s.key): str(s.where) for s in installation.settings}


def exported(version: str, *chosen: str, namespace: str = "flux-system") -> str:
    """What `flux install --export` writes, from the catalogue; JSON documents are YAML."""
    names = chosen or catalogue.DEFAULT_COMPONENTS
    manifests = catalogue.install_manifests(version, tuple(names), namespace)
    return "".join(f"---\n{json.dumps(manifest, indent=1)}\n" for manifest in manifests)


def bootstrap_site(kustomization: str, *paths_and_texts: str, manifests: str = "") -> Tree:
    """A site whose Flux is written out in a file that a kustomization.yaml lists beside the root."""
    text = manifests or exported("v2.6.4")
    return repo(
        *("sites/north/machinery/root.yaml", ROOT),
        *("sites/north/machinery/everything.yaml", text),
        *("sites/north/machinery/kustomization.yaml", kustomization),
        *paths_and_texts,
    )

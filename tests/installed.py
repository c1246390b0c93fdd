"""Flux as it is installed otherwise than by `flux bootstrap`: documents that several tests put into their trees."""

from __future__ import annotations

ARTIFACT = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata:
  name: manifests
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
  name: engine
  namespace: flux-system
spec:
  interval: 1h
  path: ./
  prune: true
  sourceRef:
    kind: OCIRepository
    name: manifests
"""
CHART = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: community, namespace: flux-system}
spec: {interval: 1h, url: https://fluxcd-community.github.io/helm-charts}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: engine, namespace: flux-system}
spec:
  interval: 1h
  chart:
    spec:
      chart: flux2
      version: 2.16.4
      sourceRef: {kind: HelmRepository, name: community}
"""

"""Repositories of any size: a root, and many Kustomizations, each with an application of its own."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path

ROOT = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: estate, namespace: flux-system}
spec: {interval: 5m, url: "https://git.example.org/estate"}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: estate, namespace: flux-system}
spec:
  interval: 5m
  path: ./sites/north
  prune: true
  sourceRef: {kind: GitRepository, name: estate}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: facts, namespace: flux-system}
data: {zone: example.org, region: north}
"""

KUSTOMIZATION = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: shop-{n}, namespace: flux-system}}
spec:
  interval: 1h
  path: ./shops/{n}/app
  prune: true
  targetNamespace: street-{street}
  sourceRef: {{kind: GitRepository, name: estate}}
  postBuild: {{substituteFrom: [{{kind: ConfigMap, name: facts}}]}}
"""

LISTING = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [deployment.yaml, service.yaml, claim.yaml]
components: [../../../street]
configMapGenerator:
  - name: settings-{n}
    files: [settings.txt]
"""

STREET = """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
  - target: {{kind: Deployment}}
    patch: |
      apiVersion: apps/v1
      kind: Deployment
      metadata: {{name: any}}
      spec: {{template: {{metadata: {{annotations: {{paving: "{paving}"}}}}}}}}
"""

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: shop-{n}, labels: {{app: shop-{n}}}}}
spec:
  selector: {{matchLabels: {{app: shop-{n}}}}}
  template:
    metadata: {{labels: {{app: shop-{n}}}}}
    spec:
      containers:
        - name: main
          image: registry.example.org/shop:1.{n}.0
          env:
            - {{name: ZONE, value: "${{zone}}"}}
            - {{name: REGION, value: "${{region}}"}}
          ports: [{{name: http, containerPort: 8080}}]
          resources: {{requests: {{cpu: 10m, memory: 64Mi}}, limits: {{memory: 256Mi}}}}
          volumeMounts: [{{name: goods, mountPath: /goods}}, {{name: settings, mountPath: /settings}}]
      volumes:
        - {{name: goods, persistentVolumeClaim: {{claimName: shop-{n}}}}}
        - {{name: settings, configMap: {{name: settings-{n}}}}}
"""

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: shop-{n}}}
spec: {{selector: {{app: shop-{n}}}, ports: [{{name: http, port: 80, targetPort: http}}]}}
"""

CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: shop-{n}}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}
"""


class Change(Enum):
    """What the second revision changes: the image of one application, or a component that all have."""

    ONE = "one"
    ALL = "all"


def files(count: int) -> Iterator[tuple[str, str]]:
    """The files of a repository of so many Kustomizations below its root."""
    yield "sites/north/estate.yaml", ROOT
    yield "street/kustomization.yaml", STREET.format(paving="cobbles")
    for n in range(count):
        fields = {"n": n, "street": n % 20}
        yield f"sites/north/shops/shop-{n}.yaml", KUSTOMIZATION.format(**fields)
        yield f"shops/{n}/app/kustomization.yaml", LISTING.format(**fields)
        yield f"shops/{n}/app/deployment.yaml", DEPLOYMENT.format(**fields)
        yield f"shops/{n}/app/service.yaml", SERVICE.format(**fields)
        yield f"shops/{n}/app/claim.yaml", CLAIM.format(**fields)
        yield f"shops/{n}/app/settings.txt", f"shop {n}\n"


def write_revisions(directory: Path, count: int, change: Change) -> Iterator[str]:
    """Write the files, then the change; one name for each."""
    for path, text in files(count):
        place = directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    yield "base"
    if change is Change.ALL:
        (directory / "street/kustomization.yaml").write_text(STREET.format(paving="asphalt"))
    else:
        deployment = directory / "shops/0/app/deployment.yaml"
        deployment.write_text(deployment.read_text().replace("shop:1.0.0", "shop:1.0.1"))
    yield "head"

"""A small fleet as files, changed by one file at a time, and what the guard says of the change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from builders import repo, yaml_text

from flux_handover.adapters.engine import Engine
from flux_handover.findings import Finding
from flux_handover.model.detection import detect
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.model.snapshot import Snapshot
from flux_handover.proof.guard import Point, Start, guard
from flux_handover.proof.guard_report import GuardReport
from flux_handover.tree import Tree

Files = Mapping[str, str | None]
"""Files to write by path; None removes one."""

FLUX_VERSION = "v2.6.4"


def ks(name: str, path: str, extra: str = "", namespace: str = "flux-system", source: str = "fleet") -> str:
    return f"""---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  interval: 1h
  path: {path}
  prune: true
  sourceRef: {{kind: GitRepository, name: {source}, namespace: flux-system}}
{extra}"""


def config(name: str, namespace: str = "notes", data: str = "{page: one}") -> str:
    return f"""---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, namespace: {namespace}}}
data: {data}
"""


def listing(*names: str, extra: str = "") -> str:
    entries = "".join(f"\n- {name}" for name in names)
    return f"""apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:{entries}
{extra}"""


def release(name: str, chart: str, version: str, values: str = "{}", spec: str = "") -> str:
    return f"""---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: {name}, namespace: flux-system}}
spec: {{interval: 1h, url: "oci://registry.example.org/charts/{chart}", ref: {{tag: {version}}}}}
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 1h
  chartRef: {{kind: OCIRepository, name: {name}}}
  values: {values}
{spec}"""


def instance(spec: str) -> str:
    return f"""---
apiVersion: fluxcd.controlplane.io/v1
kind: FluxInstance
metadata: {{name: flux, namespace: flux-system}}
spec: {spec}
"""


SOURCE = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec:
  interval: 1h
  url: https://git.example.org/ada/fleet.git
  ref: {branch: main}
"""
ROOT = yaml_text(SOURCE) + ks("fleet", "./clusters/main")
FLUX = f"""---
apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata: {{name: flux-manifests, namespace: flux-system}}
spec: {{interval: 1h, url: "oci://ghcr.io/fluxcd/flux-manifests", ref: {{tag: {FLUX_VERSION}}}}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: flux, namespace: flux-system}}
spec:
  interval: 1h
  path: ./
  prune: true
  sourceRef: {{kind: OCIRepository, name: flux-manifests}}
"""
BASE: Files = {
    "clusters/main/root.yaml": ROOT,
    "clusters/main/apps.yaml": ks("apps", "./apps"),
    "apps/kustomization.yaml": listing("notes.yaml", "memos.yaml"),
    "apps/notes.yaml": config("notes"),
    "apps/memos.yaml": config("memos"),
}


def fleet(changes: Files | None = None) -> Tree:
    """The base with some files written or removed."""
    files = {path: text for path, text in {**BASE, **(changes or {})}.items() if text is not None}
    return repo(*(part for pair in files.items() for part in pair))


@dataclass(frozen=True)
class Judge:
    """Reads and judges fleets with the real engine."""

    engine: Engine
    root: str | None = None
    read_names: list[str] = field(default_factory=list)

    def read(self, tree: Tree, name: str, previous: Snapshot | None = None) -> Snapshot:
        self.read_names.append(name)
        return take_snapshot(tree, name, self.engine, detect, Reading(self.root), previous)

    def reports(self, *trees: Tree) -> tuple[GuardReport, ...]:
        """One report for each tree after the first."""
        start = Start(self.read(trees[0], "commit-0"))
        points = (Point(f"commit-{number}", tree) for number, tree in enumerate(trees[1:], 1))
        return tuple(guard(start, points, self.read, self.engine))

    def findings(self, before: Files, after: Files) -> tuple[Finding, ...]:
        """What the guard finds between two fleets."""
        return self.reports(fleet(before), fleet(after))[0].findings

    def codes(self, before: Files, after: Files) -> set[str]:
        return {finding.hazard for finding in self.findings(before, after)}

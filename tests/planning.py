"""Repositories read and planned as the verbs do, with the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from builders import yaml_text

from flux_handover.adapters.cache import CachedBuilder
from flux_handover.adapters.engine import Engine
from flux_handover.catalogue.distributions import components
from flux_handover.catalogue.manifests import artifact_manifests
from flux_handover.findings import Location
from flux_handover.model.detection import detect
from flux_handover.model.flux import kustomization_of
from flux_handover.model.installation import FluxPatch, Installation, Method
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, Object, ObjectId, object_of
from flux_handover.plan.edits import operation_path
from flux_handover.plan.operations import Operation
from flux_handover.plan.phases import Plan
from flux_handover.plan.planner import make_plan
from flux_handover.plan.target import Options
from flux_handover.proof.obligations import Proof
from flux_handover.proof.prove import prove
from flux_handover.tree import File, FileKind, Tree, blob_digest

CASES = Path(__file__).parent / "cases"
OWNER = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "flux")
SOURCE = ObjectId(SOURCE_GROUP, "OCIRepository", "flux-system", "flux-manifests")
DEFAULTS = Options()
Key = tuple[tuple[str, str, FileKind, bool], ...]
DEMO = Path(__file__).parents[1] / "src" / "flux_handover" / "demo" / "repository"


@dataclass
class Reader:
    """Snapshots, plans and proofs of trees, each made once: they are values, so tests share them."""

    engine: Engine | CachedBuilder
    seen: dict[Key, Snapshot] = field(default_factory=dict)
    planned: dict[tuple[Key, Options], Plan] = field(default_factory=dict)
    proved: dict[tuple[Key, Options], tuple[Proof, ...]] = field(default_factory=dict)

    def __call__(self, tree: Tree) -> Snapshot:
        key = key_of(tree)
        if key not in self.seen:
            self.seen[key] = take_snapshot(tree, "0" * 40, self.engine, detect, Reading())
        return self.seen[key]

    def plan(self, tree: Tree, options: Options = DEFAULTS) -> Plan:
        """The plan of the only cluster of a tree."""
        key = key_of(tree), options
        if key not in self.planned:
            snapshot = self(tree)
            assert len(snapshot.clusters) == 1, "the repository has one cluster"
            self.planned[key] = make_plan(snapshot, snapshot.clusters[0].name, options, self)
        return self.planned[key]

    def proofs(self, tree: Tree, options: Options = DEFAULTS) -> tuple[Proof, ...]:
        """The proofs of all phases of that plan."""
        key = key_of(tree), options
        if key not in self.proved:
            self.proved[key] = prove(self.plan(tree, options), self(tree), lambda after, _: self(after), self.engine)
        return self.proved[key]


def key_of(tree: Tree) -> Key:
    """What tells a tree from any other: its files with all that is known of them."""
    return tuple((path, file.digest, file.kind, file.executable) for path, file in sorted(tree.files.items()))


def tree_of(directory: Path) -> Tree:
    """The files below a directory as a tree."""
    return Tree(MappingProxyType(dict(_files(directory))))


def _files(directory: Path) -> Iterator[tuple[str, File]]:
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            yield str(path.relative_to(directory)), File(content, blob_digest(content))


def names_of(plan: Plan) -> list[str]:
    """The phases that are left, by name."""
    return [phase.name.value for phase in plan.phases]


def shown(plan: Plan) -> str:
    """The phases of a plan with their operations and deletions, a line each."""
    lines: list[str] = []
    for phase in plan.phases:
        lines.append(f"{phase.name.value}: {phase.title}")
        lines += [f"  {_operation(operation)}" for operation in phase.operations]
        lines += [f"  deletes {id.full}" for id in sorted(phase.removes)]
        lines += [f"  note {note}" for note in phase.notes]
        lines += [f"  gate {gate.id}" for gate in phase.gates]
    return "\n".join(lines) + "\n"


def _operation(operation: Operation) -> str:
    return f"{type(operation).__name__} {operation_path(operation)}"


def installation(*patches: FluxPatch, version: str = "v2.6.4", **fields: Any) -> Installation:
    """An installation from the OCI artifact, with the distribution's objects as they are."""
    plain = tuple(object_of(manifest) for manifest in artifact_manifests(version))
    known: dict[str, Any] = {
        "cluster": "clusters/quay",
        "method": Method.OCI_KUSTOMIZATION,
        "version": version,
        "namespace": "flux-system",
        "components": components(version)[:4],
        "owner": OWNER,
        "source": SOURCE,
        "files": ("clusters/quay/flux.yaml",),
        "settings": (),
        "patches": patches,
        "plain": plain,
        "live": plain,
    }
    return Installation(**{**known, **fields})


def patch(text: str, **target: str) -> FluxPatch:
    """A patch of Flux; the text is dedented."""
    return FluxPatch(yaml_text(text), tuple(target.items()), Location("clusters/quay/flux.yaml", 12))


def cluster_of(*builds: Build) -> Cluster:
    """A cluster whose root is the first build."""
    by_id = {build.id: build for build in builds}
    return Cluster("clusters/quay", builds[0].id, "self", by_id, {})


def build_of(ks: dict[str, Any], *objects: Object, parent: ObjectId | None = None) -> Build:
    """A Kustomization that builds to these objects; `ks` is its spec with `name`."""
    spec = {key: value for key, value in ks.items() if key != "name"}
    metadata = {"name": ks["name"], "namespace": "flux-system"}
    manifest = {"apiVersion": f"{KUSTOMIZE_GROUP}/v1", "kind": "Kustomization", "metadata": metadata, "spec": spec}
    where = Location(f"clusters/quay/{ks['name']}.yaml", 1)
    return Build(
        ks=kustomization_of(object_of(manifest)),
        parent=parent,
        where=where,
        status=BuildStatus.OK,
        raw=objects,
        objects=objects,
        reads=frozenset(),
        inputs="",
    )


def with_argument(objects: tuple[Object, ...], argument: str) -> tuple[Object, ...]:
    """The objects, each controller with one more argument."""
    return tuple(_with_argument(object, argument) if object.id.kind == "Deployment" else object for object in objects)


def _with_argument(object: Object, argument: str) -> Object:
    template = object.spec["template"]
    container = template["spec"]["containers"][0]
    changed = {**container, "args": [*container["args"], argument]}
    pod = {**template["spec"], "containers": [changed]}
    return object_of({**object.data, "spec": {**object.spec, "template": {**template, "spec": pod}}})

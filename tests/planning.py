"""Repositories read and planned as the verbs do, with the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from flux_handover.adapters.engine import Engine
from flux_handover.model.detection import detect
from flux_handover.model.reading import Reading, take_snapshot
from flux_handover.model.snapshot import Snapshot
from flux_handover.plan.edits import operation_path
from flux_handover.plan.operations import Operation
from flux_handover.plan.phases import Plan
from flux_handover.plan.planner import make_plan
from flux_handover.plan.target import Options
from flux_handover.tree import File, Tree, blob_digest

CASES = Path(__file__).parent / "cases"
DEMO = Path(__file__).parents[1] / "src" / "flux_handover" / "demo" / "repository"


@dataclass
class Reader:
    """Snapshots of trees, each read once."""

    engine: Engine
    seen: dict[tuple[tuple[str, str], ...], Snapshot] = field(default_factory=dict)

    def __call__(self, tree: Tree) -> Snapshot:
        key = tuple((path, file.digest) for path, file in sorted(tree.files.items()))
        if key not in self.seen:
            self.seen[key] = take_snapshot(tree, "0" * 40, self.engine, detect, Reading())
        return self.seen[key]

    def plan(self, tree: Tree, options: Options | None = None) -> Plan:
        """The plan of the only cluster of a tree."""
        snapshot = self(tree)
        assert len(snapshot.clusters) == 1, "the repository has one cluster"
        return make_plan(snapshot, snapshot.clusters[0].name, options or Options(), self)


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

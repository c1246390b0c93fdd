"""Facts of a live cluster from a file: what turns assumptions of a plan into things seen (contract.md K13).

The file is what one printed line writes: columns of facts and nothing else, so it can hold no Secret and
no value of a chart. Lists of objects as JSON are read too. A fact about a kind of which the file shows no
object stays an assumption: nobody can tell whether it was looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flux_handover.act.gates import observed
from flux_handover.act.proved import ProvedPlan
from flux_handover.adapters.cluster import Manifest
from flux_handover.errors import UsageError
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId, id_of, mapping, parse_entry
from flux_handover.plan.conditions import AllReady, Condition, Every, NoneHas
from flux_handover.plan.phases import Gate
from flux_handover.plan.resources import HELM_RELEASES, KUSTOMIZATIONS
from flux_handover.proof.obligations import Verdict
from flux_handover.proof.seen import Seen, Sights

Path = tuple[str | int, ...]

COLUMNS: tuple[Path, ...] = (
    ("apiVersion",),
    ("kind",),
    ("metadata", "namespace"),
    ("metadata", "name"),
    ("metadata", "generation"),
    ("metadata", "deletionTimestamp"),
    ("spec", "suspend"),
    ("spec", "path"),
    ("spec", "prune"),
    ("spec", "deletionPolicy"),
    ("spec", "sourceRef", "kind"),
    ("spec", "sourceRef", "name"),
    ("spec", "template", "spec", "containers", 0, "image"),
    ("status", "observedGeneration"),
    ("status", "storedVersions"),
    ("status", "conditions"),
    ("status", "inventory", "entries"),
)
"""What a line of the file says of one object, in order."""

_NUMBERS = (("metadata", "generation"), ("status", "observedGeneration"))
_LISTS = (("status", "storedVersions"), ("status", "conditions"), ("status", "inventory", "entries"))
_GATE = "observed"


@dataclass(frozen=True, slots=True)
class ObservedCluster:
    """The objects of a file, by id."""

    objects: dict[ObjectId, Manifest]

    @property
    def kinds(self) -> frozenset[tuple[str, str]]:
        """Kinds of which the file shows an object."""
        return frozenset((id.group, id.kind) for id in self.objects)

    def get(self, id: ObjectId) -> Manifest | None:
        """One object, or None where the file has none."""
        return self.objects.get(id)

    def list(self, group: str, kind: str) -> Sequence[Manifest]:
        """All objects of a kind."""
        return [manifest for id, manifest in self.objects.items() if (id.group, id.kind) == (group, kind)]


def observing_line(file: str = "observed.txt") -> str:
    """The line that writes the file; it only reads the cluster."""
    cells = '{"\\t"}'.join(f"{{{_words(path)}}}" for path in COLUMNS)
    template = f"-o jsonpath='{{range .items[*]}}{cells}{{\"\\n\"}}{{end}}'"
    flux = f"kubectl get {KUSTOMIZATIONS},{HELM_RELEASES} -A {template}"
    parts = f"kubectl get deployments,crds -A -l app.kubernetes.io/part-of=flux {template}"
    return f"{{ {flux}; {parts}; }} > {file}"


def _words(path: Path) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def read_observed(text: str, where: str) -> ObservedCluster:
    """The cluster that a file shows; raises UsageError for anything else, and for Secrets."""
    try:
        manifests = list(_documents(text) if text.lstrip().startswith("{") else map(_manifest, text.splitlines()))
    except ValueError as error:
        raise UsageError(
            "the observed facts cannot be read", where=where, hint=f"write them by: {observing_line()}"
        ) from error
    if any(manifest.get("kind") == "Secret" for manifest in manifests):
        raise UsageError("the observed facts hold Secrets", where=where, hint=f"write them by: {observing_line()}")
    return ObservedCluster({id_of(manifest): manifest for manifest in manifests})


def _documents(text: str) -> Iterator[Manifest]:
    """JSON documents one after another, lists of objects among them."""
    decoder, rest = json.JSONDecoder(), text.lstrip()
    while rest:
        found, end = decoder.raw_decode(rest)
        yield from found["items"] if isinstance(mapping(found).get("items"), list) else (found,)
        rest = rest[end:].lstrip()


def _manifest(line: str) -> Manifest:
    """One line of facts; a cell that is empty is a field that is absent."""
    cells = line.split("\t")
    if len(cells) != len(COLUMNS):
        raise ValueError("another number of columns")
    manifest: dict[str, Any] = {}
    for path, cell in zip(COLUMNS, cells, strict=True):
        if cell:
            _put(manifest, path, _value(path, cell))
    return manifest


def _value(path: Path, cell: str) -> Any:
    if path in _LISTS:
        return json.loads(cell)
    return int(cell) if path in _NUMBERS else cell


def _put(holder: dict[str, Any], path: Path, value: Any) -> None:
    """The value under its path; the only list on a path has one element."""
    first, *rest = path
    if not rest:
        holder[str(first)] = value
    elif rest[0] == 0:
        inner: dict[str, Any] = {}
        holder[str(first)] = [inner]
        _put(inner, tuple(rest[1:]), value)
    else:
        _put(holder.setdefault(str(first), {}), tuple(rest), value)


def sights_of(cluster: ObservedCluster) -> Sights:
    """The Kustomizations of a file, as far as Flux deletes by them."""
    kustomizations = cluster.list(KUSTOMIZE_GROUP, "Kustomization")
    return {id_of(manifest): _seen(mapping(manifest.get("spec")), manifest) for manifest in kustomizations}


def _seen(spec: Mapping[str, Any], manifest: Manifest) -> Seen:
    inventory = mapping(mapping(manifest.get("status")).get("inventory")).get("entries")
    held = None if inventory is None else frozenset(parse_entry(str(entry["id"])) for entry in inventory)
    return Seen(str(spec.get("path") or ""), _is_true(spec.get("prune")), _is_true(spec.get("suspend")), held)


def _is_true(value: Any) -> bool:
    """A line of the file has words where a manifest has values."""
    return value in (True, "true")


def with_observed(proved: ProvedPlan, cluster: ObservedCluster) -> ProvedPlan:
    """The plan with what was seen: assumptions that hold are no longer any, one that does not refutes the plan."""
    left, seen, contradicted = [], [], []
    gates = {gate.id: gate for phase in proved.plan.phases for gate in phase.gates}
    for assumption in proved.plan.assumptions:
        id = assumption.partition(":")[0]
        gate = gates.get(id)
        if gate is None or not _is_shown(gate, cluster):
            left.append(assumption)
            continue
        found = observed(gate, cluster)
        if found.verdict is Verdict.HOLDS:
            seen.append(f"{id}: {found.evidence}")
        else:
            contradicted.append(f"{id}: {found.evidence}")
    plan = replace(proved.plan, assumptions=tuple(left))
    return replace(proved, plan=plan, observed=tuple(seen), contradicted=tuple(contradicted))


def _is_shown(gate: Gate, cluster: ObservedCluster) -> bool:
    kinds = frozenset(_kinds(gate.looks_for)) if gate.looks_for else frozenset()
    return bool(kinds) and kinds <= cluster.kinds


def _kinds(condition: Condition) -> Iterator[tuple[str, str]]:
    """The kinds that a condition is about."""
    match condition:
        case Every(conditions):
            for one in conditions:
                yield from _kinds(one)
        case AllReady(group, kind):
            yield group, kind
        case NoneHas(kinds, _):
            yield from kinds
        case _:
            yield condition.id.group, condition.id.kind

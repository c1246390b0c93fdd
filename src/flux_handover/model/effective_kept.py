"""Whether one Flux installation does everything another did, up to what the operator always writes.

Each allowed difference is named with its reason. Anything else is lost or gained, and both
count: an argument that appears by itself changes how Flux behaves as much as one that goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType

from flux_handover.model.effective import RBAC_GROUP, Fact, FactKey, facts
from flux_handover.model.rendering import Cluster
from flux_handover.objects import Object, ObjectId, by_id, mapping

_NOTHING: Mapping[ObjectId, ObjectId] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Difference:
    """A fact that two installations do not share; None where one of them lacks it."""

    about: FactKey
    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.after is None:
            return f"{self.about.target} loses {self.about.kind} {self.about.key} ({self.before})"
        if self.before is None:
            return f"{self.about.target} gains {self.about.kind} {self.about.key} ({self.after})"
        return f"{self.about.target} changes {self.about.kind} {self.about.key} from {self.before} to {self.after}"


@dataclass(frozen=True, slots=True)
class Normalisation:
    """A difference that the operator makes by itself: its name, why it is harmless, and what it looks like.

    `before` and `after` are patterns of the values; the empty pattern is "the fact is absent".
    """

    name: str
    reason: str
    kind: str
    key: str
    before: str
    after: str

    def covers(self, difference: Difference) -> bool:
        """Whether the difference is one of this sort."""
        parts = ((self.kind, difference.about.kind), (self.key, difference.about.key))
        values = ((self.before, difference.before), (self.after, difference.after))
        named = all(re.fullmatch(pattern, text) for pattern, text in parts)
        return named and all(re.fullmatch(pattern, text or "") for pattern, text in values)


NORMALISATIONS = (
    Normalisation(
        "operator-labels",
        "the operator labels what it applies; added labels select nothing that ran before",
        "metadata",
        r"(template\.)?labels\.(app\.kubernetes\.io/(managed-by|instance|version|part-of|component)"
        r"|fluxcd\.controlplane\.io/(name|namespace))",
        "",
        ".+",
    ),
    Normalisation(
        "operator-opt-outs",
        "the operator keeps kustomize-controller away from what it applies",
        "metadata",
        r"annotations\.(kustomize\.toolkit\.fluxcd\.io/(ssa|prune)|fluxcd\.controlplane\.io/prune)",
        ".*",
        ".+",
    ),
    Normalisation(
        "operator-namespace-opt-out",
        "the operator never deletes the namespace it took over",
        "metadata",
        r"labels\.fluxcd\.controlplane\.io/prune",
        "",
        "disabled",
    ),
    Normalisation(
        "safe-to-evict",
        "the operator always lets the cluster autoscaler move controllers",
        "metadata",
        r"template\.annotations\.cluster-autoscaler\.kubernetes\.io/safe-to-evict",
        "",
        "true",
    ),
    Normalisation(
        "template-labels",
        "the operator leaves instance and version off the pods; PodMonitors that select on them must be changed",
        "metadata",
        r"template\.labels\.app\.kubernetes\.io/(instance|version)",
        ".+",
        "",
    ),
    Normalisation(
        "workload-identity-off",
        "the operator writes the gate with the value it has by default",
        "gate",
        "ObjectLevelWorkloadIdentity",
        "",
        "false",
    ),
    Normalisation(
        "external-artifact",
        "the operator turns the gate on where source-watcher runs",
        "gate",
        "ExternalArtifact",
        "",
        "true",
    ),
    Normalisation(
        "operator-kinds",
        "notifications may also speak of the operator's own kinds",
        "rule",
        r"spec\.versions\[.*\]\..*\.kind\.enum\[(FluxInstance|ResourceSet|ResourceSetInputProvider)\]",
        "",
        "allowed",
    ),
    Normalisation(
        "operator-access",
        "controllers may read and write the operator's own kinds",
        "rule",
        r"fluxcd\.controlplane\.io/\*",
        "",
        r".*",
    ),
    Normalisation(
        "linux-nodes",
        "the operator schedules controllers on Linux nodes; their images exist for no other",
        "scheduling",
        r"nodeSelector\.kubernetes\.io/os",
        "",
        "linux",
    ),
)
"""Every difference between a Flux from Git and one from a FluxInstance that loses nothing (semantics 5.2)."""


def lost(
    before: Iterable[Object], after: Iterable[Object], *, renamed: Mapping[ObjectId, ObjectId] = _NOTHING
) -> tuple[Difference, ...]:
    """What `after` does not keep of `before` or adds to it, allowed differences left out.

    `renamed` maps ids of `before` to the ids that continue them.
    """
    found = differences(before, after, renamed=renamed)
    return tuple(difference for difference in found if allowance(difference) is None)


def allowance(difference: Difference) -> Normalisation | None:
    """The normalisation that allows a difference, if any."""
    return next((rule for rule in NORMALISATIONS if rule.covers(difference)), None)


def differences(
    before: Iterable[Object], after: Iterable[Object], *, renamed: Mapping[ObjectId, ObjectId] = _NOTHING
) -> tuple[Difference, ...]:
    """Every fact that the two do not share, sorted; fields that are identical are not looked into."""
    old = {renamed.get(object.id, object.id): _following(object, renamed) for object in before}
    new = by_id(after)
    found: list[Difference] = []
    for id in sorted(old.keys() | new.keys()):
        found += _object_differences(old.get(id), new.get(id), id)
    return tuple(found)


def _following(object: Object, renamed: Mapping[ObjectId, ObjectId]) -> Object:
    """A binding that names the role under its new name: kustomize and the operator rename both."""
    role = mapping(object.data.get("roleRef"))
    new = renamed.get(ObjectId(RBAC_GROUP, str(role.get("kind")), "", str(role.get("name")))) if role else None
    return Object(object.id, {**object.data, "roleRef": {**role, "name": new.name}}) if new else object


def _object_differences(old: Object | None, new: Object | None, id: ObjectId) -> list[Difference]:
    if old is not None and new is not None:
        return _between(_keyed(_unlike(old, new), id, facts), _keyed(_unlike(new, old), id, facts))
    # An object that comes or goes is one difference, not one for each of its fields.
    return _between(_keyed(old, id, _whole), _keyed(new, id, _whole))


def _unlike(object: Object, other: Object) -> Object:
    """The object without the fields that the other has too: no fact is of two fields, and a schema has thousands."""
    same = {field for field, value in object.data.items() if field in other.data and other.data[field] == value}
    return Object(object.id, {field: value for field, value in object.data.items() if field not in same})


def _between(former: Mapping[FactKey, Fact], latter: Mapping[FactKey, Fact]) -> list[Difference]:
    keys = sorted(former.keys() | latter.keys())
    return [Difference(key, *values) for key in keys if (values := _values(former.get(key), latter.get(key)))]


def _whole(object: Object) -> Iterator[Fact]:
    yield next(facts(object))


def _keyed(object: Object | None, id: ObjectId, chosen: Callable[[Object], Iterator[Fact]]) -> Mapping[FactKey, Fact]:
    """The chosen facts by key, under the id that the object is compared as."""
    found = chosen(object) if object is not None else ()
    return {FactKey(id, fact.about.kind, fact.about.key): fact for fact in found}


def _values(former: Fact | None, latter: Fact | None) -> tuple[str | None, str | None] | None:
    if former is not None and latter is not None and former.value == latter.value:
        return None
    return (former.written if former else None, latter.written if latter else None)


def with_every_mark(cluster: Cluster, object: Object) -> Object:
    """A Namespace with the labels and annotations that other Kustomizations give it too (rules.md R17)."""
    if object.id.kind != "Namespace":
        return object
    same = [object, *(o for _, o in cluster.objects() if o.id == object.id)]
    labels = dict(chain.from_iterable(one.labels.items() for one in same))
    annotations = dict(chain.from_iterable(one.annotations.items() for one in same))
    metadata = {**mapping(object.data.get("metadata")), "labels": labels, "annotations": annotations}
    return Object(object.id, {**object.data, "metadata": metadata})

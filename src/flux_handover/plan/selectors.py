"""What a patch's target selects: the rules of kustomize, which the operator's builds follow too.

Group, version, kind, name and namespace are regular expressions for the whole text; label and
annotation selectors are those of Kubernetes (`sigs.k8s.io/kustomize/api:types/selector.go@v0.21.1`,
`k8s.io/apimachinery:pkg/labels/selector.go@v0.34.4`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flux_handover.objects import Object

Pairs = tuple[tuple[str, str], ...]

_SET = re.compile(r"\s*([^\s!=,()]+)\s+(in|notin)\s*\(([^)]*)\)\s*")
_EQUAL = re.compile(r"\s*([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)\s*")
_PRESENT = re.compile(r"\s*(!?)\s*([^\s!=,()]+)\s*")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term of a label selector; `values` is empty where only presence counts."""

    key: str
    negated: bool
    values: tuple[str, ...]

    def holds(self, labels: Mapping[str, Any]) -> bool:
        """Whether the labels satisfy the term; a missing key satisfies a negated one."""
        present = self.key in labels
        if not self.values:
            return present != self.negated
        return (present and str(labels[self.key]) in self.values) != self.negated


def requirements(selector: str) -> tuple[Requirement, ...]:
    """The terms of a label selector; raises ValueError for a text that is none."""
    return tuple(_terms(selector))


def selected(target: Pairs, objects: Iterable[Object]) -> tuple[Object, ...]:
    """The objects that a target selects; an empty target selects nothing."""
    chosen = dict(target)
    return tuple(object for object in objects if chosen and selects(chosen, object))


def by_name(kind: str, names: Iterable[str]) -> Pairs:
    """The target that selects the objects of a kind by their names."""
    found = sorted(names)
    return (("kind", kind), ("name", found[0] if len(found) == 1 else f"({'|'.join(found)})"))


def selects(target: Mapping[str, str], object: Object) -> bool:
    """Whether a target selects an object."""
    group, _, version = object.api_version.rpartition("/")
    facts = {
        "group": group,
        "version": version,
        "kind": object.id.kind,
        "name": object.id.name,
        "namespace": object.id.namespace or "default",
    }
    if not all(_matches(target.get(key, ""), fact) for key, fact in facts.items()):
        return False
    return _labelled(target.get("labelSelector", ""), object.labels) and _labelled(
        target.get("annotationSelector", ""), object.annotations
    )


def _matches(pattern: str, text: str) -> bool:
    if not pattern:
        return True
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:
        return False


def _labelled(selector: str, labels: Mapping[str, Any]) -> bool:
    return all(requirement.holds(labels) for requirement in requirements(selector))


def _terms(selector: str) -> Iterator[Requirement]:
    position = 0
    while selector[position:].strip():
        for pattern in (_SET, _EQUAL, _PRESENT):
            match = pattern.match(selector, position)
            if match and selector[match.end() : match.end() + 1] in ("", ","):
                yield _requirement(pattern, match)
                position = match.end() + 1
                break
        else:
            raise ValueError(f"not a label selector: {selector}")


def _requirement(pattern: re.Pattern[str], match: re.Match[str]) -> Requirement:
    if pattern is _SET:
        values = tuple(value.strip() for value in match[3].split(","))
        return Requirement(match[1], match[2] == "notin", values)
    if pattern is _EQUAL:
        return Requirement(match[1], match[2] == "!=", (match[3],))
    return Requirement(match[2], match[1] == "!", ())

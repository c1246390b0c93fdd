"""Which fields a kind has and which values they take, and what of an object does not fit.

A `FieldTree` is a structural schema (`k8s.io/apiextensions-apiserver:pkg/apiserver/schema@v0.36.3`)
reduced to what decides whether server-side apply accepts an object: it refuses unknown fields,
where other writers drop them in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldTree:
    """One field: `type` is empty where any value goes; `default` holds one value or none."""

    type: str = ""
    fields: Mapping[str, FieldTree] = field(default_factory=dict)
    values: FieldTree | None = None
    elements: FieldTree | None = None
    required: tuple[str, ...] = ()
    enum: tuple[Any, ...] = ()
    pattern: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)
    list_keys: tuple[str, ...] = ()
    is_nullable: bool = False
    keeps_unknown: bool = False
    takes_number_or_text: bool = False
    default: tuple[Any, ...] = field(default=())

    def at(self, *path: str) -> FieldTree | None:
        """The field at a path of names; `*` is any element or value; None where there is none."""
        tree: FieldTree | None = self
        for name in path:
            if tree is None:
                return None
            tree = (tree.elements or tree.values) if name == "*" else tree.fields.get(name, tree.values)
        return tree


IS_NULL = "is null"


@dataclass(frozen=True, slots=True, order=True)
class Misfit:
    """One place of an object that its schema refuses; no value is quoted, it may be a secret."""

    path: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


_LIMITS = (
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
)


def tree_of(schema: Mapping[str, Any]) -> FieldTree:
    """The tree that a structural schema describes."""
    values = schema.get("additionalProperties")
    return FieldTree(
        type=schema.get("type", ""),
        fields={name: tree_of(below) for name, below in schema.get("properties", {}).items()},
        values=_tree_below(values),
        elements=_tree_below(schema.get("items")),
        required=tuple(schema.get("required", ())),
        enum=tuple(schema.get("enum", ())),
        pattern=schema.get("pattern", ""),
        limits={name: schema[name] for name in _LIMITS if name in schema},
        list_keys=tuple(schema.get("x-kubernetes-list-map-keys", ())),
        is_nullable=schema.get("nullable", False),
        keeps_unknown=schema.get("x-kubernetes-preserve-unknown-fields", False) or values is True,
        takes_number_or_text=schema.get("x-kubernetes-int-or-string", False),
        default=(schema["default"],) if "default" in schema else (),
    )


def _tree_below(schema: Any) -> FieldTree | None:
    """The tree of entries, where a schema says more of them than that they are allowed."""
    return tree_of(schema) if isinstance(schema, Mapping) else None


def validate(tree: FieldTree, value: Any, path: str = "") -> tuple[Misfit, ...]:
    """Everything in `value` that the API server would refuse, in order of path."""
    return tuple(sorted(_misfits(tree, value, path)))


def with_defaults(tree: FieldTree, value: Any) -> Any:
    """`value` as the API server stores it: absent fields take their defaults, in objects that are there."""
    if isinstance(value, Mapping):
        return _completed(tree, value)
    if isinstance(value, list) and tree.elements is not None:
        return [with_defaults(tree.elements, element) for element in value]
    return value


def _completed(tree: FieldTree, value: Mapping[str, Any]) -> dict[str, Any]:
    present = {name: below for name, below in value.items() if not _is_dropped(tree.fields.get(name), below)}
    absent = {name: below.default[0] for name, below in tree.fields.items() if below.default and name not in present}
    return {
        name: _defaulted(tree.fields.get(name, tree.values), below) for name, below in {**present, **absent}.items()
    }


def _defaulted(tree: FieldTree | None, value: Any) -> Any:
    return value if tree is None else with_defaults(tree, value)


def _is_dropped(tree: FieldTree | None, value: Any) -> bool:
    return value is None and tree is not None and bool(tree.default) and not tree.is_nullable


def _misfits(tree: FieldTree, value: Any, path: str) -> Iterator[Misfit]:
    if problem := _type_problem(tree, value):
        yield Misfit(path, problem)
    elif value is not None:
        yield from (Misfit(path, problem) for problem in _value_problems(tree, value))
        yield from _below(tree, value, path)


def _below(tree: FieldTree, value: Any, path: str) -> Iterator[Misfit]:
    if isinstance(value, Mapping):
        yield from _object_misfits(tree, value, path)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from _list_misfits(tree, value, path)


def _object_misfits(tree: FieldTree, fields: Mapping[str, Any], path: str) -> Iterator[Misfit]:
    yield from (Misfit(f"{path}.{name}", "is required") for name in tree.required if name not in fields)
    for name, below in fields.items():
        yield from _field_misfits(tree, name, below, f"{path}.{name}")


def _list_misfits(tree: FieldTree, elements: Sequence[Any], path: str) -> Iterator[Misfit]:
    yield from (Misfit(path, f"has two elements with the same {key}") for key in _repeated(tree.list_keys, elements))
    if tree.elements is not None:
        for index, element in enumerate(elements):
            yield from _misfits(tree.elements, element, f"{path}[{index}]")


def _field_misfits(tree: FieldTree, name: str, value: Any, path: str) -> Iterator[Misfit]:
    below = tree.fields.get(name, tree.values)
    if below is not None:
        yield from _misfits(below, value, path)
    elif not tree.keeps_unknown:
        yield Misfit(path, "is not a known field")


def _repeated(keys: Iterable[str], elements: Sequence[Any]) -> Iterator[str]:
    named = tuple(keys)
    seen = [tuple(element.get(key) for key in named) for element in elements if isinstance(element, Mapping)]
    if named and len(set(seen)) < len(seen):
        yield " and ".join(named)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, Sequence) and not isinstance(value, str),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: not isinstance(value, bool) and (isinstance(value, int) or _is_whole(value)),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
}


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _type_problem(tree: FieldTree, value: Any) -> str:
    if value is None:
        return "" if tree.is_nullable or tree.keeps_unknown else IS_NULL
    types = _types(tree)
    return f"must be of type {' or '.join(types)}" if not _fits(types, value) else ""


def _types(tree: FieldTree) -> tuple[str, ...]:
    """The types a value may have; none where every one may stand there."""
    if tree.takes_number_or_text:
        return ("integer", "string")
    return (tree.type,) if tree.type else ()


def _fits(types: tuple[str, ...], value: Any) -> bool:
    return not types or any(_TYPES[name](value) for name in types)


def _value_problems(tree: FieldTree, value: Any) -> Iterator[str]:
    if tree.enum and value not in tree.enum:
        yield f"must be one of {', '.join(map(str, tree.enum))}"
    if tree.pattern and isinstance(value, str) and not re.search(tree.pattern, value):
        yield f"must match {tree.pattern}"
    yield from _broken_limits(tree.limits, value)


def _broken_limits(limits: Mapping[str, Any], value: Any) -> Iterator[str]:
    return (f"breaks {name} {limit}" for name, limit in limits.items() if _exceeds(name, limit, value))


def _exceeds(name: str, limit: float, value: Any) -> bool:
    measured = value if name in ("minimum", "maximum") else len(value)
    return bool(measured < limit if name.startswith("min") else measured > limit)

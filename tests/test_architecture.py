"""The rules of CONTRIBUTING.md that a machine can check: layers, budgets, names, docstrings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "flux_handover"
LAYERS = ("cli", "report", "act", "adapters", "proof", "plan", "model", "catalogue", "")
NEVER = {"fluxtomization", "gc", "utils", "util", "helper", "helpers", "manager", "context", "info", "item", "obj"}
RIGHT = {"field_manager", "field_managers", "override_manager", "overridden_manager"}

MODULES = sorted(path for path in SOURCE.rglob("*.py") if "repository" not in path.parts)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(path)))


@cache
def named(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module: str) -> int:
    package = module.split(".")[1] if module.count(".") > 1 or module.split(".")[-1] in LAYERS else ""
    return LAYERS.index(package if package in LAYERS else "")


@cache
def known() -> frozenset[str]:
    return frozenset(map(named, MODULES))


@cache
def imports(path: Path) -> tuple[str, ...]:
    return tuple(imported(path))


def imported(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known())
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("flux_handover"):
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & known()
            yield from submodules or {node.module}


def functions() -> Iterator[tuple[Path, Function]]:
    for path in MODULES:
        for node in nodes(path):
            if isinstance(node, Function):
                yield path, node


def length(function: Function) -> int:
    """Lines of signature and body, without decorators and docstring."""
    assert function.end_lineno is not None
    total = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        total -= first.end_lineno - first.lineno + 1
    return total


def branches(function: Function) -> int:
    kinds = (ast.If, ast.For, ast.While, ast.ExceptHandler, ast.BoolOp, ast.IfExp, ast.comprehension)
    return 1 + sum(isinstance(node, kinds) for node in ast.walk(function))


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def p90(values: list[int]) -> float:
    return quantiles(values, n=10, method="inclusive")[-1]


def test_imports_point_down() -> None:
    upward = {
        f"{named(path)} -> {target}"
        for path in MODULES
        for target in imports(path)
        if layer(target) < layer(named(path))
    }

    assert upward == set()


def test_no_module_imports_itself_through_others() -> None:
    graph = {named(path): set(imports(path)) - {named(path)} for path in MODULES}

    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_only_the_verbs_import_inside_functions() -> None:
    late = [
        place(path, node)
        for path, function in functions()
        if layer(named(path)) != LAYERS.index("cli")
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert late == []


def test_functions_are_short() -> None:
    lengths = [length(function) for _, function in functions()]
    too_long = [f"{place(path, f)} {f.name}: {length(f)}" for path, f in functions() if length(f) > 50]

    assert too_long == []
    assert median(lengths) <= 8
    assert p90(lengths) <= 25


def test_functions_branch_little() -> None:
    assert p90([branches(function) for _, function in functions()]) <= 5


def test_modules_are_short() -> None:
    lines = {path: len(path.read_text().splitlines()) for path in MODULES}
    too_long = [f"{path.relative_to(ROOT)}: {count}" for path, count in lines.items() if count > 400]

    assert too_long == []
    assert median(lines.values()) <= 200


def public(body: list[ast.stmt]) -> Iterator[Function | ast.ClassDef]:
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def overloaded(node: Function | ast.ClassDef) -> bool:
    return any(isinstance(mark, ast.Name) and mark.id in {"overload", "override"} for mark in node.decorator_list)


def test_every_public_name_has_a_docstring() -> None:
    silent = [named(path) for path in MODULES if ast.get_docstring(parsed(path)) is None]
    silent += [
        f"{place(path, node)} {node.name}"
        for path in MODULES
        for node in public(parsed(path).body)
        if ast.get_docstring(node) is None and not overloaded(node)
    ]

    assert silent == []


def defined(path: Path) -> Iterator[tuple[ast.AST, str]]:
    for node in nodes(path):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield node, name
            case _:
                pass


def words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def test_the_glossary_is_kept() -> None:
    wrong = [f"{place(path, node)} {name}" for path in MODULES for node, name in defined(path) if is_wrong(name)]
    wrong += [named(path) for path in MODULES if words(path.stem) & NEVER]

    assert wrong == []


def is_wrong(name: str) -> bool:
    if name.isupper():
        return False
    return bool(words(name) & NEVER) and not any(right in name.lower() for right in RIGHT)


@pytest.mark.parametrize(
    ("name", "expected"), [("field_manager", False), ("KsManager", True), ("items", False), ("INFO", False)]
)
def test_words_are_found_inside_names(name: str, expected: bool) -> None:
    assert is_wrong(name) is expected


def test_nothing_prints_outside_the_command_line() -> None:
    printing = [
        place(path, node)
        for path in MODULES
        if layer(named(path)) > LAYERS.index("report")
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert printing == []


@pytest.mark.parametrize("adr", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_fits_on_a_page(adr: Path) -> None:
    text = adr.read_text()

    assert len(text.splitlines()) <= 70
    assert [heading for heading in ("# ", "## Context", "## Decision", "## Consequences") if heading not in text] == []

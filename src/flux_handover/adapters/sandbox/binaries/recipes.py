"""How each program of the sandbox is built, as data, and the go.mod that says so to Go.

A program's `replace` directives count only in its own module, so a go.mod that requires the
program must repeat them. That is all a recipe has to do, besides overriding a few of them.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from flux_handover.errors import SandboxError

REPLACE = re.compile(r"^\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>\s+(\S+)(?:\s+(v\S+))?", re.MULTILINE)
OWN = ".go.txt"
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Recipe:
    """A program: which module, at which version and checksum, and what differs from a plain build.

    `added` are files (path to content) that the module lacks, `carried` folders that the program reads
    while it runs, `variables` what the linker sets.
    """

    name: str
    module: str
    version: str
    sum: str
    package: str
    seconds: int
    megabytes: int
    staging: str = ""
    replace: Mapping[str, str] = field(default_factory=lambda: NONE)
    variables: Mapping[str, str] = field(default_factory=lambda: NONE)
    added: Mapping[str, str] = field(default_factory=lambda: NONE)
    carried: Mapping[str, str] = field(default_factory=lambda: NONE)

    @property
    def folder(self) -> str:
        """The name of its folder in the cache."""
        return f"{self.name}-{self.version}"

    @property
    def source(self) -> str:
        """The text of a program of our own; empty for one that is a package of its module."""
        return own_file(self.package) if self.package.endswith(OWN) else ""

    @property
    def linker(self) -> str:
        """The value of `-ldflags`; without symbols, as upstream ships its programs."""
        return " ".join(("-s -w", *(f"-X {name}={value}" for name, value in sorted(self.variables.items()))))

    @property
    def digest(self) -> str:
        """Of everything that decides what is built; a cached program of another digest is built anew."""
        parts = (self.module, self.version, self.sum, self.source or self.package, self.staging)
        maps = (self.replace, self.variables, self.added, self.carried)
        text = json.dumps([parts, [dict(sorted(m.items())) for m in maps]])
        return hashlib.sha256(text.encode()).hexdigest()


def bundled_recipes() -> Mapping[str, Recipe]:
    """The recipes that come with the program, by name."""
    tables = tomllib.loads(own_file("recipes.toml"))
    return MappingProxyType({name: recipe_of(name, table) for name, table in tables.items()})


def own_file(name: str) -> str:
    """The text of a file beside this module."""
    return files(__package__).joinpath(name).read_text("utf-8")


def recipe_of(name: str, table: Mapping[str, Any]) -> Recipe:
    """The recipe that a table of recipes.toml describes."""
    fields: dict[str, Any] = {k: MappingProxyType(v) if isinstance(v, dict) else v for k, v in table.items()}
    return Recipe(name, **fields)


def recipe_named(name: str) -> Recipe:
    """The bundled recipe of a program; raises SandboxError for a program we cannot build."""
    recipes = bundled_recipes()
    if name not in recipes:
        raise SandboxError(f"no recipe builds {name}", hint=f"known programs: {', '.join(sorted(recipes))}")
    return recipes[name]


def module_file(recipe: Recipe, upstream: str, *, place: str = "") -> str:
    """The go.mod of a module that only requires `recipe`, given the program's own go.mod.

    `place` is the folder of a changed copy of the module, if one is needed.
    """
    replacements = {**repeated(recipe, upstream), **recipe.replace}
    if place:
        replacements[recipe.module] = place
    return "\n".join(
        (
            f"module example.org/sandbox/{recipe.name}",
            go_line(upstream),
            f"require {recipe.module} {recipe.version}",
            *(f"replace {old} => {new}" for old, new in sorted(replacements.items())),
            "",
        )
    )


def go_line(upstream: str) -> str:
    """The `go 1.x` line of a go.mod, which decides the language version."""
    return next(line for line in upstream.splitlines() if line.startswith("go "))


def repeated(recipe: Recipe, upstream: str) -> Mapping[str, str]:
    """The program's own replace directives, as a module outside its repository can say them."""
    return {
        old: target
        for old, new, version in REPLACE.findall(upstream)
        if (target := published(recipe, old, new, version))
    }


def published(recipe: Recipe, old: str, new: str, version: str) -> str:
    """Where the module proxy has a replacement, or nothing where plain version choice is right."""
    if not new.startswith("."):
        return f"{new} {version}".strip()
    if recipe.staging and new.startswith("./staging/"):
        return f"{old} {recipe.staging}"
    # A folder of the same repository is published as a module of its own under the version that is required.
    return ""

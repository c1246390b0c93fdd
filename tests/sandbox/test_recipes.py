from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from flux_handover.adapters.sandbox.binaries.doctor import BARE_CLUSTER, EVERYTHING
from flux_handover.adapters.sandbox.binaries.recipes import (
    Recipe,
    bundled_recipes,
    module_file,
    published,
    recipe_named,
)
from flux_handover.errors import SandboxError

TOOL = Recipe("tool", "example.org/tool", "v1.2.3", "h1:abc=", "example.org/tool/cmd", seconds=1, megabytes=1)
UPSTREAM = """\
module example.org/tool

go 1.25.0

replace example.org/tool/api => ./api

replace (
\texample.org/other => example.org/fork v0.1.0
\texample.org/staged v0.0.0 => ./staging/src/example.org/staged
\texample.org/sibling => ../sibling
)

require example.org/other v0.0.9
"""


def test_every_program_of_a_sandbox_has_a_recipe_with_a_checksum() -> None:
    recipes = bundled_recipes()

    assert {*EVERYTHING, *BARE_CLUSTER} <= set(recipes)
    assert all(recipe.sum.startswith("h1:") and recipe.version.startswith("v") for recipe in recipes.values())


def test_a_program_without_a_recipe_is_an_error_that_names_those_with_one() -> None:
    with pytest.raises(SandboxError) as caught:
        recipe_named("kubelet")

    assert "etcd" in caught.value.hint


def test_the_module_file_requires_the_program_at_its_version() -> None:
    lines = module_file(TOOL, UPSTREAM).splitlines()

    assert "require example.org/tool v1.2.3" in lines
    assert "go 1.25.0" in lines


def test_replacements_by_published_modules_are_repeated() -> None:
    assert "replace example.org/other => example.org/fork v0.1.0" in module_file(TOOL, UPSTREAM)


@pytest.mark.parametrize("local", ["example.org/tool/api", "example.org/sibling", "example.org/staged"])
def test_replacements_by_folders_are_left_to_their_published_modules(local: str) -> None:
    assert f"replace {local} " not in module_file(TOOL, UPSTREAM)


def test_a_staging_folder_is_replaced_by_the_module_it_is_published_as() -> None:
    recipe = replace(TOOL, staging="v0.34.4")

    assert "replace example.org/staged => example.org/staged v0.34.4" in module_file(recipe, UPSTREAM)


def test_a_recipe_overrides_what_upstream_replaces() -> None:
    recipe = replace(TOOL, replace=MappingProxyType({"example.org/other": "example.org/other v0.2.0"}))

    text = module_file(recipe, UPSTREAM)

    assert "replace example.org/other => example.org/other v0.2.0" in text
    assert "example.org/fork" not in text


def test_a_changed_copy_takes_the_place_of_the_module() -> None:
    assert "replace example.org/tool => /copy" in module_file(TOOL, UPSTREAM, place="/copy")


@pytest.mark.parametrize(
    ("new", "version", "expected"),
    [("example.org/x", "v1.0.0", "example.org/x v1.0.0"), ("./api", "", ""), ("../up", "", "")],
)
def test_only_published_modules_can_be_named_from_outside(new: str, version: str, expected: str) -> None:
    assert published(TOOL, "example.org/old", new, version) == expected


@pytest.mark.parametrize(
    "changed",
    [
        replace(TOOL, version="v1.2.4"),
        replace(TOOL, sum="h1:def="),
        replace(TOOL, variables=MappingProxyType({"main.VERSION": "v1"})),
        replace(TOOL, added=MappingProxyType({"a.txt": ""})),
        replace(TOOL, carried=MappingProxyType({"data": "data"})),
    ],
)
def test_whatever_decides_the_build_changes_the_digest(changed: Recipe) -> None:
    assert changed.digest != TOOL.digest


def test_what_is_only_measured_does_not_change_the_digest() -> None:
    assert replace(TOOL, seconds=99, megabytes=99).digest == TOOL.digest


def test_the_linker_sets_the_variables_in_a_fixed_order() -> None:
    recipe = replace(TOOL, variables=MappingProxyType({"b.B": "2", "a.A": "1"}))

    assert recipe.linker == "-s -w -X a.A=1 -X b.B=2"


def test_a_program_of_our_own_carries_its_source() -> None:
    recipes = bundled_recipes()

    assert "package main" in recipes["gitssh"].source
    assert recipes["etcd"].source == ""

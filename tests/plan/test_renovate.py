"""Renovate sees every version that the plan writes, and moves them together."""

import pytest
from builders import repo, yaml_text
from planning import CASES, Reader, tree_of

from flux_handover.plan.edits import edited
from flux_handover.plan.phases import PhaseName
from flux_handover.plan.renovate import ANNOTATION, pins, renovated, unseen
from flux_handover.plan.renovate_config import matches, renovate_config, translated
from flux_handover.plan.renovate_json import UnreadableConfig, quoted, read_json5
from flux_handover.plan.target import Target
from flux_handover.tree import Tree

HELMFILE = "fleet/install/helmfile.yaml"
MINIMAL = '{\n  "extends": ["config:recommended"]\n}\n'
SEES_ALL = """
    {
      // read everything
      extends: ['config:recommended'],
      flux: { managerFilePatterns: ['/\\\\.yaml$/'] },
      customManagers: [
        {
          customType: 'regex',
          managerFilePatterns: ['**/*.yaml'],
          matchStrings: ['datasource=(?<datasource>\\\\S+) depName=(?<depName>\\\\S+)\\\\n.+: (?<currentValue>\\\\S+)'],
        },
      ],
      packageRules: [
        { groupName: 'flux', matchDatasources: ['docker'], matchPackageNames: ['/flux-(operator|instance)/'] },
      ],
    }
    """


@pytest.fixture(scope="module")
def moved(reader: Reader) -> tuple[Target, Tree]:
    plan = reader.plan(tree_of(CASES / "plan-namespace-directories" / "before"))
    return plan.target, next(phase.tree for phase in plan.phases if phase.name is PhaseName.BOOTSTRAP)


def test_each_chart_is_pinned_in_its_source_and_in_the_helmfile(moved: tuple[Target, Tree]) -> None:
    target, tree = moved

    assert [pin.reader for pin in pins(target, HELMFILE, tree)] == ["flux", "flux", "helmfile", "helmfile"]


@pytest.mark.parametrize(
    "config",
    [
        MINIMAL,
        "{}\n",
        '{ "extends": ["config:recommended"] }\n',
        "{\n  extends: ['config:recommended'],\n  flux: {\n    managerFilePatterns: ['/^other/'],\n  },\n}\n",
        '{\n  "flux": {\n    "fileMatch": ["^other/"]\n  },\n  "packageRules": [],\n  "customManagers": []\n}\n',
    ],
)
def test_what_is_proposed_is_found_by_the_expressions_themselves(config: str, moved: tuple[Target, Tree]) -> None:
    target, tree = moved
    before = tree.with_file("renovate.json5", config.encode())

    after = edited(before, renovated(target, HELMFILE, before))

    assert unseen(target, HELMFILE, before) != ()
    assert unseen(target, HELMFILE, after) == ()
    assert list(renovated(target, HELMFILE, after)) == []


@pytest.mark.parametrize("config", [MINIMAL, yaml_text(SEES_ALL)])
def test_lines_that_were_there_stay(config: str, moved: tuple[Target, Tree]) -> None:
    target, tree = moved
    before = tree.with_file("renovate.json5", config.encode())

    after = edited(before, renovated(target, HELMFILE, before)).read("renovate.json5").decode().splitlines()

    kept = iter(line.rstrip(",") for line in after)
    assert all(line.rstrip(",") in kept for line in config.splitlines())


def test_a_configuration_that_sees_everything_needs_the_comment_alone(moved: tuple[Target, Tree]) -> None:
    target, tree = moved
    before = tree.with_file(".renovaterc.json5", yaml_text(SEES_ALL).encode())

    (operation,) = renovated(target, HELMFILE, before)

    after = edited(before, [operation])
    old, new = (t.read(target.layout.instance.release).decode() for t in (before, after))
    line = next(line for line in old.splitlines() if line.strip().startswith("version:"))
    indent = line[: len(line) - len(line.lstrip())]
    assert new == old.replace(line, f"{indent}{ANNOTATION}\n{line}")


def test_without_renovate_nothing_is_done(moved: tuple[Target, Tree]) -> None:
    target, tree = moved

    assert list(renovated(target, HELMFILE, tree)) == []


def test_a_rule_for_some_files_only_is_no_group(moved: tuple[Target, Tree]) -> None:
    target, tree = moved
    narrow = yaml_text(SEES_ALL).replace("groupName", "matchFileNames: ['a/**'], groupName")
    before = tree.with_file("renovate.json5", narrow.encode())

    changed = [type(operation).__name__ for operation in renovated(target, HELMFILE, before)]

    assert len(changed) == 2


def test_the_first_file_in_renovates_order_counts() -> None:
    config = renovate_config(repo(".renovaterc.json5", "{a: 1}", ".github/renovate.json5", "{b: 1}"))

    assert config is not None
    assert config.main.path == ".github/renovate.json5"


def test_presets_of_the_same_repository_belong_to_it_and_others_are_named() -> None:
    tree = repo(
        "renovate.json",
        '{"extends": ["github>some/fleet//rules/flux.json5", "github>some/presets", "config:recommended"]}',
        "rules/flux.json5",
        "{flux: {fileMatch: ['[.]yaml$']}}",
    )

    config = renovate_config(tree)

    assert config is not None
    assert config.reads("flux", "a/b.yaml")
    assert config.foreign == ("github>some/presets",)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("/(^|/)helmfile\\.ya?ml$/", "a/helmfile.yaml", True),
        ("/HELM/i", "a/helmfile.yaml", True),
        ("/HELM/", "a/helmfile.yaml", False),
        ("**/*.yaml", "a.yaml", True),
        ("k8s/**", "k8s/a/b.yaml", True),
        ("a/*.yaml", "a/b/c.yaml", False),
        ("a.{yaml,yml}", "a.yml", True),
        ("/[/", "anything", False),
    ],
)
def test_patterns_are_expressions_or_globs(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


def test_named_groups_are_translated_and_lookbehinds_kept() -> None:
    assert translated(r"(?<a>x)(?<=y)(?<!z)\/") == r"(?P<a>x)(?<=y)(?<!z)/"


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("{a: 'it\\'s', /* c */ 'b': [1, 'x',],}", "b", ("x",)),
        ('// c\n{"a": "\\u0041\\n"}', "a", ("A\n",)),
        ("{a: {b: 1}}", "b", ()),
    ],
)
def test_json5_is_read(text: str, key: str, expected: tuple[str, ...]) -> None:
    assert read_json5(text).strings(key) == expected


@pytest.mark.parametrize("text", ["", "{", "{a 1}", "{a: }", "[1 2]", "{} {}", "{a: 'x}", "[" * 100 + "]" * 100])
def test_what_is_not_json5_is_refused(text: str) -> None:
    with pytest.raises(UnreadableConfig):
        read_json5(text)


@pytest.mark.parametrize(
    ("text", "sample", "expected"),
    [("a", "{'b': 'c'}", "'a'"), ("a", '{"b": 1}', '"a"'), ("it's", "'x'", '"it\'s"'), ('"', "'x'", "'\"'")],
)
def test_a_text_takes_the_quotes_of_its_file(text: str, sample: str, expected: str) -> None:
    assert quoted(text, sample) == expected

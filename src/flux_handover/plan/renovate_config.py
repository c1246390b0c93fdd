"""What Renovate sees of a repository: its configuration, the files of it, and which manager reads a line (R23).

Defaults and merging follow `renovatebot/renovate:lib/modules/manager/{flux,helmfile}/index.ts` and its
documentation: file patterns of the user are added to a manager's own. Presets that lie in other
repositories are not known here, and said so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flux_handover.plan.bootstrap_commands import text_of
from flux_handover.plan.renovate_json import UnreadableConfig, Value, read_json5
from flux_handover.tree import Tree

CONFIG_NAMES = (
    "renovate.json",
    "renovate.json5",
    ".github/renovate.json",
    ".github/renovate.json5",
    ".gitlab/renovate.json",
    ".gitlab/renovate.json5",
    ".renovaterc",
    ".renovaterc.json",
    ".renovaterc.json5",
)
"""Where Renovate looks, in its order: the first one counts."""

_DEFAULTS = {
    "flux": (r"/(?:^|/)gotk-components\.ya?ml$/",),
    "helmfile": (r"/(^|/)helmfile\.ya?ml(?:\.gotmpl)?$/", r"/(^|/)helmfile\.d/.+\.ya?ml(?:\.gotmpl)?$/"),
}
_LOCAL_PRESET = re.compile(r"^(?:github|gitlab|local)>[^/]+/[^/]+//(.+?)(?:#.*)?$")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file of the configuration."""

    path: str
    text: str
    root: Value


@dataclass(frozen=True, slots=True)
class RenovateConfig:
    """The configuration: the file that Renovate finds first, and the presets of it in this repository."""

    files: tuple[ConfigFile, ...]
    foreign: tuple[str, ...]

    @property
    def main(self) -> ConfigFile:
        """The file that Renovate finds first."""
        return self.files[0]

    def reads(self, reader: str, path: str) -> bool:
        """Whether a manager extracts from a file."""
        patterns = (*_DEFAULTS.get(reader, ()), *(p for file in self.files for p in _patterns(file.root.get(reader))))
        return not self.ignores(path) and any(matches(pattern, path) for pattern in patterns)

    def misses(self, reader: str, path: str) -> bool:
        """Whether only a pattern of the manager keeps it from a file."""
        return not self.reads(reader, path) and not self.ignores(path)

    def ignores(self, path: str) -> bool:
        """Whether the configuration leaves a path out."""
        return any(matches(pattern, path) for file in self.files for pattern in file.root.strings("ignorePaths"))

    def expressions(self, path: str) -> Iterator[str]:
        """The expressions of custom managers that are run over a file, as Python reads them."""
        for reader in self._custom_managers():
            if any(matches(pattern, path) for pattern in _patterns(reader)) and not self.ignores(path):
                yield from map(translated, reader.strings("matchStrings"))

    def _custom_managers(self) -> Iterator[Value]:
        for file in self.files:
            yield from _custom(file.root)

    def extracts(self, path: str, text: str, value: str) -> bool:
        """Whether some custom manager finds exactly this version in a text."""
        return any(value in _values(expression, text) for expression in self.expressions(path))

    def groups(self) -> Iterator[Value]:
        """The package rules that give a group its name."""
        for file in self.files:
            yield from (rule for rule in _elements(file.root.get("packageRules")) if rule.get("groupName"))


def renovate_config(tree: Tree) -> RenovateConfig | None:
    """How this repository configures Renovate; None where it does not use it, or it cannot be read."""
    main = next((_config_file(path, tree) for path in CONFIG_NAMES if path in tree), None)
    if main is None:
        return None
    presets = {preset: _local(preset, tree) for preset in main.root.strings("extends")}
    foreign = tuple(preset for preset, file in presets.items() if file is None and ">" in preset)
    return RenovateConfig((main, *filter(None, presets.values())), foreign)


def _local(preset: str, tree: Tree) -> ConfigFile | None:
    """A preset that is a file of this repository."""
    match = _LOCAL_PRESET.match(preset)
    found = [path for path in _candidates(match[1]) if path in tree] if match is not None else []
    return _config_file(found[0], tree) if found else None


def _custom(root: Value) -> tuple[Value, ...]:
    """The custom managers, by today's name or the older one."""
    return tuple(value for name in ("customManagers", "regexManagers") for value in _elements(root.get(name)))


def _elements(value: Value | None) -> tuple[Value, ...]:
    return value.elements or () if value is not None else ()


def _candidates(path: str) -> tuple[str, ...]:
    return (path, f"{path}.json", f"{path}.json5")


def _config_file(path: str, tree: Tree) -> ConfigFile | None:
    text = text_of(tree, path)
    try:
        return ConfigFile(path, text, read_json5(text))
    except UnreadableConfig:
        return None


def _patterns(reader: Value | None) -> Iterator[str]:
    """File patterns of a manager; those of the older `fileMatch` are expressions without slashes."""
    if reader is not None:
        yield from reader.strings("managerFilePatterns")
        yield from (f"/{expression}/" for expression in reader.strings("fileMatch"))


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern of Renovate, an expression between slashes or a glob, matches a path or name."""
    if len(pattern) > 1 and pattern.startswith("/") and pattern.rstrip("i").endswith("/"):
        flags = re.IGNORECASE if pattern.endswith("/i") else 0
        expression = translated(pattern.removesuffix("i")[1:-1])
        return _searched(expression, path, flags)
    return re.fullmatch(_glob(pattern), path) is not None


def _searched(expression: str, text: str, flags: int = 0) -> bool:
    try:
        return re.search(expression, text, flags) is not None
    except re.error:
        return False


def translated(expression: str) -> str:
    """An expression of RE2 or JavaScript as Python writes it."""
    return re.sub(r"\(\?<(?![=!])", "(?P<", expression).replace("\\/", "/").replace("\\z", "\\Z")


def _values(expression: str, text: str) -> Iterator[str]:
    try:
        found = re.finditer(expression, text)
    except re.error:
        return
    yield from (match["currentValue"] for match in found if match.groupdict().get("currentValue"))


def _glob(pattern: str) -> str:
    """minimatch: `**` any directories, `*` within one, `{a,b}` one of them."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\{[^{}]*\})", pattern)
    written = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(written.get(part) or _alternatives(part) for part in parts)


def _alternatives(part: str) -> str:
    if part.startswith("{"):
        return "(?:" + "|".join(map(re.escape, part[1:-1].split(","))) + ")"
    return re.escape(part)

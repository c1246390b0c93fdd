"""Each pinned version that the plan writes is found by Renovate, and all of them move together (R23).

Expressions are run over the lines that are written. What no manager finds gets a comment or a rule
that does, and that is run as well before it is proposed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flux_handover.plan.bootstrap_commands import text_of
from flux_handover.plan.edits import edit
from flux_handover.plan.operations import Operation, ReplaceText
from flux_handover.plan.renovate_config import ConfigFile, RenovateConfig, matches, renovate_config
from flux_handover.plan.renovate_json import Value, quoted
from flux_handover.plan.target import Target
from flux_handover.tree import Tree, alike

ANNOTATION = "# renovate: datasource=github-releases depName=fluxcd/flux2"

_EXPRESSION = (
    r"# renovate: datasource=(?<datasource>\S+) depName=(?<depName>\S+)\n\s*\S+:\s*[\"']?(?<currentValue>[^\s\"']+)"
)


@dataclass(frozen=True, slots=True)
class Pin:
    """One version that the plan wrote: the manager that should read it, and the package it names."""

    reader: str
    path: str
    package: str


def renovated(target: Target, helmfile: str, tree: Tree) -> Iterator[Operation]:
    """What the repository's configuration lacks to see Flux's new versions; nothing where it has none."""
    for step in (_file_patterns, _annotation, _group):
        config = renovate_config(tree)
        if config is None:
            return
        for operation in step(config, target, helmfile, tree):
            tree = edit(tree, operation)
            yield operation


def pins(target: Target, helmfile: str, tree: Tree) -> tuple[Pin, ...]:
    """The chart versions: in the sources that Flux reads, and in the Helmfile."""
    charts = {
        release.source.name: release.chart.removeprefix("oci://") for release in (target.operator, target.instance)
    }
    layout = target.layout
    sources = [(layout.operator.source, target.operator), (layout.instance.source, target.instance)]
    found = [Pin("flux", path, charts[release.name]) for path, release in sources if path in tree]
    return (*found, *(Pin("helmfile", helmfile, chart) for chart in charts.values() if helmfile in tree))


def unseen(target: Target, helmfile: str, tree: Tree) -> tuple[str, ...]:
    """Versions that no manager of the configuration finds, as sentences."""
    config = renovate_config(tree)
    if config is None:
        return ()
    told = [
        f"{pin.path}: {pin.package}" for pin in pins(target, helmfile, tree) if not config.reads(pin.reader, pin.path)
    ]
    place = _version_line(target, tree)
    if place is not None and not _is_annotated(config, target, tree):
        told.append(f"{place[0]}: distribution.version")
    return tuple(told)


def _file_patterns(config: RenovateConfig, target: Target, helmfile: str, tree: Tree) -> Iterator[Operation]:
    """File patterns of the managers `flux` and `helmfile`, where they leave the new files out."""
    for reader in ("flux", "helmfile"):
        paths = {pin.path for pin in pins(target, helmfile, tree) if pin.reader == reader}
        missed = sorted(path for path in paths if config.misses(reader, path))
        if missed:
            yield _with_pattern(config.main, reader, _exactly(missed))


def _exactly(paths: list[str]) -> str:
    return "/^(?:" + "|".join(path.replace(".", "\\.") for path in paths) + ")$/"


def _with_pattern(file: ConfigFile, reader: str, pattern: str) -> Operation:
    why = f"manager {reader} of Renovate reads the new files"
    existing = file.root.get(reader)
    key = "managerFilePatterns"
    if existing is not None and existing.get("fileMatch") is not None:
        key, pattern = "fileMatch", pattern.strip("/")
    patterns = existing.get(key) if existing is not None else None
    if patterns is not None and patterns.elements:
        return _inserted(file, patterns, quoted(pattern, file.text), why)
    if existing is not None:
        return _inserted(file, existing, f"{_key(key, file)}: [{quoted(pattern, file.text)}]", why)
    body = f"{_key(reader, file)}: {{ {_key(key, file)}: [{quoted(pattern, file.text)}] }}"
    return _inserted(file, file.root, body, why)


def _version_line(target: Target, tree: Tree) -> tuple[str, str] | None:
    """The file and line with `distribution.version`, which no manager of Renovate knows by itself."""
    layout = target.layout.instance
    version = str(target.distribution.get("version", "")).removeprefix("v")
    for path in (layout.release, layout.manifest):
        lines = text_of(tree, path).splitlines()
        wanted = re.compile(rf"\s+version: [\"']?v?{re.escape(version)}[\"']?")
        found = [line for line in lines if wanted.fullmatch(line)]
        if len(found) == 1:
            return path, found[0]
    return None


def _is_annotated(config: RenovateConfig, target: Target, tree: Tree) -> bool:
    place = _version_line(target, tree)
    if place is None:
        return True
    value = place[1].split(":", 1)[1].strip().strip("\"'")
    return config.extracts(place[0], text_of(tree, place[0]), value)


def _annotation(config: RenovateConfig, target: Target, helmfile: str, tree: Tree) -> Iterator[Operation]:
    """A comment above the version, and a custom manager for it where no expression finds it."""
    place = _version_line(target, tree)
    if place is None or _is_annotated(config, target, tree) or config.ignores(place[0]):
        return
    path, line = place
    if ANNOTATION not in text_of(tree, path):
        indent = line[: len(line) - len(line.lstrip())]
        comment = ReplaceText(path, line, f"{indent}{ANNOTATION}\n{line}", "Renovate sees the version of Flux")
        yield comment
        tree = edit(tree, comment)
    if not _is_annotated(config, target, tree):
        yield _with_expression(config.main, path)


def _with_expression(file: ConfigFile, path: str) -> Operation:
    key = "fileMatch" if "fileMatch" in file.text else "managerFilePatterns"
    pattern = f"^{path.replace('.', chr(92) + '.')}$"
    written = pattern if key == "fileMatch" else f"/{pattern}/"
    fields = (
        ("customType", quoted("regex", file.text)),
        ("description", quoted("The version of Flux, with a comment above it", file.text)),
        (key, f"[{quoted(written, file.text)}]"),
        ("matchStrings", f"[{quoted(_EXPRESSION, file.text)}]"),
    )
    body = _object(fields, file)
    why = "an expression that finds the version of Flux"
    readers = file.root.get("customManagers")
    if readers is not None:
        return _inserted(file, readers, body, why)
    return _inserted(file, file.root, _list("customManagers", body, file), why)


def _group(config: RenovateConfig, target: Target, helmfile: str, tree: Tree) -> Iterator[Operation]:
    """One group for the charts of both releases, wherever their versions stand."""
    packages = sorted({pin.package for pin in pins(target, helmfile, tree)})
    if len(packages) < 2 or any(all(_names(rule, package) for package in packages) for rule in config.groups()):
        return
    file = config.main
    fields = (
        ("description", quoted("The operator and its instance are one thing", file.text)),
        ("groupName", quoted("flux-operator", file.text)),
        ("matchDatasources", f"[{quoted('docker', file.text)}]"),
        ("matchPackageNames", "[" + ", ".join(quoted(package, file.text) for package in packages) + "]"),
    )
    body = _object(fields, file)
    why = "operator, instance and Helmfile move together"
    rules = file.root.get("packageRules")
    if rules is not None:
        yield _inserted(file, rules, body, why)
    else:
        yield _inserted(file, file.root, _list("packageRules", body, file), why)


def _names(rule: Value, package: str) -> bool:
    """Whether a rule holds for a package of datasource docker, wherever its version stands."""
    sources = rule.strings("matchDatasources") or ("docker",)
    narrow = rule.get("matchManagers") or rule.get("matchFileNames")
    return narrow is None and _any_matches(sources, "docker") and _any_matches(_packages(rule), package)


def _packages(rule: Value) -> tuple[str, ...]:
    """The patterns of packages; those of the older fields are written as today's."""
    expressions = (f"/{expression}/" for expression in rule.strings("matchPackagePatterns"))
    prefixes = (f"{prefix}**" for prefix in rule.strings("matchPackagePrefixes"))
    return (*rule.strings("matchPackageNames"), *expressions, *prefixes)


def _any_matches(patterns: tuple[str, ...], text: str) -> bool:
    return any(matches(pattern, text) for pattern in patterns)


def _key(name: str, file: ConfigFile) -> str:
    """A key as the file writes its own: bare, or in its quotes."""
    first = next((key for key, _ in file.root.members or ()), "$schema")
    is_bare = re.search(rf"(?<![\"']){re.escape(first)}\s*:", file.text) is not None
    return name if is_bare else quoted(name, file.text)


def _inserted(file: ConfigFile, holder: Value, body: str, why: str) -> Operation:
    """Text put before the closing bracket of a list or object, as one more line of it; nothing else moves."""
    if not holder.children:
        text = f"{file.text[: holder.start + 1]} {body} {file.text[holder.end - 1 :]}"
        return _as_lines(file, text, why)
    last = holder.children[-1]
    rest = file.text[last.end : holder.end - 1]
    comma = rest.find(",") + 1 if rest.lstrip().startswith(",") else 0
    at = last.end + comma
    before = file.text[:at] + ("" if comma else ",")
    if "\n" not in rest:
        return _as_lines(file, f"{before} {_on_one_line(body)}{file.text[at:]}", why)
    indent = f"\n{_indent(file.text, last.start)}"
    written = indent + body.replace("\n", indent) + ("," if comma else "")
    return _as_lines(file, before + written + file.text[at:], why)


def _on_one_line(body: str) -> str:
    return re.sub(r",?\n\s*", lambda match: ", " if match.group().startswith(",") else " ", body)


def _list(name: str, body: str, file: ConfigFile) -> str:
    """A new list with one object."""
    inner = body.replace("\n", "\n  ")
    return f"{_key(name, file)}: [\n  {inner}\n]"


def _object(fields: tuple[tuple[str, str], ...], file: ConfigFile) -> str:
    """An object with a line for each field, a comma after the last one where the file writes it so."""
    trailing = "," if re.search(r",\s*[}\]]", file.text) else ""
    lines = ",\n".join(f"  {_key(name, file)}: {value}" for name, value in fields)
    return f"{{\n{lines}{trailing}\n}}"


def _indent(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 :]
    return line[: len(line) - len(line.lstrip())]


def _as_lines(file: ConfigFile, text: str, why: str) -> Operation:
    """The change as whole lines; more of them where the same lines stand elsewhere too."""
    old, new = file.text.split("\n"), text.split("\n")
    first = alike(old, new)
    same = alike(old[first:][::-1], new[first:][::-1])
    first, after = max(first - 1, 0), len(old) - same
    while file.text.count("\n".join(old[first:after])) > 1 and first > 0:
        first -= 1
    return ReplaceText(file.path, "\n".join(old[first:after]), "\n".join(new[first : after + len(new) - len(old)]), why)

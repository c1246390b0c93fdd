"""The repository's own runner, brought to the new steps: the old install line goes, all others stay (R21).

Only lines whose whole meaning is one command are replaced. What is more than that is left and named.
A line that serves several clusters by a variable goes on serving those that are not handed over yet.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flux_handover.model.references_text import sort_of
from flux_handover.model.rendering import Cluster
from flux_handover.plan.bootstrap_commands import Command, commands, text_of
from flux_handover.plan.bootstrap_needs import Need, root_needs
from flux_handover.plan.bootstrap_steps import BootstrapStep, Installs, installs_flux
from flux_handover.plan.bootstrap_texts import Spelling, Texts, file_with
from flux_handover.plan.bootstrap_writing import Home, Nearness
from flux_handover.plan.operations import Operation, ReplaceText
from flux_handover.plan.target import Target
from flux_handover.tree import Tree

_SIMPLE = re.compile(
    r"(?P<lead>\s*(?:-\s+(?:cmd:\s+)?)?)(?P<quote>['\"]?)"
    r"(?P<command>[@-]?(?:kubectl|flux|helm|helmfile)\s.*?)(?P=quote)\s*"
)
_MORE = re.compile(r"[;&]|\|\||\bthen\b")
_FLAG = re.compile(r"--(kubeconfig|context)[=\s]+((?:\{\{[^}]*\}\}|\S)+)")
_SYNC = re.compile(r"\bhelmfile\b.*\b(?:sync|apply)\b")
_RECIPE = re.compile(r"^([\w-]+)(?:\s[^:=]*)?:(?!=)(.*)$")


@dataclass(frozen=True, slots=True)
class Ground:
    """What the new steps of one cluster are written from; `helmfile` is the one with Flux's releases."""

    cluster: Cluster
    target: Target
    helmfile: str
    near: Nearness
    releases: Mapping[str, str]

    def texts(self, spelling: Spelling, flags: Mapping[str, str]) -> Texts:
        """The commands in a runner's manner."""
        return Texts(self.target, self.cluster.builds[self.cluster.root].ks.source, spelling, flags)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a runner that is one command: what stands before it, and its quote."""

    command: Command
    old: str
    lead: str
    quote: str
    text: str

    def with_command(self, text: str) -> str:
        """Another line of the same kind; a plain YAML value that would break is quoted."""
        in_yaml = "- " in self.lead
        breaks = ": " in text or " #" in text or text[0] in "{['\""
        quote = self.quote or ("'" if in_yaml and breaks else "")
        return f"{self.lead}{quote}{text}{quote}"


def missing_needs(cluster: Cluster, steps: tuple[BootstrapStep, ...]) -> tuple[Need, ...]:
    """What the root needs and no step creates."""
    created = {id for step in steps for id in step.creates}
    return tuple(need for need in root_needs(cluster) if need.id not in created)


def ported(ground: Ground, steps: tuple[BootstrapStep, ...], tree: Tree) -> Iterator[Operation]:
    """Each line that installs Flux in the old way, replaced where one line can be."""
    for step in steps:
        line = _line(step.command, tree) if Installs.FLUX in step.installs else None
        if line is not None:
            yield from _ported(ground, line, steps, tree)


def without_files(files: frozenset[str], steps: tuple[BootstrapStep, ...], tree: Tree) -> Iterator[Operation]:
    """The lines that apply nothing but files that go, taken out."""
    for step in steps:
        line = _line(step.command, tree) if step.command.paths and set(step.command.paths) <= files else None
        if line is not None:
            yield _replaced(line, [], "what this line applies is gone")


def _line(command: Command, tree: Tree) -> _Line | None:
    if sort_of(command.where.file) not in ("task runner", "script"):
        return None
    lines = text_of(tree, command.where.file).splitlines()[command.where.line - 1 : command.last]
    first, *rest = (line.removesuffix("\\") for line in lines)
    match = _SIMPLE.fullmatch(" ".join((first, *map(str.strip, rest))))
    if match is None or _MORE.search(match["command"].replace("&>", "")):
        return None
    return _Line(command, "\n".join(lines), match["lead"], match["quote"], match["command"])


def _ported(ground: Ground, line: _Line, steps: tuple[BootstrapStep, ...], tree: Tree) -> Iterator[Operation]:
    texts = ground.texts(_spelling(line), dict(_FLAG.findall(line.command.text)))
    serves_others = _serves_others(line.command, tree)
    install = texts.install(ground.helmfile)
    before = [] if serves_others else list(_inputs(ground, texts, steps, tree))
    first = [texts.namespace()]
    if serves_others:
        there = texts.spelled(ground.helmfile)
        first.append(f"test -f {there} || {line.text}")
        install = [f"test ! -f {there} || {text}" for text in install]
    root = _root_step(line, ground.cluster, steps, tree)
    why = "this line applied the old install manifest"
    if root is None:
        yield _replaced(line, [line.with_command(text) for text in (*first, *before, *install)], why)
        return
    yield _replaced(line, [line.with_command(text) for text in first], why)
    why = "the operator, Flux and its kinds are there before the root objects are applied"
    yield _replaced(root, [*(root.with_command(text) for text in (*before, *install)), root.old], why)


def _replaced(line: _Line, new: list[str], why: str) -> Operation:
    return ReplaceText(line.command.where.file, line.old, "\n".join(new), why)


def _serves_others(command: Command, tree: Tree) -> bool:
    """Whether a variable in the line chooses among the install manifests of several clusters."""
    return len({path for path, _ in command.chosen if installs_flux(path, tree)}) > 1


def _inputs(ground: Ground, texts: Texts, steps: tuple[BootstrapStep, ...], tree: Tree) -> Iterator[str]:
    """Commands for the secrets and variables that Git holds and no step of the repository creates."""
    for need in missing_needs(ground.cluster, steps):
        path = file_with(need.id, ground.near, tree) if need.id.group == "" else None
        if path is not None:
            yield texts.from_git(need.id, path, tree)


def _root_step(line: _Line, cluster: Cluster, steps: tuple[BootstrapStep, ...], tree: Tree) -> _Line | None:
    """The later line of the same recipe that applies the root objects."""
    last = _end_of_block(line, text_of(tree, line.command.where.file))
    for step in steps:
        same_file = step.where.file == line.command.where.file
        if same_file and line.command.last < step.where.line <= last and cluster.root in step.creates:
            return _line(step.command, tree)
    return None


def _end_of_block(line: _Line, text: str) -> int:
    """The last line that is indented as much as the command, from it on."""
    depth = len(line.lead) - len(line.lead.lstrip())
    lines = text.splitlines()
    for number in range(line.command.last, len(lines)):
        stripped = lines[number].lstrip()
        if stripped and len(lines[number]) - len(stripped) < depth:
            return number
    return len(lines)


def _spelling(line: _Line) -> Spelling:
    """How the old line names a path of this cluster, so that new ones are named the same way."""
    for word in re.findall(r"(?:\{\{[^}]*\}\}|[^\s'\"=|])+", line.command.text):
        hole = word.rfind("}") + 1
        tail = word[hole:].strip("/")
        for path in line.command.paths:
            if hole and tail and f"/{path}".endswith(f"/{tail}"):
                return Spelling(word[:hole], path[: -len(tail)].strip("/"))
    return Spelling("", "")


def followed(home: Home, left: set[str], tree: Tree) -> Iterator[Operation]:
    """A runner that synced the Helmfile which the releases leave syncs the new one after it."""
    for command in commands(tree):
        for old in sorted(left & set(command.paths)) if _SYNC.search(command.text) else ():
            if posixpath.dirname(old) == posixpath.dirname(home.path):
                yield from _also(command, posixpath.basename(old), posixpath.basename(home.path), tree)


def _also(command: Command, old: str, new: str, tree: Tree) -> Iterator[Operation]:
    line = _line(command, tree)
    why = f"{old} does not hold Flux's releases any more"
    if line is not None:
        yield _replaced(line, [line.old, line.old.replace(old, new)], why)
    elif command.where.file.endswith("just") or command.where.file.endswith("justfile"):
        yield from _recipe(command, old, new, why, tree)


def _recipe(command: Command, old: str, new: str, why: str, tree: Tree) -> Iterator[Operation]:
    """A just recipe of more than one command, written again for the new Helmfile and run after the old one."""
    lines = text_of(tree, command.where.file).splitlines()
    head = next(n for n in range(command.where.line - 1, -1, -1) if _RECIPE.match(lines[n]))
    name = lines[head].partition(":")[0].split()[0]
    block = lines[_first(lines, head) : _last(lines, head)]
    again = [_renamed(line, name, old, new) for line in block]
    yield ReplaceText(command.where.file, "\n".join(block), "\n".join([*block, "", *again]), why)
    for line, longer in _dependents(lines, name):
        yield ReplaceText(command.where.file, line, longer, why)


def _dependents(lines: list[str], name: str) -> Iterator[tuple[str, str]]:
    """The heads of recipes that depend on one, and the same with the new recipe after it."""
    word = re.compile(rf"(?<![\w-]){name}(?![\w-])")
    for line in lines:
        recipe = _RECIPE.match(line)
        if recipe is not None and word.search(recipe[2]):
            yield line, line[: -len(recipe[2])] + word.sub(f"{name} flux", recipe[2], count=1)


def _first(lines: list[str], head: int) -> int:
    while head and lines[head - 1].startswith(("[", "#")):
        head -= 1
    return head


def _last(lines: list[str], head: int) -> int:
    last = next((n for n in range(head + 1, len(lines)) if lines[n] and not lines[n][0].isspace()), len(lines))
    while not lines[last - 1].strip():
        last -= 1
    return last


def _renamed(line: str, name: str, old: str, new: str) -> str:
    if _RECIPE.match(line) and line.startswith(name):
        return "flux" + line[len(name) :]
    if line.startswith("["):
        return re.sub(r"(doc\(['\"]).*?(['\"]\))", r"\1Apply Helmfile Flux\2", line)
    return line.replace(old, new)

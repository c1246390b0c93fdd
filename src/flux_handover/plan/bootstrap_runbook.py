"""The page beside the Helmfile: what to do on a bare cluster, in order, and why it is so (R22, R24)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from flux_handover.objects import ObjectId
from flux_handover.plan.bootstrap_commands import text_of
from flux_handover.plan.bootstrap_needs import root_needs
from flux_handover.plan.bootstrap_runner import Ground, missing_needs
from flux_handover.plan.bootstrap_steps import BootstrapStep, Installs
from flux_handover.plan.bootstrap_texts import Spelling, file_with
from flux_handover.plan.operations import AddFile, ReplaceText
from flux_handover.plan.target import Transfer
from flux_handover.tree import Tree

_NAMES = ("README.md", "flux.md", "flux-bootstrap.md")
_TITLE = "# Flux on a bare cluster"
_ROOT = "The root: everything else follows from it"


def runbook(
    ground: Ground, steps: tuple[BootstrapStep, ...], reasons: tuple[str, ...], tree: Tree
) -> Iterator[AddFile]:
    """The page, unless one is there; steps that a runner takes are named, the others are written out."""
    if not _is_written(ground, tree):
        text = "\n".join(_lines(ground, steps, reasons, tree))
        yield AddFile(_path(ground, tree), text, (), "how a bare cluster gets Flux, and why it is so")


def renamed(change: Transfer, reasons: tuple[str, str], tree: Tree) -> Iterator[ReplaceText]:
    """The page, where there is one that names the old root: from now on the operator makes the new one."""
    pages = [path for path in tree if path.rpartition("/")[2] in _NAMES and _is_about(change.root, text_of(tree, path))]
    for path in pages if len(pages) == 1 else ():
        old = text_of(tree, path)
        new = "\n".join(_renamed(old.splitlines(), change, reasons))
        yield ReplaceText(path, old.rstrip("\n"), new, f"{change.new_root} is what a bare cluster gets")


def _is_about(root: ObjectId, text: str) -> bool:
    return text.startswith(_TITLE) and str(root) in text


def _renamed(lines: list[str], change: Transfer, reasons: tuple[str, str]) -> Iterator[str]:
    """The lines, with another body below the heading of the root, and the reasons that are true now."""
    is_root = False
    for line in lines:
        if line.startswith("## "):
            is_root = line.endswith(_ROOT)
            yield from [line, "", _made(change.new_root, change.new_source), ""] if is_root else [line]
        elif not is_root:
            yield from _with_names(line, change, reasons)


def _with_names(line: str, change: Transfer, reasons: tuple[str, str]) -> Iterator[str]:
    first, second = (f"- {reason}" for reason in reasons)
    if line.startswith(("- no sync:", "- sync:")):
        yield first
    elif line.startswith("- a bare cluster:"):
        yield second
    else:
        for old, new in change.renamed.items():
            line = line.replace(str(old), str(new))
        yield line


def _made(root: ObjectId, source: ObjectId) -> str:
    return f"{root} and {source}, by the operator: it makes them from `sync` of the FluxInstance."


def _is_written(ground: Ground, tree: Tree) -> bool:
    directory = posixpath.dirname(ground.helmfile)
    return any(text_of(tree, posixpath.join(directory, name)).startswith(_TITLE) for name in _NAMES)


def _path(ground: Ground, tree: Tree) -> str:
    directory = posixpath.dirname(ground.helmfile)
    free = (path for name in _NAMES if (path := posixpath.join(directory, name)) not in tree)
    return next(free, posixpath.join(directory, _NAMES[-1]))


def _lines(ground: Ground, steps: tuple[BootstrapStep, ...], reasons: tuple[str, ...], tree: Tree) -> Iterator[str]:
    yield from (_TITLE, "", "In this order, from the top of the repository.", "")
    for number, (title, body) in enumerate(_sections(ground, steps, tree), start=1):
        yield from (f"## {number}. {title}", "", *body, "")
    yield from ("## Why it is so", "", *(f"- {reason}" for reason in reasons), "")


def _sections(ground: Ground, steps: tuple[BootstrapStep, ...], tree: Tree) -> Iterator[tuple[str, list[str]]]:
    texts = ground.texts(Spelling("", ""), {})
    root = ground.cluster.builds[ground.cluster.root]
    lacking = {need.id for need in missing_needs(ground.cluster, steps)}
    yield "What Flux needs before it can read this repository", list(_inputs(ground, steps, tree))
    installs = {part for step in steps for part in step.installs}
    if {Installs.OPERATOR, Installs.INSTANCE} <= installs:
        by = sorted({step.where.file for step in steps if Installs.OPERATOR in step.installs})
        yield "The operator, and Flux from it", [f"`{ground.helmfile}`, synced by {_listed(by)}."]
    else:
        yield "The operator, and Flux from it", _shell(texts.install(ground.helmfile))
    if ground.target.synced:
        yield _ROOT, [_made(root.id, root.ks.source)]
    elif root.id in lacking or root.ks.source in lacking:
        yield (
            _ROOT,
            _shell(texts.root((root.ks.source, root.id), ground.near, tree)),
        )
    else:
        by = sorted({step.where.file for step in steps if root.id in step.creates})
        yield _ROOT, [f"{root.id} and {root.ks.source}, by {_listed(by)}."]


def _inputs(ground: Ground, steps: tuple[BootstrapStep, ...], tree: Tree) -> Iterator[str]:
    """Namespace, keys and variables: the file with the step that creates each, or the command."""
    texts = ground.texts(Spelling("", ""), {})
    commands = []
    for need in (need for need in root_needs(ground.cluster) if need.id.group == ""):
        by = sorted({step.where.file for step in steps if need.id in step.creates})
        if by:
            yield f"- {need.id}, because {need.why}: by {_listed(by)}"
            continue
        path = file_with(need.id, ground.near, tree)
        command = texts.from_git(need.id, path, tree) if path is not None else texts.by_hand(need.id)
        commands += [f"# {need.why}", command]
    if commands or not any(_makes_namespace(step, ground) for step in steps):
        yield from ("", *_shell([texts.namespace(), *commands]))


def _makes_namespace(step: BootstrapStep, ground: Ground) -> bool:
    return any(id.kind == "Namespace" and id.name == ground.target.namespace for id in step.creates)


def _shell(commands: list[str]) -> list[str]:
    return ["```sh", *commands, "```"]


def _listed(files: list[str]) -> str:
    return ", ".join(f"`{file}`" for file in files)

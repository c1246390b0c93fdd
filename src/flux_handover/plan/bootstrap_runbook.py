"""The page beside the Helmfile: what to do on a bare cluster, in order, and why it is so (R22, R24)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from flux_handover.plan.bootstrap_commands import text_of
from flux_handover.plan.bootstrap_needs import root_needs
from flux_handover.plan.bootstrap_runner import Ground, missing_needs
from flux_handover.plan.bootstrap_steps import BootstrapStep, Installs
from flux_handover.plan.bootstrap_texts import Spelling, file_with
from flux_handover.plan.operations import AddFile
from flux_handover.tree import Tree

_NAMES = ("README.md", "flux.md", "flux-bootstrap.md")
_TITLE = "# Flux on a bare cluster"


def runbook(
    ground: Ground, steps: tuple[BootstrapStep, ...], reasons: tuple[str, ...], tree: Tree
) -> Iterator[AddFile]:
    """The page, unless one is there; steps that a runner takes are named, the others are written out."""
    if not _is_written(ground, tree):
        text = "\n".join(_lines(ground, steps, reasons, tree))
        yield AddFile(_path(ground, tree), text, (), "how a bare cluster gets Flux, and why it is so")


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
        made = f"{root.id} and {root.ks.source}, by the operator: it makes them from `sync` of the FluxInstance."
        yield "The root: everything else follows from it", [made]
    elif root.id in lacking or root.ks.source in lacking:
        yield (
            "The root: everything else follows from it",
            _shell(texts.root((root.ks.source, root.id), ground.near, tree)),
        )
    else:
        by = sorted({step.where.file for step in steps if root.id in step.creates})
        yield "The root: everything else follows from it", [f"{root.id} and {root.ks.source}, by {_listed(by)}."]


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

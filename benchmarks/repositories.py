"""Git repositories of two commits, base and head, made from archives or from generated files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generated import Change, write_revisions
from flux_handover.adapters.git import Repository
from flux_handover.model.declared import declarations
from flux_handover.objects import SOURCE_GROUP

_URL = re.compile(r"^\s*- [\"']?https?://\S+\s*\n", re.MULTILINE)
# The archives have no cipher text, and what is left of the stanza is often no YAML.
_STANZA = re.compile(r"(?ms)^sops:[ \t]*\n.*?(?=^---|\Z)")
_INTERVAL = re.compile(r"(?m)^(  interval: )(\d+)([smh])")

_IDENTITY = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
_COMMITTER = {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}


@dataclass(frozen=True, slots=True)
class Pair:
    """A repository whose HEAD~1 and HEAD are compared; both are also there as plain directories."""

    name: str
    repository: Path
    base: Path
    head: Path
    root: str


def corpus_pair(corpus: Path, name: str, root: str, place: Path) -> Pair | None:
    """An archive, and the same with every HelmRelease's interval changed; None where it is not there."""
    archive = corpus / f"{name}.tar.xz"
    if not archive.is_file():
        return None
    trees = (place / "base", place / "head")
    for tree in trees:
        _unpack(archive, tree)
        _readable_offline(tree)
    _change_releases(trees[1])
    return _pair(f"{name}, all releases changed", trees, root, place)


def generated_pair(count: int, change: Change, place: Path) -> Pair:
    """A generated repository of so many Kustomizations, and the same with a change."""
    work, trees = place / "work", (place / "base", place / "head")
    for _, tree in zip(write_revisions(work, count, change), trees, strict=True):
        shutil.copytree(work, tree)
    return _pair(f"{count} Kustomizations, {change.value} changed", trees, "sites/north", place)


def _unpack(archive: Path, tree: Path) -> None:
    """The files of HEAD: an archive is a clone, or only the files of one."""
    clone = tree.with_name(f"{tree.name}-clone")
    with tarfile.open(archive) as content:
        content.extractall(clone, filter="data")
    entries = list(clone.iterdir())
    top = entries[0] if len(entries) == 1 and entries[0].name != ".git" else clone
    shutil.copytree(top, tree, symlinks=True, ignore=shutil.ignore_patterns(".git"))


def _readable_offline(tree: Path) -> None:
    """The tree as every tool can read it: without network some stop at a URL, and without SOPS at what it left."""
    for place in (*tree.rglob("*.yaml"), *tree.rglob("*.yml")):
        if place.is_file() and ".git" not in place.parts:
            text = _STANZA.sub("", place.read_text())
            place.write_text(_URL.sub("", text) if place.stem == "kustomization" else text)


def _change_releases(tree: Path) -> None:
    for place in tree.rglob("*.yaml"):
        text = place.read_text() if place.is_file() else ""
        if "kind: HelmRelease" in text:
            place.write_text(_INTERVAL.sub(lambda found: f"{found[1]}{int(found[2]) + 1}{found[3]}", text, count=1))


def _pair(name: str, trees: tuple[Path, Path], root: str, place: Path) -> Pair:
    repository = place / "repository"
    repository.mkdir(parents=True)
    _git(repository, "init", "-q", "-b", "main")
    for tree in trees:
        _git(repository, "rm", "-rqf", "--ignore-unmatch", ".")
        shutil.copytree(tree, repository, dirs_exist_ok=True, symlinks=True)
        _git(repository, "add", "-A", "-f")
        _git(repository, "commit", "-qm", tree.name)
    address = _address(repository, root)
    for tree in trees:
        # flate finds the top of a tree by its .git, and which source it is by the address of its remote.
        _git(tree, "init", "-q", "-b", "main")
        _git(tree, "add", "-A", "-f")
        _git(tree, "commit", "-qm", tree.name)
        _git(tree, "remote", "add", "origin", address)
    return Pair(name, repository, *trees, root)


def _address(repository: Path, root: str) -> str:
    """What the source of the root fetches."""
    with Repository.open(repository) as opened:
        declared = declarations(opened.read_tree("HEAD")).of(SOURCE_GROUP, "GitRepository")
    sources = (str(one.object.spec.get("url")) for one in declared if one.where.file.startswith(f"{root}/"))
    return next(sources, "https://git.example.org/estate")


def _git(directory: Path, *arguments: str) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    variables = {**clean, **_IDENTITY, **_COMMITTER, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(("git", *arguments), cwd=directory, env=variables, check=True, capture_output=True)

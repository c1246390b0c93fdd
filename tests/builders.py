"""Trees and Git repositories written in the test itself."""

from __future__ import annotations

import os
import subprocess
import tarfile
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from flux_handover.tree import File, Tree, blob_digest

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00+00:00",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00+00:00",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}


def unpacked(archive: Path) -> Tree:
    """The files of an archive of the corpus, which is no part of this project."""
    files = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                text = content.read()
                files[member.name.removeprefix("./")] = File(text, blob_digest(text))
    return Tree(MappingProxyType(files))


def repo(*paths_and_texts: str) -> Tree:
    """`repo("a.yaml", "...", "b/c.yaml", "...")`: a tree; texts are dedented, a first line break is dropped."""
    paths, texts = paths_and_texts[::2], paths_and_texts[1::2]
    contents = {path: yaml_text(text).encode() for path, text in zip(paths, texts, strict=True)}
    return Tree(MappingProxyType({path: File(text, blob_digest(text)) for path, text in contents.items()}))


def yaml_text(text: str) -> str:
    """The text of a triple-quoted string as the file would hold it."""
    return textwrap.dedent(text.removeprefix("\n"))


def documents_of(text: str) -> list[Any]:
    """The documents of a text that hold something; by libyaml, as Flux's own manifests are long."""
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


def text_of(documents: Iterable[Mapping[str, Any]]) -> str:
    """Documents as a text, each with its fields in their order; by libyaml."""
    return str(yaml.dump_all(map(dict, documents), Dumper=yaml.CSafeDumper, sort_keys=False))


def git(directory: Path, *arguments: str) -> str:
    """What a real Git says, with an identity and a clock of its own and no user configuration."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ("git", *arguments), cwd=directory, env=environment | _IDENTITY, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def git_repository(directory: Path, *trees: Tree) -> Path:
    """A real repository in `directory` with one commit on `main` per tree."""
    directory.mkdir(parents=True, exist_ok=True)
    git(directory, "init", "-q", "-b", "main")
    for number, tree in enumerate(trees, start=1):
        commit_tree(directory, tree, f"Commit {number}")
    return directory


def commit_tree(directory: Path, tree: Tree, message: str) -> str:
    """The id of a new commit whose files are exactly those of `tree`."""
    git(directory, "rm", "-rqf", "--ignore-unmatch", ".")
    for path in tree:
        place = directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(tree.read(path))
        place.chmod(0o755 if tree.files[path].executable else 0o644)
    git(directory, "add", "-Af", ".")
    git(directory, "commit", "-q", "--allow-empty", "-m", message)
    return git(directory, "rev-parse", "HEAD")

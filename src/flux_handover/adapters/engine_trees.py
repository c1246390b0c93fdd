"""Trees that the engine keeps by digest, so that no content is sent twice to one process."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from flux_handover.tree import File, FileKind, Tree, blob_digest

MAX_BYTES = 192 * 1024 * 1024
MAX_TREES = 256
_REMEMBERED = 32

Fields = dict[str, object]


@dataclass(slots=True)
class Sent:
    """What one process of the engine has got."""

    contents: set[str] = field(default_factory=set)
    trees: set[str] = field(default_factory=set)
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the process holds so much that another should begin with nothing."""
        return self.size > MAX_BYTES or len(self.trees) > MAX_TREES

    def missing(self, trees: Iterable[tuple[str, Tree]]) -> Fields | None:
        """The fields of a `store` request for what the process lacks; None where it lacks nothing."""
        wanted = {digest: tree for digest, tree in trees if digest not in self.trees}
        if not wanted:
            return None
        texts: dict[str, str] = {}
        binaries: dict[str, str] = {}
        for tree in wanted.values():
            self._add_contents(tree, texts, binaries)
        self.trees.update(wanted)
        return {"texts": texts, "binaries": binaries, "trees": {d: described(tree) for d, tree in wanted.items()}}

    def _add_contents(self, tree: Tree, texts: dict[str, str], binaries: dict[str, str]) -> None:
        for file in tree.files.values():
            if file.content is None or file.kind is FileKind.LINK or content_key(file) in self.contents:
                continue
            key = content_key(file)
            self.contents.add(key)
            self.size += len(file.content)
            try:
                texts[key] = file.content.decode()
            except UnicodeDecodeError:
                binaries[key] = base64.b64encode(file.content).decode()


def content_key(file: File) -> str:
    """Git's id of the content, or one like it where a file has none."""
    return file.digest or blob_digest(file.content or b"")


def described(tree: Tree) -> Fields:
    """A tree by paths and digests; `surrogateescape` keeps targets of links that are not UTF-8."""
    files: dict[str, str] = {}
    links: dict[str, str] = {}
    omitted: dict[str, str] = {}
    for path, file in tree.files.items():
        if file.content is None:
            omitted[path] = file.omitted or file.kind.value
        elif file.kind is FileKind.LINK:
            links[path] = file.content.decode(errors="surrogateescape")
        else:
            files[path] = content_key(file)
    return {"files": files, "links": links, "omitted": omitted}


class Digests:
    """The digest of each tree that was asked for lately; trees are immutable, so identity is enough."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Tree, str]] = {}

    def of(self, tree: Tree) -> str:
        """A digest of every path with its content."""
        held = self._known.get(id(tree))
        if held is None:
            while len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            # The tree is held with its digest, or another could get its address.
            held = self._known[id(tree)] = (tree, _digest(tree))
        return held[1]


def _digest(tree: Tree) -> str:
    sha = hashlib.sha256()
    for path in tree:
        file = tree.files[path]
        parts = (path, file.kind.value, "-" if file.content is None else content_key(file), file.omitted)
        sha.update("\0".join(parts).encode(errors="surrogateescape") + b"\n")
    return sha.hexdigest()

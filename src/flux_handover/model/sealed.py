"""Dotenv files encrypted by SOPS: keys are read, values never, and the lines about the encryption not at all.

The controller decrypts the files of a secretGenerator before it builds, and the `sops_` lines go with
the encryption (`fluxcd/kustomize-controller:internal/decryptor/decryptor.go@v1.9.4`); left in, they
would be keys of the Secret, and so variables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType

from flux_handover.tree import File, Tree, blob_digest

_MARK = re.compile(rb"^sops_version=", re.MULTILINE)
_KEY = re.compile(rb"[A-Za-z_][A-Za-z0-9_.-]*=|#|\s*$")


def without_stanzas(tree: Tree) -> Tree:
    """The tree with the `sops_` lines of encrypted dotenv files taken out."""
    changed = {path: _file(without_stanza(content)) for path, content in _sealed(tree)}
    return Tree(MappingProxyType({**tree.files, **changed})) if changed else tree


def without_stanza(content: bytes) -> bytes:
    """The lines that hold keys, comments, or nothing; a `sops_` value may go over several lines."""
    return b"".join(_kept(content.splitlines(keepends=True)))


def _kept(lines: list[bytes]) -> Iterator[bytes]:
    inside = False
    for line in lines:
        if _KEY.match(line):
            inside = line.startswith(b"sops_")
        if not inside:
            yield line


def _sealed(tree: Tree) -> Iterator[tuple[str, bytes]]:
    for path, file in tree.files.items():
        if file.plain and _MARK.search(file.plain):
            yield path, file.plain


def _file(content: bytes) -> File:
    return File(content, blob_digest(content))

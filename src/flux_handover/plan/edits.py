"""What each operation does to the files: the only place where a plan becomes bytes.

Every edit of an existing file goes through `splice`, which keeps all bytes outside the intended
lines and refuses what it cannot do so.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import assert_never

from flux_handover import splice
from flux_handover.errors import UnsupportedInstallation
from flux_handover.objects import ObjectId
from flux_handover.plan.listings import document_of
from flux_handover.plan.operations import (
    AddFile,
    AppendElement,
    DisablePrune,
    ListResource,
    Operation,
    RemoveDocument,
    RemoveField,
    RemoveFile,
    ReplaceText,
    SetField,
    UnlistResource,
)
from flux_handover.tree import Tree


def edited(tree: Tree, operations: Iterable[Operation]) -> Tree:
    """The tree after all operations, in their order."""
    return reduce(edit, operations, tree)


def edit(tree: Tree, operation: Operation) -> Tree:
    """The tree after one operation."""
    match operation:
        case AddFile(path=path, content=content):
            return _added(tree, path, content)
        case RemoveFile(path=path):
            return tree.without(path)
        case DisablePrune(ks=ks, where=where):
            return tree.with_file(where.file, _unpruned(tree, where.file, ks))
        case _:
            return tree.with_file(operation_path(operation), _edited_bytes(tree, operation))


def operation_path(operation: Operation) -> str:
    """The file that an operation writes or removes."""
    match operation:
        case DisablePrune(where=where) | RemoveDocument(where=where):
            return where.file
        case (
            AddFile(path=path)
            | RemoveFile(path=path)
            | ListResource(path=path)
            | UnlistResource(path=path)
            | SetField(path=path)
            | RemoveField(path=path)
            | AppendElement(path=path)
            | ReplaceText(path=path)
        ):
            return path
        case _:
            assert_never(operation)


_Splicing = RemoveDocument | ListResource | UnlistResource | SetField | RemoveField | AppendElement | ReplaceText


def _edited_bytes(tree: Tree, operation: _Splicing) -> bytes:
    content = tree.read(operation_path(operation))
    match operation:
        case RemoveDocument(id=id, where=where):
            return splice.remove_document(content, _index(tree, where.file, id))
        case ListResource(field=field, entry=entry):
            return splice.insert_resource(content, 0, (field,), entry)
        case UnlistResource(field=field, entry=entry):
            return splice.remove_element(content, 0, (field,), entry)
        case SetField(document=document, field=path, value=value):
            return splice.set_field(content, document, path, value)
        case RemoveField(document=document, field=path):
            return splice.remove_field(content, document, path)
        case AppendElement(document=document, field=path, value=value):
            return splice.insert_element(content, document, path, value)
        case ReplaceText(old=old, new=new):
            return splice.replace_lines(content, old, new)
        case _:
            assert_never(operation)


def _added(tree: Tree, path: str, content: str) -> Tree:
    if path in tree:
        raise UnsupportedInstallation(
            "a file of the plan is already there, with another content",
            where=path,
            hint="move it away, or finish by hand what it begins, and plan again",
        )
    return tree.with_file(path, content.encode())


def _unpruned(tree: Tree, path: str, ks: ObjectId) -> bytes:
    """`prune: false`, and no policy that would delete in spite of it (R9)."""
    index = _index(tree, path, ks)
    content = splice.set_field(tree.read(path), index, ("spec", "prune"), False)
    document = document_of(tree, path, ks)
    if document is not None and "deletionPolicy" in document.mapping.get("spec", {}):
        content = splice.remove_field(content, index, ("spec", "deletionPolicy"))
    return content


def _index(tree: Tree, path: str, id: ObjectId) -> int:
    document = document_of(tree, path, id)
    if document is None:
        raise UnsupportedInstallation(
            f"{id} is not written as a document of its own in this file",
            where=path,
            hint="give it a document with its own kind and name, and plan again",
        )
    return document.index

"""What the model asks of whoever builds: objects of Kustomizations and directories, and substitution.

The engine answers it (`adapters/engine.py`); the model knows only these values. Error codes are those
of docs/reference/protocol.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any, Protocol

from flux_handover.objects import Object, ObjectId
from flux_handover.tree import Tree

NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Network(Enum):
    """Whether a build may fetch what is not in the tree."""

    DENIED = "denied"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One Flux Kustomization to build, as the whole object; `path` replaces its `spec.path`."""

    key: str
    kustomization: Mapping[str, Any]
    path: str | None = None


@dataclass(frozen=True, slots=True)
class BuildError:
    """Why a build or a substitution has no objects; line 0 means the file as a whole.

    `object` is the id of the object that substitution failed on, before it.
    """

    code: str
    message: str
    file: str = ""
    line: int = 0
    object: ObjectId | None = None


@dataclass(frozen=True, slots=True)
class BuildResult:
    """Objects before substitution, in the order of the build; none where there is an error.

    `reads` is all the build depended on: files, also those it looked for in vain, and, ending in a
    slash, directories of which it took every file below. `remotes` are references out of the tree.
    `damaged` are files that are YAML only without their `sops` stanza: they were built as if it were
    intact, where the controller would refuse them, so whoever uses the result must say so.
    """

    key: str
    objects: tuple[Object, ...]
    reads: frozenset[str]
    remotes: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    error: BuildError | None = None


@dataclass(frozen=True, slots=True)
class KustomizeResult:
    """Objects of a directory built by plain kustomize."""

    objects: tuple[Object, ...]
    reads: frozenset[str]
    remotes: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    error: BuildError | None = None


@dataclass(frozen=True, slots=True)
class SubstitutionRequest:
    """Objects of one Kustomization, and the variables of its `postBuild`.

    A name is in `variables` or in `symbolic`, the last source that defines it deciding. `symbolic` gives
    the token that stands for a value nobody knows; with `open` there are unknown names besides, and any
    undefined name may be one of them. `common_metadata` is the Kustomization's `spec.commonMetadata`: the
    controller sets it after substitution, so give it wherever substitution follows a build.
    """

    key: str
    objects: Sequence[Object]
    variables: Mapping[str, str]
    symbolic: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    open: bool = False
    strict: bool = False
    always: bool = False
    common_metadata: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class SubstitutionResult:
    """Objects after substitution; ids are those after it.

    `undefined` are names that no known source defines, by object; `symbols` the variables of unknown value
    that an object's text used, `tokens` what stands for each. A token is a part of every text that
    depends on its variable.
    """

    key: str
    objects: tuple[Object, ...]
    undefined: tuple[tuple[ObjectId, str], ...] = ()
    symbols: Mapping[ObjectId, frozenset[str]] = field(default_factory=lambda: NOTHING)
    tokens: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    error: BuildError | None = None


class Builder(Protocol):
    """Builds as kustomize-controller does. Each result is a function of its arguments alone."""

    def build(
        self,
        tree: Tree,
        builds: Sequence[BuildRequest],
        *,
        network: Network = Network.DENIED,
        known: Mapping[str, Tree] = NOTHING,
    ) -> tuple[BuildResult, ...]:
        """One result for each request, in order; `known` are trees that stand for references out of the tree."""
        ...

    def kustomize(
        self, tree: Tree, path: str, *, network: Network = Network.DENIED, known: Mapping[str, Tree] = NOTHING
    ) -> KustomizeResult:
        """The objects of a directory with a kustomization.yaml."""
        ...

    def substitute(self, sets: Sequence[SubstitutionRequest]) -> tuple[SubstitutionResult, ...]:
        """One result for each set, in order."""
        ...


def inputs_digest(tree: Tree, reads: Iterable[str]) -> str:
    """A digest of what a build read in a tree: the same digest means the same build (rule R8)."""
    names = {*reads, *(name for path in reads if path.endswith("/") for name in tree.below(path))}
    said = "\0".join(f"{name}\0{_said(tree, name)}" for name in sorted(names))
    return hashlib.sha256(said.encode(errors="surrogateescape")).hexdigest()


def _said(tree: Tree, path: str) -> str:
    """What of a path a build can see; a file of the same digest may not have been read, and that is not the same.

    A build that looked for a path in vain sees whether it is a directory, and whether it would be in one.
    """
    entry = tree.files.get(path)
    if entry is None:
        found = "directory" if tree.is_directory(path) else "-"
        return found if tree.is_directory(path.rpartition("/")[0]) else f"{found}/"
    return f"{entry.kind.value}{entry.digest}{entry.omitted}"

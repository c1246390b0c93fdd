"""Where the new files go, as values: what `placement` learns and `manifests` writes by."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from flux_handover.objects import ObjectId


@dataclass(frozen=True, slots=True)
class AppFiles:
    """The files of one new application, and the Kustomization that applies them."""

    ks: ObjectId
    ks_file: str
    entry: str
    directory: str
    listing: str
    release: str
    source: str
    manifest: str

    @property
    def paths(self) -> tuple[str, ...]:
        """Every file that may be written for it."""
        return (self.ks_file, self.listing, self.release, self.source, self.manifest)


@dataclass(frozen=True, slots=True)
class Manners:
    """How a Kustomization of the repository is written, learnt from a neighbour.

    `spec` holds the fields that are the same for every application (interval, sourceRef, ...), in
    the neighbour's order of keys `order`; `labelled` whether its commonMetadata names it; `root` is
    what paths from the top begin with.
    """

    order: tuple[str, ...]
    spec: Mapping[str, Any]
    writes_namespace: bool
    targets_namespace: bool
    labelled: bool
    dotted: bool
    root: str = "./"


@dataclass(frozen=True, slots=True)
class Layout:
    """The whole placement: the list that gets the new entries, its owner, and both applications.

    `opt_outs` are labels by which the repository's own patches leave a Kustomization alone.
    `release_interval` and `source_interval` are the neighbours'. `schemas` maps `apiVersion/kind`
    to the comment that names its schema in the files of this cluster.
    """

    listing: str
    parent: ObjectId
    operator: AppFiles
    instance: AppFiles
    manners: Manners
    opt_outs: Mapping[str, str]
    release_interval: str
    source_interval: str
    schemas: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    reasons: tuple[str, ...] = ()


def relative(path: str, directory: str, *, dotted: bool) -> str:
    """A path as an entry of a list in `directory`."""
    text = posixpath.relpath(path, directory or ".")
    return f"./{text}" if dotted and not text.startswith("..") else text

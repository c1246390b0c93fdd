"""What each Kustomization renders, as values: the result of following a root down to the last child."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import chain

from flux_handover.findings import Location
from flux_handover.model.flux import FluxKustomization, Source
from flux_handover.objects import Object, ObjectId, by_id, ids_of


class BuildStatus(Enum):
    """Whether a Kustomization builds; `unknown` where its inputs cannot be had offline."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a build is not `ok`: a stable code, a sentence, and the place where known."""

    code: str
    message: str
    where: Location | None = None


@dataclass(frozen=True, slots=True)
class Build:
    """One live Kustomization: the spec that the cluster has, and what it renders.

    `parent` renders this Kustomization (a root that applies itself is its own parent, a root
    applied by bootstrap has none). `raw` is before substitution, `objects` after. `reads` are
    the files it read. `inputs` digests everything the result depends on: equal inputs, equal
    result, also for a build that cannot be done. `lasting` are the objects that the cluster keeps where
    this revision gives none: those of the last revision that did. `symbols` names, per object, the variables
    whose value is not known and that appear in it. `damaged` are encrypted files that are YAML only
    without their stanza. `uncertain` are objects whose name is not the cluster's (see `hashed`).
    """

    ks: FluxKustomization
    parent: ObjectId | None
    where: Location | None
    status: BuildStatus
    raw: tuple[Object, ...]
    objects: tuple[Object, ...]
    reads: frozenset[str]
    inputs: str
    failure: Failure | None = None
    undefined: frozenset[str] = frozenset()
    symbols: Mapping[ObjectId, frozenset[str]] | None = None
    damaged: tuple[str, ...] = ()
    lasting: tuple[Object, ...] = ()
    uncertain: frozenset[ObjectId] = frozenset()

    @property
    def id(self) -> ObjectId:
        """The Kustomization's identity."""
        return self.ks.id

    @property
    def present(self) -> tuple[Object, ...]:
        """What the cluster has of it: the objects of this revision, else those it kept."""
        return self.objects or self.lasting

    @property
    def ids(self) -> frozenset[ObjectId]:
        """What its inventory would hold after a successful reconcile."""
        return ids_of(self.objects)

    @property
    def is_applied(self) -> bool:
        """Whether Flux applies it: not while it is suspended, also where others apply the same."""
        return not self.ks.suspend


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster of the repository: its root and everything live below it.

    `name` is the path of the root (contract K2). `sources` are all sources rendered below the
    root or applied by bootstrap beside it. `bootstrap` holds objects that only bootstrap files
    apply: they are live, but no Kustomization owns them.
    """

    name: str
    root: ObjectId
    origin: str
    builds: Mapping[ObjectId, Build]
    sources: Mapping[ObjectId, Source]
    bootstrap: tuple[Object, ...] = ()
    _present: dict[ObjectId, Object] = field(default_factory=dict, init=False, repr=False, compare=False)
    _applying: dict[ObjectId, Build] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __iter__(self) -> Iterator[Build]:
        return iter(self.builds.values())

    def build(self, id: ObjectId | None) -> Build | None:
        """The build of a Kustomization; None where that is none of this cluster."""
        return self.builds.get(id) if id is not None else None

    def applying(self, id: ObjectId) -> Build | None:
        """The first build that brings an object to the cluster."""
        if not self._applying:
            self._applying.update((object.id, build) for build in reversed((*self,)) for object in build.present)
        return self._applying.get(id)

    def present(self) -> Iterator[Object]:
        """Everything that the builds brought to the cluster and that it still has, roots first."""
        return chain.from_iterable(build.present for build in self)

    def objects(self) -> Iterator[tuple[Build, Object]]:
        """Every rendered object with the build it comes from, roots first."""
        for build in self:
            for object in build.objects:
                yield build, object

    def find(self, id: ObjectId | None) -> Object | None:
        """An object that a Kustomization or bootstrap brought to the cluster, or None."""
        if not self._present:
            # The first that brings an object counts, so the last are put in first.
            self._present.update(by_id(reversed((*self.present(), *self.bootstrap))))
        return self._present.get(id) if id is not None else None

    def owners(self) -> Mapping[ObjectId, tuple[ObjectId, ...]]:
        """Each rendered object's Kustomizations, without those that are suspended."""
        owners: dict[ObjectId, tuple[ObjectId, ...]] = {}
        for build, object in self.objects():
            if build.is_applied:
                owners[object.id] = (*owners.get(object.id, ()), build.id)
        return owners

    def successor_of(self, other: Cluster) -> Mapping[ObjectId, ObjectId]:
        """By the root, the root that another revision of this cluster had under another name; empty for the same."""
        return {} if self.root == other.root else {self.root: other.root}

"""The Flux objects that files of the repository declare, live or not.

Only documents that name a Flux API group are parsed; the group is looked for in the bytes first.
What is live is decided by reachability from a root (see `roots`), never by a file's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

from flux_handover.documents import Document, YamlProblem, read_documents
from flux_handover.findings import Location
from flux_handover.objects import KUSTOMIZE_GROUP, OPERATOR_GROUP, SOURCE_GROUP, Object, ObjectId, object_of
from flux_handover.tree import Tree

YAML_SUFFIXES = (".yaml", ".yml")
_GROUPS = tuple(group.encode() for group in (KUSTOMIZE_GROUP, SOURCE_GROUP, OPERATOR_GROUP))


@dataclass(frozen=True, slots=True)
class Declared:
    """One Flux object as a file declares it, with its place."""

    object: Object
    document: Document

    @property
    def where(self) -> Location:
        """The first line of the document."""
        return Location(self.document.path, self.document.line)


@dataclass(frozen=True, slots=True)
class Declarations:
    """All declared Flux objects, and the files that could not be read."""

    all: tuple[Declared, ...]
    problems: tuple[YamlProblem, ...]
    _named: dict[tuple[str, str, str], list[Declared]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def of(self, group: str, *kinds: str) -> Iterator[Declared]:
        """Those of one group and some of its kinds."""
        return (d for d in self.all if d.object.id.group == group and d.object.id.kind in kinds)

    def named(self, group: str, kind: str, name: str) -> Sequence[Declared]:
        """Those of one name, in whatever namespace, without a search of all."""
        if not self._named:
            for declared in self.all:
                id = declared.object.id
                self._named.setdefault((id.group, id.kind, id.name), []).append(declared)
        return self._named.get((group, kind, name), ())

    def place(self, id: ObjectId, among: Iterable[str] = ()) -> Location | None:
        """Where an object is declared, a file in `among` first.

        A rendered object may have got its namespace from a transformer, so a declaration without
        one is accepted where none is exact.
        """
        alike = self.named(id.group, id.kind, id.name)
        same = [d for d in alike if d.object.id.namespace in ("", id.namespace)]
        preferred = frozenset(among)
        same.sort(key=lambda d: (d.where.file not in preferred, d.object.id != id, d.where))
        return same[0].where if same else None


def declarations(tree: Tree) -> Declarations:
    """The Flux objects declared anywhere in the tree."""
    read = [_declared_in(path, content) for path, content in flux_files(tree)]
    return Declarations(
        tuple(chain.from_iterable(of_file for of_file, _ in read)),
        tuple(chain.from_iterable(problems for _, problems in read)),
    )


@lru_cache(maxsize=8192)
def _declared_in(path: str, content: bytes) -> tuple[tuple[Declared, ...], tuple[YamlProblem, ...]]:
    """What one file declares; most files are the same in the next revision."""
    documents = read_documents(path, content)
    found = (Declared(object_of(d.mapping), d) for d in documents.documents if _is_flux(d.mapping))
    return tuple(found), documents.problems


def flux_files(tree: Tree) -> Iterator[tuple[str, bytes]]:
    """The YAML files whose bytes name a Flux API group."""
    for path in tree:
        content = tree.files[path].plain
        if content is not None and path.endswith(YAML_SUFFIXES) and any(group in content for group in _GROUPS):
            yield path, content


def _is_flux(content: Mapping[str, object]) -> bool:
    return str(content.get("apiVersion", "")).partition("/")[0].encode() in _GROUPS

"""What of Terraform puts Flux into a cluster: resources fed, perhaps over several blocks, with its manifests.

`flux_bootstrap_git` and releases of the chart say so themselves. The older patterns do not: a data source renders
or reads the manifests, others split them, and a resource of any provider applies the parts, or commits them. So
what counts is where the text of a block leads to, never the type of its resource.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from flux_handover.model.detection_charts import FLUX_CHART
from flux_handover.model.detection_files import closure
from flux_handover.model.detection_signs import Evidence, belongs
from flux_handover.model.detection_terraform import Block, terraform_blocks
from flux_handover.model.detection_versions import component_of
from flux_handover.model.settings_texts import decoded, documents_with
from flux_handover.objects import Object, ObjectId, object_of
from flux_handover.tree import Tree, clean_path

BOOTSTRAP = "flux_bootstrap_git"
RENDERING = ("flux_install", "flux_sync")
"""Data sources of the provider before 1.0 that hold manifests as text (`fluxcd/terraform-provider-flux@v0.25.3`)."""

_RELEASED = re.compile(
    r"github\.com/fluxcd/flux2/+(?:manifests/install|releases/(?:latest/)?download/\S*install\.yaml)"
)
_BY_HAND = re.compile(r"\bflux\s+(?:install|bootstrap)\b")
_FETCHES = re.compile(f"{_RELEASED.pattern}|{_BY_HAND.pattern}")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
_READ = re.compile(r'\b(?:file|fileset|filebase64|templatefile)\(\s*"([^"\n]+)"')
_APPLIED = re.compile(r"\bkubectl\b[^\n]*?\s(?:-[kf]|--filename|--kustomize)[=\s]+[\"']?([^\s\"']+)")
_MODULE = re.compile(r"\$\{path\.\w+\}/?")
_PARTS = b"toolkit.fluxcd.io"
_PATH_LENGTH = 256


@dataclass(frozen=True, slots=True)
class Terraform:
    """The blocks that install Flux in one cluster.

    `owning` are the resources whose state holds it; `reading` are the blocks that read files of the repository
    for them, and fail once the files are gone.
    """

    owning: tuple[Block, ...]
    reading: tuple[Block, ...]


def flux_in_terraform(tree: Tree, root: ObjectId) -> Terraform:
    """What Terraform has of Flux; `root` is the Kustomization that begins the cluster."""
    blocks = tuple(terraform_blocks(tree))
    from_files = _fed(blocks, {b.address for b in blocks if _reads_flux(b, tree, root)})
    fed = _fed(blocks, from_files | {b.address for b in blocks if _renders(b) or _installs(b)})
    return Terraform(
        tuple(block for block in blocks if block.kind == "resource" and block.address in fed),
        tuple(block for block in blocks if block.kind != "resource" and block.address in from_files),
    )


def _renders(block: Block) -> bool:
    return block.kind == "data" and block.type in RENDERING


def _installs(block: Block) -> bool:
    """A resource that says itself that it installs Flux."""
    match (block.kind, block.type):
        case ("resource", "helm_release"):
            return str(block.literal("chart")).rpartition("/")[2] == FLUX_CHART
        case ("resource", type):
            return type == BOOTSTRAP or _FETCHES.search(block.text) is not None
        case _:
            return False


def _fed(blocks: Iterable[Block], addresses: set[str]) -> set[str]:
    """The addresses with those of every block that takes its content from one of them."""
    known = tuple(blocks)
    while True:
        using = _using(frozenset(addresses))
        more = {block.address for block in known if block.address not in addresses and using.search(_stated(block))}
        if not more:
            return addresses
        addresses = addresses | more


def _stated(block: Block) -> str:
    """The text of a block without the order it is to be made in, which gives it no content."""
    return re.sub(r"depends_on\s*=\s*\[[^\]]*\]", "", block.text)


def _using(addresses: frozenset[str]) -> re.Pattern[str]:
    """Matches the use of one of the addresses; of what renders manifests only their text counts, not a name in it."""
    rendering = tuple(f"data.{type}." for type in RENDERING)
    named = [re.escape(a) + (r"\.content" if a.startswith(rendering) else "") for a in sorted(addresses)]
    return re.compile(rf"(?<![\w.-])(?:{'|'.join(named)})(?![\w-])" if named else r"(?!)")


def _reads_flux(block: Block, tree: Tree, root: ObjectId) -> bool:
    """Whether a block reads files of the repository that hold Flux, or the root and what it syncs."""
    return next(flux_files(block, tree, root), None) is not None


def flux_files(block: Block, tree: Tree, root: ObjectId) -> Iterator[str]:
    """The files with Flux in them that a block reads."""
    return (path for path in files_read(block, tree) if _holds_flux(path, tree, root))


def files_read(block: Block, tree: Tree) -> Iterator[str]:
    """The files of the repository that a block reads: by a function, by a command, or as a data source."""
    if block.type in (BOOTSTRAP, *RENDERING):
        return
    patterns = (_READ, _QUOTED) if block.kind == "data" else (_READ, _APPLIED)
    words = {match[1] for pattern in patterns for match in pattern.finditer(block.text)}
    for word in sorted(words):
        yield from _files_named(word, block, tree)


def _files_named(word: str, block: Block, tree: Tree) -> Iterator[str]:
    """The files that a word of a block means, beside the block or from the top; also by a pattern."""
    plain = _MODULE.sub("", word)
    if len(plain) > _PATH_LENGTH or not re.search(r"[./]", plain) or "${" in plain or "://" in plain:
        return
    beside = clean_path(posixpath.join("/", posixpath.dirname(block.path), plain))
    for path in dict.fromkeys((beside, clean_path(plain))):
        if "*" in path:
            above = path.partition("*")[0].rpartition("/")[0]
            yield from (file for file in tree.below(above) if fnmatchcase(file, path))
        elif path in tree:
            yield path
        elif path and tree.is_directory(path):
            yield from _built(path, tree)


def _built(directory: str, tree: Tree) -> Iterator[str]:
    """What a directory leads to: its own files, and those beside each list that kustomize reads from there."""
    for place in sorted({directory, *map(posixpath.dirname, closure(tree, directory))}):
        yield from (file for file in tree.below(place) if posixpath.dirname(file) == place)


def _holds_flux(path: str, tree: Tree, root: ObjectId) -> bool:
    if _RELEASED.search(decoded(tree, path)):
        return True
    documents = documents_with(tree, [path], _PARTS)
    return any(_is_flux(object_of(d.mapping), root) for d in documents if d.mapping.get("kind"))


def _is_flux(object: Object, root: ObjectId) -> bool:
    is_definition = object.id.kind == "CustomResourceDefinition" and object.id.name.endswith(_PARTS.decode())
    return object.id == root or is_definition or bool(component_of(object))


def belongs_to(block: Block, evidence: Evidence) -> bool:
    """Whether the module of a block is this cluster's: by the paths that it names, else by where it lies."""
    named = places(block, evidence.tree)
    if any(_is_below(path, evidence.cluster.name) for path in named):
        return True
    others = any(_is_below(path, rival) for path in named for rival in evidence.rivals)
    return not others and belongs(evidence, block.path)


def speaks_of(block: Block, cluster: str, tree: Tree) -> bool:
    """Whether the module of a block may be a cluster's: it names no path, or one below the cluster's root."""
    named = places(block, tree)
    return not named or any(_is_below(path, cluster) for path in named)


def places(block: Block, tree: Tree) -> frozenset[str]:
    """The directories of clusters, and the files read, that the module of a block names."""
    directory = posixpath.dirname(block.path)
    module = (one for one in terraform_blocks(tree) if posixpath.dirname(one.path) == directory)
    return frozenset(path for one in module for path in _places(one, tree))


def _places(block: Block, tree: Tree) -> Iterator[str]:
    for attribute in ("target_path", "path"):
        path = clean_path(str(block.literal(attribute) or ""))
        if path and tree.is_directory(path):
            yield path
    yield from files_read(block, tree)


def _is_below(path: str, directory: str) -> bool:
    return f"{path}/".startswith(f"{clean_path(directory)}/") or not clean_path(directory)

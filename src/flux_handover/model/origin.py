"""Which files a source stands for: this repository, a Flux distribution, or something that is elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flux_handover import catalogue
from flux_handover.model.artifact import artifact
from flux_handover.model.flux import Source
from flux_handover.model.sealed import without_stanzas
from flux_handover.tree import File, Tree, blob_digest

FLUX_REPOSITORY = "https://github.com/fluxcd/flux2"

_SCP = re.compile(r"^(?:[^/@]+@)?([^/:]+):(?!//)(.+)$")
_EXACT = re.compile(r"^v\d+\.\d+\.\d+$")


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Files that cannot be had offline, and the sentence that says which."""

    reason: str


Files = Tree | Elsewhere


def files_of(source: Source, root: Source, tree: Tree) -> Files:
    """The artifact of `source`, where `root` is the source that stands for `tree`."""
    if is_same_repository(source, root):
        return without_stanzas(artifact(tree, source.ignore, keeps_links=source.id.kind != "GitRepository"))
    if is_flux_artifact(source):
        return _distribution(source, "flux-manifests.yaml", source.ref.get("tag", ""))
    if is_flux_repository(source):
        return _distribution(source, "manifests/install/install.yaml", source.ref.get("tag", ""))
    return Elsewhere(f"{source.id} fetches {source.url or 'nothing'}, which is not in this repository")


def is_flux_artifact(source: Source) -> bool:
    """Whether the source brings Flux's own manifests, from whatever registry."""
    return source.id.kind == "OCIRepository" and source.url.rstrip("/").endswith("/flux-manifests")


def is_flux_repository(source: Source) -> bool:
    """Whether a source fetches Flux's own repository."""
    return source.id.kind == "GitRepository" and same_url(source.url, FLUX_REPOSITORY)


def is_same_repository(source: Source, root: Source) -> bool:
    """Whether both sources bring the same revision of the same files."""
    if source.id == root.id:
        return True
    return bool(source.url) and same_url(source.url, root.url) and reference_of(source) == reference_of(root)


def reference_of(source: Source) -> Mapping[str, str]:
    """What a source follows, in one spelling: a branch, a tag and the full name of either are the same commits.

    `fluxcd/source-controller:api/v1/gitrepository_types.go#GitRepositoryRef@v1.9.6`: a commit or a full name
    comes before a range, a range before a tag, a tag before a branch, and without any it is branch master.
    """
    ref = source.ref
    if source.id.kind != "GitRepository" or ref.get("commit") or (ref.get("semver") and not ref.get("name")):
        return ref
    if ref.get("name"):
        return {"name": ref["name"]}
    if ref.get("tag"):
        return {"name": f"refs/tags/{ref['tag']}"}
    return {"name": f"refs/heads/{ref.get('branch') or 'master'}"}


def same_url(one: str, other: str) -> bool:
    """Whether two Git addresses name the same repository, in whatever protocol or spelling."""
    return normal_url(one) == normal_url(other)


def normal_url(url: str) -> str:
    """`ssh://git@host/a/b.git`, `git@host:a/b` and `https://host/a/b` as `host/a/b`."""
    short = _SCP.match(url) if "://" not in url else None
    address = f"{short[1]}/{short[2]}" if short else url.partition("://")[2] or url
    host, _, path = address.partition("/")
    return f"{host.rpartition('@')[2]}/{path}".lower().rstrip("/").removesuffix(".git")


def _distribution(source: Source, path: str, version: str) -> Files:
    if not _EXACT.match(version) or not catalogue.has(version):
        named = version or "no tag"
        return Elsewhere(f"{source.id} fetches Flux by {named}, which is not a version in the catalogue")
    manifests = catalogue.artifact_manifests if source.id.kind == "OCIRepository" else catalogue.base_manifests
    return manifest_tree({path: manifests(version)})


def manifest_tree(manifests: Mapping[str, Iterable[Mapping[str, Any]]]) -> Tree:
    """A tree of the given objects; JSON documents are YAML."""
    contents = {
        path: b"".join(b"---\n" + json.dumps(object).encode() + b"\n" for object in objects)
        for path, objects in manifests.items()
    }
    files = {path: File(content, blob_digest(content)) for path, content in contents.items()}
    return Tree(MappingProxyType(files))

"""What each bootstrap command puts into a bare cluster: objects, and Flux itself in the old or the new way."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain

from flux_handover.documents import read_documents
from flux_handover.findings import Location
from flux_handover.model.sync_chart import CHART as SYNC_CHART
from flux_handover.model.sync_chart import sync_releases
from flux_handover.objects import OPERATOR_GROUP, ObjectId, group_of, id_of, listed
from flux_handover.plan.bootstrap_commands import Command, text_of
from flux_handover.plan.bootstrap_helmfiles import Helmfile, HelmfileRelease, defects, helmfiles
from flux_handover.plan.listings import documents_of, is_listing, listing_of, local_entries
from flux_handover.plan.placement import INSTANCE, OPERATOR
from flux_handover.tree import Tree, clean_path

FLUX_CHART = "flux2"

_INSTALL = re.compile(
    r"github\.com[/:]fluxcd/flux2/+(?:manifests/install|releases/(?:latest/)?download/\S*install\.yaml)"
)
_BY_HAND = re.compile(r"\bflux\s+(?:install|bootstrap)\b")
_CHART = re.compile(r"\bhelm\s+(?:-\S+\s+)*(?:install|upgrade)\b.*/(flux-operator|flux-instance|flux2)\b")
_APPLIES = re.compile(r"\b(?:kubectl|oc)\b.*\b(?:apply|create|replace)\b|kubernetes\.core\.k8s")
_SYNCS = re.compile(r"\bhelmfile\b.*\b(?:sync|apply)\b")
_CREATES = re.compile(r"\bcreate\s+(namespace|ns|secret\s+(?:generic|tls)|configmap|cm)\s+([^\s|;]+)")
_IN = re.compile(r"(?:--namespace|-n)[=\s]+([\w.-]+)")
_KINDS = {"namespace": "Namespace", "ns": "Namespace", "configmap": "ConfigMap", "cm": "ConfigMap"}
_EACH_DIRECTORY = re.compile(r"\bfind\b.*-type d\b.*create (?:namespace|ns) [\"']?\$")
_SPARED = re.compile(r"\btest -f \S+ \|\|")
_KIND = re.compile(r'kind:|"kind"')
_BETWEEN = re.compile(r"^---\s*$", re.MULTILINE)
_DEPTH = 12


class Installs(Enum):
    """What of Flux a step installs: the old way as a whole, or one of the operator's two parts."""

    FLUX = "flux"
    OPERATOR = "operator"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True)
class BootstrapStep:
    """One command with what it creates; `versions` are those of the charts it installs."""

    command: Command
    creates: frozenset[ObjectId]
    installs: frozenset[Installs]

    @property
    def where(self) -> Location:
        """Where it is written."""
        return self.command.where


def steps_of(tree: Tree, commands: Iterable[Command]) -> tuple[BootstrapStep, ...]:
    """What each of the commands creates; those that create nothing are left out."""
    known = helmfiles(tree)
    steps = (_step(command, tree, known) for command in commands if not _is_spared(command, known))
    return tuple(step for step in steps if step.creates or step.installs or is_unread(step))


def is_unread(step: BootstrapStep) -> bool:
    """Whether a step applies something that is not known: a path or text that only a variable names."""
    applies = _APPLIES.search(step.command.text) is not None and "://" not in step.command.text
    return applies and not step.creates and not step.installs and not step.command.paths


def _is_spared(command: Command, known: tuple[Helmfile, ...]) -> bool:
    """Whether a command runs only where a Helmfile is missing that is there."""
    return bool(_SPARED.search(command.text)) and any(helmfile.path in command.paths for helmfile in known)


def _step(command: Command, tree: Tree, known: tuple[Helmfile, ...]) -> BootstrapStep:
    synced = tuple(_synced(command, known))
    applied = command.paths if _APPLIES.search(command.text) else ()
    namespaces = (ObjectId("", "Namespace", "", release.namespace) for release in synced)
    contents = (id for path in applied for id in objects_at(path, tree, _namespace(command)))
    made = (id for release in synced for id in _made(release, tree))
    creates = frozenset((*_literal(command), *contents, *_per_directory(command, tree), *namespaces, *made))
    installs = {*_installed_by_text(command), *(part for release in synced for part in _installed_by(release, tree))}
    if any(installs_flux(path, tree) for path in applied):
        installs.add(Installs.FLUX)
    if any(_is_instance(id) for id in creates):
        installs.add(Installs.INSTANCE)
    return BootstrapStep(command, creates, frozenset(installs))


def _made(release: HelmfileRelease, tree: Tree) -> Iterator[ObjectId]:
    """The source and the root that a release of chart `flux2-sync` makes."""
    for one in sync_releases(tree) if release.chart_name == SYNC_CHART else ():
        if one.where == release.where:
            yield from (one.source.id, one.root.id)


def _is_instance(id: ObjectId) -> bool:
    return id.group == OPERATOR_GROUP and id.kind == "FluxInstance"


def _literal(command: Command) -> Iterator[ObjectId]:
    """Objects that a command names itself: `create secret generic NAME`."""
    for kind, name in _CREATES.findall(command.text):
        word = name.strip("'\"")
        namespaced = not kind.startswith("n")
        if not re.search(r"[${}]", word):
            namespace = _namespace(command) if namespaced else ""
            yield ObjectId("", _KINDS.get(kind, "Secret"), namespace, word)


def _namespace(command: Command) -> str:
    stated = _IN.findall(command.text)
    return stated[0] if stated else "default"


def _per_directory(command: Command, tree: Tree) -> Iterator[ObjectId]:
    """`find DIRECTORY -type d | while read ns; do kubectl create namespace "$ns"`."""
    for path in command.paths if _EACH_DIRECTORY.search(command.text) else ():
        names = {
            rest[len(path) + 1 :].split("/")[0] for rest in tree.below(path) if rest.count("/") > path.count("/") + 1
        }
        yield from (ObjectId("", "Namespace", "", name) for name in names)


def _installed_by_text(command: Command) -> Iterator[Installs]:
    if _BY_HAND.search(command.text) or _INSTALL.search(command.text):
        yield Installs.FLUX
    charts = {OPERATOR: Installs.OPERATOR, INSTANCE: Installs.INSTANCE, FLUX_CHART: Installs.FLUX}
    yield from (charts[chart] for chart in _CHART.findall(command.text))


def _synced(command: Command, known: tuple[Helmfile, ...]) -> Iterator[HelmfileRelease]:
    """The releases of the Helmfiles that a command syncs, or of a directory of them."""
    for helmfile in known if _SYNCS.search(command.text) else ():
        if any(path in (helmfile.path, posixpath.dirname(helmfile.path)) for path in command.paths):
            yield from helmfile.releases


def _installed_by(release: HelmfileRelease, tree: Tree) -> set[Installs]:
    """What a release installs, if it can be rendered at all."""
    charts = {OPERATOR: Installs.OPERATOR, INSTANCE: Installs.INSTANCE, FLUX_CHART: Installs.FLUX}
    installed = charts.get(release.chart_name)
    return {installed} if installed and not list(defects(release, tree)) else set()


def installs_flux(path: str, tree: Tree) -> bool:
    """Whether a path applies the manifests of a Flux release: a directory of kustomize, or a file of its output."""
    listing = listing_of(path, tree) or (path if path in tree else "")
    return bool(listing) and any(_INSTALL.search(str(entry)) for entry in _entries(listing, tree))


def _entries(listing: str, tree: Tree) -> Iterator[object]:
    for document in documents_of(tree, listing):
        for field in ("resources", "bases"):
            yield from listed(document.mapping.get(field))


def objects_at(path: str, tree: Tree, namespace: str) -> set[ObjectId]:
    """The objects that applying a file or directory creates, also where it is a template or encrypted."""
    return {_placed(id, namespace) for id in _objects(path, tree, 0)}


def _objects(path: str, tree: Tree, depth: int) -> Iterator[ObjectId]:
    listing = listing_of(path, tree)
    if path in tree:
        yield from _described(path, tree)
    elif listing is None:
        yield from chain.from_iterable(_described(file, tree) for file in _manifests_in(path, tree))
    elif depth < _DEPTH:
        yield from _listed(listing, tree, depth)


def _manifests_in(directory: str, tree: Tree) -> Iterator[str]:
    """What `kubectl apply -f` reads of a directory: its own files, not those below."""
    for file in tree.below(directory):
        if posixpath.dirname(file) == directory and file.endswith((".yaml", ".yml", ".json")):
            yield file


def _listed(listing: str, tree: Tree, depth: int) -> Iterator[ObjectId]:
    """What the entries bring, in the namespace that the kustomization.yaml puts them into."""
    stated = [str(d.mapping["namespace"]) for d in documents_of(tree, listing) if d.mapping.get("namespace")]
    for entry in local_entries(_entries(listing, tree)):
        target = clean_path(posixpath.join(posixpath.dirname(listing), entry))
        yield from (_moved(id, stated) for id in _objects(target, tree, depth + 1))


def _moved(id: ObjectId, stated: list[str]) -> ObjectId:
    return _placed(ObjectId(id.group, id.kind, "", id.name), stated[0]) if stated else id


def _placed(id: ObjectId, namespace: str) -> ObjectId:
    is_global = id.kind in ("Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding")
    return id if id.namespace or is_global else ObjectId(id.group, id.kind, namespace, id.name)


def _described(path: str, tree: Tree) -> tuple[ObjectId, ...]:
    """Ids of the documents of a file; a template is read by its lines, and kustomize's own file describes none."""
    text = text_of(tree, path)
    if is_listing(path) or not _KIND.search(text):
        return ()
    found = read_documents(path, text.encode())
    if found.problems:
        return _by_lines(text)
    return tuple(id_of(document.mapping) for document in found.documents if document.mapping.get("kind"))


def _by_lines(text: str) -> tuple[ObjectId, ...]:
    return tuple(_roughly(part) for part in _BETWEEN.split(text) if "kind:" in part)


def _roughly(text: str) -> ObjectId:
    metadata = _first(r"^metadata:\s*\n((?:[ \t]+.*\n?)+)", text)
    return ObjectId(
        group_of({"apiVersion": _first(r"^apiVersion:\s*(\S+)", text)}),
        _first(r"^kind:\s*(\S+)", text),
        _first(r"^\s+namespace:\s*(\S+)", metadata),
        _first(r"^\s+name:\s*(\S+)", metadata),
    )


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    return match[1].strip("'\"") if match else ""

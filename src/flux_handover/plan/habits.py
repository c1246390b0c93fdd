"""What would install Flux in the old way again once the operator has it: a command by habit, a node's own manifests.

Only files that Flux does not read count, and of these only such as somebody or something acts on. What a machine
configuration lists is taken out; what is only a line of a script, a playbook or a workflow is told with its place,
since nobody but its owner knows when it runs.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from itertools import chain

from flux_handover.documents import Document
from flux_handover.findings import Finding, Location, Severity
from flux_handover.model.references_text import MAX_BYTES, sort_of
from flux_handover.model.rendering import Cluster
from flux_handover.model.settings_texts import bytes_of, decoded
from flux_handover.objects import listed, mapping
from flux_handover.plan.bootstrap_commands import text_of
from flux_handover.plan.listings import documents_of, is_listing, read_files
from flux_handover.plan.operations import Operation, RemoveField
from flux_handover.tree import Tree, clean_path, common_depth

_RELEASED = r"github\.com/fluxcd/flux2/+(?:manifests/install|releases/(?:latest/)?download/\S*install\.yaml)"
_COMMAND = r"(?<![\w.-])flux[\"']?(?:\s+|\s*,\s*|\s*\n\s*-\s*)[\"']?(?:bootstrap|install)\b"
_CHART = r"(?:fluxcd-community(?:/charts)?/|\bchart[\"']?\s*[:=]\s*[\"']?(?:[\w.-]+/)?)flux2(?![\w-])"
_AGAIN = re.compile(f"{_COMMAND}|{_RELEASED}|{_CHART}")
_EXPORT = re.compile(r"\bflux\s+install\b.*--export\b")
_PATH = re.compile(r"--path[=\s]+[\"']?([\w./-]+)")
_DISPOSABLE = re.compile(r"\bkind create cluster|helm/kind-action|\bk3d cluster create|minikube start|setup-minikube")
_SPARED = re.compile(r"\btest -f \S+ \|\|")
_COMMENT = ("#", "//", ";", "--", "*")
_DEFINES = b"name: kustomizations.kustomize.toolkit.fluxcd.io"
_PASSIVE = ("documentation", "update bot", "helmfile", "infrastructure")
"""Sorts of files that install nothing by themselves, or that other parts of the plan decide."""
_RUN = ("workflow", "task runner", "script")
"""Sorts of files that are run also where they are hidden; what else is hidden are settings and notes of tools."""
_MACHINE = (("extraManifests", ""), ("inlineManifests", "contents"))
"""Where a machine configuration of Talos lists what a new cluster gets (`siderolabs/talos:config/v1alpha1@v1.11`)."""


def taken_out(cluster: Cluster, others: Iterable[str], tree: Tree) -> tuple[Operation, ...]:
    """Entries of this cluster's machine configurations that bring Flux: the next upgrade of Kubernetes applies them."""
    return tuple(
        chain.from_iterable(
            _without_entries(document)
            for path in _configurations(cluster, tree)
            if _is_nearest(path, cluster.name, others)
            for document in documents_of(tree, path)
        )
    )


def _configurations(cluster: Cluster, tree: Tree) -> Iterator[str]:
    live = frozenset(read_files(cluster, tree))
    for path in tree:
        if path.endswith((".yaml", ".yml")) and path not in live and b"Manifests:" in bytes_of(tree, path):
            yield path


def _is_nearest(path: str, own: str, others: Iterable[str]) -> bool:
    """Whether a file is this cluster's and no other's, by where it lies."""
    return all(common_depth(path, own) > common_depth(path, other) for other in others)


def _without_entries(document: Document) -> Iterator[Operation]:
    why = "it would install Flux over the operator's"
    machine = mapping(document.mapping.get("cluster"))
    for field, text in _MACHINE:
        entries = listed(machine.get(field))
        found = [number for number, entry in enumerate(entries) if _brings_flux(entry, text)]
        if found and len(found) == len(entries):
            yield RemoveField(document.path, document.index, ("cluster", field), why)
        else:
            for number in reversed(found):
                yield RemoveField(document.path, document.index, ("cluster", field, number), why)


def _brings_flux(entry: object, text: str) -> bool:
    content = str(mapping(entry).get(text, "") if text else entry)
    return re.search(_RELEASED, content) is not None or _DEFINES.decode() in content


def findings(cluster: Cluster, tree: Tree) -> tuple[Finding, ...]:
    """Lines that install Flux in the old way, in the tree that the plan leaves."""
    live = frozenset(read_files(cluster, tree))
    files = tuple(path for path in tree if path not in live and _acts(path, tree))
    found = chain.from_iterable(_lines(path, cluster, tree) for path in files)
    return (*found, *_copied(files, live, cluster, tree))


def _acts(path: str, tree: Tree) -> bool:
    content = bytes_of(tree, path)
    readable = b"flux" in content and len(content) <= MAX_BYTES and b"\0" not in content
    sort, is_hidden = sort_of(path), any(part.startswith(".") for part in path.split("/"))
    return readable and not is_listing(path) and (sort in _RUN if is_hidden else sort not in _PASSIVE)


def _lines(path: str, cluster: Cluster, tree: Tree) -> Iterator[Finding]:
    text = text_of(tree, path)
    if _DISPOSABLE.search(text) or _DEFINES.decode() in text:
        return
    lines = text.splitlines()
    for number in sorted({text.count("\n", 0, match.start()) for match in _AGAIN.finditer(text)}):
        line = lines[number]
        if not line.lstrip().startswith(_COMMENT) and not _SPARED.search(line) and not _is_anothers(line, cluster):
            yield _finding(path, number + 1, line, cluster)


def _is_anothers(line: str, cluster: Cluster) -> bool:
    """Whether a command names another cluster's directory."""
    named = _PATH.search(line)
    return named is not None and clean_path(named[1]) != clean_path(cluster.name)


def _finding(path: str, number: int, line: str, cluster: Cluster) -> Finding:
    if _EXPORT.search(line):
        message, hint = "writes Flux's manifests again", "the FluxInstance names the version now: take it out"
    else:
        message = "installs Flux in the old way, over the operator's"
        hint = "call what phase bootstrap wrote in its place, or take it out"
    return Finding(
        hazard="B7",
        severity=Severity.WARNING,
        grade="S1",
        message=f"{path} {message}",
        where=Location(path, number),
        hint=hint,
        cluster=cluster.name,
    )


def _copied(files: Iterable[str], live: frozenset[str], cluster: Cluster, tree: Tree) -> Iterator[Finding]:
    """Files with Flux's manifests that something else than Flux brings to a node, by their name."""
    held = (path for path in tree if path not in live and path.endswith((".yaml", ".yml", ".j2")))
    names = {path: posixpath.basename(path) for path in held if _DEFINES in bytes_of(tree, path)}
    for path in files if names else ():
        text = decoded(tree, path)
        for manifests, name in names.items():
            match = re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text)
            if match and path != manifests:
                yield _finding(path, text.count("\n", 0, match.start()) + 1, "", cluster)

"""Flux as it is put on a bare cluster: remote bases applied by hand, Terraform, a cloud's own Flux."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace

from flux_handover import catalogue
from flux_handover.findings import Location
from flux_handover.model.building import BuildRequest
from flux_handover.model.detection_charts import FLUX_CHART, INSTANCE_CHART, Release
from flux_handover.model.detection_files import closure, flux_part, namespace_of
from flux_handover.model.detection_releases import chart_sign
from flux_handover.model.detection_remote import RemoteBase, base_manifests, remote_bases, with_base
from flux_handover.model.detection_signs import Evidence, Sign, belongs
from flux_handover.model.detection_terraform import Block, terraform_blocks
from flux_handover.model.detection_versions import component_of, exact
from flux_handover.model.installation import Method, Setting, SettingKind
from flux_handover.model.settings import components, renames
from flux_handover.model.settings_origin import Stack, patches, settings, stages
from flux_handover.model.settings_stack import KustomizationFile, files_above, kustomization_files
from flux_handover.model.settings_texts import matches
from flux_handover.model.terraform_flux import BOOTSTRAP, belongs_to, flux_in_terraform
from flux_handover.objects import KUSTOMIZE_GROUP, ObjectId, object_of
from flux_handover.tree import Tree, clean_path

_APPLY = re.compile(r"kubectl\b[^\n]*\b(?:apply|create)\b[^\n]*?(?:-k|--kustomize)[=\s]+[\"']?([^\s\"'|]+)")
_MANAGED = re.compile(
    r"(extension_?[tT]ype\s*[=:]\s*[\"']microsoft\.flux|azurerm_kubernetes_flux_configuration"
    r"|Microsoft\.KubernetesConfiguration/fluxConfigurations|az\s+k8s-configuration\s+flux\s+create)"
)
_MANAGED_SUFFIXES = (".tf", ".tofu", ".bicep", ".json", ".sh", ".yaml", ".yml")


def hand_signs(evidence: Evidence) -> Iterator[Sign]:
    """Remote bases of Flux in kustomization.yaml files that no live Kustomization reads."""
    for base in _hand_bases(evidence):
        directory = posixpath.dirname(base.file.path)
        step = next(_steps(evidence, directory), None)
        note = f"applied by hand: {base.reference} in {base.where}"
        applied = f"{note}, by {step}" if step else f"{note}; no step that applies it was found"
        yield Sign(Method.REMOTE_BASE, base.where, base.version, files=(base.file.path,), notes=(applied,))


def _hand_bases(evidence: Evidence) -> Iterator[RemoteBase]:
    unread = [path for path in evidence.tree if path not in evidence.live_reads]
    yield from (base for base in remote_bases(evidence.tree, unread) if belongs(evidence, base.file.path))


def with_hand_settings(evidence: Evidence, sign: Sign) -> Sign:
    """A remote base that is all there is, with what its kustomization.yaml makes of it."""
    base = next((base for base in _hand_bases(evidence) if base.where == sign.where), None)
    manifests = base_manifests(base) if base is not None else ()
    if base is None or not manifests:
        return replace(sign, notes=(*sign.notes, "its version is not known, so its settings cannot be read"))
    tree, path = with_base(evidence.tree, base)
    plain = tuple(object_of(manifest) for manifest in manifests)
    stack = replace(_hand_stack(evidence, base, path), tree=tree)
    (result,) = evidence.builder.build(tree, [BuildRequest("live", stack.kustomization)])
    if result.error:
        return replace(sign, notes=(*sign.notes, f"{base.file.path} does not build: {result.error.message}"))
    live = flux_part(result.objects, plain)
    return replace(
        sign,
        namespace=namespace_of(live),
        components=components(o for o in live if component_of(o)),
        settings=settings(plain, stages(stack, evidence.builder, plain, live), live, base.where),
        patches=patches(stack),
        plain=plain,
        live=live,
        renamed=renames(plain, live),
    )


def _hand_stack(evidence: Evidence, base: RemoteBase, manifests: str) -> Stack:
    """What `kubectl apply -k` builds, as a Kustomization, so that there is one way to build."""
    directory = posixpath.dirname(base.file.path)
    spec = {"path": f"./{directory}", "prune": False, "sourceRef": {"kind": "GitRepository", "name": "none"}}
    metadata = {"name": "bootstrap", "namespace": "default"}
    kustomization = {"apiVersion": f"{KUSTOMIZE_GROUP}/v1", "kind": "Kustomization", "metadata": metadata, "spec": spec}
    replaced, _ = with_base(evidence.tree, base)
    files = kustomization_files(replaced, closure(replaced, directory))
    above = files_above(files, frozenset({manifests}))
    # The replaced file is JSON on one line; places are looked for in the one that the user wrote.
    written = tuple(
        KustomizationFile(f.path, replace(base.file.document, content=f.content)) if f.path == base.file.path else f
        for f in above
    )
    return Stack(replaced, kustomization, written, None, evidence.tree)


def _steps(evidence: Evidence, directory: str) -> Iterator[Location]:
    """Lines of scripts and task files that apply a directory with kubectl."""
    for where, match in matches(evidence.tree, evidence.tree, _APPLY, b"kubectl"):
        tail = match[1].rpartition("}")[2].strip("/")
        if tail and f"/{directory}".endswith(f"/{clean_path(tail)}"):
            yield where


def managed_signs(evidence: Evidence) -> Iterator[Sign]:
    """A Flux that the cloud installs and upgrades, such as the AKS extension."""
    for where in (one for one in managed_places(evidence.tree) if belongs(evidence, one.file)):
        note = "the cloud installs, configures and upgrades this Flux; the operator cannot take it over"
        yield Sign(Method.MANAGED, where, files=(where.file,), notes=(note,))


def managed_places(tree: Tree) -> Iterator[Location]:
    """Lines that let a cloud install Flux."""
    files = [path for path in tree if path.endswith(_MANAGED_SUFFIXES)]
    yield from (where for where, _ in matches(tree, files, _MANAGED, b"flux"))


def terraform_signs(evidence: Evidence) -> Iterator[Sign]:
    """Flux in Terraform: the provider's bootstrap, its older data sources, and releases of the charts."""
    for block in terraform_blocks(evidence.tree):
        match (block.kind, block.type):
            case ("resource", "flux_bootstrap_git") if _is_for(evidence, block):
                yield _bootstrap_sign(evidence, block)
            case ("data", "flux_install" | "flux_sync") if belongs_to(block, evidence):
                yield _data_sign(block)
            case ("resource", "helm_release") if belongs(evidence, block.path):
                yield from _release_sign(block)
    yield from _applied_signs(evidence)


def _applied_signs(evidence: Evidence) -> Iterator[Sign]:
    """Resources of other providers that apply Flux's manifests, or commit them."""
    found = flux_in_terraform(evidence.tree, evidence.cluster.root)
    for block in (*found.owning, *found.reading):
        if block.type not in (BOOTSTRAP, "helm_release") and belongs_to(block, evidence):
            note = f"{block.address} in {block.where} holds Flux's manifests for Terraform"
            yield Sign(Method.TERRAFORM, block.where, files=(block.path,), notes=(note,))


def _is_for(evidence: Evidence, block: Block) -> bool:
    """A path that is written plainly and exists decides; any other is a matter of where the file lies."""
    if _named_path(evidence, block):
        return clean_path(str(block.literal("path"))) == evidence.cluster.name
    return belongs(evidence, block.path)


def _named_path(evidence: Evidence, block: Block) -> bool:
    path = block.literal("path")
    return bool(path) and evidence.tree.is_directory(clean_path(str(path)))


def _bootstrap_sign(evidence: Evidence, block: Block) -> Sign:
    namespace, names = str(block.literal("namespace") or "flux-system"), _component_names(block)
    return Sign(
        method=Method.TERRAFORM,
        where=block.where,
        version=exact(str(block.literal("version") or "")),
        namespace=namespace,
        components=names,
        files=(block.path,),
        settings=tuple(_arguments(block, namespace, names)),
        notes=tuple(_bootstrap_notes(evidence, block)),
        beside=None if _named_path(evidence, block) or not evidence.rivals else Method.BOOTSTRAP,
    )


def _component_names(block: Block) -> tuple[str, ...]:
    chosen = block.literal("components") or catalogue.DEFAULT_COMPONENTS
    return tuple(sorted({str(name) for name in (*chosen, *(block.literal("components_extra") or ()))}))


def _bootstrap_notes(evidence: Evidence, block: Block) -> Iterator[str]:
    yield f"{block.address} in {block.where} writes Flux's manifests and owns them in its state"
    path, version = block.literal("path"), block.attributes.get("version")
    if path and clean_path(str(path)) != evidence.cluster.name:
        yield f"{block.address} names path {path}, the root is {evidence.cluster.name}"
    if version is not None and not version.is_literal:
        yield f"{block.address} takes its version from {version.value}"


_EVERYWHERE = {
    "log_level": (SettingKind.ARGUMENT, "--log-level"),
    "watch_all_namespaces": (SettingKind.ARGUMENT, "--watch-all-namespaces"),
    "image_pull_secret": (SettingKind.IMAGE, "imagePullSecrets"),
    "registry": (SettingKind.IMAGE, "registry"),
    "registry_credentials": (SettingKind.IMAGE, "imagePullSecrets"),
    "toleration_keys": (SettingKind.SCHEDULING, "tolerations"),
    "cluster_domain": (SettingKind.ARGUMENT, "--events-addr"),
}


def _arguments(block: Block, namespace: str, names: tuple[str, ...]) -> Iterator[Setting]:
    """What the arguments of `flux_bootstrap_git` change of the plain manifests."""
    for name, (kind, key) in _EVERYWHERE.items():
        if name in block.attributes:
            value = _text(block, name)
            for component in names:
                target = ObjectId("apps", "Deployment", namespace, component)
                yield Setting(target, kind, key, value, block.line_of(name))
    yield from _removed_policies(block, namespace)


def _removed_policies(block: Block, namespace: str) -> Iterator[Setting]:
    if block.literal("network_policy") is False:
        for policy in ("allow-egress", "allow-scraping", "allow-webhooks"):
            target = ObjectId("networking.k8s.io", "NetworkPolicy", namespace, policy)
            yield Setting(target, SettingKind.DELETION, "object", "deleted", block.line_of("network_policy"))


def _text(block: Block, name: str) -> str:
    value = block.attributes[name].value
    if name == "registry_credentials":
        return "given"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _data_sign(block: Block) -> Sign:
    version = exact(str(block.literal("version") or ""))
    note = f"{block.address} in {block.where} renders Flux's manifests, and Terraform applies them"
    return Sign(Method.TERRAFORM, block.where, version, files=(block.path,), notes=(note,))


def _chart(block: Block) -> str:
    return str(block.literal("chart") or "").rpartition("/")[2]


def _release_sign(block: Block) -> Iterator[Sign]:
    release = Release(
        chart=_chart(block),
        version=str(block.literal("version") or ""),
        name=str(block.literal("name") or ""),
        namespace=str(block.literal("namespace") or "default"),
        values={},
        owner=None,
        suspend=False,
        where=block.where,
        files=(block.path,),
        by="Terraform",
        documents=(),
    )
    written = ("values" in block.attributes, "set" in block.attributes or "set {" in block.text)
    note = (f"{block.address} sets values that are not evaluated; read them in {block.where}",) if any(written) else ()
    if release.chart == FLUX_CHART:
        sign = chart_sign(release)
        yield replace(sign, notes=(*sign.notes, *note))
    elif release.chart == INSTANCE_CHART:
        where = f"{block.address} in {block.where}"
        yield Sign(Method.OPERATOR, block.where, namespace=release.namespace, files=(block.path,), notes=(where, *note))

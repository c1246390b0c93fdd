"""Variables, SOPS and patches (codes V): what values reach, and what never arrives."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from flux_handover import catalogue
from flux_handover.documents import Document, read_documents
from flux_handover.findings import Location, Severity
from flux_handover.model.effective_kept import lost as lost_settings
from flux_handover.model.effective_kept import with_every_mark
from flux_handover.model.flux import FluxKustomization, HelmRelease, helm_releases
from flux_handover.model.installation import Method
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, ObjectId, listed, mapping, text_at
from flux_handover.plan import present
from flux_handover.proof.hazards.losses import lost
from flux_handover.proof.hazards.places import SUFFIXES, documents_holding, place_of
from flux_handover.proof.hazards.registry import Decided, Pair, Sign, View, in_pair, in_tree
from flux_handover.proof.hazards.stuck import broken_property
from flux_handover.proof.hazards.synced import Instance, instance_of
from flux_handover.tree import Tree

_PLAIN = re.compile(r"[\w.-]+")
_SELECTOR_KEY = re.compile(r"[A-Za-z0-9][\w./-]*")


@in_pair("V1", "substituteFrom deadlock", "S2", decided=Decided.SERIES)
def variables_deadlock(pair: Pair) -> Iterator[Sign]:
    """A Kustomization needs variables that only it, or what it creates, brings; or that were just deleted.

    Why: variables are loaded before anything is applied, whether a `${` is there or not; without them the
    Kustomization is never ready, so what would bring them never arrives.
    Example: the Kustomization that renders a ConfigMap of settings has the same ConfigMap in `substituteFrom`.
    Do: drop the entry where the path has no `${`, set `optional: true`, or create the object at bootstrap.
    """
    yield from broken_property(pair, "V1")


@in_pair("V2", "fix that cannot arrive", "S2")
def fix_cannot_arrive(pair: Pair) -> Iterator[Sign]:
    """The root changes its own spec in a revision in which it does not build.

    Why: the root applies itself; while its build fails, the new spec stays in Git.
    Example: `substituteFrom` is removed from the root together with a file that breaks its build.
    Do: repair the build first, or apply the file of the root by hand with `kubectl apply`.
    """
    root = pair.after.cluster.root
    old, new = pair.before.cluster.builds.get(root), pair.after.cluster.builds.get(root)
    if old and new and new.failure and old.ks.object.spec != new.ks.object.spec:
        message = f"{root} changes its own spec, and does not build, so the change cannot reach the cluster"
        yield Sign(message, root, place_of(pair.after, root))


@in_pair("V3", "shared variables deleted", "S2", decided=Decided.SERIES)
def shared_variables_removed(pair: Pair) -> Iterator[Sign]:
    """A ConfigMap or Secret that Kustomizations name in `substituteFrom` is deleted.

    Why: every Kustomization that names it fails from then on, and none can bring it back.
    Example: one ConfigMap of settings feeds sixty Kustomizations and leaves the root's directory.
    Do: mark it `kustomize.toolkit.fluxcd.io/prune: disabled`, or drop it from every `substituteFrom` first.
    """
    yield from lost(pair, "V3")


@in_pair("V4", "sync bypasses the injector", "S0")
def sync_bypasses_injector(pair: Pair) -> Iterator[Sign]:
    """A Kustomization loses decryption or variables because another parent renders it now.

    Why: what a parent's patches put into its children is gone when another parent takes them over; secrets are
    applied as ciphertext, variables as nothing.
    Example: `FluxInstance.spec.sync` points below the Kustomization whose patches set decryption.
    Do: sync at the level above the one that injects, and keep that one.
    """
    yield from broken_property(pair, "V4")
    for id, new in pair.after.cluster.builds.items():
        old = pair.before.cluster.builds.get(id)
        left = _injected(old.ks) - _injected(new.ks) if old else frozenset()
        if old and left and (old.parent != new.parent or _patches(pair.before, old) != _patches(pair.after, new)):
            message = f"{id} loses {' and '.join(sorted(left))}, which its parent gave it"
            yield Sign(message, id, new.where)


def _injected(ks: FluxKustomization) -> frozenset[str]:
    found = {"decryption": ks.decrypts, "variables": bool(ks.substitute_from)}
    return frozenset(name for name, there in found.items() if there)


def _patches(view: View, build: Build) -> object:
    parent = view.cluster.builds.get(build.parent) if build.parent else None
    return parent.ks.object.spec.get("patches") if parent else None


@in_tree("V5", "patch of the instance that reaches nothing", "S3")
def patch_depth(view: View) -> Iterator[Sign]:
    """A patch of the FluxInstance aims at Kustomizations or HelmReleases of applications.

    Why: these patches act on what the operator itself renders: controllers, CRDs, the source and Kustomization of
    `sync`; never on what that Kustomization applies.
    Example: a patch with `target.kind: HelmRelease` in `spec.kustomize.patches`.
    Do: put it into `spec.patches` of the Kustomization that applies them, or patch that field of the sync.
    """
    instance = instance_of(view.cluster)
    for kind, name in instance.targets() if instance else ():
        if instance and kind in ("Kustomization", "HelmRelease") and not _reaches(instance, kind, name):
            message = f"a patch of {instance.id} for {kind} {name or 'of any name'} reaches nothing"
            yield Sign(message, instance.id, place_of(view, instance.id))


def _reaches(instance: Instance, kind: str, name: str) -> bool:
    """Whether a patch meets the Kustomization that `sync` makes; a name that is an expression may."""
    may_match = name in ("", instance.sync_name) or not _PLAIN.fullmatch(name)
    return kind == "Kustomization" and instance.has_sync and may_match


@in_tree("V6", "unknown value of a chart", "S3")
def unknown_value(view: View) -> Iterator[Sign]:
    """A value of the operator's or the instance's chart is none that the chart knows.

    Why: the chart copies it and the API server drops it, without a word.
    Example: `instance.kustomize.postBuild`.
    Do: correct the name, or name the version of the chart that knows it.
    """
    for build in view.cluster:
        for release in helm_releases(build.objects):
            chart = present.chart_of(release, view.cluster)
            if chart in ("flux-instance", "flux-operator"):
                version = present.chart_version(release.object, view.cluster)
                for misfit in dict.fromkeys((*_misfits(chart, version, release.values), *_dropped(release, version))):
                    yield Sign(f"{release.id}: value {misfit}", release.id, place_of(view, release.id))


def _misfits(chart: str, version: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """What the chart's own schema refuses; nothing where the chart is not known."""
    try:
        return tuple(map(str, catalogue.values_misfits(chart, version, values)))
    except KeyError:
        return ()


def _dropped(release: HelmRelease, version: str) -> tuple[str, ...]:
    """What the chart copies into the FluxInstance, and the API server drops."""
    try:
        schema = catalogue.operator_schema(f"v{version}", "FluxInstance", "v1")
        made = catalogue.instance_from_values(release.values, version, namespace=release.release_namespace)
    except KeyError:
        return ()
    found = (
        [one for one in catalogue.validate(schema, made) if one.problem != catalogue.IS_NULL]
        if schema is not None
        else ()
    )
    return tuple(str(misfit).replace(".spec", "instance", 1).replace("spec.", "instance.", 1) for misfit in found)


@in_pair("V7", "opt-out selector lost", "S3", Severity.WARNING)
def selector_lost(pair: Pair) -> Iterator[Sign]:
    """A label by which Kustomizations opt out of a patch is no longer looked at by any patch.

    Why: those that opted out are patched like the rest.
    Example: a patch with `labelSelector: substitution/disabled notin (true)` is copied without it.
    Do: carry the selector over with the patch.
    """
    used = {str(key) for build in pair.after.cluster for key in build.ks.object.labels}
    for key in sorted((_selected(pair.before.cluster) - _selected(pair.after.cluster)) & used):
        holders = sorted(build.id for build in pair.after.cluster if key in build.ks.object.labels)
        yield Sign(f"no patch selects by the label {key} any more, which {holders[0]} carries", holders[0])


def _selected(cluster: Cluster) -> frozenset[str]:
    patches = chain.from_iterable(listed(build.ks.object.spec.get("patches")) for build in cluster)
    texts = (text_at(mapping(mapping(patch).get("target")), "labelSelector") for patch in patches)
    return frozenset(key for text in texts for key in _SELECTOR_KEY.findall(text.replace("(", " ").replace(")", " ")))


@in_tree("V8", "undefined variable", "S3")
def undefined_variable(view: View) -> Iterator[Sign]:
    """A text uses a variable that nothing defines, so it becomes empty.

    Why: substitution is not strict by default; from Flux 2.9 on, the build fails instead.
    Example: `${TIMEZONE}` in a manifest, and no `TIMEZONE` in any variables.
    Do: define it, give it a default (`${NAME:=value}`), or write `$${NAME}` where it is no variable.
    """
    for build in view.cluster:
        for name in sorted(build.undefined):
            yield Sign(f"${{{name}}} is defined nowhere, and becomes empty in {build.id}", build.id, build.where)


@in_tree("V9", "stand-in in the live path", "S0")
def mock_in_live_path(view: View) -> Iterator[Sign]:
    """An unencrypted Secret with the name of real key material is applied, or an object that `sync` makes itself.

    Why: Flux writes it over the real one, and whoever removes it later removes the real one.
    Example: a fixture for CI that holds a Secret of the decryption key's name.
    Do: keep fixtures outside of what Flux applies.
    """
    for id in sorted(_keys(view.cluster)):
        build = view.cluster.applying(id)
        if build is not None and _is_plain(view, build, id):
            yield Sign(f"{id} is key material, and is applied unencrypted", id, place_of(view, id))
    for id in _made_by_sync(view.cluster):
        yield Sign(f"{id} is applied, and made by the FluxInstance too", id, place_of(view, id))


def _made_by_sync(cluster: Cluster) -> Iterator[ObjectId]:
    """Objects that Kustomizations apply, and that `sync` makes itself."""
    instance = instance_of(cluster)
    if instance is None or not instance.has_sync:
        return
    wanted = (instance.id.namespace, instance.sync_name)
    for _, object in cluster.objects():
        if object.id.group in (KUSTOMIZE_GROUP, SOURCE_GROUP) and (object.id.namespace, object.id.name) == wanted:
            yield object.id


def _keys(cluster: Cluster) -> set[ObjectId]:
    decryption = {build.ks.decryption_secret for build in cluster if build.ks.decryption_secret}
    return decryption | {source.secret for source in cluster.sources.values() if source.secret}


def _is_plain(view: View, build: Build, id: ObjectId) -> bool:
    """Whether a file declares the Secret with content and without encryption."""
    same = [
        document
        for document in documents_holding(view.tree, build.reads, id.name, "Secret")
        if document.mapping.get("kind") == "Secret" and mapping(document.mapping.get("metadata")).get("name") == id.name
    ]
    return any("sops" not in d.mapping and (d.mapping.get("data") or d.mapping.get("stringData")) for d in same)


@in_pair("V10", "SOPS file edited by hand", "S3", Severity.WARNING)
def sops_edited(pair: Pair) -> Iterator[Sign]:
    """An encrypted file changes outside of sops: its content is another, its seal the same.

    Why: Flux does not check the seal, `sops -d` does; the bootstrap of a new cluster fails on it.
    Example: `metadata.namespace` of an encrypted Secret is edited.
    Do: edit it with sops, or change it by a patch of kustomize.
    """
    for path in _changed_seals(pair):
        documents = zip(_sealed(pair.before.tree, path), _sealed(pair.after.tree, path), strict=False)
        for before, after in documents:
            if _seal(before) and _seal(before) == _seal(after) and _open(before) != _open(after):
                yield Sign(f"{path} is encrypted and was edited without sops", None, Location(path, after.line))


def _changed_seals(pair: Pair) -> Iterator[str]:
    """Files on both sides that hold a seal and are not the same."""
    old, new = pair.before.tree.files, pair.after.tree.files
    changed = (path for path in sorted(old.keys() & new.keys()) if old[path].digest != new[path].digest)
    for path in changed:
        if path.endswith(SUFFIXES) and all(b"sops:" in (files[path].content or b"") for files in (old, new)):
            yield path


def _sealed(tree: Tree, path: str) -> tuple[Document, ...]:
    return tuple(d for d in read_documents(path, tree.read(path)).documents if "sops" in d.mapping)


def _seal(document: Document) -> str:
    return str(mapping(document.mapping.get("sops")).get("mac") or "")


def _open(document: Document) -> Mapping[str, Any]:
    return {key: value for key, value in document.mapping.items() if key != "sops"}


@in_pair("V11", "settings not carried over", "S3", Severity.WARNING)
def settings_lost(pair: Pair) -> Iterator[Sign]:
    """A FluxInstance takes Flux over, or it is installed in another way, and a setting is not effective any more.

    Why: it shows weeks later, under load.
    Example: `--concurrent=8` was a patch, and the FluxInstance has none.
    Do: carry it as a patch in `FluxInstance.spec.kustomize.patches`.
    """
    old, new = pair.before.installation, pair.after.installation
    after = pair.after.instance or (new.live if old.method is not new.method else ())
    if not pair.before.instance and old.method is not Method.OPERATOR and old.live and after:
        found = present.instance(pair.after.cluster)
        where = place_of(pair.after, found.found.object.id) if found else None
        live = [with_every_mark(pair.before.cluster, object) for object in old.live]
        for one in lost_settings(live, after, renamed=dict(old.renamed)):
            yield Sign(str(one), None, where)

"""Apply (codes A): what builds, and the API server or a controller then refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flux_handover import catalogue
from flux_handover.findings import Severity
from flux_handover.model.flux import FluxKustomization, HelmRelease, helm_releases
from flux_handover.model.installation import Setting
from flux_handover.model.rendering import Build, BuildStatus, Cluster
from flux_handover.objects import SOURCE_GROUP, Object, ObjectId, ids_of, is_flux_object, mapping, text_at
from flux_handover.proof.hazards.build import broken
from flux_handover.proof.hazards.places import files_among, place_in, place_of
from flux_handover.proof.hazards.registry import Pair, Sign, View, also_in_pair, in_pair, in_tree
from flux_handover.proof.hazards.stuck import broken_property


@in_pair("A1", "object without a namespace", "S2")
def without_namespace(pair: Pair) -> Iterator[Sign]:
    """A rendered object needs a namespace and has none, so the apply of its whole Kustomization fails.

    Why: the API server refuses it in the dry-run; nothing of that stage is applied.
    Example: a Kustomization without `metadata.namespace`, whose parent sets no `targetNamespace`.
    Do: write the namespace, or let the kustomization.yaml set it, as its neighbours do.
    """
    yield from broken(pair, "A1")


@in_tree("A2", "reference to nothing", "S2", Severity.ERROR)
def reference_to_nothing(view: View) -> Iterator[Sign]:
    """A source or a dependency that something names is rendered by nothing that is live.

    Why: whoever names it stands still until it is there.
    Example: `sourceRef.name: flux-system` is copied from another repository, whose source is called so.
    Do: name the source that there is.
    """
    complete = all(build.status is BuildStatus.OK for build in view.cluster)
    named = {id: owner for owner, id in sorted(_named(view.cluster), reverse=True)}
    there = _there(view.cluster) | view.cluster.sources.keys() | ids_of(view.cluster.bootstrap)
    for id in sorted(id for id in named.keys() - there if id.name):
        message = f"{id} is named by {named[id]}, and nothing that is live renders it"
        yield Sign(message, id, place_of(view, named[id]), severity=None if complete else Severity.WARNING)


def _there(cluster: Cluster) -> frozenset[ObjectId]:
    return ids_of(cluster.present())


@also_in_pair("A2")
def never_ready(pair: Pair) -> Iterator[Sign]:
    """A Kustomization that was ready, or is new, waits for what never comes."""
    yield from broken_property(pair, "A2")


def _named(cluster: Cluster) -> Iterator[tuple[ObjectId, ObjectId]]:
    """Who names which source, chart source or dependency."""
    for build in cluster:
        yield from ((build.id, other) for other in (build.ks.source, *build.ks.depends_on))
        for release in helm_releases(build.objects):
            yield from ((release.id, source) for source in _chart_sources(release))


def _chart_sources(release: HelmRelease) -> Iterator[ObjectId]:
    if release.chart_ref:
        yield release.chart_ref
    source = mapping(mapping(mapping(release.object.spec.get("chart")).get("spec")).get("sourceRef"))
    if source:
        namespace = text_at(source, "namespace", release.id.namespace)
        yield ObjectId(SOURCE_GROUP, text_at(source, "kind"), namespace, text_at(source, "name"))


@in_pair("A3", "field that the API server refuses", "S2")
def refused_field(pair: Pair) -> Iterator[Sign]:
    """A Flux object that is new or changed has a field or a value that its CRD does not know.

    Why: server-side apply is strict: one such field, and nothing of that stage is applied.
    Example: `postBuild.substituteFrom[].namespace`; such references are local to the namespace.
    Do: correct the field; patches that write into the object count too.
    """
    for build, object in _changed(pair):
        for problem in _misfits(object, pair.after.installation.version):
            if not _fits_newer(object):
                yield Sign(f"{object.id}: {problem}", object.id, place_in(pair.after, build, object.id))


@in_pair("A4", "field of a newer version", "S2")
def newer_field(pair: Pair) -> Iterator[Sign]:
    """A Flux object has a field or an API version that the running Flux does not serve, and a newer one does.

    Why: the apply fails as with any unknown field; an unknown flag makes a controller crash.
    Example: `upgrade.strategy` of a HelmRelease under Flux 2.6.
    Do: upgrade Flux first, in a commit of its own.
    """
    yield from broken_property(pair, "A4")
    version = pair.after.installation.version
    for build, object in _changed(pair):
        if _misfits(object, version) and _fits_newer(object):
            message = f"{object.id} needs a newer Flux than {version}: {_misfits(object, version)[0]}"
            yield Sign(message, object.id, place_in(pair.after, build, object.id))
    yield from _newer_arguments(pair)


def _newer_arguments(pair: Pair) -> Iterator[Sign]:
    """Arguments and feature gates that the change brings, and that the controller does not know yet."""
    version, before = pair.after.installation.version, {_named_by(one) for one in pair.before.installation.settings}
    for setting in pair.after.installation.settings if catalogue.has(version) else ():
        since = catalogue.argument_since(setting.key)
        if since and not catalogue.is_at_least(version, since) and _named_by(setting) not in before:
            message = f"{setting.key} crashes {setting.target.name} of Flux {version}: it came with {since}"
            yield Sign(message, setting.target, setting.where, grade="S1")


def _named_by(setting: Setting) -> tuple[ObjectId, str]:
    return setting.target, setting.key


def _changed(pair: Pair) -> Iterator[tuple[Build, Object]]:
    """Flux objects that the change brings, without those that a secret decides."""
    for build in pair.after.cluster:
        before = _contents(pair.before.cluster.builds.get(build.id))
        symbolic = build.symbols or {}
        for object in build.objects:
            if is_flux_object(object.id) and object.id not in symbolic and before.get(object.id) != object.data:
                yield build, object


def _contents(build: Build | None) -> Mapping[ObjectId, object]:
    return {object.id: object.data for object in build.present} if build else {}


def _misfits(object: Object, version: str) -> tuple[str, ...]:
    """What the CRD of a Flux version refuses; nothing where the version, or the kind, is not known."""
    if not catalogue.has(version) or (object.id.group, object.id.kind) not in catalogue.crds(version):
        return ()
    served = object.api_version.rpartition("/")[2]
    schema = catalogue.crd_schema(version, object.id.group, served, object.id.kind)
    if schema is None:
        return (f"{object.api_version} is not served by Flux {version}",)
    return tuple(str(misfit) for misfit in catalogue.validate(schema, object.data))


def _fits_newer(object: Object) -> bool:
    return not _misfits(object, catalogue.versions()[-1])


@in_tree("A5", "decryption without a key", "S2")
def decryption_without_key(view: View) -> Iterator[Sign]:
    """A Kustomization decrypts, its files are encrypted for a key, and no key is named.

    Why: without `decryption.secretRef` only a key of the controller itself, or a cloud's, can open them.
    Example: `decryption: {provider: sops}` and files encrypted with age.
    Do: name the Secret, or give the controller `--sops-age-secret`.
    """
    if any("sops" in setting.key for setting in view.installation.settings):
        return
    for build in view.cluster:
        if build.ks.decrypts and build.ks.decryption_secret is None and _has_age(view, build):
            yield Sign(f"{build.id} decrypts files for age, and names no key", build.id, build.where)


def _has_age(view: View, build: Build) -> bool:
    contents = (view.tree.files[path].content or b"" for path in files_among(view.tree, build.reads))
    return any(b"sops:" in content and b"BEGIN AGE ENCRYPTED FILE" in content for content in contents)


@in_tree("A6", "local reference after a move", "S2")
def local_reference(view: View) -> Iterator[Sign]:
    """A Kustomization names a Secret or ConfigMap that is in another namespace than its own.

    Why: `secretRef` and `substituteFrom` have no namespace; they mean the Kustomization's own.
    Example: a Kustomization moves to its application's namespace, and its variables stay in flux-system.
    Do: keep the Kustomization where its variables are, or bring them along.
    """
    there = _there(view.cluster)
    homes = {(id.kind, id.name): id.namespace for id in sorted(there) if id.kind in ("Secret", "ConfigMap")}
    for build in view.cluster:
        for id in sorted(set(_local(build.ks)) - there):
            home = homes.get((id.kind, id.name), id.namespace)
            if home != id.namespace:
                message = f"{build.id} names {id.kind} {id.name} in {id.namespace}, and it is in {home}"
                yield Sign(message, build.id, build.where)


def _local(ks: FluxKustomization) -> Iterator[ObjectId]:
    yield from ks.required_variables
    if ks.decryption_secret:
        yield ks.decryption_secret

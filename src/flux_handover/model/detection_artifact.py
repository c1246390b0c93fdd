"""Method `oci-kustomization`: a Kustomization applies a Flux distribution from its own source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from flux_handover import catalogue
from flux_handover.findings import Location
from flux_handover.model.detection_signs import Evidence, Sign
from flux_handover.model.detection_versions import component_of, exact
from flux_handover.model.flux import Source
from flux_handover.model.installation import Method
from flux_handover.model.origin import Elsewhere, files_of, is_flux_artifact, is_flux_repository
from flux_handover.model.rendering import Build, BuildStatus
from flux_handover.model.settings import components, renames
from flux_handover.model.settings_origin import Stack, document_at, patches, settings, stages
from flux_handover.model.settings_texts import files_with
from flux_handover.objects import Object, object_of

INSTALL_PATH = "manifests/install"


def artifact_signs(evidence: Evidence) -> Iterator[Sign]:
    """Each live Kustomization that applies a Flux distribution from elsewhere."""
    for build in evidence.cluster:
        source = evidence.cluster.sources.get(build.ks.source)
        if source is not None and is_distribution(source, build.ks.path) and not build.ks.remote_cluster:
            yield _sign(evidence, build, source)


def is_distribution(source: Source, path: str) -> bool:
    """Whether a source brings Flux's own manifests."""
    if is_flux_artifact(source):
        return True
    return is_flux_repository(source) and path == INSTALL_PATH


def version_of(source: Source) -> str:
    """The version that a source's `ref` names exactly; a digest, a branch or a range names none."""
    if source.ref.get("digest") or source.ref.get("commit"):
        return ""
    written = source.ref.get("semver") or source.ref.get("name", "").removeprefix("refs/tags/") or source.ref.get("tag")
    return exact(written or "")


def plain_objects(source: Source, version: str) -> tuple[Object, ...]:
    """The distribution's objects as the source brings them; none for a version that is not in the catalogue."""
    if not catalogue.has(version):
        return ()
    is_artifact = source.id.kind == "OCIRepository"
    manifests = catalogue.artifact_manifests(version) if is_artifact else catalogue.base_manifests(version)
    return tuple(object_of(manifest) for manifest in manifests)


def _sign(evidence: Evidence, build: Build, source: Source) -> Sign:
    version = version_of(source)
    live = build.objects
    bare = Sign(
        method=Method.OCI_KUSTOMIZATION,
        where=build.where,
        version=version,
        namespace=_namespace(live, build),
        components=components(o for o in live if component_of(o)),
        owner=build.id,
        source=source.id,
        files=tuple(sorted({*_file(build.where), *_file(_source_place(evidence, build, source))})),
        live=live,
        notes=tuple(_notes(build, source, version)),
    )
    return _with_settings(evidence, build, source, bare)


def _with_settings(evidence: Evidence, build: Build, source: Source, sign: Sign) -> Sign:
    """What the Kustomization makes of the distribution; nothing where either is not known."""
    plain = plain_objects(source, sign.version)
    stack = _stack(evidence, build, source)
    if stack is None or not plain or not sign.live:
        return replace(sign, plain=plain, patches=patches(stack) if stack else ())
    staged = stages(stack, evidence.builder, plain, sign.live)
    return replace(
        sign,
        settings=settings(plain, staged, sign.live, build.where or Location("")),
        patches=patches(stack),
        plain=plain,
        renamed=renames(plain, sign.live),
    )


def _stack(evidence: Evidence, build: Build, source: Source) -> Stack | None:
    root = evidence.cluster.sources[evidence.cluster.builds[evidence.cluster.root].ks.source]
    files = files_of(source, root, evidence.tree)
    if isinstance(files, Elsewhere):
        return None
    document = document_at(evidence.tree, build.where)
    return Stack(files, build.ks.object.data, (), document, evidence.tree)


def _source_place(evidence: Evidence, build: Build, source: Source) -> Location | None:
    """The file that declares the source: the Kustomization's own, or one that the same parent reads."""
    parent = evidence.cluster.builds.get(build.parent) if build.parent else None
    nearby = (*_file(build.where), *sorted(parent.reads if parent else ()))
    found = (Location(path) for path, _ in files_with(evidence.tree, nearby, source.url.encode()))
    return next(found, None)


def _namespace(live: tuple[Object, ...], build: Build) -> str:
    found = sorted({o.id.namespace for o in live if component_of(o)})
    return found[0] if found else build.ks.target_namespace or build.id.namespace


def _file(where: Location | None) -> tuple[str, ...]:
    return (where.file,) if where else ()


def _notes(build: Build, source: Source, version: str) -> Iterator[str]:
    yield from _version_notes(source, version)
    if build.ks.suspend:
        yield f"{build.id} is suspended"
    if build.status is not BuildStatus.OK and build.failure:
        yield f"{build.id} does not build: {build.failure.message}"


def _version_notes(source: Source, version: str) -> Iterator[str]:
    if not version:
        ref = ", ".join(f"{key} {value}" for key, value in sorted(source.ref.items())) or "no ref"
        yield f"{source.id} follows {ref}, which names no exact version"
    elif not catalogue.has(version):
        yield f"Flux {version} is not in the catalogue, so its settings cannot be read"

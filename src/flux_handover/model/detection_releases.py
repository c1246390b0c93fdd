"""Methods `helm-chart` and `operator`: releases of the charts, and FluxInstances themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flux_handover import catalogue
from flux_handover.findings import Location
from flux_handover.model.detection_charts import (
    FLUX_CHART,
    FLUX_OF_CHART,
    INSTANCE_CHART,
    OPERATOR_CHART,
    SYNC_CHART,
    Release,
    helmfile_releases,
    live_releases,
)
from flux_handover.model.detection_signs import Evidence, Sign, belongs
from flux_handover.model.detection_versions import exact
from flux_handover.model.flux import is_instance
from flux_handover.model.installation import Method
from flux_handover.model.settings_helm import ChartValues, chart_settings, enabled
from flux_handover.model.settings_texts import documents_with
from flux_handover.objects import HELM_GROUP, OPERATOR_GROUP, Object, ObjectId, mapping, object_of, text_at
from flux_handover.tree import clean_path

_NO_LIMITS = "chart flux2 sets no limits of its own; every other way to install Flux limits cpu and memory"


def live_chart_signs(evidence: Evidence) -> Iterator[Sign]:
    """Each live HelmRelease of chart `flux2`, with what goes with it."""
    releases = tuple(live_releases(evidence))
    yield from _chart_signs(releases)


def bootstrap_chart_signs(evidence: Evidence) -> Iterator[Sign]:
    """Releases of chart `flux2` in helmfiles that belong to this cluster."""
    yield from _chart_signs(tuple(r for r in helmfile_releases(evidence) if belongs(evidence, r.where.file)))


def _chart_signs(releases: tuple[Release, ...]) -> Iterator[Sign]:
    beside = tuple(f"chart {r.chart} in {r.where}" for r in releases if r.chart == SYNC_CHART)
    yield from (chart_sign(release, beside) for release in releases if release.chart == FLUX_CHART)


def chart_sign(release: Release, beside: tuple[str, ...] = ()) -> Sign:
    """What a release of chart `flux2` installs."""
    version = FLUX_OF_CHART.get(release.version.removeprefix("v"), "")
    id = release.owner or ObjectId(HELM_GROUP, "HelmRelease", release.namespace, release.name)
    values = ChartValues(id, release.namespace, release.values, release.place)
    notes = [*beside, f"installed by {release.by} {release.namespace}/{release.name}", _NO_LIMITS]
    if not version:
        notes.append(f"which Flux chart flux2 {release.version or 'without version'} brings is not known")
    if release.suspend:
        notes.append(f"{id} is suspended")
    return Sign(
        method=Method.HELM_CHART,
        where=release.where,
        version=version,
        namespace=release.namespace,
        components=enabled(release.values),
        owner=release.owner,
        files=release.files,
        settings=chart_settings(values),
        notes=tuple(notes),
    )


def live_instance_signs(evidence: Evidence) -> Iterator[Sign]:
    """FluxInstances that are live, as objects or in a release of their chart; else the operator alone."""
    releases = tuple(live_releases(evidence))
    found = (*_rendered(evidence), *(_released(r) for r in releases if r.chart == INSTANCE_CHART))
    yield from found
    if not found:
        yield from (_operator_alone(release) for release in releases if release.chart == OPERATOR_CHART)


def _rendered(evidence: Evidence) -> Iterator[Sign]:
    yield from (_instance(o, b.where, b.id) for b, o in evidence.cluster.objects() if is_instance(o))
    yield from (_instance(object, None, None) for object in evidence.cluster.bootstrap if is_instance(object))


def bootstrap_instance_signs(evidence: Evidence) -> Iterator[Sign]:
    """FluxInstances that only bootstrap applies: by a helmfile, or by hand."""
    own = (release for release in helmfile_releases(evidence) if belongs(evidence, release.where.file))
    yield from (_released(release) for release in own if release.chart == INSTANCE_CHART)
    yield from _synced(evidence)


def _instance(object: Object, where: Location | None, owner: ObjectId | None) -> Sign:
    return _instance_sign(object.spec, object.id, where, owner, (where.file,) if where else ())


def _released(release: Release) -> Sign:
    id = ObjectId(
        OPERATOR_GROUP, "FluxInstance", release.namespace, str(release.values.get("fullnameOverride") or "flux")
    )
    return _instance_sign(mapping(release.values.get("instance")), id, release.where, release.owner, release.files)


def _instance_sign(
    spec: Mapping[str, Any], id: ObjectId, where: Location | None, owner: ObjectId | None, files: tuple[str, ...]
) -> Sign:
    written = text_at(mapping(spec.get("distribution")), "version")
    chosen = spec.get("components")
    names = [str(name) for name in chosen] if isinstance(chosen, list) else list(catalogue.DEFAULT_COMPONENTS)
    notes = () if exact(written) else (f"{id} follows version {written or 'nothing'}, which is not exact",)
    return Sign(
        method=Method.OPERATOR,
        where=where,
        version=exact(written),
        namespace=id.namespace,
        components=tuple(sorted(names)),
        owner=owner,
        files=files,
        notes=notes,
    )


def _synced(evidence: Evidence) -> Iterator[Sign]:
    """A FluxInstance that only a person or a script applies, whose `sync` is this cluster's root."""
    unread = (path for path in evidence.tree if path not in evidence.live_reads)
    for document in documents_with(evidence.tree, unread, b"FluxInstance", b"sync"):
        object = object_of(document.mapping)
        sync = mapping(object.spec.get("sync"))
        same = clean_path(text_at(sync, "path")) == evidence.cluster.name
        if is_instance(object) and sync.get("url") and same:
            where = Location(document.path, document.line)
            yield _instance_sign(object.spec, object.id, where, None, (document.path,))


def _operator_alone(release: Release) -> Sign:
    note = f"the operator is installed by {release.owner}, but there is no FluxInstance"
    return Sign(Method.UNKNOWN, release.where, files=release.files, notes=(note,))

"""Method `helm-chart`: a release of chart `flux2` is suspended, then forgotten, never uninstalled (rules.md R28).

A HelmRelease that is suspended when it is deleted does not run its finalizer's uninstall (`fluxcd/helm-controller:
internal/controller/helmrelease_controller.go#reconcileDelete@v1.6.3`), so it may leave Git once the operator owns
everything. What Helm stored about the release stays in Secrets until a person deletes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flux_handover.catalogue.operators import OperatorFacts
from flux_handover.catalogue.versions import is_at_least
from flux_handover.errors import UnsupportedInstallation
from flux_handover.findings import Location
from flux_handover.model.detection_charts import (
    FLUX_CHART,
    INSTANCE_CHART,
    OPERATOR_CHART,
    SYNC_CHART,
    Release,
    helmfile_releases,
    live_releases,
)
from flux_handover.model.flux import helm_release_of, is_kind
from flux_handover.model.installation import Installation, Method
from flux_handover.model.rendering import Cluster
from flux_handover.model.settings_helm import CONTROLLERS
from flux_handover.model.settings_texts import bytes_of
from flux_handover.objects import HELM_GROUP, SOURCE_GROUP, Object, ObjectId, ids_of, mapping, text_at
from flux_handover.plan.bootstrap_helmfiles import HelmfileRelease, all_releases
from flux_handover.plan.conditions import FieldIs, Has
from flux_handover.plan.listings import document_of, read_files
from flux_handover.plan.operations import Operation, RemoveField, RemoveFile, SetField
from flux_handover.plan.phases import Gate, LiveStep, PhaseDraft
from flux_handover.plan.releasing_chart import charted, leftovers
from flux_handover.plan.removing import described_in, removed_documents
from flux_handover.plan.sharing import patched
from flux_handover.tree import Tree

HELM_RELEASES = "helmreleases.helm.toolkit.fluxcd.io"
NEW_CHARTS = (OPERATOR_CHART, INSTANCE_CHART)
OVERRIDE = "--override-manager=helm-controller"
FOLDS_OTHERS = "v0.39.0"
"""The first operator that can be told to take over the fields of further managers."""

_REFUSED: tuple[tuple[tuple[str, ...], Any, str], ...] = (
    (("installCRDs",), False, "the CRDs of Flux come from somewhere else, which would go on changing the operator's"),
    (("rbac", "create"), False, "the roles of Flux come from somewhere else; the operator creates its own"),
    (
        ("multitenancy", "privileged"),
        False,
        "the operator binds the controllers to cluster-admin, this release does not",
    ),
    (("distro", "openshift"), True, "OpenShift's security rules are not translated"),
)
_UNTRANSLATED = (("extraSecretMounts",), ("service",), ("webhookReceiver", "service"))
_KEEP_OBJECTS = ("prometheus", "extraObjects")


@dataclass(frozen=True, slots=True)
class _Site:
    cluster: Cluster
    tree: Tree


def completed(installation: Installation, cluster: Cluster, tree: Tree) -> Installation:
    """The installation with what its chart renders; unchanged where no HelmRelease in Git installs Flux."""
    release = release_of(installation, cluster, tree)
    content = charted(release) if release is not None else None
    if content is None:
        return installation
    return replace(installation, plain=content.plain, live=content.live, patches=content.patches)


def release_of(installation: Installation, cluster: Cluster, tree: Tree) -> Release | None:
    """The release of the chart that the installation is: a live HelmRelease, else the only one of a helmfile."""
    if installation.method is not Method.HELM_CHART:
        return None
    site = _Site(cluster, tree)
    if installation.owner is not None:
        found = live_releases(site, frozenset({FLUX_CHART}))
        return next((one for one in found if one.owner == installation.owner), None)
    return _only_in_helmfiles(installation, site)


def _only_in_helmfiles(installation: Installation, site: _Site) -> Release | None:
    written = [r for r in helmfile_releases(site) if r.chart == FLUX_CHART and r.where.file in installation.files]
    return written[0] if len(written) == 1 else None


def check(installation: Installation, cluster: Cluster, tree: Tree, facts: OperatorFacts, where: str) -> None:
    """Refuse what a FluxInstance cannot be made to keep."""
    if installation.method is not Method.HELM_CHART:
        return
    release = release_of(installation, cluster, tree)
    if release is None:
        raise UnsupportedInstallation(
            "no HelmRelease and no helmfile in Git installs Flux: the release is made by Terraform or by hand",
            where=where,
            hint="write it as a HelmRelease of the same name, namespace and values first: Helm adopts its own release, "
            "and the plan lets Terraform forget it",
        )
    if release.owner is None:
        _check_helmfile(release, tree)
    elif not is_at_least(facts.version, FOLDS_OTHERS):
        raise UnsupportedInstallation(
            f"operator {facts.version} leaves behind the fields that helm-controller wrote",
            where=str(release.where),
            hint=f"use {FOLDS_OTHERS} or newer, which takes {OVERRIDE}",
        )
    _check_values(release)
    _check_beside(cluster, tree)


def _check_helmfile(release: Release, tree: Tree) -> None:
    """Refuse values that only helmfile could render, and a helmfile that brings other things too."""
    _check_rendered(release, tree)
    others = [one for one in _beside_it(release, tree) if one != release.name]
    if others:
        raise UnsupportedInstallation(
            f"the helmfile with Flux installs {others[0]} too",
            where=str(release.where),
            hint="move the release of Flux to a helmfile of its own first, synced by a line of its own",
        )


def _check_rendered(release: Release, tree: Tree) -> None:
    for path in release.files:
        content = bytes_of(tree, path)
        if path not in tree or b"{{" in content:
            raise UnsupportedInstallation(
                "values of the release are rendered by helmfile, and are not known here",
                where=f"{path}:{content.partition(b'{{')[0].count(bytes([10])) + 1}",
                hint="write them out as `helmfile write-values` shows them, and plan again",
            )


def _beside_it(release: Release, tree: Tree) -> tuple[str, ...]:
    return tuple(one.name for one in _same_file(release, tree) if one.chart_name not in (*NEW_CHARTS, FLUX_CHART))


def _same_file(release: Release, tree: Tree) -> list[HelmfileRelease]:
    """Everything that the helmfile of a release installs, and the release itself."""
    return [one for one in all_releases(tree) if one.where.file == release.where.file]


def _check_values(release: Release) -> None:
    for path, value, why in _REFUSED:
        if _at(release.values, path) is value:
            raise UnsupportedInstallation(
                f"{'.'.join(path)} is {str(value).lower()}: {why}",
                where=str(release.place(path)),
                hint="bring the release to the chart's default for this first, and plan again",
            )
    role = _at(release.values, ("rbac", "roleRef", "name"))
    if role not in (None, "cluster-admin"):
        raise UnsupportedInstallation(
            f"the controllers are bound to {role}; the operator binds them to cluster-admin",
            where=str(release.place(("rbac", "roleRef", "name"))),
            hint="decide whether cluster-admin is acceptable, and take the value out first",
        )
    for key, values in release.values.items():
        _check_fields(release, key, mapping(values))
        account = mapping(mapping(values).get("serviceAccount"))
        if account.get("create") is False or account.get("automount") is False:
            raise UnsupportedInstallation(
                f"the ServiceAccount of {key} is not the chart's own",
                where=str(release.place((key, "serviceAccount"))),
                hint="let the chart create it first: the operator creates it in any case",
            )


def _check_fields(release: Release, key: str, values: Mapping[str, Any]) -> None:
    """Fields of a controller that the chart renders and that are not translated."""
    for path in _UNTRANSLATED:
        if key in CONTROLLERS and _at(values, path):
            raise UnsupportedInstallation(
                f"{'.'.join((key, *path))} is not translated",
                where=str(release.place((key, *path))),
                hint="take it out of the values first, and write the same as a manifest of its own if it is needed",
            )


def _check_beside(cluster: Cluster, tree: Tree) -> None:
    """Source and root that chart `flux2-sync` makes would go with their release, unless it is suspended for good."""
    beside = next(live_releases(_Site(cluster, tree), frozenset({SYNC_CHART})), None)
    if beside is not None and not (beside.suspend and _is_written_out(cluster)):
        raise UnsupportedInstallation(
            "chart flux2-sync installs the source and the root: uninstalling it deletes everything below the root",
            where=str(beside.where),
            hint="write both as manifests of the same name first, suspend this release and see it suspended",
        )


def _is_written_out(cluster: Cluster) -> bool:
    """Whether the root applies itself and its source from Git."""
    root = cluster.builds[cluster.root]
    return {root.id, root.ks.source} <= root.ids


def _at(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    found: Any = values
    for key in path:
        found = mapping(found).get(key)
    return found


def operator_values(installation: Installation) -> dict[str, Any]:
    """What the operator must be told so that no field of helm-controller survives by itself."""
    by_controller = installation.method is Method.HELM_CHART and installation.owner is not None
    return {"extraArgs": [OVERRIDE]} if by_controller else {}


def warnings(installation: Installation) -> tuple[str, ...]:
    """What a person who makes the release must not do meanwhile."""
    if installation.method is not Method.HELM_CHART or installation.owner is not None:
        return ()
    return ("sync the helmfile of Flux no more: it would write over the operator until the operator corrects it",)


def suspension(installation: Installation, cluster: Cluster, tree: Tree) -> Iterator[Operation]:
    """`suspend: true` on the HelmRelease that installs Flux."""
    release = release_of(installation, cluster, tree)
    if release is None or release.suspend or release.owner is None:
        return
    document = _document(installation, cluster, tree)
    why = "a release that is not suspended is uninstalled when it leaves Git, and Flux with it"
    if document.file in installation.shared:
        yield patched(_owner(installation), {"suspend": True}, document.file, installation.shared, cluster, tree)
        return
    yield SetField(document.file, _index(tree, document.file, installation), ("spec", "suspend"), True, why)


def _document(installation: Installation, cluster: Cluster, tree: Tree) -> Location:
    assert installation.owner is not None
    for path in (*installation.files, *read_files(cluster, tree)):
        document = document_of(tree, path, installation.owner)
        if document is not None:
            return Location(path, document.line)
    raise UnsupportedInstallation(
        f"{installation.owner} is not written as a document in this repository",
        where=installation.place,
        hint="write it as a manifest of its own, and plan again",
    )


def _owner(installation: Installation) -> ObjectId:
    assert installation.owner is not None
    return installation.owner


def _index(tree: Tree, path: str, installation: Installation) -> int:
    document = document_of(tree, path, installation.owner) if installation.owner else None
    assert document is not None
    return document.index


def is_suspended(installation: Installation) -> Iterator[Gate]:
    """The live release is suspended: what is in Git alone counts for nothing."""
    id = installation.owner
    if installation.method is Method.HELM_CHART and id is not None:
        yield Gate(
            id="release-is-suspended",
            object=id,
            condition=f"the live {id} is suspended",
            command=f"kubectl -n {id.namespace} get {HELM_RELEASES} {id.name} -o jsonpath='{{.spec.suspend}}'",
            expect="true",
            why="helm-controller would put back what the operator changes, and uninstall Flux when it is deleted",
            looks_for=Has(id, (FieldIs(("spec", "suspend"), "true"),)),
        )


def without_own_suspension(gates: tuple[Gate, ...], installation: Installation, cluster: Cluster) -> tuple[Gate, ...]:
    """The gates, where the release that the plan itself suspended is no reason to stop."""
    if installation.method is not Method.HELM_CHART:
        return gates
    ids = [id for id in _forgettable(installation, cluster) if (o := cluster.find(id)) and helm_release_of(o).suspend]
    return tuple(_but_for(gate, ids) if ids and gate.id == "none-suspended" else gate for gate in gates)


def _but_for(gate: Gate, ids: list[ObjectId]) -> Gate:
    lines = [f"{id.kind}/{id.namespace}/{id.name}" for id in ids]
    condition = f"nothing but {' and '.join(lines)} is suspended"
    return replace(gate, condition=condition, expect="\n".join(lines), looks_for=None)


def _forgettable(installation: Installation, cluster: Cluster) -> tuple[ObjectId, ...]:
    """The release of Flux, and suspended ones of chart `flux2-sync`, whose root Git has by now."""
    owners = (installation.owner,) if installation.owner is not None else ()
    found = live_releases(_Site(cluster, Tree({})), frozenset({SYNC_CHART}))
    return (*owners, *(one.owner for one in found if one.owner is not None and one.suspend))


def forgotten(installation: Installation, cluster: Cluster, tree: Tree) -> PhaseDraft:
    """The suspended HelmRelease leaves Git, with its repository if nothing else uses that."""
    release = release_of(installation, cluster, tree)
    if release is None:
        return PhaseDraft()
    if installation.owner is None:
        return PhaseDraft(tuple(_unwritten(release, tree)), tuple(_afterwards(release, cluster)))
    owners = _forgettable(installation, cluster)
    sources = tuple(_unused_source(installation.owner, owners, cluster))
    kept = tuple(id for id in sources if _is_of_others(id, installation, cluster, tree))
    ids = (*owners, *(id for id in sources if id not in kept))
    places = [(id, "") for id in ids]
    why = "the operator installs Flux now"
    operations = tuple(removed_documents(places, cluster, tree, why, installation.shared))
    notes = (*_afterwards(release, cluster), *(f"{id} stays: other clusters read its file too" for id in kept))
    return PhaseDraft(operations, notes, removes=frozenset(ids))


def _is_of_others(source: ObjectId, installation: Installation, cluster: Cluster, tree: Tree) -> bool:
    """Whether a source is shared between clusters, and the release that uses it here is not."""
    owner = installation.owner
    files = (described_in(id, cluster, tree) for id in (source, owner) if id is not None)
    return [file in installation.shared for file in files] == [True, False]


def _unwritten(release: Release, tree: Tree) -> Iterator[Operation]:
    """The release leaves its helmfile, or the file goes where it is the only one."""
    releases = _same_file(release, tree)
    of_flux = [one for one in releases if one.chart_name == FLUX_CHART]
    why = "it would install Flux over the operator's"
    if of_flux == releases:
        yield RemoveFile(release.where.file, (), why)
        return
    for one in of_flux:
        document, index = one.position
        yield RemoveField(release.where.file, document, ("releases", index), why)


def _unused_source(owner: ObjectId, leaving: tuple[ObjectId, ...], cluster: Cluster) -> Iterator[ObjectId]:
    source = _chart_source(cluster.find(owner))
    others = [object for _, object in cluster.objects() if object.id not in leaving]
    if source is not None and source in ids_of(others) and source not in map(_chart_source, others):
        yield source


def _chart_source(object: Object | None) -> ObjectId | None:
    if object is None or not is_kind(object, HELM_GROUP, "HelmRelease"):
        return None
    chart = mapping(mapping(object.spec.get("chart")).get("spec"))
    ref = mapping(object.spec.get("chartRef")) or mapping(chart.get("sourceRef"))
    namespace = text_at(ref, "namespace", object.id.namespace)
    return ObjectId(SOURCE_GROUP, str(ref.get("kind")), namespace, str(ref.get("name"))) if ref else None


def _afterwards(release: Release, cluster: Cluster) -> Iterator[str]:
    """Live steps that no commit can do, and what stays without an owner."""
    storage = helm_release_of(found).storage_namespace if (found := cluster.find(release.owner)) else release.namespace
    for beside in live_releases(_Site(cluster, Tree({})), frozenset({SYNC_CHART})):
        yield (
            "live step, then: delete what Helm stored of the release that made the root: "
            f"kubectl -n {beside.namespace} delete secrets -l owner=helm,name={beside.name}"
        )
    yield (
        "live step, once the release has left Git: delete what Helm stored, or `helm uninstall` takes Flux along: "
        f"kubectl -n {storage} delete secrets -l owner=helm,name={release.name}"
    )
    for kind in ("clusterrole", "clusterrolebinding"):
        names = sorted(o.id.name for o in leftovers(release) if o.id.kind.lower() == kind)
        if names:
            yield (
                f"live step, then: nobody owns these any more, and the operator has its own: "
                f"kubectl delete {kind} {' '.join(names)}"
            )
    for key in (key for key in _KEEP_OBJECTS if release.values.get(key)):
        yield f"{release.place((key,))}: what {key} made stays without an owner; write it into Git"
    for key, values in release.values.items():
        if _at(mapping(values), ("webhookReceiver", "ingress", "create")) is True:
            yield f"{release.place((key, 'webhookReceiver'))}: the Ingress stays without an owner; write it into Git"


def resumed(installation: Installation) -> tuple[LiveStep, ...]:
    """How the release has Flux again once nothing suspends it."""
    id = installation.owner
    if id is None:
        return ()
    return (
        LiveStep(
            f"see {id} Ready; without the Secrets that Helm stored it installs anew over what is there",
            f"kubectl -n {id.namespace} wait {HELM_RELEASES}/{id.name} --for=condition=Ready --timeout=10m",
            "condition met",
        ),
    )


def suspended_again(installation: Installation) -> tuple[LiveStep, ...]:
    """The release is back in Git, and does nothing yet."""
    gates = is_suspended(installation)
    return tuple(LiveStep(f"see that {gate.condition}", gate.command, gate.expect) for gate in gates)

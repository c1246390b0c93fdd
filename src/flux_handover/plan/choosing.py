"""From how Flux is installed to the target that keeps it: versions, fields, patches, values.

Everything that cannot be kept is refused here, before any phase is drafted, with the place and
the smallest change that lifts the refusal.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, assert_never

from flux_handover.catalogue import distributions
from flux_handover.catalogue.distributions import COMPONENTS
from flux_handover.catalogue.operators import OperatorFacts, charts_like
from flux_handover.errors import UnsupportedInstallation, UsageError
from flux_handover.model.installation import Installation, Method
from flux_handover.model.rendering import Cluster
from flux_handover.model.settings_texts import bytes_of
from flux_handover.objects import HELM_POLICY, mapping, texts
from flux_handover.plan import habits, present, releasing
from flux_handover.plan.bootstrap_commands import text_of
from flux_handover.plan.carrying import carried
from flux_handover.plan.generated import check_generated
from flux_handover.plan.kept import cluster_fields, kept_patches, registry
from flux_handover.plan.listings import document_of, documents_in, documents_of
from flux_handover.plan.operating import operator_for
from flux_handover.plan.placement import INSTANCE, OPERATOR, layout_for
from flux_handover.plan.selected_pods import selected_labels
from flux_handover.plan.syncing import Synced, adopted
from flux_handover.plan.target import CarriedPatch, Options, Release, SyncStrategy, Target, Transfer, entry_of
from flux_handover.plan.tenancy import tenancy_of
from flux_handover.plan.transfer import is_under_way, transfer_of
from flux_handover.plan.written import shared_metadata, written_patches
from flux_handover.tree import Tree

CHARTS = "oci://ghcr.io/controlplaneio-fluxcd/charts"
_NAMES_FLUX = re.compile(rb"microsoft\.flux|fluxcd/flux2|flux_bootstrap|fluxConfigurations|flux2")
_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w*[^}]*\}")
SUPPORTED = (Method.OCI_KUSTOMIZATION, Method.BOOTSTRAP, Method.HELM_CHART, Method.REMOTE_BASE)


def choose_target(installation: Installation, cluster: Cluster, tree: Tree, options: Options) -> Target:
    """The end that keeps every setting; raises UnsupportedInstallation or UsageError where there is none."""
    where = version_place(installation, tree)
    if installation.method is Method.UNKNOWN:
        _check_root_builds(cluster)
        _check_by_hand(cluster, tree)
    _check(installation, options, tree, where)
    facts = operator_for(installation, cluster, options.operator_version, where)
    releasing.check(installation, cluster, tree, facts, where)
    _check_variables(installation, cluster)
    check_generated(installation, tree)
    carry = carried(installation, tree)
    strategy = strategy_of(cluster, options)
    synced = _synced(strategy, cluster, installation)
    kept = (*written_patches(installation, tree), *kept_patches(installation, cluster, facts.version))
    kept = (*kept, *selected_labels(installation, cluster))
    patches = (*carry.patches, *kept, *synced.patches)
    flux_version = installation.version.removeprefix("v")
    distribution = {"version": flux_version, "registry": registry(installation), "artifact": ""}
    fields = cluster_fields(installation, carry.deletes_policies)
    components = running_components(installation)
    metadata = _common_metadata(installation, cluster)
    values = _instance_values(distribution, components, fields, metadata, patches, synced)
    version = facts.version.removeprefix("v")
    return Target(
        sync=strategy,
        form=options.instance_as,
        namespace=installation.namespace,
        operator_version=facts.version,
        flux_version=installation.version,
        components=components,
        distribution=MappingProxyType({k: v for k, v in distribution.items() if v}),
        cluster=MappingProxyType(dict(fields)),
        patches=patches,
        operator=_release(
            OPERATOR, installation.namespace, version, _operator_values(facts) | releasing.operator_values(installation)
        ),
        instance=_release(INSTANCE, installation.namespace, version, values),
        tenancy=tenancy_of(installation),
        layout=layout_for(installation, cluster, tree, options.place_under),
        common_metadata=metadata,
        synced=synced.sync,
        transfer=transferred(strategy, cluster, tree, installation.namespace, installation.version, options),
        notes=(*carry.notes, *releasing.warnings(installation), *_chart_note(facts)),
    )


def strategy_of(cluster: Cluster, options: Options) -> SyncStrategy:
    """What the user wants, else what a FluxInstance that is there already does."""
    if options.sync is not None:
        return options.sync
    if is_under_way(cluster):
        return SyncStrategy.TRANSFER
    return SyncStrategy.ADOPT if cluster.root in present.synced_ids(cluster) else SyncStrategy.KEEP


def transferred(
    strategy: SyncStrategy, cluster: Cluster, tree: Tree, namespace: str, version: str, options: Options
) -> Transfer | None:
    """The transfer of the root, where that is the strategy and it is not through."""
    if options.sync_name and strategy is not SyncStrategy.TRANSFER:
        raise UsageError("--sync-name names the root of a transfer", hint="say --sync transfer too")
    if strategy is not SyncStrategy.TRANSFER:
        return None
    return transfer_of(cluster, tree, namespace, version, options.sync_name)


def _synced(strategy: SyncStrategy, cluster: Cluster, installation: Installation) -> Synced:
    match strategy:
        case SyncStrategy.KEEP | SyncStrategy.TRANSFER:
            return Synced()
        case SyncStrategy.ADOPT:
            return adopted(cluster, installation)
        case _:
            assert_never(strategy)


def running_components(installation: Installation) -> tuple[str, ...]:
    """Controllers of which anything runs or is defined, in the usual order: also one without a Deployment.

    A component left out would take its CRDs along, and with them every object of their kinds (O5).
    """
    defined = {
        str(object.labels.get("app.kubernetes.io/component", ""))
        for object in installation.live
        if object.id.kind in ("CustomResourceDefinition", "Deployment")
    }
    return tuple(name for name in COMPONENTS if name in defined or name in installation.components)


def _check(installation: Installation, options: Options, tree: Tree, where: str) -> None:
    if installation.method is Method.OPERATOR:
        raise UnsupportedInstallation(
            "a FluxInstance manages Flux already", where=where, hint="`flux-handover guard` judges changes of it"
        )
    if installation.method is Method.UNKNOWN:
        raise UnsupportedInstallation(
            "no Flux was found that could be handed over",
            where=where,
            hint="; ".join(installation.notes) or "name the root with --root",
        )
    if installation.method is Method.MANAGED:
        raise UnsupportedInstallation(
            "the cloud installs and upgrades this Flux, and would go on doing so beside the operator",
            where=where,
            hint="install the same Flux by `flux bootstrap` and take the cloud's extension out first, then plan again",
        )
    if installation.method not in SUPPORTED:
        raise UnsupportedInstallation(
            f"no plan can be made yet for an installation by {installation.method.value}",
            where=where,
            hint=f"methods that can be planned: {', '.join(method.value for method in SUPPORTED)}",
        )
    for rival in installation.rivals:
        raise UnsupportedInstallation(
            f"{rival.owner} applies Flux too, beside {installation.owner}: they undo each other's settings, "
            "and would undo the operator's",
            where=str(rival.where or where),
            hint="decide for one of them, and let the other go without deleting anything before the handover",
        )
    if not installation.version:
        raise _unversioned(installation, tree, where)
    if not distributions.has(installation.version):
        known = distributions.versions()
        raise UnsupportedInstallation(
            f"nothing is known about Flux {installation.version}",
            where=where,
            hint=f"known are {known[0]} to {known[-1]}; move to the nearest with the old installer first",
        )


def _check_root_builds(cluster: Cluster) -> None:
    """What a root that does not build installs is not known; the cause is told where it is, not as a hint."""
    root = cluster.builds[cluster.root]
    if root.failure is not None:
        raise UnsupportedInstallation(
            f"{root.id} does not build, so what it installs is not known: {root.failure.message}",
            where=str(root.failure.where or root.where or cluster.name),
            hint="repair it in a commit of its own; `flux-handover inspect` shows what else is there",
        )


def _check_by_hand(cluster: Cluster, tree: Tree) -> None:
    """Refuse what only a line of a script or a playbook installs, with the line and what makes it plannable."""
    where = next((one.where for one in habits.findings(cluster, tree)), None)
    if where is None:
        return
    line = text_of(tree, where.file).splitlines()[where.line - 1]
    if "flux2" in line.replace("fluxcd/flux2", ""):
        hint = "write it as a HelmRelease of the same name, namespace and values first: Helm adopts its own release"
    else:
        hint = (
            "let Flux apply what runs: `flux install --version=VERSION --components=NAMES --export`, into a file "
            "that a kustomization.yaml of the root lists, in a commit before the handover"
        )
    raise UnsupportedInstallation(
        "Flux is installed from here alone, and nothing that Flux applies says what runs",
        where=str(where),
        hint=hint,
    )


def _check_variables(installation: Installation, cluster: Cluster) -> None:
    """Refuse patches with variables of the owner: the FluxInstance has none, and a flag with one stops a controller."""
    owner = cluster.build(installation.owner)
    if owner is None or not owner.ks.has_post_build:
        return
    for patch in installation.patches:
        if found := _VARIABLE.search(patch.patch):
            raise UnsupportedInstallation(
                f"the patch takes {found[0]} from the variables of {owner.id}, which the FluxInstance does not have",
                where=str(patch.where),
                hint="write the value that runs in its place, in a commit before the handover",
            )


def _unversioned(installation: Installation, tree: Tree, where: str) -> UnsupportedInstallation:
    """Manifests that a list names and that are not there are the usual cause: `flux install` writes them again."""
    message = "the version of Flux that runs cannot be read"
    found = next(_empty_entries(installation, tree), None)
    if found is None:
        hint = "; ".join(("write the exact version there, as `flux version` shows it", *installation.notes))
        return UnsupportedInstallation(message, where=where, hint=hint)
    place, path = found
    return UnsupportedInstallation(
        f"{message}: {path} is not in Git, or empty",
        where=place,
        hint=f"commit what runs: `flux install --version=VERSION --components=NAMES --export > {path}`, "
        f"with the images that `kubectl -n {installation.namespace} get deployments -o wide` shows",
    )


def _empty_entries(installation: Installation, tree: Tree) -> Iterator[tuple[str, str]]:
    """Listed files of the installation without any object, each with the line that lists it."""
    for document in documents_in(tree, installation.files):
        for position, entry in enumerate(texts(document.mapping.get("resources"))):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(document.path), entry))
            if (
                path.endswith((".yaml", ".yml"))
                and "://" not in entry
                and not tree.is_directory(path)
                and not documents_of(tree, path)
            ):
                yield f"{document.path}:{document.line_of('resources', position)}", path


def version_place(installation: Installation, tree: Tree) -> str:
    """Where the version that runs is written, for a refusal: the source, else the first line that names Flux."""
    for file in installation.files:
        document = document_of(tree, file, installation.source) if installation.source else None
        if document is not None:
            return f"{file}:{document.line_of('spec', 'ref', 'tag')}"
    places = (line_naming_flux(file, tree) for file in installation.files)
    return next(filter(None, places), installation.place)


def line_naming_flux(file: str, tree: Tree) -> str:
    """The first line of a file that names an installation of Flux, with the file; empty where none does."""
    content = bytes_of(tree, file)
    match = _NAMES_FLUX.search(content)
    return f"{file}:{content.count(bytes([10]), 0, match.start()) + 1}" if match else ""


def _chart_note(facts: OperatorFacts) -> tuple[str, ...]:
    if facts.has_known_charts:
        return ()
    known = charts_like(facts.version)
    return (f"the charts of operator {facts.version} are not known here: the proof takes them to be those of {known}",)


def _common_metadata(installation: Installation, cluster: Cluster) -> Mapping[str, Any]:
    """`spec.commonMetadata` of the owner, which it puts on every object, and what a list puts on every one."""
    build = cluster.build(installation.owner)
    own = mapping(build.ks.object.spec.get("commonMetadata")) if build else {}
    shared = shared_metadata(installation)
    merged = {field: {**mapping(own.get(field)), **shared.get(field, {})} for field in ("labels", "annotations")}
    return MappingProxyType({field: marks for field, marks in merged.items() if marks})


def _release(name: str, namespace: str, version: str, values: Mapping[str, Any]) -> Release:
    return Release(name, namespace, f"{CHARTS}/{name}", version, MappingProxyType(dict(values)))


def _operator_values(facts: OperatorFacts) -> dict[str, Any]:
    """R18: nothing that opens a port or needs CRDs that may be missing."""
    values: dict[str, Any] = {"installCRDs": True, "serviceMonitor": {"create": False}}
    if facts.opens_web_port:
        values["web"] = {"enabled": False}
    return values


def _instance_values(
    distribution: Mapping[str, Any],
    components: tuple[str, ...],
    fields: Mapping[str, Any],
    metadata: Mapping[str, Any],
    patches: tuple[CarriedPatch, ...],
    synced: Synced,
) -> dict[str, Any]:
    instance: dict[str, Any] = {
        "distribution": dict(distribution),
        "components": list(components),
        "cluster": dict(fields),
    }
    if metadata:
        instance["commonMetadata"] = dict(metadata)
    if synced.sync:
        instance["sync"] = dict(synced.sync)
    if patches:
        instance["kustomize"] = {"patches": [entry_of(patch) for patch in patches]}
    return {"commonAnnotations": {HELM_POLICY: "keep"}, "instance": instance}

"""The user's cluster, made again in a sandbox: Flux as it is installed, what was applied by hand, and Git.

Flux is applied as its own rendering says it runs; secrets are throw-away ones; kinds that nobody defines get
stubs. Then the root is applied, as a person would, and the rest is Flux's own work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flux_handover.act.execute import Restart
from flux_handover.adapters.cluster import KubeCluster, Manifest
from flux_handover.adapters.sandbox.binaries.modules import cache_folder
from flux_handover.adapters.sandbox.releases.artifacts import (
    CHARTS,
    add_chart,
    add_flux_manifests,
    add_operator_manifests,
    is_published,
)
from flux_handover.adapters.sandbox.session import Sandbox
from flux_handover.adapters.sandbox.standins.placeholders import placeholder, replaced
from flux_handover.adapters.sandbox.standins.sops import AgeKey, Disguise
from flux_handover.adapters.sandbox.standins.stubs import stub_crd, stub_kinds
from flux_handover.adapters.sandbox.world.git import BareRepository
from flux_handover.adapters.sandbox.world.world import Network
from flux_handover.catalogue import distributions
from flux_handover.errors import ClusterError, SandboxError
from flux_handover.model.flux import Source
from flux_handover.model.installation import Installation, Method
from flux_handover.model.origin import is_same_repository, normal_url
from flux_handover.model.rendering import BuildStatus, Cluster
from flux_handover.objects import OPERATOR_GROUP, Object, ObjectId, ids_of, mapping
from flux_handover.proof.staging import root_source
from flux_handover.tree import Tree

BY_HAND = "kubectl"
CRD_SECONDS = 60.0
FLUX_GROUPS = ".toolkit.fluxcd.io"
FIRST = ("CustomResourceDefinition", "Namespace")


@dataclass(frozen=True, slots=True)
class Stage:
    """What a rehearsal plays: one cluster of a revision, and every object that any of its trees renders.

    `network` says whether addresses that the sandbox does not serve may be asked; what they answer is recorded.
    """

    cluster: Cluster
    installation: Installation
    objects: tuple[Object, ...]
    operator_version: str
    lender: Path | None = None
    network: Network = Network.OFFLINE


def recording_folder() -> Path:
    """Where answers of the network are kept for rehearsals without it: beside the programs."""
    return cache_folder().with_name("recording")


class Publishing:
    """Where trees are pushed to: every address of the repository, with secrets replaced."""

    def __init__(self, sandbox: Sandbox, stage: Stage) -> None:
        self.key: AgeKey = sandbox.age_key()
        self._disguise: Disguise = sandbox.disguise(self.key, {})
        sources = tuple(own_sources(stage.cluster))
        self.sources = frozenset(source.id for source in sources)
        self._branches = sorted({branch_of(source) for source in sources})
        urls = sorted({source.url for source in sources})
        self.addresses = frozenset(map(normal_url, urls))
        self.bare: BareRepository = sandbox.world.repository(urls[0], lender=stage.lender)
        for url in urls[1:]:
            sandbox.world.serve(url, self.bare)

    def disguised(self, tree: Tree) -> Tree:
        """A tree with its secrets replaced."""
        return self._disguise.apply(tree).tree

    def push(self, tree: Tree, title: str) -> str:
        """Publishes a tree as the next commit of every branch that is followed; its sha."""
        disguised = self.disguised(tree)
        first, *others = self._branches
        sha = self.bare.commit(disguised, first, title)
        for branch in others:
            self.bare.point(branch, sha)
        return sha


def own_sources(cluster: Cluster) -> Iterator[Source]:
    """The sources that follow the repository itself."""
    root = root_source(cluster)
    return (source for source in cluster.sources.values() if is_same_repository(source, root))


def branch_of(source: Source) -> str:
    """The branch that a source follows; raises SandboxError where it follows none."""
    if set(source.ref) - {"branch", "name"}:
        hint = f"its ref names {', '.join(sorted(source.ref))}; a commit cannot be pushed to that"
        raise SandboxError(f"{source.id} does not follow a branch", hint=hint)
    return source.ref.get("branch") or source.ref.get("name", "").removeprefix("refs/heads/") or "master"


def furnish(sandbox: Sandbox, stage: Stage) -> None:
    """Fills the registry with Flux's manifests and the charts that the network does not give; says what cannot work."""
    sandbox.lifter.unbuildable = unbuildable(stage.cluster)
    registry, version = sandbox.world.registry, stage.installation.version
    if version:
        add_flux_manifests(registry, version)
    operator = sandbox.programs["flux-operator"].path
    add_operator_manifests(registry, operator)
    if not stage.operator_version:
        return
    version = stage.operator_version.removeprefix("v")
    for name in CHARTS:
        if not is_published(sandbox.world.environment, name, version):
            definitions = operator.parent / "crds" if name == CHARTS[0] else None
            add_chart(registry, name, version, definitions)


def refuse_what_cannot_be_played(installation: Installation) -> None:
    """Raises SandboxError where what Flux is installed from is not in a sandbox."""
    match installation.method:
        case Method.HELM_CHART:
            missing = "the chart flux2"
        case Method.REMOTE_BASE if installation.owner is not None:
            missing = "the repository of Flux's manifests, which kustomize-controller would fetch"
        case _:
            return
    raise SandboxError(
        f"this Flux cannot be installed in a sandbox: {missing} is not there",
        where=installation.place,
        hint="the proof of `plan` holds without it; to see it happen, do the printed steps on a disposable cluster",
    )


def unbuildable(cluster: Cluster) -> Mapping[ObjectId, str]:
    """The Kustomizations of which a revision itself says that they do not build, or not offline, and why."""
    return {
        build.id: f"it is not built here: {build.failure.message if build.failure else build.status.value}"
        for build in cluster
        if build.status is not BuildStatus.OK
    }


def install(sandbox: Sandbox, stage: Stage, key: AgeKey) -> None:
    """Applies what a person applied by hand before Flux could work: Flux itself, stubs, secrets."""
    cluster = sandbox.cluster
    for object in sorted(stage.installation.live, key=lambda object: rank(object.id)):
        cluster.apply(object.data, field_manager=BY_HAND)
    stubbed(cluster, stage)
    flux = ids_of(stage.installation.live)
    for object in sorted(stage.cluster.bootstrap, key=lambda object: rank(object.id)):
        if object.id not in flux and "sops" not in object.data and object.id.kind != "Kustomization":
            applied_when_served(cluster, object.data)
    for secret in secrets(sandbox, stage, key):
        apply_in_namespace(cluster, secret)


def stubbed(cluster: KubeCluster, stage: Stage) -> None:
    """Kinds that nobody defines, and that are not Flux's own: stubs that accept anything."""
    served = {(kind.group, kind.kind) for kind in cluster.kinds()}
    for stub in stub_kinds(stage.objects, served):
        if stub.group != OPERATOR_GROUP and not stub.group.endswith(FLUX_GROUPS):
            cluster.apply(stub_crd(stub), field_manager=BY_HAND)


def rank(id: ObjectId) -> tuple[int, ObjectId]:
    """Definitions and namespaces first."""
    return (FIRST.index(id.kind) if id.kind in FIRST else len(FIRST), id)


def apply_in_namespace(cluster: KubeCluster, manifest: Manifest) -> None:
    """Applies an object, and its namespace before it where nobody did yet."""
    namespace = str(mapping(manifest["metadata"]).get("namespace", ""))
    if namespace and cluster.get(ObjectId("", "Namespace", "", namespace)) is None:
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        cluster.apply(made, field_manager=BY_HAND)
    cluster.apply(manifest, field_manager=BY_HAND)


def applied_when_served(cluster: KubeCluster, manifest: Manifest) -> None:
    """Applies an object once the API server knows its kind, which takes a moment after its definition."""
    end = time.monotonic() + CRD_SECONDS
    while True:
        try:
            apply_in_namespace(cluster, manifest)
            return
        except ClusterError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def secrets(sandbox: Sandbox, stage: Stage, key: AgeKey) -> Iterator[Manifest]:
    """Throw-away content for every Secret and ConfigMap that Flux reads and nothing in Git renders."""
    there = {object.id for _, object in stage.cluster.objects()}
    for build in stage.cluster:
        if build.ks.decryption_secret and build.ks.decryption_secret not in there:
            yield key.secret(build.ks.decryption_secret.name, build.ks.decryption_secret.namespace)
    for source in stage.cluster.sources.values():
        if source.secret and source.secret not in there and sandbox.world.has(source.url):
            yield manifest_of(source.secret, access(sandbox, source))
    yield from own_variables(stage.cluster)
    for id, names in variables(stage.cluster, there).items():
        yield manifest_of(id, {name: placeholder(name, "str", {}) for name in sorted(names)})


def access(sandbox: Sandbox, source: Source) -> Mapping[str, str]:
    """What a source needs to be let in here."""
    if source.url.startswith("ssh://"):
        return sandbox.world.ssh_secret(source.url)
    return {"username": "sandbox", "password": "sandbox"}


def own_variables(cluster: Cluster) -> Iterator[Manifest]:
    """Variables that a Kustomization both reads and applies: somebody had to apply them first."""
    for build in cluster:
        needed = {source.id for source in build.ks.substitute_from}
        for object in build.present:
            if object.id in needed:
                yield replaced(object.data, {}) if "sops" in object.data else object.data


def variables(cluster: Cluster, there: Iterable[ObjectId]) -> Mapping[ObjectId, frozenset[str]]:
    """The variables that each absent source of them must give, as far as their names are known."""
    known, found = frozenset(there), dict[ObjectId, frozenset[str]]()
    for build in cluster:
        symbols = frozenset().union(*(build.symbols or {}).values())
        for source in build.ks.required_variables:
            if source not in known:
                found[source] = found.get(source, frozenset()) | symbols
    return found


def manifest_of(id: ObjectId, content: Mapping[str, str]) -> Manifest:
    """A Secret or ConfigMap with this content."""
    field = "stringData" if id.kind == "Secret" else "data"
    metadata = {"name": id.name, "namespace": id.namespace}
    return {"apiVersion": "v1", "kind": id.kind, "metadata": metadata, field: dict(content)}


def start_flux(cluster: KubeCluster, stage: Stage) -> None:
    """Applies the source and the root Kustomization, by hand."""
    for data in (root_source(stage.cluster).object.data, stage.cluster.builds[stage.cluster.root].ks.object.data):
        applied_when_served(cluster, data)


class Unlifted:
    """The cluster as it would be were nothing lifted: what the sandbox suspended does not count as suspended."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._cluster, self._lifter = sandbox.cluster, sandbox.lifter

    def get(self, id: ObjectId) -> Manifest | None:
        """One object, or None where it, or its kind, does not exist."""
        found = self._cluster.get(id)
        return self._seen(id, found) if found else None

    def list(self, group: str, kind: str) -> Sequence[Manifest]:
        """All objects of a kind; none where the kind is not served."""
        named = ((ObjectId(group, kind, *place(one)), one) for one in self._cluster.list(group, kind))
        return tuple(self._seen(id, manifest) for id, manifest in named)

    def _seen(self, id: ObjectId, manifest: Manifest) -> Manifest:
        if id not in self._lifter.lifted:
            return manifest
        spec = {key: value for key, value in mapping(manifest.get("spec")).items() if key != "suspend"}
        return {**manifest, "spec": spec}


def place(manifest: Manifest) -> tuple[str, str]:
    """The namespace and name of an object."""
    metadata = mapping(manifest.get("metadata"))
    return str(metadata.get("namespace") or ""), str(metadata.get("name") or "")


def restarts_of(sandbox: Sandbox) -> Callable[[float], tuple[Restart, ...]]:
    """Tells what controllers did since a moment."""

    def since(moment: float) -> tuple[Restart, ...]:
        events = (event for event in sandbox.runner.events if event.time >= moment)
        return tuple(Restart(event.program, event.happening.value, event.time) for event in events)

    return since


def versions_there(stage: Stage) -> Mapping[str, str]:
    """The versions of the controllers that the user's cluster runs, and of the operator that it will."""
    installation = stage.installation
    found = {
        name: distributions.controller_version(installation.version, name)
        for name in (installation.components if installation.version else ())
    }
    return {**found, **({"flux-operator": stage.operator_version} if stage.operator_version else {})}

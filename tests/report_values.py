"""Plans, proofs and snapshots built by hand, small enough to read."""

from __future__ import annotations

from types import MappingProxyType

from flux_handover.act.proved import ProvedPlan
from flux_handover.findings import Finding, Location, Severity
from flux_handover.model.flux import kustomization_of
from flux_handover.model.installation import Installation, Method, Setting, SettingKind
from flux_handover.model.rendering import Build, BuildStatus, Cluster, Failure
from flux_handover.model.snapshot import Snapshot
from flux_handover.objects import KUSTOMIZE_GROUP, SOURCE_GROUP, Object, ObjectId
from flux_handover.plan.layout import AppFiles, Layout, Manners
from flux_handover.plan.operations import DisablePrune, Operation, RemoveFile
from flux_handover.plan.phases import Files, Gate, LiveStep, Phase, PhaseName, Plan
from flux_handover.plan.target import CarriedPatch, InstanceForm, Release, SyncStrategy, Target
from flux_handover.proof.obligations import Judgement, Obligation, Proof, Verdict
from flux_handover.proof.trace import Counterexample, numbered
from flux_handover.tree import Tree

ROOT = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "harbour")
FLUX = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", "flux")
MANIFESTS = ObjectId(SOURCE_GROUP, "OCIRepository", "flux-system", "flux-manifests")
GIT = ObjectId(SOURCE_GROUP, "GitRepository", "flux-system", "lighthouse")
PLACE = Location("lab/flux.yaml", 12)


def ks(id: ObjectId, path: str, **spec: object) -> Object:
    metadata = {"name": id.name, "namespace": id.namespace}
    return Object(
        id,
        {
            "apiVersion": f"{KUSTOMIZE_GROUP}/v1",
            "kind": "Kustomization",
            "metadata": metadata,
            "spec": {"path": path, "prune": True, "sourceRef": {"kind": GIT.kind, "name": GIT.name}, **spec},
        },
    )


def build(object: Object, parent: ObjectId | None, *objects: Object, failure: str = "") -> Build:
    return Build(
        ks=kustomization_of(object),
        parent=parent,
        where=PLACE,
        status=BuildStatus.FAILED if failure else BuildStatus.OK,
        raw=objects,
        objects=objects,
        reads=frozenset(),
        inputs="",
        failure=Failure("build", failure) if failure else None,
    )


def setting(name: str = "helm-controller", key: str = "--concurrent", value: str = "12") -> Setting:
    target = ObjectId("apps", "Deployment", "flux-system", name)
    return Setting(target, SettingKind.ARGUMENT, key, value, PLACE)


def installation(*settings: Setting) -> Installation:
    return Installation(
        cluster="lab",
        method=Method.OCI_KUSTOMIZATION,
        version="v2.6.4",
        namespace="flux-system",
        components=("helm-controller", "source-controller"),
        owner=FLUX,
        source=MANIFESTS,
        files=("lab/flux.yaml",),
        settings=settings,
        patches=(),
        plain=(),
        live=(),
    )


def snapshot(*findings: Finding, failure: str = "") -> Snapshot:
    root, child = ks(ROOT, "./lab"), ks(FLUX, "./", prune=False)
    builds = {ROOT: build(root, ROOT, root, child), FLUX: build(child, ROOT, failure=failure)}
    cluster = Cluster("lab", ROOT, "self", MappingProxyType(builds), MappingProxyType({}))
    found = {"lab": installation(setting(), setting("source-controller"))}
    return Snapshot("a" * 40, Tree(), (cluster,), MappingProxyType(found), findings)


def finding(message: str = "two owners", severity: Severity = Severity.ERROR) -> Finding:
    return Finding("O6", severity, "S0", message, PLACE, "keep one", FLUX.full, "lab")


def app(name: str) -> AppFiles:
    directory = f"lab/{name}/app"
    files = (f"{directory}/{file}.yaml" for file in ("kustomization", "helmrelease", "ocirepository", "instance"))
    id = ObjectId(KUSTOMIZE_GROUP, "Kustomization", "flux-system", name)
    return AppFiles(id, f"lab/{name}/ks.yaml", f"./{name}/ks.yaml", directory, *files)


def layout() -> Layout:
    manners = Manners((), {}, True, False, False, True)
    return Layout("lab/kustomization.yaml", ROOT, app("flux-operator"), app("flux"), manners, {}, "1h", "1h")


def target() -> Target:
    release = Release("flux-operator", "flux-system", "oci://example/charts/flux-operator", "0.58.1", {})
    instance = Release("flux", "flux-system", "oci://example/charts/flux-instance", "0.58.1", {})
    return Target(
        sync=SyncStrategy.KEEP,
        form=InstanceForm.HELMRELEASE,
        namespace="flux-system",
        operator_version="0.58.1",
        flux_version="2.6.4",
        components=("helm-controller", "source-controller"),
        distribution={"version": "2.6.4"},
        cluster={},
        patches=(CarriedPatch("- op: add", (("kind", "Deployment"),), PLACE),),
        operator=release,
        instance=instance,
        layout=layout(),
    )


GATE = Gate(
    "prune-off",
    FLUX,
    "Kustomization flux does not prune",
    "kubectl -n flux-system get ks flux -o jsonpath={.spec.prune}",
    "false",
    "it would delete Flux with itself",
)
BACK = LiveStep("apply the old Kustomization", "kubectl apply -f old.yaml", "configured")


def phase(
    name: PhaseName = PhaseName.PROTECT,
    *operations: Operation,
    removes: frozenset[ObjectId] = frozenset(),
    tree: Tree | None = None,
) -> Phase:
    return Phase(
        name=name,
        title="Keep Flux from deleting itself",
        operations=operations or (DisablePrune(FLUX, PLACE),),
        files=Files((), ("lab/flux.yaml",), ()),
        tree=tree or Tree(),
        removes=removes,
        gates=(GATE,),
        way_back=(BACK,),
    )


def retire() -> Phase:
    operation = RemoveFile("lab/flux.yaml", (FLUX, MANIFESTS), "the FluxInstance owns Flux now")
    return phase(PhaseName.RETIRE, operation, removes=frozenset({FLUX, MANIFESTS}))


def plan(*phases: Phase, cluster: str = "lab") -> Plan:
    return Plan(
        cluster, "a" * 40, installation(), target(), phases, ("v2.6.4 runs",), ("no sync: the names differ",), ()
    )


def proof(of: Phase, *judgements: Judgement) -> Proof:
    return Proof(of.name.value, "0", "1", judgements or (Judgement(Obligation.BUILDS, Verdict.HOLDS, ("9 build",)),))


def refuted() -> Judgement:
    trace = numbered([("kustomize-controller", "applies harbour"), ("kustomize-controller", "prunes flux")])
    lost = Counterexample("E1", (FLUX,), trace)
    return Judgement(Obligation.NOTHING_LOST, Verdict.REFUTED, ("flux is deleted",), lost, "set prune to false first")


def unknown() -> Judgement:
    return Judgement(Obligation.BUILDS, Verdict.UNKNOWN, ("a remote base",))


def proved(*phases: Phase, cluster: str = "lab") -> ProvedPlan:
    return ProvedPlan(plan(*phases, cluster=cluster), tuple(proof(one) for one in phases))

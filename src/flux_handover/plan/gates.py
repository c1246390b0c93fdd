"""What must be seen in the cluster before each phase, as read-only commands with their expected output.

A phase in Git says nothing about the cluster (rules.md R3): every gate asks for the live object,
and for the generation that was observed, not only for what is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from flux_handover.catalogue import distributions
from flux_handover.catalogue.manifests import CLUSTER_SCOPED
from flux_handover.model.flux import FluxKustomization
from flux_handover.model.installation import Installation, Method
from flux_handover.model.rendering import Build, Cluster
from flux_handover.objects import (
    HELM_GROUP,
    KUSTOMIZE_GROUP,
    OPERATOR_NAME,
    OWNER_NAME,
    PRUNE,
    Object,
    ObjectId,
    ids_of,
    mapping,
)
from flux_handover.plan import basing, releasing
from flux_handover.plan.conditions import ANY, AllReady, Every, FieldIs, Has, IsAbsent, IsReady, NoneHas
from flux_handover.plan.phases import Gate
from flux_handover.plan.protecting import Override
from flux_handover.plan.resources import HELM_RELEASES, INSTANCES, KUSTOMIZATIONS, plural
from flux_handover.plan.target import InstanceForm, Target

_OWNERS = ((KUSTOMIZE_GROUP, "Kustomization"), (HELM_GROUP, "HelmRelease"))
_PRUNE_MARK = ("metadata", "annotations", PRUNE)
_OBSERVED = "{.metadata.generation}={.status.observedGeneration}"


def preflight(cluster: Cluster, installation: Installation) -> tuple[Gate, ...]:
    """R4: the plan is proved from Git alone; these are the facts it takes for true."""
    return (
        *all_ready("before anything changes"),
        *_quiet(),
        _images(installation),
        _stored_versions(installation),
        *_live_specs(cluster, installation),
        *_secrets(cluster),
    )


def all_ready(when: str, but: ObjectId | None = None) -> Iterator[Gate]:
    """Everything Ready: what does not reconcile now will not follow the next commit either (R20).

    A suspended Kustomization, `but`, never says so of its newest generation.
    """
    names = (("kustomizations-ready", KUSTOMIZATIONS), ("helmreleases-ready", HELM_RELEASES))
    for (name, kind), owner in zip(names, _OWNERS, strict=True):
        left_out = but if but and (but.group, but.kind) == owner else None
        which = f"--field-selector=metadata.name!={left_out.name}" if left_out else "--all"
        yield Gate(
            id=name,
            object=None,
            condition=f"every one of {kind} is Ready{f', but {left_out}' if left_out else ''}",
            command=f"kubectl wait {kind} {which} --all-namespaces --for=condition=Ready --timeout=60s",
            expect="`condition met` on every line",
            why=f"a Kustomization that is not Ready {when} keeps its old inventory and spec",
            looks_for=AllReady(*owner, frozenset({left_out} if left_out else ())),
        )


def before_operator(cluster: Cluster, installation: Installation, overrides: tuple[Override, ...]) -> tuple[Gate, ...]:
    """`protect` is live: the owner does not prune any more, and has seen so."""
    owner = cluster.build(installation.owner)
    gates = _protected(owner, installation) if owner else []
    parents = sorted({override.parent for override in overrides})
    gates += releasing.is_suspended(installation)
    return (*gates, *(_overridden(id, [o for o in overrides if o.parent == id]) for id in parents))


def before_instance(target: Target) -> tuple[Gate, ...]:
    """The operator runs, and the API server knows its kinds."""
    definition = ObjectId("apiextensions.k8s.io", "CustomResourceDefinition", "", INSTANCES)
    return (
        _ready(KUSTOMIZATIONS, target.layout.operator.ks, "the instance's Kustomization depends on it"),
        _ready(HELM_RELEASES, target.operator.id, "without the operator a FluxInstance does nothing"),
        Gate(
            id="instance-crd",
            object=definition,
            condition="the kind FluxInstance is established",
            command=f"kubectl wait crd/{INSTANCES} --for=condition=Established --timeout=60s",
            expect=f"customresourcedefinition.apiextensions.k8s.io/{INSTANCES} condition met",
            why="an unknown kind fails the dry run of a whole stage",
            looks_for=IsReady(definition, "Established"),
        ),
    )


def after_instance(target: Target, installation: Installation) -> tuple[Gate, ...]:
    """The operator has taken over every object of Flux (R11); only then may the old owner leave Git."""
    version = target.flux_version
    ready = Gate(
        id="instance-ready",
        object=target.instance_id,
        condition=f"the FluxInstance is Ready at {version}",
        command=(
            f"kubectl -n {target.namespace} get {INSTANCES} {target.instance_id.name} -o "
            'jsonpath=\'{.status.conditions[?(@.type=="Ready")].status} {.status.lastAppliedRevision}{"\\n"}\''
        ),
        expect=f"True {version}, perhaps with @sha256:... behind it",
        why="the operator applies everything before it says so",
        looks_for=Every((IsReady(target.instance_id), Has(target.instance_id, (_at(version),)))),
    )
    release = (_ready(HELM_RELEASES, target.instance.id, "its chart must be through before the next push"),)
    form = release if target.form is InstanceForm.HELMRELEASE else ()
    return (ready, *form, *_adopted(target, installation), *all_ready("after the controllers were rolled"))


def _at(version: str) -> FieldIs:
    return FieldIs(("status", "lastAppliedRevision"), rf"{re.escape(version)}(@.*)?")


def before_references(removed: Iterable[ObjectId]) -> tuple[Gate, ...]:
    """`retire` is through: exactly what it declared is gone."""
    gates = [_gone(id) for id in sorted(removed)]
    return (*gates, *all_ready("after the old installation left"))


def _quiet() -> Iterator[Gate]:
    for name, condition, test, field, why in (
        (
            "none-suspended",
            "nothing is suspended",
            "@.spec.suspend==true",
            FieldIs(("spec", "suspend"), "true"),
            "what is suspended does not follow a commit",
        ),
        (
            "none-terminating",
            "nothing is being deleted",
            "@.metadata.deletionTimestamp",
            FieldIs(("metadata", "deletionTimestamp"), ".+"),
            "a pending finalizer fires as soon as its controller comes back (O14)",
        ),
    ):
        yield Gate(
            id=name,
            object=None,
            condition=condition,
            command=(
                f"kubectl get {KUSTOMIZATIONS},{HELM_RELEASES} --all-namespaces -o "
                f"jsonpath='{{range .items[?({test})]}}"
                '{.kind}/{.metadata.namespace}/{.metadata.name}{"\\n"}{end}\''
            ),
            expect="no output",
            why=why,
            looks_for=NoneHas(_OWNERS, field),
        )


def _images(installation: Installation) -> Gate:
    running = [
        f"{name} {distributions.controller_version(installation.version, name)}" for name in installation.components
    ]
    return Gate(
        id="running-version",
        object=None,
        condition=f"the controllers of Flux {installation.version} run",
        command=(
            f"kubectl -n {installation.namespace} get deployments -l app.kubernetes.io/part-of=flux -o "
            "jsonpath='{range .items[*]}{.metadata.name} {.spec.template.spec.containers[0].image}{\"\\n\"}{end}'"
        ),
        expect="the tags " + ", ".join(running),
        why="the FluxInstance gets exactly this version; another one running would be moved by it",
        looks_for=Every(tuple(_tagged(installation, name) for name in installation.components)),
    )


def _tagged(installation: Installation, name: str) -> Has:
    version = distributions.controller_version(installation.version, name)
    image = ("spec", "template", "spec", "containers", 0, "image")
    id = ObjectId("apps", "Deployment", installation.namespace, name)
    return Has(id, (FieldIs(image, rf".*:{re.escape(version)}(@.*)?"),))


def _stored_versions(installation: Installation) -> Gate:
    stored = distributions.storage_api_versions(installation.version)
    return Gate(
        id="stored-versions",
        object=None,
        condition="each kind of Flux is stored in its current version only",
        command=(
            "kubectl get crds -l app.kubernetes.io/part-of=flux -o "
            "jsonpath='{range .items[*]}{.spec.names.kind} {.status.storedVersions}{\"\\n\"}{end}'"
        ),
        expect=", ".join(f'{kind} ["{version}"]' for (_, kind), version in sorted(stored.items())),
        why="an old version in the list blocks the next minor; the operator migrates it after adoption",
        looks_for=Every(tuple(_stored(installation, stored))),
    )


def _stored(installation: Installation, stored: Mapping[tuple[str, str], str]) -> Iterator[Has]:
    for object in installation.live:
        key = (str(object.spec.get("group")), str(mapping(object.spec.get("names")).get("kind")))
        if object.id.kind == "CustomResourceDefinition" and key in stored:
            path = ("status", "storedVersions")
            yield Has(object.id, (FieldIs((*path, 0), re.escape(stored[key])), FieldIs((*path, 1), None)))


def _live_specs(cluster: Cluster, installation: Installation) -> Iterator[Gate]:
    for id in dict.fromkeys(id for id in (cluster.root, installation.owner) if id in cluster.builds):
        ks = cluster.builds[id].ks if id else None
        if ks is None:
            continue
        yield Gate(
            id=f"live-{ks.id.name}",
            object=ks.id,
            condition=f"the live {ks.id} is the one in Git",
            command=(
                f"kubectl -n {ks.namespace} get {KUSTOMIZATIONS} {ks.id.name} -o "
                "jsonpath='{.spec.path} {.spec.prune} {.spec.sourceRef.kind}/{.spec.sourceRef.name}{\"\\n\"}'"
            ),
            expect=f"{ks.object.spec.get('path', '')} {str(ks.prune).lower()} {ks.source.kind}/{ks.source.name}",
            why="what is deleted is decided by the live object, not by Git",
            looks_for=Has(ks.id, tuple(_spec_of(ks))),
        )


def _spec_of(ks: FluxKustomization) -> Iterator[FieldIs]:
    path = str(ks.object.spec.get("path") or "")
    yield FieldIs(("spec", "path"), re.escape(path) if path else None)
    yield FieldIs(("spec", "prune"), str(ks.prune).lower())
    yield FieldIs(("spec", "sourceRef", "kind"), re.escape(ks.source.kind))
    yield FieldIs(("spec", "sourceRef", "name"), re.escape(ks.source.name))


def _secrets(cluster: Cluster) -> Iterator[Gate]:
    for id in sorted({source.secret for source in cluster.sources.values() if source.secret}):
        yield Gate(
            id=f"secret-{id.name}",
            object=id,
            condition=f"{id} exists",
            command=f"kubectl -n {id.namespace} get secret {id.name} -o name",
            expect=f"secret/{id.name}",
            why="source-controller restarts during adoption and fetches everything anew",
            looks_for=Has(id),
        )


def _protected(owner: Build, installation: Installation) -> list[Gate]:
    """The owner stopped pruning, or everything that leaves it carries the mark that stops the prune (R9)."""
    if installation.method not in (Method.BOOTSTRAP, Method.REMOTE_BASE):
        return [_unpruned(owner.id)]
    mark = f"{{.metadata.annotations.{_escaped(PRUNE)}}}"
    path = f'{{range .items[*]}}{{.kind}}/{{.metadata.name}} {mark}{{"\\n"}}{{end}}'
    return [
        Gate(
            id=f"opt-outs-{scope}",
            object=owner.id,
            condition=f"all {len(ids)} live objects of Flux in this scope opt out of pruning",
            command=f"kubectl {place}get {kinds} -l app.kubernetes.io/part-of=flux -o jsonpath='{path}'",
            expect="\n".join(f"{id.kind}/{id.name} disabled" for id in sorted(ids)),
            why="only the mark on the live object counts when its file leaves Git",
            looks_for=Every(tuple(Has(id, (FieldIs(_PRUNE_MARK, "(?i)disabled"),)) for id in ids)),
        )
        for scope, place, kinds, ids in _by_scope(basing.adopted(installation), installation.namespace)
    ]


def _unpruned(id: ObjectId) -> Gate:
    return Gate(
        id="prune-is-off",
        object=id,
        condition=f"the live {id} does not prune, and has been reconciled so",
        command=(
            f"kubectl -n {id.namespace} get {KUSTOMIZATIONS} {id.name} -o "
            f"jsonpath='{{.spec.prune}} {{.spec.deletionPolicy}} {_OBSERVED}{{\"\\n\"}}'"
        ),
        expect="false, no policy, and twice the same number",
        why="until then removing it from Git deletes Flux itself (O4)",
        looks_for=Has(
            id, (FieldIs(("spec", "prune"), "false"), FieldIs(("spec", "deletionPolicy"), None)), observed=True
        ),
    )


def _overridden(id: ObjectId, overrides: list[Override]) -> Gate:
    names = [override.app.ks.name for override in overrides]
    return Gate(
        id=f"defaults-undone-{id.name}",
        object=id,
        condition=f"the live {id} leaves {' and '.join(names)} alone",
        command=(
            f"kubectl -n {id.namespace} get {KUSTOMIZATIONS} {id.name} -o "
            'jsonpath=\'{.spec.patches[*].target.name} {.status.conditions[?(@.type=="Ready")].status}{"\\n"}\''
        ),
        expect=f"{' '.join(names)} True, perhaps with other names before them",
        why="; ".join(override.why for override in overrides),
        looks_for=Every((IsReady(id), Has(id, tuple(_targets(names))))),
    )


def _targets(names: Iterable[str]) -> Iterator[FieldIs]:
    yield from (FieldIs(("spec", "patches", ANY, "target", "name"), re.escape(name)) for name in names)


def _ready(kind: str, id: ObjectId, why: str) -> Gate:
    return Gate(
        id=f"{kind.partition('.')[0]}-{id.name}",
        object=id,
        condition=f"{id} is Ready",
        command=f"kubectl -n {id.namespace} wait {kind}/{id.name} --for=condition=Ready --timeout=5m",
        expect=f"{kind.replace('s.', '.', 1)}/{id.name} condition met",
        why=why,
        looks_for=IsReady(id),
    )


def _gone(id: ObjectId) -> Gate:
    name = f"gone-{id.kind.lower()}-{id.name}" if id.kind in CLUSTER_SCOPED else f"gone-{id.name}"
    return absent(id, name, f"{id} is gone", "the phase declares this deletion and no other")


def absent(id: ObjectId, name: str, condition: str, why: str) -> Gate:
    """A gate that an object is not there."""
    place = f"-n {id.namespace} " if id.namespace else ""
    return Gate(
        id=name,
        object=id,
        condition=condition,
        command=f"kubectl {place}get {plural(id)} {id.name} --ignore-not-found -o name",
        expect="no output",
        why=why,
        looks_for=IsAbsent(id),
    )


def _escaped(key: str) -> str:
    return key.replace(".", "\\.")


OWNERSHIP = (
    f"{{.metadata.labels.{_escaped(OPERATOR_NAME)}}} [{{.metadata.labels.{_escaped(OWNER_NAME)}}}]"
    f" {{.metadata.annotations.{_escaped(PRUNE)}}}"
)
"""kubectl's words for whose an object is: the operator's label, the old owner's, and the opt-out."""


def _adopted(target: Target, installation: Installation) -> Iterator[Gate]:
    """One line for each object: the operator's label, no owner label, the opt-out."""
    path = f'{{range .items[*]}}{{.kind}}/{{.metadata.name}} {OWNERSHIP}{{"\\n"}}{{end}}'
    for scope, place, kinds, ids in _by_scope(_taken_over(target, installation), target.namespace):
        yield Gate(
            id=f"adopted-{scope}",
            object=target.instance_id,
            condition=f"the operator owns all {len(ids)} objects of this scope, and kustomize-controller none",
            command=f"kubectl {place}get {kinds} -l app.kubernetes.io/part-of=flux -o jsonpath='{path}'",
            expect="\n".join(f"{id.kind}/{id.name} {target.instance_id.name} [] Disabled" for id in sorted(ids)),
            why="an object that still carries the old owner's label can be deleted by it",
            looks_for=Every(tuple(owned(id, target.instance_id.name) for id in ids)),
        )


def _taken_over(target: Target, installation: Installation) -> Iterator[Object]:
    """What the operator adopts; it has no NetworkPolicies where the FluxInstance says so."""
    policies = target.cluster.get("networkPolicy", True)
    return (object for object in basing.adopted(installation) if policies or object.id.kind != "NetworkPolicy")


def owned(id: ObjectId, instance: str) -> Has:
    """The object has the operator's label and opt-out, and no label of a Kustomization."""
    labels = ("metadata", "labels")
    fields = (
        FieldIs((*labels, OPERATOR_NAME), re.escape(instance)),
        FieldIs((*labels, OWNER_NAME), None),
        FieldIs(_PRUNE_MARK, "(?i)disabled"),
    )
    return Has(id, fields)


def _by_scope(objects: Iterable[Object], namespace: str) -> Iterator[tuple[str, str, str, list[ObjectId]]]:
    """Scope, kubectl's words for the place and the kinds, and the ids."""
    ids = ids_of(objects)
    scoped = {id for id in ids if id.kind in CLUSTER_SCOPED}
    for scope, place, members in (("cluster", "", scoped), ("namespace", f"-n {namespace} ", ids - scoped)):
        yield scope, place, ",".join(sorted({_plural(id) for id in members})), sorted(members)


def _plural(id: ObjectId) -> str:
    if id.kind == "NetworkPolicy":
        return "networkpolicies"
    return {"CustomResourceDefinition": "crds"}.get(id.kind, f"{id.kind.lower()}s")
